"""Servers that follow this one, so that one of them can take its place."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Standby(models.Model):
    """What the watcher last saw of it from this server's side. The row is replicated like any other: once the standby was
    promoted it is found there, with what the failover took."""

    class State(models.TextChoices):
        BUILDING = "building", "is being built"
        FOLLOWING = "following"
        AWAY = "away", "does not follow"
        LOST = "lost", "can follow no more"

    name = models.CharField(primary_key=True, max_length=40)
    slot = models.CharField(max_length=63, unique=True)
    address = models.CharField(max_length=120, help_text="Where it answers once it was promoted.")
    created_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.FOLLOWING)
    since = models.DateTimeField(help_text="Since when it is in this state.")
    noted_at = models.DateTimeField(null=True, blank=True)
    safe_at = models.DateTimeField(null=True, blank=True, help_text="What was committed by then is on its disk.")
    position = models.CharField(max_length=20, blank=True, help_text="Where the log stood at `position_at`.")
    position_at = models.DateTimeField(null=True, blank=True)
    promoted_at = models.DateTimeField(null=True, blank=True)
    failover = models.JSONField(default=dict, blank=True, help_text="Seconds of each step.")

    objects: ClassVar[models.Manager[Standby]] = models.Manager()

    class Meta:
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                name="standby_mark_has_its_time",
                condition=Q(position="", position_at__isnull=True) | (~Q(position="") & Q(position_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return self.name
