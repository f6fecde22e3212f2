"""Passages in the console: a list to search in, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from knowledge.admin.parts import ReadOnly
from knowledge.models import Chunk, EmbeddingIndex


@admin.register(Chunk)
class ChunkAdmin(ReadOnly):
    list_display = ("beginning", "heading", "document", "position")
    list_filter = ("document__status", "document__language")
    list_select_related = ("document",)
    search_fields = ("text", "heading", "document__title")
    search_help_text = "Words of the passage, its heading or its document."
    empty_state = "No passage is here yet. Passages appear when a document is indexed."
    fields = ("document", "position", "heading", "page", "text", "index")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Chunk]:
        """Of the model that answers: while another is in the making, every passage is there twice."""
        active = super().get_queryset(request).filter(index__status=EmbeddingIndex.Status.ACTIVE)
        return active.defer("embedding", "sentence_vectors", "search", "terms", "document__text")

    @admin.display(description="passage")
    def beginning(self, chunk: Chunk) -> str:
        return chunk.text if len(chunk.text) <= 90 else chunk.text[:90].rsplit(" ", 1)[0] + " …"
