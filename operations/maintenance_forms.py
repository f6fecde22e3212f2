"""Forms of maintenance: a window planned or changed by hand, and a schedule, whose next dates are shown before it is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from operations import recurrence
from operations.models import MaintenanceSchedule, MaintenanceWindow
from operations.models.maintenance import Component
from operations.recurrence import LONGEST_WINDOW, BadRule

PREVIEWED = 5
PATTERNS = (
    ("FREQ=MONTHLY;BYDAY=+3SU", "Third Sunday of each month"),
    ("FREQ=MONTHLY;BYDAY=+1SU", "First Sunday of each month"),
    ("FREQ=MONTHLY;BYDAY=-1SU", "Last Sunday of each month"),
    ("FREQ=WEEKLY;BYDAY=SU", "Each Sunday"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", "Every second Sunday"),
    ("", "A rule of your own"),
)
# Longer ago than this a plan is a slip of the hand.
AGO = timedelta(hours=1)


class Minutes(forms.IntegerField):
    """A length of time, asked for in minutes."""

    def __init__(self, label: str, *, least: int = 0, help_text: str = "") -> None:
        most = int(LONGEST_WINDOW.total_seconds() // 60)
        super().__init__(label=label, min_value=least, max_value=most, help_text=help_text)

    def prepare_value(self, value: Any) -> Any:
        return int(value.total_seconds() // 60) if isinstance(value, timedelta) else value

    def clean(self, value: Any) -> Any:
        return timedelta(minutes=super().clean(value))


class Moment(forms.SplitDateTimeField):
    """A day and a time of day, in UTC."""

    def __init__(self, label: str) -> None:
        day = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "aria-label": f"{label}, day"})
        time = forms.TimeInput(format="%H:%M", attrs={"type": "time", "aria-label": f"{label}, time of day in UTC"})
        super().__init__(label=label, widget=forms.SplitDateTimeWidget())
        assert isinstance(self.widget, forms.MultiWidget)
        self.widget.widgets = [day, time]


class _WorkForm(forms.ModelForm):  # type: ignore[type-arg]
    expected_downtime = Minutes("Expected downtime, minutes", help_text="How long people will notice it.")
    components = forms.MultipleChoiceField(
        choices=Component.choices, widget=forms.CheckboxSelectMultiple, required=False, label="Affected"
    )

    class Meta:
        fields: tuple[str, ...] = ("title", "expected_downtime", "components", "pauses_answering", "notice")
        labels = {"pauses_answering": "Answers wait during the window", "notice": "What people are told meanwhile"}
        widgets: dict[str, forms.Widget] = {"notice": forms.Textarea(attrs={"rows": 3})}


class WindowForm(_WorkForm):
    starts_at = Moment("Start")
    ends_at = Moment("End")

    class Meta(_WorkForm.Meta):
        model = MaintenanceWindow
        fields = ("title", "starts_at", "ends_at", *_WorkForm.Meta.fields[1:])

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        start, end = data.get("starts_at"), data.get("ends_at")
        if start and end:
            if end <= start:
                self.add_error("ends_at", "The end comes after the start.")
            elif end - start > LONGEST_WINDOW:
                self.add_error("ends_at", "A window lasts at most 24 hours.")
            elif end <= timezone.now() or start < timezone.now() - AGO:
                self.add_error("starts_at", "This time is over. Choose a start to come.")
        return data


class ScheduleForm(_WorkForm):
    """`dates` holds the next starts after a clean, for the preview."""

    field_order = ("title", "pattern", "rule", "at", "lasts", "counted_from")

    pattern = forms.ChoiceField(choices=PATTERNS, label="Comes", required=False)
    rule = forms.CharField(
        label="Rule",
        max_length=300,
        required=False,
        help_text="As calendars write it (RFC 5545), such as FREQ=MONTHLY;BYDAY=+3SU.",
    )
    lasts = Minutes("Lasts, minutes", least=1)

    class Meta(_WorkForm.Meta):
        model = MaintenanceSchedule
        fields = ("title", "rule", "counted_from", "at", "lasts", *_WorkForm.Meta.fields[1:], "active")
        help_texts = {"at": "", "counted_from": "Matters for rules such as every second week."}
        labels = _WorkForm.Meta.labels | {"at": "Start, UTC", "counted_from": "Counted from", "active": "In use"}
        widgets = _WorkForm.Meta.widgets | {
            "at": forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
            "counted_from": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dates: list[datetime] = []
        known = {rule for rule, _ in PATTERNS}
        self.initial.setdefault("pattern", self.instance.rule if self.instance.rule in known else "")

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        data["rule"] = recurrence.cleaned(data.get("pattern") or data.get("rule") or "")
        if not {"counted_from", "at", "lasts"} <= data.keys():
            return data
        try:
            self.dates = recurrence.checked(
                data["rule"], counted_from=data["counted_from"], at=data["at"], lasts=data["lasts"], now=timezone.now()
            )
        except BadRule as problem:
            self.add_error("rule", str(problem))
        return data

    def preview(self) -> list[str]:
        return [recurrence.said(start, self.cleaned_data["lasts"]) for start in self.dates[:PREVIEWED]]
