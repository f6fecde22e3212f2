"""Maintenance: schedules, the windows they give, what is ticked off before and after, and pauses without a window.

Nothing here points into another app: a window remembers the id of the holding notice that conversations owns.
What has been said is a mark on the row, so that a watcher that was away neither repeats nor forgets.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from jeevo.ids import new_id

USER = settings.AUTH_USER_MODEL
THIRD_SUNDAY = "FREQ=MONTHLY;BYDAY=+3SU"


class Component(models.TextChoices):
    ANSWERS = "answers", "Answers on WhatsApp"
    CONSOLE = "console", "The console"
    API = "api", "The API"
    KNOWLEDGE = "knowledge", "Knowledge and search"


def affected_components() -> list[str]:
    return [Component.ANSWERS]


def today() -> object:
    return timezone.now().date()


class Work(models.Model):
    """What a schedule and a window say alike."""

    title = models.CharField(max_length=120)
    expected_downtime = models.DurationField(default=timedelta(minutes=30), help_text="How long people will notice it.")
    components = ArrayField(models.CharField(max_length=12, choices=Component.choices), default=affected_components)
    pauses_answering = models.BooleanField(
        default=True, help_text="People get a notice once and their answer afterwards. Emergencies are answered at once."
    )
    notice = models.CharField(
        max_length=600, blank=True, help_text="What people get while answers wait. Empty: Jeevo's own words, in their language."
    )

    class Meta:
        abstract = True

    @property
    def affects(self) -> str:
        return ", ".join(Component(each).label for each in self.components) or "Nothing that people notice"


class MaintenanceSchedule(Work):
    """When maintenance comes again: a recurrence rule of RFC 5545, counted from a day, at a time of day in UTC."""

    rule = models.CharField(max_length=300, default=THIRD_SUNDAY, help_text="A recurrence rule as calendars write it (RFC 5545).")
    counted_from = models.DateField(default=today)
    at = models.TimeField(default=time(2), verbose_name="start", help_text="UTC.")
    lasts = models.DurationField(default=timedelta(hours=2))
    active = models.BooleanField(default=True)
    created_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ("title", "id")
        constraints = [
            models.CheckConstraint(name="schedule_takes_time", condition=Q(lasts__gt=timedelta(0))),
        ]

    def __str__(self) -> str:
        return self.title


class MaintenanceWindow(Work):
    """One stretch of maintenance. `occurrence` is the start its schedule gave, and stays when the window is moved."""

    class State(models.TextChoices):
        PLANNED = "planned"
        IN_PROGRESS = "in_progress", "in progress"
        COMPLETED = "completed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    schedule = models.ForeignKey(
        MaintenanceSchedule, null=True, blank=True, on_delete=models.PROTECT, related_name="windows", editable=False
    )
    occurrence = models.DateTimeField(null=True, blank=True, editable=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.PLANNED)
    # Raised with every change, for calendars.
    sequence = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    planned_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    touched_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    touched_at = models.DateTimeField(null=True, blank=True, help_text="From then on a change of the schedule leaves it alone.")
    started_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(null=True, blank=True)
    started_anyway = models.CharField(max_length=400, blank=True, help_text="Why it began with items left open.")
    ended_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(max_length=400, blank=True, help_text="Why it was cancelled, or ended with items left open.")
    # What has been said.
    announced_at = models.DateTimeField(null=True, blank=True)
    overrun_said_at = models.DateTimeField(null=True, blank=True)
    holding_notice = models.BigIntegerField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("starts_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["schedule", "occurrence"], name="window_once", deferrable=models.Deferrable.DEFERRED),
            models.UniqueConstraint(fields=["state"], name="window_one_in_progress", condition=Q(state="in_progress")),
            models.CheckConstraint(name="window_ends_after_start", condition=Q(ends_at__gt=F("starts_at"))),
            models.CheckConstraint(
                name="window_started_who_and_when",
                condition=Q(started_by__isnull=True, started_at__isnull=True)
                | Q(started_by__isnull=False, started_at__isnull=False),
            ),
            models.CheckConstraint(
                name="window_touched_who_and_when",
                condition=Q(touched_by__isnull=True, touched_at__isnull=True)
                | Q(touched_by__isnull=False, touched_at__isnull=False),
            ),
            # Jeevo may end one itself (left open, never started), so an end needs a time and not a person.
            models.CheckConstraint(
                name="window_over_has_a_time",
                condition=Q(state__in=["planned", "in_progress"], ended_at__isnull=True, ended_by__isnull=True)
                | Q(state__in=["completed", "cancelled"], ended_at__isnull=False),
            ),
            models.CheckConstraint(
                name="window_begun_has_a_start",
                condition=Q(state__in=["planned", "cancelled"]) | Q(started_at__isnull=False),
            ),
        ]
        indexes = [
            # What is to come or goes on, for the watcher, the console's home and the list.
            models.Index(fields=["starts_at"], name="window_open", condition=Q(state__in=["planned", "in_progress"])),
            # The calendar feed and the list of those that are over.
            models.Index(fields=["-starts_at"], name="window_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.title}, {self.starts_at:%d %b %Y}"

    @property
    def is_open(self) -> bool:
        return self.state in (self.State.PLANNED, self.State.IN_PROGRESS)

    def is_late(self, now: datetime) -> bool:
        """Past its planned end and not ended."""
        return self.state == self.State.IN_PROGRESS and now >= self.ends_at


class ChecklistItem(models.Model):
    """One line of the list before or after. One with a `check` can run itself; anyone may tick it by hand all the same."""

    class Phase(models.TextChoices):
        BEFORE = "before"
        AFTER = "after"

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        FAILED = "failed"
        UNKNOWN = "unknown"

    window = models.ForeignKey(MaintenanceWindow, on_delete=models.CASCADE, related_name="items")
    phase = models.CharField(max_length=6, choices=Phase.choices)
    position = models.PositiveSmallIntegerField()
    text = models.CharField(max_length=200)
    check_name = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.OPEN)
    result = models.CharField(max_length=400, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    ticked_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    ticked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("window", "-phase", "position")
        constraints = [
            # Also how a window's lists are read.
            models.UniqueConstraint(fields=["window", "phase", "position"], name="checklist_item_place"),
            # Jeevo ticks what it has checked itself, so a tick needs a time and not always a person.
            models.CheckConstraint(
                name="checklist_item_ticked_who_and_when",
                condition=Q(state="done", ticked_at__isnull=False) & (Q(ticked_by__isnull=False) | ~Q(check_name=""))
                | ~Q(state="done") & Q(ticked_by__isnull=True, ticked_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.text


class Pause(models.Model):
    """Answers wait without a window: maintenance mode, or a drain before the service stops. It ends by itself at `until`."""

    class Kind(models.TextChoices):
        MODE = "mode", "maintenance mode"
        DRAIN = "drain"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=5, choices=Kind.choices)
    reason = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    ends_with_start = models.BooleanField(default=False, help_text="The service was stopped: its next start ends this.")
    holding_notice = models.BigIntegerField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-started_at", "id")
        constraints = [
            # Also how the one that is in force is found.
            models.UniqueConstraint(fields=["kind"], name="pause_one_of_a_kind", condition=Q(ended_at__isnull=True)),
            models.CheckConstraint(name="pause_ends_after_start", condition=Q(until__gt=F("started_at"))),
            models.CheckConstraint(name="pause_ended_has_a_time", condition=Q(ended_by__isnull=True) | Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} since {self.started_at:%Y-%m-%d %H:%M}"
