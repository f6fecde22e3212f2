"""Documents in the console: the list, the form to write one, and the addresses of the pages around them.

A document is written once and then reviewed: its words do not change under a review. Its own page is
`review_pages`, the pages about all of them are `curation_pages`.
"""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone

from knowledge import freshness, review, unanswered
from knowledge.admin import curation_pages, originals, review_pages, steps
from knowledge.admin.details import StoredAudienceField
from knowledge.admin.filters import DueFilter, FlagFilter, ReviewFilter
from knowledge.admin.parts import actor
from knowledge.models import Chunk, Document, EmbeddingIndex


class Documents(ChangeList):
    """Counts the passages of the rows that are shown, not of all that could be."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        active = EmbeddingIndex.objects.filter(status=EmbeddingIndex.Status.ACTIVE)
        rows = Chunk.objects.filter(index__in=active, document__in=[each.pk for each in self.result_list]).order_by()
        counts = dict(rows.values_list("document").annotate(number=Count("pk")))
        for each in self.result_list:
            each.chunk_count = counts.get(each.pk, 0)


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "state", "checked", "passages")
    list_filter = ("status", DueFilter, ReviewFilter, FlagFilter, "origin", "language", "audience")
    list_select_related = ("reviewed_by", "confirmed_by")
    search_fields = ("title", "publisher", "topic", "url", "file_name")
    search_help_text = "Words of the title, the publisher, the topic, the address or the file's name."
    show_facets = admin.ShowFacets.ALWAYS
    list_per_page = 50
    # A document is published on its own page, where it can be read.
    actions = ("retire", "confirm")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    empty_state = "No document is here yet. Import files, or write one, with the buttons above."
    fields = ("title", "publisher", "url", "licence", "language", "audience", "topic", "text", "supersedes")
    change_list_template = "admin/knowledge/document/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own: dict[str, tuple[Any, str]] = {
            "stale/": (curation_pages.stale, "stale"),
            "coverage/": (curation_pages.coverage, "coverage"),
            "<uuid:key>/history/": (review_pages.history, "history"),
            "<uuid:key>/golden/": (review_pages.test_golden, "golden"),
            "<uuid:key>/original/": (originals.download, "original"),
            "<uuid:key>/page/<int:page>.png": (originals.page_picture, "page"),
            "<uuid:key>/step/<slug:name>/": (review_pages.step, "step"),
        }
        return [
            *(path(address, view(page), name=f"knowledge_document_{name}") for address, (page, name) in own.items()),
            *super().get_urls(),
        ]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        try:
            key = UUID(object_id)
        except ValueError as error:
            raise Http404 from error
        return review_pages.page(request, key)

    def has_delete_permission(self, request: HttpRequest, obj: Document | None = None) -> bool:
        """Retired, never deleted: an answer given in March must be explainable in November."""
        return False

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(review.PUBLISH)

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        rows: QuerySet[Document] = super().get_queryset(request)
        return rows.defer("text", "sources")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Documents

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        due = {"stale_count": freshness.stale_count(timezone.now())}
        return super().changelist_view(request, {**due, **(extra_context or {})})

    @admin.display(description="document", ordering="title")
    def name(self, document: Document) -> str:
        return render_to_string("admin/knowledge/document/name.html", {"document": document})

    @admin.display(ordering="status")
    def state(self, document: Document) -> str:
        state = steps.state_of(document, now=timezone.now())
        return render_to_string("admin/knowledge/state.html", {"state": state, "document": document})

    @admin.display(ordering="reviewed_at")
    def checked(self, document: Document) -> str:
        return render_to_string("admin/knowledge/checked.html", {"document": document})

    @admin.display
    def passages(self, document: Document) -> Any:
        return document.chunk_count  # type: ignore[attr-defined]

    @admin.action(description="Retire: no longer cite them", permissions=["publish"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        self._each(request, queryset, steps.RETIRE)

    @admin.action(description="Confirm: they are still right", permissions=["publish"])
    def confirm(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        self._each(request, queryset, steps.CONFIRM)

    def _each(self, request: HttpRequest, queryset: QuerySet[Document], step: steps.Step) -> None:
        count = 0
        for document in queryset:
            try:
                step.take(document, by=actor(request), now=timezone.now())
                count += 1
            except review.NotAllowed as problem:
                self.message_user(request, f"{document.title}: {problem}", messages.ERROR)
        if count:
            self.message_user(request, f"{count} {'document' if count == 1 else 'documents'} {step.done}.", messages.SUCCESS)

    # A document that is typed

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        """`?supersedes=` begins a new version with the old one's words."""
        old = _old(request)
        if old is None:
            return super().get_changeform_initial_data(request)
        new = review.new_version_of(old)
        return {name: getattr(new, name) for name in self.fields if name not in ("text", "supersedes")} | {
            "text": old.text,
            "supersedes": old.pk,
        }

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name != "audience" or request is None:
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        old = _old(request)
        return StoredAudienceField(stored=old.audience if old else "")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Written into the form by the link on the old one's page; a list of 16,000 documents helps nobody."""
        if db_field.name != "supersedes":
            return super().formfield_for_foreignkey(db_field, request, **kwargs)
        return forms.ModelChoiceField(Document.objects.all(), required=False, widget=forms.HiddenInput, label="")

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        obj.uploaded_by = actor(request)
        obj.content_hash = hashlib.sha256(obj.text.encode()).hexdigest()
        obj._change_reason = "wrote it"  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)
        unanswered.promise(obj, unanswered.keys_in(request.GET.get("answers", "")))

    def response_add(self, request: HttpRequest, obj: Document, post_url_continue: str | None = None) -> HttpResponse:
        review_pages.wake_index()
        self.message_user(request, "It is here. Its passages appear below as soon as they are made.", messages.SUCCESS)
        return redirect("admin:knowledge_document_change", obj.pk)


def _old(request: HttpRequest) -> Document | None:
    key = request.GET.get("supersedes", "")
    try:
        return Document.objects.filter(pk=key).first() if key else None
    except ValidationError:
        return None
