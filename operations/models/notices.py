"""What was told to whom: one `Notice` for each thing said, one `Delivery` for each recipient of it.

Rows are the queue here too: a notice is written with what it is about in one commit, and the watcher sends it.
`about` and `about_key` name the incident or window, so that a notice outlives a restore that rewinds it.
"""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q

from jeevo.fields import EncryptedTextField
from jeevo.ids import new_id


def new_secret() -> str:
    return secrets.token_urlsafe(32)


class Channel(models.TextChoices):
    EMAIL = "email", "e-mail"
    WEBHOOK = "webhook"


class Subscriber(models.Model):
    """Somebody outside the team, or a program, that is told of incidents and maintenance."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=100)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    address = models.CharField(max_length=500, help_text="An e-mail address, or an https:// address to call.")
    secret = EncryptedTextField(default=new_secret, help_text="Signs what is posted to a webhook.")
    incidents = models.BooleanField(default=True)
    maintenance = models.BooleanField(default=True)
    least_severity = models.PositiveSmallIntegerField(default=2, help_text="Told of incidents this severe or worse; 4 is all.")
    active = models.BooleanField(default=True)
    stopped_because = models.CharField(max_length=200, blank=True, help_text="Why nothing is sent: who stopped it, and when.")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(fields=["channel", "address"], name="subscriber_once"),
            models.CheckConstraint(
                name="subscriber_severity_is_known", condition=Q(least_severity__gte=1, least_severity__lte=4)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Notice(models.Model):
    """Something said about an incident, a maintenance window or the watch itself. It is never changed."""

    class About(models.TextChoices):
        INCIDENT = "incident"
        WINDOW = "window", "maintenance window"
        WATCH = "watch"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    about = models.CharField(max_length=8, choices=About.choices)
    about_key = models.UUIDField(null=True, blank=True)
    event = models.CharField(max_length=24, help_text="Such as declared, update, resolved, escalated, scheduled, overrun.")
    subject = models.CharField(max_length=200)
    body = models.TextField()
    facts = models.JSONField(default=dict, blank=True, help_text="What a program needs of it; no health data.")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ("-created_at", "id")
        indexes = [
            # What was said about one incident or window, in order.
            models.Index(fields=["about_key", "created_at"], name="notice_about"),
            # The list, latest first.
            models.Index(fields=["-created_at", "id"], name="notice_latest"),
        ]

    def __str__(self) -> str:
        return self.subject


class Delivery(models.Model):
    """One notice to one recipient. The address is copied, so that the record stays true when a subscriber is changed."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    notice = models.ForeignKey(Notice, on_delete=models.PROTECT, related_name="deliveries")
    subscriber = models.ForeignKey(Subscriber, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    recipient = models.CharField(max_length=100)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    address = models.CharField(max_length=500)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True, help_text="Why it was not taken, in words for staff.")

    class Meta:
        ordering = ("notice", "recipient", "id")
        verbose_name_plural = "deliveries"
        indexes = [
            # What is due to be sent.
            models.Index(fields=["next_try_at"], name="delivery_due", condition=Q(status__in=["queued", "sending"])),
            # Notices that did not reach somebody.
            models.Index(fields=["notice"], name="delivery_failed", condition=Q(status="failed")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["notice", "channel", "address"], name="delivery_once"),
            models.CheckConstraint(name="delivery_sent_has_a_time", condition=~Q(status="sent") | Q(sent_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.recipient}: {self.get_status_display()}"
