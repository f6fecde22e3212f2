"""Questions: those nothing answered, those clinicians keep to test with, and those staff try."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from jeevo.fields import EncryptedJSONField, EncryptedTextField
from jeevo.ids import new_id
from knowledge.models.documents import Document


class UnansweredQuestion(models.Model):
    """A question without enough evidence, kept for the clinicians. The words are the patient's: encrypted."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    text = EncryptedTextField()
    language = models.CharField(max_length=12)
    score = models.FloatField(help_text="How close the nearest passage came, from 0 to 1.")
    nearest = models.ForeignKey(Document, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Key of the answer that declined; no foreign key, because knowledge knows no other app.
    answer_key = models.UUIDField(unique=True)
    # The question's vector, float16 in base64, and the model that made it: questions are grouped by meaning without the
    # model. A vector tells much of the words, so it is encrypted as they are.
    vector = EncryptedTextField(blank=True, default="")
    model = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    # What was written or uploaded for it.
    document = models.ForeignKey(Document, null=True, blank=True, on_delete=models.SET_NULL, related_name="answers_questions")

    class Meta:
        ordering = ("-created_at", "id")
        indexes = [
            # What waits for a clinician, newest first.
            models.Index(fields=["-created_at"], name="question_unresolved", condition=Q(resolved_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"question of {self.created_at:%Y-%m-%d %H:%M}"


class GoldenQuestion(models.Model):
    """A question a clinician keeps, with the document that should answer it: asked again before something is published."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    text = models.CharField(max_length=500)
    language = models.CharField(max_length=12, default="en")
    document = models.ForeignKey(
        Document,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="golden_questions",
        help_text="The document that should be found. Leave it empty for a question that nothing here should answer.",
    )
    note = models.CharField(max_length=300, blank=True)
    active = models.BooleanField(default=True, help_text="Switch it off instead of deleting it, to keep its history.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("text", "id")
        constraints = [models.UniqueConstraint(fields=["text", "language"], name="golden_question_once")]

    def __str__(self) -> str:
        return self.text


class Trial(models.Model):
    """Work with the model that a page or the API asked for and a worker does: the web process never loads the model."""

    class Kind(models.TextChoices):
        SEARCH = "search", "a question tried"
        GOLDEN = "golden", "golden questions"
        ASK = "ask", "a question answered"

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    # May hold a patient's words, so it is encrypted; {"question": ..., "language": ..., "limit": ...}.
    asked = EncryptedJSONField()
    # A document that is not published yet and takes part in this trial only.
    document = models.ForeignKey(Document, null=True, blank=True, on_delete=models.CASCADE, related_name="trials")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    reason = models.CharField(max_length=300, blank=True)
    result = EncryptedJSONField(null=True, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "id")
        indexes = [
            # What waits for a worker, oldest first.
            models.Index(fields=["kind", "created_at"], name="trial_open", condition=Q(status__in=["waiting", "running"])),
            # Old trials, to forget.
            models.Index(fields=["created_at"], name="trial_age"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.created_at:%Y-%m-%d %H:%M}"
