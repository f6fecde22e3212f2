"""What troubleshooting keeps: statements that were seen to take long, and the releases that ran here."""

from __future__ import annotations

from django.db import models


class QuerySample(models.Model):
    """One slow statement of one connection, as long as it was seen to last. The text carries no values, only `$1`."""

    digest = models.CharField(max_length=32, help_text="Of the whole normalised text, so that samples of one statement meet.")
    text = models.CharField(max_length=500)
    process = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=40)
    wait_event = models.CharField(max_length=80, blank=True)
    milliseconds = models.FloatField()
    pid = models.IntegerField()
    started_at = models.DateTimeField(help_text="When the statement began, or the transaction fell idle.")
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ("-seen_at", "id")
        constraints = [
            # A statement that is seen again grows longer and is not counted twice.
            models.UniqueConstraint(fields=["pid", "started_at"], name="sample_once"),
        ]
        indexes = [
            # The last hours, and what is old enough to go.
            models.Index(fields=["seen_at"], name="sample_age"),
        ]

    def __str__(self) -> str:
        return f"{self.milliseconds:.0f} ms at {self.seen_at:%Y-%m-%d %H:%M:%S}"


class Release(models.Model):
    """A release that was prepared here, in the order in which they came; going back makes a new row."""

    version = models.CharField(max_length=40)
    release = models.CharField(max_length=120, blank=True, help_text="What JEEVO_RELEASE named, such as the tag of the image.")
    commit = models.CharField(max_length=40, blank=True)
    migrations = models.JSONField(default=dict, help_text="The last applied migration of each app.")
    first_seen = models.DateTimeField()

    class Meta:
        ordering = ("-first_seen", "-id")
        indexes = [
            # The latest, and the list.
            models.Index(fields=["-first_seen"], name="release_latest"),
        ]

    def __str__(self) -> str:
        return self.release or self.version
