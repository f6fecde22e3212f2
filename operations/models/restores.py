"""A restore: asked for by one person, approved by another, done by the operator's process, and undone within a week.

The row is for people; what was done stands in the journal outside the database, which a restore cannot rewind.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from jeevo.ids import new_id
from operations.models.backups import Backup

USER = settings.AUTH_USER_MODEL
UNDER_WAY = ("requested", "approved", "preparing", "ready", "swapping", "undoing")


class Restore(models.Model):
    class Scope(models.TextChoices):
        EVERYTHING = "everything"
        KNOWLEDGE = "knowledge", "the knowledge base alone"

    class Status(models.TextChoices):
        REQUESTED = "requested", "waits for approval"
        APPROVED = "approved"
        PREPARING = "preparing"
        READY = "ready", "ready to be put in place"
        SWAPPING = "swapping", "being put in place"
        DONE = "done"
        UNDOING = "undoing", "being undone"
        UNDONE = "undone"
        FAILED = "failed"
        REFUSED = "refused"
        EXPIRED = "expired"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.EVERYTHING)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REQUESTED)
    # One of the two: an instant, or a backup as it is.
    instant = models.DateTimeField(null=True, blank=True)
    backup = models.ForeignKey(Backup, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=400)
    incident = models.CharField(max_length=20, blank=True, help_text="The incident it belongs to, such as INC-12.")
    carry_messages = models.BooleanField(default=True, help_text="Messages received since are carried over.")
    requested_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    approved_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True, blank=True)
    break_glass = models.BooleanField(default=False, help_text="One person alone; an incident is opened for it.")
    confirmed_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField(null=True, blank=True)
    step = models.CharField(max_length=40, blank=True)
    problem = models.CharField(max_length=300, blank=True)
    losses = models.JSONField(default=dict, blank=True, help_text="Rows that would be lost or come back, by table.")
    new_database = models.CharField(max_length=63, blank=True)
    old_database = models.CharField(
        max_length=63, blank=True, help_text="What was live before, kept for a week: a database or a schema."
    )
    swapped_at = models.DateTimeField(null=True, blank=True)
    undo_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    undo_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-requested_at", "id")
        permissions = [("approve_restore", "Can approve a restore that somebody else asked for")]
        constraints = [
            models.CheckConstraint(
                name="restore_has_one_target",
                condition=Q(instant__isnull=False, backup__isnull=True) | Q(instant__isnull=True, backup__isnull=False),
            ),
            models.CheckConstraint(
                name="restore_approved_who_and_when",
                condition=Q(approved_by__isnull=True, approved_at__isnull=True)
                | Q(approved_by__isnull=False, approved_at__isnull=False),
            ),
            # Two people, unless they break the glass.
            models.CheckConstraint(
                name="restore_approved_by_another",
                condition=Q(approved_by__isnull=True) | Q(break_glass=True) | ~Q(approved_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="restore_swapped_was_confirmed",
                condition=Q(swapped_at__isnull=True) | Q(confirmed_by__isnull=False, confirmed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="restore_undo_who_and_when",
                condition=Q(undo_by__isnull=True, undo_at__isnull=True) | Q(undo_by__isnull=False, undo_at__isnull=False),
            ),
            # Of either kind: the one would be prepared from what the other is about to change.
            models.UniqueConstraint(models.Value(1), name="restore_one_under_way", condition=Q(status__in=UNDER_WAY)),
        ]

    @property
    def is_of_knowledge(self) -> bool:
        return self.scope == self.Scope.KNOWLEDGE

    @property
    def noun(self) -> str:
        return "knowledge base" if self.is_of_knowledge else "database"

    def __str__(self) -> str:
        target = f"{self.instant:%Y-%m-%d %H:%M:%S} UTC" if self.instant else str(self.backup)
        return f"Restore of {self.get_scope_display()} to {target}"
