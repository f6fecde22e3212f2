"""Documents in the console: what may be cited, and who reviewed it.

A document is written once and then reviewed: its words do not change under a review. Publishing needs
a named person other than the one who uploaded it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from knowledge import review
from knowledge.admin.parts import ReadOnly, actor, ago
from knowledge.models import Chunk, Document


class ReviewFilter(admin.SimpleListFilter):
    title = "review"
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "No clinician has reviewed it"), ("yes", "Reviewed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(reviewed_at__isnull=self.value() == "no") if self.value() else queryset


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("title", "publisher", "status", "reviewed", "passages", "indexed", "language")
    list_filter = ("status", ReviewFilter, "origin", "language")
    search_fields = ("title", "publisher", "topic", "url")
    search_help_text = "Words of the title, the publisher, the topic or the address."
    show_facets = admin.ShowFacets.ALWAYS
    list_per_page = 50
    actions = ("publish", "retire")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    empty_state = "No document is here yet. Starter articles come with the first start; add your own with the button above."
    add_fields = ("title", "publisher", "url", "licence", "language", "audience", "topic", "text")
    fieldsets = (
        (None, {"fields": ("title", "publisher", "link", "status", "reviewed_by", "reviewed_at")}),
        ("What will be cited", {"fields": ("cited",), "classes": ("wide", "plain")}),
        (
            "About it",
            {
                "fields": (
                    "topic",
                    "language",
                    "audience",
                    "origin",
                    "licence",
                    "uploaded_by",
                    "created_at",
                    "indexed_at",
                )
            },
        ),
        ("Checked against", {"fields": ("checked",), "classes": ("collapse", "plain")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        rows: QuerySet[Document] = super().get_queryset(request)
        return rows.select_related("reviewed_by").annotate(chunk_count=Count("chunks"))

    def get_fieldsets(self, request: HttpRequest, obj: Document | None = None) -> Any:
        return self.fieldsets if obj else ((None, {"fields": self.add_fields}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Document | None = None) -> Any:
        return [name for _, options in self.fieldsets for name in options["fields"]] if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Document | None = None) -> bool:
        """Retired, never deleted: an answer given in March must be explainable in November."""
        return False

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        if change:
            return  # its words are what was reviewed; the buttons below are steps of their own
        obj.uploaded_by = actor(request)
        obj.content_hash = hashlib.sha256(obj.text.encode()).hexdigest()
        super().save_model(request, obj, form, change)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, obj, message) if message else None

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        nothing_to_save = {
            "show_save": False,
            "show_save_and_continue": False,
            "show_save_and_add_another": False,
        }
        document = self.get_object(request, object_id)
        can_review = document is not None and self.has_change_permission(request, document)
        extra = {**nothing_to_save, "can_review": can_review, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, extra)

    def response_change(self, request: HttpRequest, obj: Document) -> HttpResponse:
        for name, step in (("_publish", self.publish), ("_retire", self.retire)):
            if name in request.POST:
                step(request, Document.objects.filter(pk=obj.pk))
        return redirect(reverse("admin:knowledge_document_change", args=[obj.pk]))

    @admin.action(description="Publish: I have reviewed it", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        now = timezone.now()
        self._each(request, queryset, lambda each: review.publish(each, by=actor(request), now=now), "published")

    @admin.action(description="Retire: no longer cite it", permissions=["change"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        self._each(request, queryset, review.retire, "retired")

    def _each(self, request: HttpRequest, queryset: QuerySet[Document], step: Any, done: str) -> None:
        count = 0
        for document in queryset:
            try:
                step(document)
                self.log_change(request, document, done.capitalize())
                count += 1
            except review.NotAllowed as problem:
                self.message_user(request, f"{document.title}: {problem}", messages.ERROR)
        if count:
            self.message_user(request, f"{count} {'document' if count == 1 else 'documents'} {done}.", messages.SUCCESS)

    @admin.display(ordering="reviewed_at")
    def reviewed(self, document: Document) -> str:
        return f"by {document.reviewed_by}" if document.reviewed_by else "Not reviewed"

    @admin.display(ordering="chunk_count")
    def passages(self, document: Document) -> Any:
        return document.chunk_count  # type: ignore[attr-defined]

    @admin.display(ordering="indexed_at")
    def indexed(self, document: Document) -> str:
        return ago(document.indexed_at)

    @admin.display(description="address")
    def link(self, document: Document) -> str:
        if not document.url:
            return "-"
        return format_html('<a href="{}" rel="noreferrer noopener">{}</a>', document.url, document.url)

    @admin.display(description="passages")
    def cited(self, document: Document) -> str:
        chunks = document.chunks.defer("embedding", "sentence_vectors", "search", "terms")
        return render_to_string("admin/knowledge/passages.html", {"chunks": chunks, "document": document})

    @admin.display(description="sources read")
    def checked(self, document: Document) -> str:
        return (
            render_to_string("admin/knowledge/sources.html", {"sources": document.sources}) if document.sources else "none named"
        )


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
        return super().get_queryset(request).defer("embedding", "sentence_vectors", "search", "terms")

    @admin.display(description="passage")
    def beginning(self, chunk: Chunk) -> str:
        return chunk.text if len(chunk.text) <= 90 else chunk.text[:90].rsplit(" ", 1)[0] + " …"
