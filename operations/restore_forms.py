"""What people fill in for a restore. Before something is asked for, approved or put in place they show once more who they
are, where a second factor is in use."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from operations import second_factor
from operations.models import Backup, Incident, Restore
from operations.second_factor_forms import ConfirmForm, is_of_app, tidy

_NUMBER = re.compile(r"(?:INC-)?0*(\d{1,9})", re.IGNORECASE)


class RequestForm(forms.Form):
    scope = forms.ChoiceField(
        label="What",
        required=False,
        initial=Restore.Scope.EVERYTHING,
        choices=[(Restore.Scope.EVERYTHING, "Everything"), (Restore.Scope.KNOWLEDGE, "Only the knowledge base")],
        widget=forms.RadioSelect,
    )
    instant = forms.DateTimeField(
        label="An instant (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
    )
    backup = forms.ModelChoiceField(Backup.objects.none(), label="Or a backup as it is", required=False, empty_label="None")
    reason = forms.CharField(label="Why", max_length=400, widget=forms.Textarea(attrs={"rows": 2}))
    incident = forms.CharField(label="Incident", max_length=20, required=False)
    carry_messages = forms.BooleanField(label="Carry over messages received since then", required=False, initial=True)

    def __init__(self, *args: Any, earliest: datetime | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.earliest = earliest
        field = self.fields["backup"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Backup.objects.kept().of_database().order_by("-taken_at")

    def clean_scope(self) -> str:
        return self.cleaned_data["scope"] or Restore.Scope.EVERYTHING

    def clean_instant(self) -> datetime | None:
        instant: datetime | None = self.cleaned_data["instant"]
        if instant is None:
            return None
        if instant > timezone.now():
            raise ValidationError("This instant has not come yet.")
        if self.earliest is None:
            raise ValidationError("No instant can be restored yet; choose a backup.")
        if instant < self.earliest:
            raise ValidationError(f"The earliest instant that can be restored is {self.earliest:%Y-%m-%d %H:%M:%S} UTC.")
        return instant

    def clean_incident(self) -> str:
        typed = self.cleaned_data["incident"].strip()
        if not typed:
            return ""
        found = _NUMBER.fullmatch(typed)
        if not found or not Incident.objects.filter(number=int(found[1])).exists():
            raise ValidationError("There is no incident of this number.")
        return f"INC-{int(found[1])}"

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("scope") == Restore.Scope.KNOWLEDGE:
            given["carry_messages"] = True  # they stay where they are
        if not self.errors and bool(given.get("instant")) == bool(given.get("backup")):
            raise ValidationError("Choose one of the two: an instant, or a backup as it is.")
        return given


class NameForm(forms.Form):
    """The last look before something is exchanged."""

    typed = forms.CharField(
        label="The name of the database",
        max_length=63,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )


class FreshForm(ConfirmForm):
    """A code of the app where somebody has one, and the password where not."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.has_app = second_factor.has_one(request.user)
        self.fields["confirmation"].label = "The code that your app shows now" if self.has_app else "Your password"

    def clean(self) -> dict[str, Any]:
        if self.has_app and not is_of_app(tidy(self.cleaned_data.get("confirmation", ""))):
            raise ValidationError("Here the code that your app shows now is asked for.", code="wrong")
        return super().clean()


def fresh(request: HttpRequest) -> FreshForm | None:
    """Bound where something was sent; None where no second factor is in use."""
    return None if second_factor.is_off() else FreshForm(request, request.POST if request.method == "POST" else None)
