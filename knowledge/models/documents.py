"""A document and its life: uploaded, indexing, in review, published, retired; or why it could not be indexed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Coalesce
from simple_history.models import HistoricalRecords

from jeevo.ids import new_id


def _who() -> models.ForeignKey[object, object]:
    """A person named in a pair of who and when: kept for as long as the document is."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )


def _who_and_when(pair: str) -> models.CheckConstraint:
    """Who and when travel together: both or neither."""
    by, at = f"{pair}_by__isnull", f"{pair}_at__isnull"
    return models.CheckConstraint(
        name=f"document_{pair}_who_and_when", condition=Q(**{by: True, at: True}) | Q(**{by: False, at: False})
    )


class DocumentQuerySet(models.QuerySet["Document"]):
    def citable(self) -> DocumentQuerySet:
        """Published by a reviewer, or starter content where the setting serves it."""
        citable = Q(status=Document.Status.PUBLISHED)
        if settings.ENVIRONMENT.serve_starter_content:
            citable |= Q(status=Document.Status.IN_REVIEW, origin=Document.Origin.STARTER)
        return self.filter(citable)

    def stale(self, *, now: datetime) -> DocumentQuerySet:
        """Published, and past its expiry or not confirmed within its interval."""
        checked = Coalesce("confirmed_at", "reviewed_at")
        interval = ExpressionWrapper(F("confirm_every_days") * Value(timedelta(days=1)), output_field=DurationField())
        due = self.filter(status=Document.Status.PUBLISHED).annotate(
            due_at=ExpressionWrapper(checked + interval, output_field=models.DateTimeField())
        )
        return due.filter(Q(expires_on__lte=now.date()) | Q(due_at__lte=now))


class Document(models.Model):
    class Status(models.TextChoices):
        UPLOADED = "uploaded"
        INDEXING = "indexing"
        IN_REVIEW = "in_review"
        PUBLISHED = "published"
        RETIRED = "retired"
        INDEX_FAILED = "index_failed"

    class Origin(models.TextChoices):
        STARTER = "starter", "starter article"
        UPLOAD = "upload", "uploaded"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    title = models.CharField(max_length=300)
    publisher = models.CharField(max_length=200, blank=True)
    url = models.URLField(max_length=1000, blank=True)
    licence = models.CharField(max_length=100, blank=True)
    language = models.CharField(max_length=12, default="en")
    audience = models.CharField(max_length=40, default="public")
    topic = models.CharField(max_length=80, blank=True)
    origin = models.CharField(max_length=12, choices=Origin.choices, default=Origin.UPLOAD)
    # The starter article's file name, so that loading again finds it.
    slug = models.CharField(max_length=120, blank=True)
    # The importer's own name for a record ("medquad:ADAM_0001_Sec1"), so that importing again finds it.
    key = models.CharField(max_length=200, blank=True, editable=False)
    sources = models.JSONField(default=list, blank=True, help_text="The passages the text was checked against.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.UPLOADED)
    reason = models.CharField(max_length=300, blank=True, help_text="Why indexing failed.")
    text = models.TextField(help_text="Markdown.")
    content_hash = models.CharField(max_length=64, editable=False)
    # The file as it was uploaded, and its own hash; both empty for text that was typed.
    file = models.FileField(upload_to="documents/%Y/%m/", max_length=300, blank=True, editable=False)
    file_name = models.CharField(max_length=300, blank=True, editable=False)
    file_hash = models.CharField(max_length=64, blank=True, editable=False)
    kind = models.CharField(max_length=20, default="markdown", editable=False)
    pages = models.PositiveIntegerField(null=True, blank=True, editable=False)
    # What extraction noticed and a reviewer should see, one sentence each.
    flags = models.JSONField(default=list, blank=True, editable=False)
    batch = models.ForeignKey(
        "knowledge.Import", null=True, blank=True, on_delete=models.SET_NULL, related_name="documents", editable=False
    )
    supersedes = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by")
    content_date = models.DateField(null=True, blank=True, help_text="When its publisher last revised it.")
    expires_on = models.DateField(null=True, blank=True, help_text="From this day it counts as stale.")
    confirm_every_days = models.PositiveIntegerField(
        default=365, help_text="After how many days a clinician should confirm that it is still right."
    )
    uploaded_by = _who()
    reviewed_by = _who()
    reviewed_at = models.DateTimeField(null=True, blank=True, editable=False)
    confirmed_by = _who()
    confirmed_at = models.DateTimeField(null=True, blank=True, editable=False)
    retired_by = _who()
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)
    indexed_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[DocumentQuerySet] = DocumentQuerySet.as_manager()  # type: ignore[assignment]
    # Text and file do not change under a review, so a history of them would only be a copy.
    history = HistoricalRecords(  # type: ignore[no-untyped-call]
        excluded_fields=["text", "file", "sources", "flags"]
    )

    class Meta:
        ordering = ("title", "id")
        permissions = [
            ("publish_document", "Can review, publish, confirm and retire documents"),
        ]
        indexes = [
            # Documents that wait for the indexing lane, oldest first.
            models.Index(fields=["created_at"], name="document_to_index", condition=Q(status__in=["uploaded", "indexing"])),
            # The same file or text again.
            models.Index(fields=["content_hash"], name="document_content_hash"),
            models.Index(fields=["file_hash"], name="document_file_hash", condition=~Q(file_hash="")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="starter_article_once", condition=~Q(slug="")),
            models.UniqueConstraint(fields=["key"], name="imported_record_once", condition=~Q(key="")),
            # One successor at a time: two people uploading a new version each would leave two of them in use.
            models.UniqueConstraint(
                fields=["supersedes"],
                name="document_one_published_successor",
                condition=Q(status="published", supersedes__isnull=False),
            ),
            models.CheckConstraint(
                name="document_review_who_and_when",
                condition=Q(reviewed_by__isnull=True, reviewed_at__isnull=True)
                | Q(reviewed_by__isnull=False, reviewed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="document_published_was_reviewed",
                condition=~Q(status="published") | Q(reviewed_at__isnull=False),
            ),
            _who_and_when("confirmed"),
            _who_and_when("retired"),
            models.CheckConstraint(
                name="document_retired_exactly_when", condition=~Q(status="published") | Q(retired_at__isnull=True)
            ),
            models.CheckConstraint(name="document_confirm_every_day_at_most", condition=Q(confirm_every_days__gte=1)),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_unreviewed_starter(self) -> bool:
        return self.origin == self.Origin.STARTER and self.reviewed_at is None

    @property
    def in_use(self) -> bool:
        """Published, or published and waiting for its index: it comes back by itself."""
        return self.status == self.Status.PUBLISHED or (self.reviewed_at is not None and self.retired_at is None)

    @property
    def checked_at(self) -> datetime | None:
        """When a clinician last said that it is right."""
        return self.confirmed_at or self.reviewed_at

    @property
    def confirm_by(self) -> date | None:
        """The day it becomes stale: its expiry, or the end of the interval since it was last checked."""
        due = (self.checked_at + timedelta(days=self.confirm_every_days)).date() if self.checked_at else None
        return min((day for day in (due, self.expires_on) if day), default=None)
