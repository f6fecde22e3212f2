"""Questions nothing answered, in the console: grouped by meaning, answered with one click, dealt with, and taken back.

Patients' words stand only on pages whose reader may see them, never in an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html

from knowledge import unanswered
from knowledge.admin.parts import ReadOnly, actor, ago
from knowledge.models import Document, UnansweredQuestion
from knowledge.unanswered import QuestionGroup, Row

PER_PAGE = 20
# In the session: what was dealt with last, so that it can be taken back.
UNDO = "questions_dealt_with"


class ResolvedFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "resolved"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Waits for a clinician"), ("yes", "Dealt with")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(resolved_at__isnull=self.value() == "no") if self.value() else queryset


@dataclass(frozen=True)
class Shown:
    """A group on the page, with the words of the members that are shown."""

    group: QuestionGroup
    words: str
    others: tuple[tuple[Row, str], ...]
    nearest: Document | None
    promised: Document | None

    @property
    def left_out(self) -> int:
        return self.group.count - 1 - len(self.others)

    @property
    def new_document(self) -> str:
        """What the form for a new document is opened with; no words of a patient, for an address is written down."""
        topic = {"topic": self.nearest.topic} if self.nearest and self.nearest.topic else {}
        return urlencode({"answers": self.group.linked, **topic})


@admin.register(UnansweredQuestion)
class UnansweredQuestionAdmin(ReadOnly):
    list_display = ("asked", "language", "nearest_document", "closeness", "state")
    list_filter = (ResolvedFilter, "language")
    list_select_related = ("nearest", "document", "resolved_by")
    date_hierarchy = "created_at"
    actions = ("resolve", "reopen")
    empty_state = "Every question so far found a source. What finds none comes here, for a clinician to answer."
    fields = ("words", "language", "nearest_document", "closeness", "created_at", "state", "answered_by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[UnansweredQuestion]:
        """Sealed until a page shows them: a list says nothing of what was asked."""
        rows: QuerySet[UnansweredQuestion] = super().get_queryset(request)
        return rows.defer("text", "vector")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("groups/", view(self.groups), name="knowledge_unansweredquestion_groups"),
            path("groups/resolve/", view(self.resolve_group), name="knowledge_unansweredquestion_resolve"),
            path("groups/reopen/", view(self.reopen_group), name="knowledge_unansweredquestion_reopen"),
            *super().get_urls(),
        ]

    def groups(self, request: HttpRequest) -> HttpResponse:
        """What waits, by meaning, the largest group first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        page = Paginator(unanswered.grouped(), PER_PAGE).get_page(request.GET.get("page"))
        alone = unanswered.ungrouped()
        told = unanswered.words(each.pk for each in alone)
        context = {
            "title": "Unanswered questions",
            "opts": self.opts,
            "page": page,
            "shown": _shown(page),
            "waiting": unanswered.waiting().count(),
            "alone": [(row, words) for row in alone if (words := told.get(row.pk))],
            "undo": request.session.get(UNDO),
            "may_resolve": self.has_resolve_permission(request),
            "may_write": request.user.has_perm("knowledge.add_document"),
            "may_keep": request.user.has_perm("knowledge.add_goldenquestion"),
            "may_try": request.user.has_perm("knowledge.add_trial"),
        }
        return render(
            request, "admin/knowledge/unansweredquestion/groups.html", {**self.admin_site.each_context(request), **context}
        )

    def resolve_group(self, request: HttpRequest) -> HttpResponse:
        self._may_resolve(request)
        keys, now = unanswered.keys_in(request.POST.get("keys", ""), most=unanswered.NEWEST), timezone.now()
        count = unanswered.resolve(keys, by=actor(request), now=now)
        if count:
            request.session[UNDO] = {"keys": ",".join(each.hex for each in keys), "at": now.isoformat(), "count": count}
        else:
            self.message_user(request, "Somebody else dealt with these questions in the meantime.", messages.INFO)
        return redirect("admin:knowledge_unansweredquestion_groups")

    def reopen_group(self, request: HttpRequest) -> HttpResponse:
        """Take the last step of this session back."""
        self._may_resolve(request)
        done = request.session.pop(UNDO, None) or {}
        at, keys = parse_datetime(done.get("at", "")), unanswered.keys_in(done.get("keys", ""), most=unanswered.NEWEST)
        count = unanswered.reopen(keys, resolved_at=at) if at else 0
        said = f"{_questions(count)} back on the list." if count else "There is nothing to take back any more."
        self.message_user(request, said, messages.SUCCESS if count else messages.INFO)
        return redirect("admin:knowledge_unansweredquestion_groups")

    def _may_resolve(self, request: HttpRequest) -> None:
        if request.method != "POST" or not self.has_resolve_permission(request):
            raise PermissionDenied

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("knowledge.change_unansweredquestion")

    @admin.action(description="Mark as dealt with", permissions=["resolve"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[UnansweredQuestion]) -> None:
        count = unanswered.resolve(_keys(queryset), by=actor(request), now=timezone.now())
        self.message_user(request, f"{_questions(count)} marked as dealt with.", messages.SUCCESS)

    @admin.action(description="Put back on the list", permissions=["resolve"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[UnansweredQuestion]) -> None:
        count = unanswered.reopen(_keys(queryset))
        self.message_user(request, f"{_questions(count)} back on the list.", messages.SUCCESS)

    @admin.display(description="question")
    def words(self, question: UnansweredQuestion) -> str:
        return unanswered.words([question.pk])[question.pk]

    @admin.display(ordering="created_at")
    def asked(self, question: UnansweredQuestion) -> str:
        return ago(question.created_at)

    @admin.display(description="nearest document")
    def nearest_document(self, question: UnansweredQuestion) -> str:
        return _to_document(question.nearest) if question.nearest else "nothing near"

    @admin.display(description="answered by")
    def answered_by(self, question: UnansweredQuestion) -> str:
        return _to_document(question.document) if question.document else "no document yet"

    @admin.display(description="how close, 0 to 1", ordering="score")
    def closeness(self, question: UnansweredQuestion) -> str:
        return f"{question.score:.2f}"

    @admin.display(ordering="resolved_at")
    def state(self, question: UnansweredQuestion) -> str:
        if question.resolved_at is None:
            return "Waits for a clinician"
        return f"Dealt with by {question.resolved_by}" if question.resolved_by else "Dealt with"


def _keys(queryset: QuerySet[UnansweredQuestion]) -> list[UUID]:
    return list(queryset.order_by().values_list("pk", flat=True))


def _questions(count: int) -> str:
    return f"{count} {'question' if count == 1 else 'questions'}"


def _to_document(document: Document) -> str:
    return format_html('<a href="{}">{}</a>', reverse("admin:knowledge_document_change", args=[document.pk]), document.title)


def _shown(page: Page[QuestionGroup]) -> list[Shown]:
    groups: Sequence[QuestionGroup] = list(page.object_list)
    wanted = {key for each in groups for key in (each.nearest, each.promised) if key}
    documents = Document.objects.defer("text").in_bulk(wanted)
    return [_one(each, documents) for each in groups]


def _one(group: QuestionGroup, documents: dict[UUID, Document]) -> Shown:
    some = group.rows[: unanswered.SHOWN]
    words = unanswered.words(each.id for each in some)
    others = tuple((each, words[each.id]) for each in some[1:] if each.id in words)
    title = words.get(group.key, unanswered.MISSING)
    return Shown(group, title, others, documents.get(group.nearest or group.key), documents.get(group.promised or group.key))
