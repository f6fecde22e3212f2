"""The forms of an incident. Each knows what it changes, so that a form that is older than the incident can be refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils import timezone

from operations.incidents import ROLES
from operations.models import FollowUp, Incident
from operations.severities import MEANINGS

AHEAD = timedelta(minutes=5)


class Moment(forms.DateTimeField):
    """A moment in UTC, typed into the browser's own field for one."""

    def __init__(self, **kwargs: Any) -> None:
        picker = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})
        super().__init__(widget=picker, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"], **kwargs)


def text(label: str, *, required: bool = False, help_text: str = "", rows: int = 3, most: int = 4000) -> forms.CharField:
    box = forms.Textarea(attrs={"rows": rows})
    wanted = {"required": f"Write something under “{label}”."}
    return forms.CharField(
        label=label, required=required, help_text=help_text, widget=box, max_length=most, error_messages=wanted
    )


def line(label: str, *, most: int, required: bool = False, help_text: str = "") -> forms.CharField:
    wanted = {"required": f"Write something under “{label}”."}
    return forms.CharField(label=label, required=required, help_text=help_text, max_length=most, error_messages=wanted)


class PersonField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Somebody of the active staff, by the name they go by."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(User.objects.filter(is_active=True, is_staff=True).order_by("username"), **kwargs)

    def label_from_instance(self, obj: Any) -> str:
        return str(obj.get_full_name() or obj.get_username())


def severity_field(label: str = "Severity") -> forms.TypedChoiceField:
    choices = [(each.severity, f"{each.severity} {each.name}") for each in MEANINGS]
    wanted = {"required": "Choose a severity. Unsure? Take the higher one."}
    return forms.TypedChoiceField(label=label, choices=choices, coerce=int, widget=forms.RadioSelect, error_messages=wanted)


def check_began(began: datetime | None) -> datetime | None:
    """A picker knows minutes only, so that "now" may be a little ahead of itself; a wrong day is worth a question."""
    if began is not None and began > timezone.now() + AHEAD:
        raise forms.ValidationError("The impact cannot begin in the future. Times are in UTC.")
    return began


class DeclareForm(forms.Form):
    title = line(
        "What is wrong",
        most=200,
        required=True,
        help_text="One line, as you would say it to a colleague. Nobody's name or number.",
    )
    severity = severity_field()
    affected = line("Who is affected", most=200, help_text="A count or a share, such as “about 10 % of messages”.")
    action = line("What is being done", most=400, help_text="Nothing yet is an answer too.")
    impact_started_at = Moment(label="Impact began (UTC)", help_text="When people first felt it; your best guess will do.")
    public = forms.BooleanField(
        label="Show it on the public status page and tell subscribers",
        required=False,
        help_text="Only the title, the severity, who is affected, what is done and when it should be over.",
    )

    def clean_impact_started_at(self) -> datetime | None:
        return check_began(self.cleaned_data["impact_started_at"])


class UpdateForm(forms.Form):
    """Guards what it would overwrite: an older form must not put back what somebody else just changed."""

    guards = ("affected", "action", "eta")
    text = text("What is going on", required=True)
    affected = line("Who is affected", most=200)
    action = line("What is being done", most=400)
    eta = line("When it should be over", most=120)
    tell = forms.BooleanField(label="Also tell subscribers", required=False)


class NoteForm(forms.Form):
    guards = ()
    text = text("Note", required=True, rows=2)


class SeverityForm(forms.Form):
    guards = ("severity",)
    severity = severity_field()
    why = line("Why", most=300)


class EditForm(forms.Form):
    guards = ("title", "impact_started_at", "public", "runbook", "details")
    title = line("What is wrong", most=200, required=True)
    impact_started_at = Moment(label="Impact began (UTC)")
    public = forms.BooleanField(label="Shown on the public status page", required=False)
    runbook = line("Runbook", most=200, help_text="Its address, or where it lies.")
    details = text("What is known, for staff", rows=4)

    def clean_impact_started_at(self) -> datetime | None:
        return check_began(self.cleaned_data["impact_started_at"])


class RoleForm(forms.Form):
    role = forms.ChoiceField(label="Part", choices=[(role, role.capitalize()) for role in ROLES])
    person = PersonField(label="Goes to", required=False, empty_label="nobody")


class FollowUpForm(forms.Form):
    guards = ()
    text = line("What is to be done", most=400, required=True)
    kind = forms.ChoiceField(label="Kind", choices=FollowUp.Kind.choices)
    owner = PersonField(label="Who does it", empty_label=None)
    due_on = forms.DateField(label="By", widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))


class CancelForm(forms.Form):
    guards = ("state",)
    why = line("Why", most=300, required=True, help_text="Such as “a test” or “it was never down”.")


class DuplicateForm(forms.Form):
    guards = ("state",)
    number = line("The same as", most=12, required=True, help_text="Its number, such as INC-12.")
    of: Incident

    def clean_number(self) -> str:
        typed: str = self.cleaned_data["number"]
        found = re.fullmatch(r"(?:INC-?)?\s*(\d{1,9})", typed.strip(), re.IGNORECASE)
        other = Incident.objects.filter(number=int(found[1])).first() if found else None
        if other is None:
            raise forms.ValidationError("There is no incident of that number.")
        self.of = other
        return typed


class PostmortemForm(forms.Form):
    guards = ("postmortem",)
    root_cause = text("Root cause", required=True, rows=3, help_text="What made it possible, so that it can be changed. Not who.")
    text = text("What happened", required=True, rows=24, most=100_000, help_text="Plain Markdown.")


def begun(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(second=0, microsecond=0)


def alike(title: str, others: Iterable[Incident]) -> list[Incident]:
    """Live incidents that may be the same trouble: they share half of the words of the shorter title."""
    words = _words(title)
    return [other for other in others if _shares_half(words, _words(other.title))]


def _words(title: str) -> set[str]:
    # By what stands between them: the vowel signs of Indian scripts are no word characters to Python.
    return {word for word in re.split(r"[\s.,:;!?()\"'/-]+", title.lower()) if len(word) > 3}


def _shares_half(one: set[str], other: set[str]) -> bool:
    return bool(one and other) and 2 * len(one & other) >= min(len(one), len(other))


def in_days(days: int) -> date:
    return (timezone.now() + timedelta(days=days)).date()
