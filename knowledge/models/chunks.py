"""Passages and how they are found: vectors by a model, words with their document frequency."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from pgvector.django import HalfVectorField, SparseVectorField

from jeevo.ids import new_id
from knowledge.models.documents import Document

# Of the bundled model; other models bring their own.
DIMENSIONS = 384


class EmbeddingIndex(models.Model):
    """Every document's passages by one embedding model. One is active and answers; another may be in the making."""

    class Status(models.TextChoices):
        BUILDING = "building"
        PAUSED = "paused"
        ACTIVE = "active"
        RETIRED = "retired"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    model = models.CharField(max_length=300)
    dimensions = models.PositiveIntegerField()
    # Tokens of the longest passage the model reads whole.
    window = models.PositiveIntegerField(default=256)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.BUILDING)
    reason = models.CharField(max_length=300, blank=True)
    # How many documents it should hold, and how many it holds; written while it is built.
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    # Passages behind the document frequencies of Term, when they were last counted.
    counted = models.PositiveIntegerField(default=0)
    counted_at = models.DateTimeField(null=True, blank=True)
    # Key and label of who asked for it; a name survives the account.
    requested_by = models.CharField(max_length=150, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "id")
        verbose_name_plural = "embedding indexes"
        constraints = [
            models.UniqueConstraint(fields=["status"], name="index_one_active", condition=Q(status="active")),
            # Two rebuilds at once would share two cores and finish later than one after the other.
            models.UniqueConstraint(
                models.Value(1), name="index_one_in_the_making", condition=Q(status__in=["building", "paused"])
            ),
        ]

    def __str__(self) -> str:
        return self.model


class Chunk(models.Model):
    """A passage: immutable once written; re-indexing replaces all of a document's chunks in an index at once.

    The vectors' HNSW index is made for each EmbeddingIndex (`knowledge.embedding_indexes`), because their
    dimensions differ from model to model.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    # Kept without an index of its own: the unique constraint and the vectors' partial index serve every query on it.
    index = models.ForeignKey(EmbeddingIndex, on_delete=models.PROTECT, related_name="chunks", db_index=False)
    position = models.PositiveIntegerField()
    heading = models.CharField(max_length=400, blank=True)
    page = models.PositiveIntegerField(null=True, blank=True)
    text = models.TextField()
    sentences = ArrayField(models.TextField(), default=list)
    # float16, one row of the index's dimensions a sentence: answers are assembled and checked without the model reading
    # again. Empty until somebody needs it where a large import left it out.
    sentence_vectors = models.BinaryField(default=bytes)
    embedding = HalfVectorField()
    search = SearchVectorField()
    # BM25's share of each word that does not depend on the other passages; Term.id is the place, Term.passages the rest.
    terms = SparseVectorField()

    class Meta:
        ordering = ("document", "position")
        indexes = [
            # The full-text half of retrieval.
            GinIndex(name="chunk_search", fields=["search"]),
        ]
        constraints = [models.UniqueConstraint(fields=["document", "index", "position"], name="chunk_position_once")]

    def __str__(self) -> str:
        return f"{self.document_id} {self.position}"


class Term(models.Model):
    """A word of the full-text half and in how many passages it stands: PostgreSQL's own rank knows no such thing."""

    id = models.AutoField(primary_key=True)
    lexeme = models.TextField(unique=True)
    passages = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.lexeme
