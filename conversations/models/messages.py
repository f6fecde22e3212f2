"""The life of a message in rows: who wrote, what came in, what was answered and why, what went out.

Every column that can hold a patient's words or number is encrypted. Statuses are past participles.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from jeevo.fields import EncryptedJSONField, EncryptedTextField
from jeevo.ids import new_id
from knowledge.models import Document

FREE_TEXT_WINDOW = timedelta(hours=24)


class ContactQuerySet(models.QuerySet["Contact"]):
    def free(self, now: datetime) -> ContactQuerySet:
        return self.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))


class Contact(models.Model):
    """A person on WhatsApp, known by phone, by business-scoped user id, or by both."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    phone = EncryptedTextField(null=True, blank=True)
    phone_key = models.CharField(max_length=32, null=True, blank=True, editable=False)
    wa_user_id = EncryptedTextField(null=True, blank=True)
    wa_user_key = models.CharField(max_length=32, null=True, blank=True, editable=False)
    name = EncryptedTextField(null=True, blank=True)
    label = models.CharField(max_length=24, help_text="The masked number or id, for lists.")
    country = models.CharField(max_length=2)
    language = models.CharField(max_length=12, default="en")
    opted_out_at = models.DateTimeField(null=True, blank=True)
    last_inbound_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # The lease of the worker that answers this person now.
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    # When the dispatcher last handed this person to the workers.
    handed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[ContactQuerySet] = ContactQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = (F("last_inbound_at").desc(nulls_last=True), "id")
        permissions = [("erase_contact", "Can erase a person and all that they wrote and got")]
        indexes = [
            # The list of contacts, latest first.
            models.Index(F("last_inbound_at").desc(nulls_last=True), name="contact_latest"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["phone_key"], name="contact_phone_once"),
            models.UniqueConstraint(fields=["wa_user_key"], name="contact_wa_user_once"),
            models.CheckConstraint(
                name="contact_is_reachable", condition=Q(phone_key__isnull=False) | Q(wa_user_key__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def address(self) -> str:
        """What the Graph API takes as `to`."""
        return self.phone or self.wa_user_id or ""


class Session(models.Model):
    """Messages of one person that belong together in time."""

    IDLE = timedelta(hours=6)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="sessions")
    started_at = models.DateTimeField()
    last_message_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-started_at", "id")
        indexes = [
            # Open sessions that have gone quiet.
            models.Index(fields=["last_message_at"], name="session_open_by_age", condition=Q(ended_at__isnull=True)),
        ]
        constraints = [
            # Also the guide's index of active sessions.
            models.UniqueConstraint(fields=["contact"], name="session_one_open", condition=Q(ended_at__isnull=True)),
            models.CheckConstraint(
                name="session_ends_after_start", condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at"))
            ),
        ]

    def __str__(self) -> str:
        return f"session of {self.started_at:%Y-%m-%d %H:%M}"


class Answer(models.Model):
    class Kind(models.TextChoices):
        EMERGENCY = "emergency"
        SELF_HARM = "self_harm", "self-harm"
        URGENT = "urgent"
        GENERATED = "generated"
        EXTRACTIVE = "extractive"
        DECLINED = "declined"
        HOLDING = "holding"
        FIXED = "fixed"
        APOLOGY = "apology"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="answers")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    reason = models.CharField(max_length=80, blank=True, help_text="Which fixed reply, or why not generated.")
    language = models.CharField(max_length=12)
    text = EncryptedTextField()
    removed = EncryptedJSONField(null=True, blank=True)
    understood_as = EncryptedTextField(
        null=True, blank=True, help_text="The question as it was searched, where it was rewritten or translated."
    )
    confidence = models.FloatField(null=True, blank=True)
    model = models.CharField(max_length=120, blank=True)
    prompt_version = models.CharField(max_length=20, blank=True)
    # Passages with scores, and milliseconds by step; no words of the patient.
    passages = models.JSONField(default=list, blank=True)
    timings = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "id")
        indexes = [
            # The share of each kind over time.
            models.Index(fields=["-created_at", "kind"], name="answer_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Citation(models.Model):
    """A snapshot of what was cited, so that an answer can be explained after the source has changed."""

    answer = models.ForeignKey(Answer, on_delete=models.CASCADE, related_name="citations")
    number = models.PositiveSmallIntegerField()
    document = models.ForeignKey(Document, null=True, on_delete=models.SET_NULL, related_name="+")
    chunk_key = models.UUIDField()
    title = models.CharField(max_length=300)
    publisher = models.CharField(max_length=200, blank=True)
    url = models.URLField(max_length=1000, blank=True)
    heading = models.CharField(max_length=400, blank=True)
    page = models.PositiveIntegerField(null=True, blank=True)
    quote = models.TextField()
    score = models.FloatField()
    unreviewed = models.BooleanField(default=False)

    class Meta:
        ordering = ("answer", "number")
        constraints = [models.UniqueConstraint(fields=["answer", "number"], name="citation_number_once")]

    def __str__(self) -> str:
        return f"[{self.number}] {self.title}"


class InboundMessage(models.Model):
    class Status(models.TextChoices):
        RECEIVED = "received"
        WAITING = "waiting"
        PROCESSING = "processing"
        ANSWERED = "answered"
        WITH_PERSON = "with_person", "with a person"
        IGNORED = "ignored"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # WhatsApp's own ids hold the phone number in base64: the whole one is in the sealed payload only.
    wamid_key = models.CharField(max_length=32, unique=True, help_text="Keyed hash of WhatsApp's message id.")
    sender_key = models.CharField(max_length=32, help_text="Keyed hash of the sender.")
    kind = models.CharField(max_length=24)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.RECEIVED)
    text = EncryptedTextField(null=True, blank=True)
    payload = EncryptedJSONField(null=True, blank=True)
    sent_at = models.DateTimeField(help_text="WhatsApp's clock.")
    received_at = models.DateTimeField(help_text="Our clock.")
    contact = models.ForeignKey(Contact, null=True, blank=True, on_delete=models.CASCADE, related_name="messages")
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="messages")
    triage_level = models.CharField(max_length=12, blank=True)
    triage_concept = models.CharField(max_length=60, blank=True)
    triage_rules = models.JSONField(default=list, blank=True)
    language = models.CharField(max_length=12, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=120, blank=True, help_text="Why ignored or failed.")
    answer = models.ForeignKey(Answer, null=True, blank=True, on_delete=models.SET_NULL, related_name="questions")
    # The id under which the logs tell of it; the database's own default, so that a process of the release before can insert.
    request_id = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    class Meta:
        ordering = ("-received_at", "id")
        indexes = [
            # Messages of one contact by time (the guide's first index).
            models.Index(fields=["contact", "-received_at"], name="message_contact_time"),
            # What the dispatcher has not seen yet.
            models.Index(fields=["received_at"], name="message_received", condition=Q(status="received")),
            # What waits for an answer, by person.
            models.Index(
                fields=["contact", "received_at"], name="message_open", condition=Q(status__in=["waiting", "processing"])
            ),
            # Raw payloads that are due to be cleared.
            models.Index(fields=["received_at"], name="message_payload_age", condition=Q(payload__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_readable(self) -> bool:
        """Whether a key opens the words of a row whose text was deferred; afterwards it has them."""
        try:
            self.refresh_from_db(fields=["text"])
        except (InvalidToken, ValueError):
            return False
        return True


class UnhandledEvent(models.Model):
    """A part of a webhook body that is not a message or a status: kept for a while, with the reason it was ignored."""

    digest = models.CharField(max_length=64, unique=True)
    field = models.CharField(max_length=64)
    reason = models.CharField(max_length=120)
    payload = EncryptedJSONField(null=True, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ("-received_at", "id")
        indexes = [
            # Events that are due to be cleared.
            models.Index(fields=["received_at"], name="unhandled_age", condition=Q(payload__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class OutboundMessage(models.Model):
    class Status(models.TextChoices):
        QUEUED = "queued"
        SENDING = "sending"
        UNCERTAIN = "uncertain"
        SENT = "sent"
        DELIVERED = "delivered"
        READ = "read"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="outbound")
    answer = models.OneToOneField(Answer, null=True, blank=True, on_delete=models.SET_NULL, related_name="outbound")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=16, default="answer")
    urgent = models.BooleanField(default=False)
    # The Graph body without the recipient.
    body = EncryptedJSONField()
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    wamid_key = models.CharField(max_length=32, null=True, blank=True, unique=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True, blank=True)
    attended_at = models.DateTimeField(null=True, blank=True, help_text="When a sender was last told of it.")
    in_flight_since = models.DateTimeField(null=True, blank=True)
    resent = models.BooleanField(default=False, help_text="Sent once more after an uncertain try: a possible duplicate.")
    error_code = models.IntegerField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    handed_at = models.DateTimeField(null=True, blank=True, help_text="When Graph first accepted it.")
    delivered_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    request_id = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    class Meta:
        ordering = ("-created_at", "id")
        indexes = [
            # What waits to be sent, oldest first.
            models.Index(fields=["urgent", "created_at"], name="outbound_queued", condition=Q(status="queued")),
            # What may have been lost in flight.
            models.Index(fields=["in_flight_since"], name="outbound_in_flight", condition=Q(status__in=["sending", "uncertain"])),
            # What failed, latest first.
            models.Index(fields=["-failed_at"], name="outbound_failed", condition=Q(status="failed")),
            # A contact's transcript.
            models.Index(fields=["contact", "-created_at"], name="outbound_contact_time"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.id}"


class DeliveryEvent(models.Model):
    """One status callback, append-only. `outbound` is filled when the message it speaks of is known."""

    wamid_key = models.CharField(max_length=32, help_text="Keyed hash of WhatsApp's message id.")
    status = models.CharField(max_length=16)
    at = models.DateTimeField(help_text="WhatsApp's clock.")
    received_at = models.DateTimeField()
    callback = models.CharField(max_length=64, blank=True)
    error_code = models.IntegerField(null=True, blank=True)
    outbound = models.ForeignKey(OutboundMessage, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("at", "id")
        constraints = [models.UniqueConstraint(fields=["wamid_key", "status", "at"], name="delivery_event_once")]
        indexes = [
            # Events that no message has claimed yet, page by page.
            models.Index(fields=["received_at", "id"], name="delivery_unapplied", condition=Q(applied_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.at:%Y-%m-%d %H:%M:%S}"


class Handover(models.Model):
    """A person is asked for. Waiting: Jeevo still answers. Taken: Jeevo is quiet but for emergencies."""

    class Reason(models.TextChoices):
        ASKED = "asked", "asked for a person"
        RED_FLAG = "red_flag", "red flag"
        DECLINED = "declined", "no answer found"
        FAILED = "failed", "an answer failed"
        LANGUAGE = "language", "language not supported"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="handovers")
    reason = models.CharField(max_length=12, choices=Reason.choices)
    opened_at = models.DateTimeField()
    taken_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    taken_at = models.DateTimeField(null=True, blank=True)
    last_reply_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("opened_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["contact"], name="handover_one_open", condition=Q(closed_at__isnull=True)),
            models.CheckConstraint(
                name="handover_taken_who_and_when",
                condition=Q(taken_by__isnull=True, taken_at__isnull=True) | Q(taken_by__isnull=False, taken_at__isnull=False),
            ),
            # Jeevo may close one itself (nobody replied for long), so closing needs a time and not a person.
            models.CheckConstraint(
                name="handover_closed_has_time", condition=Q(closed_by__isnull=True) | Q(closed_at__isnull=False)
            ),
        ]
        indexes = [
            # The list of people who wait, oldest first.
            models.Index(fields=["opened_at"], name="handover_open", condition=Q(closed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} since {self.opened_at:%Y-%m-%d %H:%M}"


class Feedback(models.Model):
    class Value(models.TextChoices):
        HELPFUL = "helpful"
        NOT_HELPFUL = "not_helpful", "not helpful"

    answer = models.OneToOneField(Answer, on_delete=models.CASCADE, related_name="feedback")
    value = models.CharField(max_length=12, choices=Value.choices)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "id")

    def __str__(self) -> str:
        return self.value
