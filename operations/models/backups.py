"""Backups as rows. The files are the truth and carry their own manifest; a row says what became of one.

A backup is good only when it was restored: `verified` is set by a restore into scratch and nothing else.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from jeevo.ids import new_id

KEPT_STATES = ("taken", "verified")
BASE_KINDS = ("full", "incremental")


class BackupQuerySet(models.QuerySet["Backup"]):
    def kept(self) -> BackupQuerySet:
        """Those whose files should be there."""
        return self.filter(status__in=KEPT_STATES)

    def bases(self) -> BackupQuerySet:
        """Whole or part of a data directory, on which the log can be replayed."""
        return self.filter(kind__in=BASE_KINDS)

    def of_database(self) -> BackupQuerySet:
        """Those that bring rows back; settings and files alone protect nobody's messages."""
        return self.filter(kind__in=[*BASE_KINDS, "dump"])


class Backup(models.Model):
    class Kind(models.TextChoices):
        FULL = "full", "full base backup"
        INCREMENTAL = "incremental", "incremental base backup"
        DUMP = "dump", "dump"
        CONFIGURATION = "configuration", "settings and files"

    class Status(models.TextChoices):
        REQUESTED = "requested"
        RUNNING = "running"
        TAKEN = "taken", "taken, not verified"
        VERIFIED = "verified"
        FAILED = "failed"
        EXPIRED = "expired"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=13, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REQUESTED)
    scheduled_for = models.DateTimeField(null=True, blank=True, help_text="The time of the schedule it was made for.")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # What an incremental one builds on.
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    cancel_asked_at = models.DateTimeField(null=True, blank=True, help_text="The process that makes it looks at this.")
    taken_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    offsite_at = models.DateTimeField(null=True, blank=True, help_text="When its copy outside was read back and found equal.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it failed, was cancelled or expired.")
    step = models.CharField(max_length=60, blank=True, help_text="What is being done, or where it failed.")
    reason = models.CharField(max_length=300, blank=True, help_text="Why it failed, in words for staff.")
    done_bytes = models.BigIntegerField(default=0, help_text="Written so far.")
    bytes = models.BigIntegerField(default=0)
    manifest = models.JSONField(default=dict, blank=True, help_text="A copy of the manifest beside the files.")
    verification = models.JSONField(default=dict, blank=True, help_text="What the restored copy held, by table.")

    objects: ClassVar[BackupQuerySet] = BackupQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-requested_at", "id")
        constraints = [
            # Two beats fire twice; one of them finds the row.
            models.UniqueConstraint(
                fields=["kind", "scheduled_for"], name="backup_once_for_a_time", condition=Q(scheduled_for__isnull=False)
            ),
            models.CheckConstraint(name="backup_taken_has_a_time", condition=~Q(status="taken") | Q(taken_at__isnull=False)),
            models.CheckConstraint(
                name="backup_verified_was_taken",
                condition=~Q(status="verified") | Q(taken_at__isnull=False, verified_at__isnull=False),
            ),
            models.CheckConstraint(
                name="backup_incremental_has_a_parent",
                condition=Q(parent__isnull=False) | ~Q(kind="incremental") | ~Q(status__in=["running", *KEPT_STATES]),
            ),
            models.CheckConstraint(
                name="backup_running_has_begun", condition=Q(status__in=["requested", "cancelled"]) | Q(started_at__isnull=False)
            ),
            models.UniqueConstraint(fields=["status"], name="backup_one_at_a_time", condition=Q(status="running")),
            models.CheckConstraint(
                name="backup_offsite_was_taken", condition=Q(offsite_at__isnull=True) | Q(taken_at__isnull=False)
            ),
            models.CheckConstraint(name="backup_failed_says_why", condition=~Q(status="failed") | ~Q(reason="")),
        ]
        indexes = [
            # The latest of each state, for the console and the health page.
            models.Index(fields=["status", "-requested_at"], name="backup_state_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.requested_at:%Y-%m-%d %H:%M} UTC"
