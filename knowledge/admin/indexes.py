"""Embedding indexes in the console: which model answers, and another one in the making."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from knowledge import embedding_indexes, reindexing
from knowledge.admin.parts import ago
from knowledge.models import EmbeddingIndex

Status = EmbeddingIndex.Status


class NewIndexForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = EmbeddingIndex
        fields = ("model",)
        help_texts = {
            "model": "A sentence-transformers model by name, or a folder on the worker's machine that holds one. "
            "Name the model in use to make every vector anew."
        }

    def clean_model(self) -> str:
        return str(self.cleaned_data["model"]).strip()

    def clean(self) -> dict[str, Any] | None:
        if EmbeddingIndex.objects.filter(status__in=(Status.BUILDING, Status.PAUSED)).exists():
            raise forms.ValidationError("Another index is being built. Wait until it is done, or cancel it.")
        return super().clean()


@admin.register(EmbeddingIndex)
class EmbeddingIndexAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("model", "state", "progress", "dimensions", "started")
    form = NewIndexForm
    empty_state = "No index is here yet. The first start makes one."
    add_form_template = "admin/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        steps = path(
            "<uuid:key>/step/", self.admin_site.admin_view(require_POST(self.step)), name="knowledge_embeddingindex_step"
        )
        return [steps, *super().get_urls()]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Steps have buttons of their own; nothing on the row is edited.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: EmbeddingIndex, form: Any, change: bool) -> None:
        begun = reindexing.begin(obj.model, by=request.user.get_username(), now=timezone.now())
        # What was paused or cancelled before goes on; the form's own object is not saved.
        obj.pk, obj.created_at, obj._state.adding = begun.pk, begun.created_at, False

    def response_add(self, request: HttpRequest, obj: EmbeddingIndex, post_url_continue: Any = None) -> HttpResponse:
        said = "The indexing worker builds it; the index in use answers until it is whole."
        self.message_user(request, said, messages.SUCCESS)
        return redirect(self.address(obj.pk))

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        index = get_object_or_404(EmbeddingIndex, pk=object_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": index.model,
            "index": index,
            "in_use": embedding_indexes.active(),
            "may": self.has_add_permission(request),
            "percent": 100 * index.done // index.total if index.total else 0,
            "passages": index.chunks.count(),
        }
        part = request.GET.get("part") == "progress"
        return render(request, "admin/knowledge/embeddingindex/" + ("progress.html" if part else "index.html"), context)

    def step(self, request: HttpRequest, key: UUID) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        index = get_object_or_404(EmbeddingIndex, pk=key)
        try:
            self.message_user(request, self.take(index, request.POST.get("step", "")), messages.SUCCESS)
        except reindexing.NotPossible as problem:
            self.message_user(request, str(problem), messages.ERROR)
        return redirect(self.address(key))

    def take(self, index: EmbeddingIndex, step: str) -> str:
        if step == "pause":
            reindexing.pause(index)
            return "Paused. What was made is kept."
        if step == "resume":
            reindexing.resume(index)
            return "The indexing worker goes on with it."
        if step == "cancel":
            reindexing.cancel(index, now=timezone.now())
            return "Cancelled. What was made is kept for a week, so starting it again goes on there."
        if step == "go_back":
            reindexing.go_back(index)
            return "The indexing worker adds what came since; then this index answers again."
        if step == "remove":
            reindexing.remove_soon(index, now=timezone.now())
            return "The indexing worker removes its passages now."
        raise reindexing.NotPossible("This step is not known. Load the page again.")

    @staticmethod
    def address(key: UUID) -> str:
        return reverse("admin:knowledge_embeddingindex_change", args=[key])

    @admin.display(ordering="status")
    def state(self, index: EmbeddingIndex) -> str:
        return "Answers now" if index.status == Status.ACTIVE else str(Status(index.status).label)

    @admin.display(description="documents")
    def progress(self, index: EmbeddingIndex) -> str:
        if index.status in (Status.BUILDING, Status.PAUSED):
            return f"{index.done:,} of {index.total:,}" if index.total else "waits for the worker"
        return f"{index.done:,}" if index.done else "-"

    @admin.display(ordering="created_at")
    def started(self, index: EmbeddingIndex) -> str:
        return ago(index.created_at)
