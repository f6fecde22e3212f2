"""How far the copies outside have come, and when the recovery kit was last made.

A row is only a note of where to go on: what lies outside carries its own manifests, and a note that was lost or rewound
by a restore makes some files travel twice.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class OffsiteState(models.Model):
    """One row for each of those that travel on their own: the log, the backups, and the record of erasures."""

    name = models.CharField(
        max_length=10, primary_key=True, choices=[("log", "log"), ("backups", "backups"), ("erasures", "erasures")]
    )
    position = models.CharField(
        max_length=24, blank=True, help_text="The last finished piece of the log, or the last record, that is outside."
    )
    good_at = models.DateTimeField(null=True, blank=True, help_text="When all there was lay outside, read back.")
    failed_at = models.DateTimeField(null=True, blank=True, help_text="Since when it has failed.")
    attempts = models.PositiveIntegerField(default=0, help_text="In a row, without success.")
    next_try_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why, in words for staff.")
    swept_at = models.DateTimeField(null=True, blank=True, help_text="When what lies there was last looked through.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="offsite_failing_says_why",
                condition=Q(failed_at__isnull=True, next_try_at__isnull=True, attempts=0, reason="")
                | (Q(failed_at__isnull=False, next_try_at__isnull=False, attempts__gt=0) & ~Q(reason="")),
            ),
        ]

    def __str__(self) -> str:
        return f"off-site {self.name}"


class RecoveryKit(models.Model):
    """A kit that was handed out: not what is in it, only which keys it opens with."""

    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Empty: a terminal.",
    )
    key_ids = models.JSONField(help_text="The public halves of the backup keys, and marks of the other keys.")

    class Meta:
        ordering = ("-made_at",)
        indexes = [
            # The latest one, for the console and the checklist at start.
            models.Index(fields=["-made_at"], name="kit_latest"),
        ]

    def __str__(self) -> str:
        return f"recovery kit of {self.made_at:%Y-%m-%d %H:%M} UTC"
