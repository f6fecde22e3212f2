"""A document's own page: what it is, what extraction noticed, the next step, and its source beside its passages.

Reading needs `view_document`. Every step is a POST of its own and says what it did, or why it was not done.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from kombu.exceptions import OperationalError

from knowledge import changes, freshness, golden, leaves, review, tasks, trials
from knowledge.admin import steps
from knowledge.admin.details import DetailsForm
from knowledge.admin.originals import may_read
from knowledge.admin.parts import actor
from knowledge.admin.source import rendered
from knowledge.models import Chunk, Document, EmbeddingIndex, Trial

Status = Document.Status
_WAITING = (Status.UPLOADED, Status.INDEXING)
_RECENT = 5
_HEAVY = ("embedding", "sentence_vectors", "search", "terms")
SINGLE = "Published by the person who uploaded it. No second person has reviewed it."


@dataclass(frozen=True)
class Opened:
    """The leaf that is open, and its neighbours."""

    number: int
    total: int
    source: SafeString
    passages: list[Chunk]
    picture: str

    @property
    def before(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def after(self) -> int | None:
        return self.number + 1 if self.number < self.total else None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@may_read
def page(request: HttpRequest, key: UUID) -> HttpResponse:
    """`?page=3` opens that leaf; `?part=state` is what the page asks while a worker has it. A POST changes the details."""
    document = get_object_or_404(Document.objects.select_related("supersedes", "uploaded_by", "reviewed_by"), pk=key)
    if request.GET.get("part") == "state":
        return HttpResponse(_mark(document), content_type="text/plain")
    if request.method != "POST":
        return _shown(request, document, DetailsForm(document=document))
    if not request.user.has_perm(review.CHANGE):
        raise PermissionDenied
    form = DetailsForm(request.POST, document=document)
    if not form.is_valid():
        return _shown(request, document, form, status=422)
    return _changed(request, document, form)


def _changed(request: HttpRequest, document: Document, form: DetailsForm) -> HttpResponse:
    try:
        changed = review.change_details(document, form.changes, by=actor(request))
    except review.NotAllowed as problem:
        messages.error(request, f"Nothing was changed: {problem}")
        return _shown(request, document, form, status=409)
    if changed:
        again = any(name in changed for name in review.INDEXED_DETAILS)
        messages.success(request, "Saved. It is indexed again, and cited once that is done." if again else "Saved.")
        wake_index()
    return _back(document)


def _shown(request: HttpRequest, document: Document, form: DetailsForm, *, status: int = 200) -> HttpResponse:
    now, by = timezone.now(), actor(request)
    trial, possible = golden.latest(document), steps.steps_for(document, by=by, now=now)
    context = {
        "title": document.title,
        "document": document,
        "now": now,
        "state": steps.state_of(document, now=now),
        "expired": review.has_expired(document, now=now),
        "is_due": freshness.is_due(document, now=now),
        "steps": possible,
        "why_not": steps.why_not(document, by=by),
        "warning": steps.golden_warning(document) if any(each.approves for each in possible) else "",
        "seen": review.as_read(document),
        "single": SINGLE if document.reviewed_by_id and document.reviewed_by_id == document.uploaded_by_id else "",
        "successor": document.superseded_by.exclude(status=Status.RETIRED).first(),
        "open": _opened(document, request.GET.get("page", "")),
        "form": form,
        "may_change": request.user.has_perm(review.CHANGE),
        "changes": changes.of(document, limit=_RECENT),
        "has_passages": _passages(document).exists(),
        "mark": _mark(document),
        "waits": document.status in _WAITING or (trial is not None and trial.status in _OPEN),
        **_golden(document, trial),
        "new_version": _new_version(request, document),
    }
    return render_page(request, "admin/knowledge/document/review.html", context, status=status)


_OPEN = (Trial.Status.WAITING, Trial.Status.RUNNING)


def _golden(document: Document, trial: Trial | None) -> dict[str, Any]:
    result = (trial.result or {}) if trial and trial.status == Trial.Status.DONE else {}
    worse = set(result.get("worse", []))
    return {
        "trial": trial,
        "trial_said": golden.sentence(trial) if trial else "",
        "worse": [each for each in result.get("questions", []) if each["id"] in worse],
        "expecting": list(document.golden_questions.filter(active=True)),
    }


def _opened(document: Document, wanted: str) -> Opened:
    cut = leaves.of(document.text, pages=document.pages)
    number = min(max(int(wanted), 1), len(cut)) if wanted.isdecimal() and len(wanted) < 9 else 1
    chunks = list(_passages(document))
    is_pdf = document.kind == "pdf" and bool(document.file) and bool(document.pages)
    return Opened(
        number=number,
        total=len(cut),
        source=rendered(cut[number - 1].text),
        passages=leaves.placed(cut, chunks)[number - 1],
        picture=reverse("admin:knowledge_document_page", args=[document.pk, number]) if is_pdf else "",
    )


def _passages(document: Document) -> Any:
    """Of the model that answers: another may be in the making."""
    active = EmbeddingIndex.objects.filter(status=EmbeddingIndex.Status.ACTIVE)
    return document.chunks.filter(index__in=active).defer(*_HEAVY).order_by("position")


def _mark(document: Document) -> str:
    """Changes when a worker has done something that the page should show."""
    trial = golden.latest(document)
    asked = (trial.result or {}).get("done", "") if trial and trial.status == Trial.Status.RUNNING else ""
    return f"{document.status} {trial.status if trial else ''} {asked}".strip()


def _new_version(request: HttpRequest, document: Document) -> str:
    """Where a new version is brought: by a file, or typed where the text was typed."""
    if document.status not in (Status.PUBLISHED, Status.IN_REVIEW) or not request.user.has_perm(review.ADD):
        return ""
    place = "admin:knowledge_import_add" if document.file else "admin:knowledge_document_add"
    with suppress(NoReverseMatch):
        return f"{reverse(place)}?supersedes={document.pk}"
    return ""


@require_POST
@may_read
def step(request: HttpRequest, key: UUID, name: str) -> HttpResponse:
    """Publish, retire, confirm, ...; the person comes back to the page they pressed the button on."""
    document = get_object_or_404(Document, pk=key)
    if name not in steps.STEPS:
        raise Http404
    taken = steps.STEPS[name]
    warning = steps.golden_warning(document) if taken.approves else ""
    said = {"reason": request.POST.get("reason", "").strip()} if taken.asks_why else {}
    # Without a mark nothing was read, which is not the mark of any document.
    said |= {"seen": request.POST.get("seen", "")} if taken.approves else {}
    try:
        taken.take(document, by=actor(request), now=timezone.now(), **said)
    except review.NotAllowed as problem:
        messages.error(request, f"{document.title}: {problem}")
    else:
        messages.success(request, f"{document.title}: {taken.done}.")
        if warning:
            messages.warning(request, warning)
        if taken is steps.RETRY:
            wake_index()
    return redirect("admin:knowledge_document_stale") if request.POST.get("next") == "stale" else _back(document)


@require_POST
@may_read
def test_golden(request: HttpRequest, key: UUID) -> HttpResponse:
    """Ask the golden questions as if it were published; a worker does it."""
    document = get_object_or_404(Document, pk=key)
    if not request.user.has_perm("knowledge.add_trial"):
        raise PermissionDenied
    trials.ask_for(Trial.Kind.GOLDEN, {}, by=actor(request), now=timezone.now(), document=document)
    return _back(document, "#golden")


@never_cache
@require_safe
@may_read
def history(request: HttpRequest, key: UUID) -> HttpResponse:
    document = get_object_or_404(Document, pk=key)
    context = {"title": f"What happened to {document.title}", "document": document, "changes": changes.of(document)}
    return render_page(request, "admin/knowledge/document/history.html", context)


def wake_index() -> None:
    """The worker looks by itself every few seconds; with the broker away that is soon enough."""
    with suppress(OperationalError):
        tasks.index_due.apply_async(retry=False)


def _back(document: Document, place: str = "") -> HttpResponse:
    return redirect(reverse("admin:knowledge_document_change", args=[document.pk]) + place)


def render_page(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return render(request, template, {**admin.site.each_context(request), **context}, status=status)
