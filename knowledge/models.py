"""What may be cited: documents, their passages, and the questions nothing answered."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from pgvector.django import HalfVectorField, HnswIndex

from jeevo.fields import EncryptedTextField
from jeevo.ids import new_id

DIMENSIONS = 384


class DocumentQuerySet(models.QuerySet["Document"]):
    def citable(self) -> DocumentQuerySet:
        """Published by a reviewer, or starter content where the setting serves it."""
        citable = Q(status=Document.Status.PUBLISHED)
        if settings.ENVIRONMENT.serve_starter_content:
            citable |= Q(status=Document.Status.IN_REVIEW, origin=Document.Origin.STARTER)
        return self.filter(citable)


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
    sources = models.JSONField(default=list, blank=True, help_text="The passages the text was checked against.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.UPLOADED)
    reason = models.CharField(max_length=300, blank=True, help_text="Why indexing failed.")
    text = models.TextField(help_text="Markdown.")
    content_hash = models.CharField(max_length=64, editable=False)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    reviewed_at = models.DateTimeField(null=True, blank=True, editable=False)
    indexed_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[DocumentQuerySet] = DocumentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("title", "id")
        indexes = [
            # Documents that wait for the indexing lane, oldest first.
            models.Index(fields=["created_at"], name="document_to_index", condition=Q(status__in=["uploaded", "indexing"])),
        ]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="starter_article_once", condition=~Q(slug="")),
            models.CheckConstraint(
                name="document_review_who_and_when",
                condition=Q(reviewed_by__isnull=True, reviewed_at__isnull=True)
                | Q(reviewed_by__isnull=False, reviewed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="document_published_was_reviewed",
                condition=~Q(status="published") | Q(reviewed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_unreviewed_starter(self) -> bool:
        return self.origin == self.Origin.STARTER and self.reviewed_at is None


class Chunk(models.Model):
    """A passage: immutable once written; re-indexing replaces all of a document's chunks at once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField()
    heading = models.CharField(max_length=400, blank=True)
    page = models.PositiveIntegerField(null=True, blank=True)
    text = models.TextField()
    sentences = ArrayField(models.TextField(), default=list)
    # float16, one row of DIMENSIONS a sentence: answers are assembled and checked without the model reading again.
    sentence_vectors = models.BinaryField(default=bytes)
    model = models.CharField(max_length=120)
    embedding = HalfVectorField(dimensions=DIMENSIONS)
    search = SearchVectorField(null=True)

    class Meta:
        ordering = ("document", "position")
        indexes = [
            # The dense half of retrieval.
            HnswIndex(name="chunk_embedding", fields=["embedding"], opclasses=["halfvec_cosine_ops"], m=16, ef_construction=128),
            # The full-text half of retrieval.
            GinIndex(name="chunk_search", fields=["search"]),
        ]
        constraints = [models.UniqueConstraint(fields=["document", "position"], name="chunk_position_once")]

    def __str__(self) -> str:
        return f"{self.document_id} {self.position}"


class UnansweredQuestion(models.Model):
    """A question without enough evidence, kept for the clinicians. The words are the patient's: encrypted."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    text = EncryptedTextField()
    language = models.CharField(max_length=12)
    score = models.FloatField(help_text="How close the nearest passage came, from 0 to 1.")
    nearest = models.ForeignKey(Document, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Key of the answer that declined; no foreign key, because knowledge knows no other app.
    answer_key = models.UUIDField(unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "id")
        indexes = [
            # What waits for a clinician, newest first.
            models.Index(fields=["-created_at"], name="question_unresolved", condition=Q(resolved_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"question of {self.created_at:%Y-%m-%d %H:%M}"
