"""What people are told when their answers wait, or soon will."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class HoldingNotice(models.Model):
    """While it is in force people get this notice once and their answer afterwards; an emergency never waits.

    From `announced_from` until it starts, answers carry one line about it. One that does not hold is only announced.
    """

    text = models.CharField(max_length=600, blank=True, help_text="Empty: Jeevo's own words, in the language of each person.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    holds = models.BooleanField(default=True, help_text="Off: it is only announced, and nobody's answer waits.")
    announced_from = models.DateTimeField(null=True, blank=True, help_text="From then on answers say when it will be.")
    line = models.CharField(max_length=300, blank=True, help_text="Empty: Jeevo's own words, in the language of each person.")

    class Meta:
        ordering = ("-starts_at", "id")
        constraints = [models.CheckConstraint(name="notice_ends_after_start", condition=Q(ends_at__gt=F("starts_at")))]
        indexes = [
            # What is in force or to come, looked at with every answer.
            models.Index(fields=["ends_at"], name="notice_not_over"),
        ]

    def __str__(self) -> str:
        return f"notice {self.starts_at:%Y-%m-%d %H:%M} - {self.ends_at:%Y-%m-%d %H:%M}"
