"""What the watcher leaves behind: that it lives, and one line a minute and an hour for each figure it measured."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Heartbeat(models.Model):
    """The last sign of life of a loop that nobody would miss otherwise."""

    name = models.CharField(primary_key=True, max_length=60)
    at = models.DateTimeField()
    every_seconds = models.FloatField(help_text="How often it should come; three times as long is too late.")
    round_ms = models.FloatField(default=0)

    class Meta:
        ordering = ("name",)
        permissions = [
            ("view_machine", "Can look at the machine, the database and the processes"),
            ("act_on_machine", "Can end connections, pause answering and drain the service"),
        ]

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"


class Rollup(models.Model):
    """One figure over one minute or one hour: how many, their sum, the largest, and how they lie in `buckets`.

    `buckets` maps the upper bound of a bucket, as text, to the number of values in it (not cumulated), so that rows add up.
    """

    class Period(models.TextChoices):
        MINUTE = "minute"
        HOUR = "hour"

    period = models.CharField(max_length=6, choices=Period.choices)
    name = models.CharField(max_length=160)
    at = models.DateTimeField(help_text="The start of the minute or hour.")
    count = models.BigIntegerField(default=0)
    total = models.FloatField(default=0)
    largest = models.FloatField(default=0)
    buckets = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("name", "at")
        constraints = [
            # Also how a figure is read over a stretch of time.
            models.UniqueConstraint(fields=["period", "name", "at"], name="rollup_once"),
            models.CheckConstraint(name="rollup_counts_up", condition=Q(count__gte=0)),
        ]
        indexes = [
            # What is old enough to go.
            models.Index(fields=["period", "at"], name="rollup_age"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.at:%Y-%m-%d %H:%M}"


class Sighting(models.Model):
    """What a detector sees, or saw last: kept between its looks, so that trouble that comes and goes floods nobody."""

    kind = models.CharField(max_length=60)
    scope = models.CharField(max_length=120, blank=True)
    first_seen_at = models.DateTimeField(help_text="Of this time; after a pause it begins anew.")
    last_seen_at = models.DateTimeField()
    clear_since = models.DateTimeField(null=True, blank=True)
    returns = models.PositiveSmallIntegerField(default=0, help_text="How often it came back during this incident.")
    incident = models.ForeignKey("operations.Incident", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("kind", "scope")
        constraints = [
            # Also how a detector finds its own.
            models.UniqueConstraint(fields=["kind", "scope"], name="sighting_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.scope}".strip()


class Alert(models.Model):
    """The last that Alertmanager said of one alert, by its fingerprint, so that a repeated or late post changes nothing."""

    class Status(models.TextChoices):
        FIRING = "firing"
        RESOLVED = "resolved"

    fingerprint = models.CharField(primary_key=True, max_length=64)
    group = models.CharField(max_length=64, help_text="A hash of Alertmanager's groupKey.")
    name = models.CharField(max_length=60)
    status = models.CharField(max_length=8, choices=Status.choices)
    starts_at = models.DateTimeField(help_text="By Alertmanager's clock.")
    heard_at = models.DateTimeField()
    incident = models.ForeignKey("operations.Incident", null=True, blank=True, on_delete=models.SET_NULL, related_name="alerts")

    class Meta:
        ordering = ("-heard_at", "fingerprint")
        indexes = [
            # What still fires of a group.
            models.Index(fields=["group"], name="alert_firing", condition=Q(status="firing")),
            # What is old enough to go.
            models.Index(fields=["heard_at"], name="alert_age"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.get_status_display()}"
