"""Try a question: what is found for it and why, or what Jeevo would say. A worker does it, and the page waits for it.

What is typed may be a patient's words, so it goes by POST and stands in no address; only who asked sees it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from knowledge import reasons, trials, unanswered
from knowledge.admin.parts import ReadOnly, actor
from knowledge.models import Document, Trial

LONGEST = 4_096
LANGUAGES = [("en", "English"), ("hi", "Hindi"), ("es", "Spanish"), ("", "every language")]
# Staff are told that something is wrong when no worker took it up for so long.
PATIENCE_SECONDS = 10


class TrialForm(forms.Form):
    question = forms.CharField(
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        error_messages={"required": "Write a question first.", "max_length": "A question has at most 4,096 characters."},
    )
    language = forms.ChoiceField(choices=LANGUAGES, required=False, initial="en")
    audience = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Document.objects.order_by("audience").values_list("audience", flat=True).distinct()
        field = self.fields["audience"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", "everybody"), *((each, each) for each in known if each)]


@admin.register(Trial)
class TrialAdmin(ReadOnly):
    """Trials are scratch paper: no list of them, a page for each, and only for who asked."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("knowledge.view_document")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trial]:
        """Of nobody else, not even for an administrator: the words may be a patient's."""
        mine: QuerySet[Trial] = super().get_queryset(request).filter(requested_by=actor(request))
        return mine

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("try/", view(self.ask), name="knowledge_trial_try"),
            path("<uuid:key>/", view(self.shown), name="knowledge_trial_shown"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return redirect("admin:knowledge_trial_try")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        try:
            key = UUID(object_id)
        except ValueError as error:
            raise Http404 from error
        return self.shown(request, key)

    def ask(self, request: HttpRequest) -> HttpResponse:
        self._may(request)
        if request.method == "POST" and not request.user.has_perm("knowledge.add_trial"):
            raise PermissionDenied
        document = self._document(request)
        form = TrialForm(request.POST or None, initial=self._initial(request))
        if request.method == "POST" and form.is_valid():
            # Jeevo answers from what is published alone, so a document under review can only be searched.
            kind = Trial.Kind.ASK if "answer" in request.POST and document is None else Trial.Kind.SEARCH
            trial = trials.ask_for(kind, form.cleaned_data, by=actor(request), now=timezone.now(), document=document)
            return redirect(reverse("admin:knowledge_trial_shown", args=[trial.pk]) + "#result")
        return self._page(request, {"form": form, "document": document}, status=400 if form.errors else 200)

    def shown(self, request: HttpRequest, key: Any) -> HttpResponse:
        """The result, or how far it is. `?part=result` is the part that the page's script asks for until it is there."""
        self._may(request)
        mine = self.get_queryset(request).exclude(kind=Trial.Kind.GOLDEN).select_related("document")
        trial = get_object_or_404(mine, pk=key)
        context = result(trial)
        if request.GET.get("part") == "result":
            return render(request, "admin/knowledge/trial/result.html", context)
        form = TrialForm(initial=trial.asked)
        # The result is what comes next, not another question; on a phone the keyboard would cover it.
        form.fields["question"].widget.attrs.pop("autofocus")
        return self._page(request, {"form": form, "document": trial.document, **context})

    def _may(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _document(self, request: HttpRequest) -> Document | None:
        """The document under review that takes part."""
        keys = unanswered.keys_in(request.POST.get("document") or request.GET.get("document", ""))
        return get_object_or_404(Document, pk=keys[0]) if keys else None

    def _initial(self, request: HttpRequest) -> dict[str, str]:
        """The words of an unanswered question, for who may read those."""
        keys = unanswered.keys_in(request.GET.get("question", ""))
        if not keys or not request.user.has_perm("knowledge.view_unansweredquestion"):
            return {"language": "en"}
        return {"question": unanswered.words(keys[:1]).get(keys[0], ""), "language": "en"}

    def _page(self, request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "title": "Try a question", "opts": self.opts}
        return render(request, "admin/knowledge/trial/try.html", {**shared, **context}, status=status)


def result(trial: Trial) -> dict[str, Any]:
    """What the page shows of a trial."""
    now = timezone.now()
    open_ = trial.status in (Trial.Status.WAITING, Trial.Status.RUNNING)
    found = trial.result or {}
    passages = reasons.explained(found.get("searched", ""), found.get("passages", []))
    return {
        "trial": trial,
        "open": open_,
        "slow": open_ and (now - trial.created_at).total_seconds() > PATIENCE_SECONDS,
        "asked": trial.asked.get("question", ""),
        "found": found,
        "passages": passages,
        "is_answer": trial.kind == Trial.Kind.ASK,
        "would_answer": found.get("kind") in ("generated", "extractive"),
        "is_emergency": found.get("kind") in ("emergency", "self_harm"),
    }
