"""What a drill lays its restored copy beside, drills themselves, and how far back the service could be brought now."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from jeevo.ids import new_id


class Checkpoint(models.Model):
    """What the database held at a moment, written each minute by the watcher. `tables` is as `operations.checkpoints` counts."""

    number = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(help_text="By the clock of the database.")
    tables = models.JSONField()

    class Meta:
        ordering = ("-number",)
        indexes = [
            # The one before an instant, and those that are old enough to go.
            models.Index(fields=["at"], name="checkpoint_time"),
        ]

    def __str__(self) -> str:
        return f"{self.number} at {self.at:%Y-%m-%d %H:%M:%S}"


class Drill(models.Model):
    """One restore into scratch at an instant, for practice: what it took, and whether the copy was what it should be."""

    class Status(models.TextChoices):
        REQUESTED = "requested", "asked for"
        RUNNING = "running"
        PASSED = "passed"
        FAILED = "failed"

    class Cause(models.TextChoices):
        WEEKLY = "weekly", "a week has passed"
        BACKUP = "backup", "there is a new base backup"
        AGAIN = "again", "the last one failed"
        PERSON = "person", "asked for by a person"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.REQUESTED)
    cause = models.CharField(max_length=6, choices=Cause.choices)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    step = models.CharField(max_length=60, blank=True, help_text="What is being done, or where it failed.")
    reason = models.CharField(max_length=300, blank=True, help_text="Why it failed, in words for staff.")
    instant = models.DateTimeField(null=True, blank=True, help_text="Up to when it was restored.")
    base = models.ForeignKey("operations.Backup", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    checkpoint_at = models.DateTimeField(null=True, blank=True, help_text="Of the newest checkpoint in the copy.")
    tables = models.PositiveIntegerField(default=0, help_text="How many were laid side by side.")
    materialise_seconds = models.FloatField(null=True, blank=True)
    recover_seconds = models.FloatField(null=True, blank=True)
    compare_seconds = models.FloatField(null=True, blank=True)
    rto_seconds = models.FloatField(null=True, blank=True, help_text="From the beginning to a database that answers.")
    rpo_seconds = models.FloatField(null=True, blank=True, help_text="What the copy lacked of the instant, at the most.")
    exposure_seconds = models.FloatField(null=True, blank=True, help_text="Work that a lost disk would have cost then.")

    objects: ClassVar[models.Manager[Drill]] = models.Manager()

    class Meta:
        ordering = ("-requested_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["status"], name="drill_one_at_a_time", condition=Q(status="running")),
            models.UniqueConstraint(fields=["status"], name="drill_one_waits", condition=Q(status="requested")),
            models.CheckConstraint(name="drill_running_has_begun", condition=Q(status="requested") | Q(started_at__isnull=False)),
            models.CheckConstraint(
                name="drill_passed_was_measured",
                condition=~Q(status="passed")
                | Q(ended_at__isnull=False, instant__isnull=False, base__isnull=False, rto_seconds__isnull=False),
            ),
            models.CheckConstraint(
                name="drill_failed_says_why", condition=~Q(status="failed") | (~Q(reason="") & Q(ended_at__isnull=False))
            ),
        ]
        indexes = [
            # The list, and the latest of each state for the console and the health page.
            models.Index(fields=["status", "-requested_at"], name="drill_state_latest"),
        ]

    def __str__(self) -> str:
        return f"Drill of {self.requested_at:%Y-%m-%d %H:%M} UTC"


class Protection(models.Model):
    """How far the service could be brought back if its disk were lost now: one row, which the loops keep up to date.

    The operator's process says the tier and the window, the watcher up to when every change is known to be received.
    """

    name = models.CharField(primary_key=True, max_length=10, default="service")
    tier = models.CharField(max_length=1, blank=True)
    reasons = models.JSONField(default=list, blank=True)
    earliest = models.DateTimeField(null=True, blank=True, help_text="The first instant that can be restored.")
    surveyed_at = models.DateTimeField(null=True, blank=True)
    noted_at = models.DateTimeField(null=True, blank=True)
    safe_at = models.DateTimeField(null=True, blank=True, help_text="What was committed by then is received.")
    position = models.CharField(max_length=20, blank=True, help_text="Where the log stood at `position_at`.")
    position_at = models.DateTimeField(null=True, blank=True)
    waits = models.BooleanField(default=False, help_text="Whether commits waited for the receiver at `noted_at`.")
    fell_back_at = models.DateTimeField(null=True, blank=True, help_text="Since when they do not, because it was away.")

    class Meta:
        constraints = [models.CheckConstraint(name="protection_is_one_row", condition=Q(name="service"))]

    def __str__(self) -> str:
        return f"tier {self.tier}"
