"""The API over knowledge: documents to read, and a search that a worker does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import api_trials, trials
from knowledge.api_parts import ApiView, account, checked
from knowledge.api_schema import KEY, answers, headers, pending
from knowledge.api_shapes import (
    DocumentFilters,
    DocumentList,
    DocumentShape,
    DocumentWhole,
    PassageShape,
    SearchAsked,
    SearchResult,
    Window,
)
from knowledge.models import Chunk, Document, EmbeddingIndex, Trial

_ANSWERING = EmbeddingIndex.Status.ACTIVE
_EXAMPLE = {
    "id": KEY,
    "status": "done",
    "question": "How do I bring down a fever?",
    "searched": "How do I bring down a fever?",
    "took": {"embed": 3.1, "search": 8.4},
    "passages": [
        {
            "passage": KEY,
            "document": KEY,
            "title": "Fever in adults",
            "publisher": "A publisher",
            "url": "https://example.org/fever",
            "heading": "What to do",
            "page": 3,
            "text": "Drink plenty of water and rest.",
            "score": 0.81,
            "reasons": [{"name": "meaning", "share": 0.61}, {"name": "words", "share": 0.2}],
            "unreviewed": False,
        }
    ],
}


class Documents(ApiView):
    @extend_schema(
        operation_id="documents",
        summary="List documents",
        description="Every document that the account sees in the console, in any state, by title.",
        parameters=[DocumentFilters, *headers()],
        responses=answers({200: DocumentList}, takes_fields=True),
        tags=["Documents"],
    )
    def get(self, request: Request) -> Response:
        asked = checked(DocumentFilters, request.query_params.dict())
        rows, addresses = _window(request, _filtered(asked), asked)
        return Response(addresses | {"results": DocumentShape(_counted(rows), many=True).data})


class OneDocument(ApiView):
    @extend_schema(
        operation_id="document",
        summary="Read a document and its passages",
        description="The passages are those of the index that answers now, in their order.",
        parameters=[Window, *headers()],
        responses=answers({200: DocumentWhole}, takes_fields=True, has_key=True),
        tags=["Documents"],
    )
    def get(self, request: Request, key: UUID) -> Response:
        asked = checked(Window, request.query_params.dict())
        (document,) = _counted([get_object_or_404(_documents(), pk=key)])
        chunks = Chunk.objects.filter(document=document, index__status=_ANSWERING).order_by("position")
        rows, addresses = _window(request, chunks.only("id", "position", "heading", "page", "text"), asked)
        passages = addresses | {"results": PassageShape(rows, many=True).data}
        return Response({"document": DocumentShape(document).data, "passages": passages})


class Search(ApiView):
    throttle_scope = "search"

    @extend_schema(
        operation_id="search",
        summary="Find the passages for a question",
        description=(
            "Only what may be cited takes part. A worker searches; the answer comes within two seconds, or 202 says where to"
            " ask again. What was asked is kept sealed for a week, for the account that asked."
        ),
        parameters=headers(waits=True),
        request=SearchAsked,
        responses=answers(
            {
                200: OpenApiResponse(SearchResult, "What was found, best first.", [OpenApiExample("found", _EXAMPLE)]),
                202: pending("searches"),
            },
            takes_body=True,
        ),
        examples=[OpenApiExample("a question", {"question": "How do I bring down a fever?", "limit": 5}, request_only=True)],
        tags=["Search"],
    )
    def post(self, request: Request) -> Response:
        asked = checked(SearchAsked, request.data)
        trial = trials.ask_for(Trial.Kind.SEARCH, asked, by=account(request), now=timezone.now())
        return _state(api_trials.awaited(trial))


class OneSearch(ApiView):
    @extend_schema(
        operation_id="search_result",
        summary="Ask again for a search",
        parameters=headers(waits=True),
        responses=answers(
            {200: OpenApiResponse(SearchResult, "What was found, best first."), 202: pending("searches")}, has_key=True
        ),
        tags=["Search"],
    )
    def get(self, request: Request, key: UUID) -> Response:
        return _state(api_trials.of(key, kind=Trial.Kind.SEARCH, by=account(request)))


class Schema(SpectacularJSONAPIView):
    """What the API is, for machines. It names no data, so nobody needs a token to read it."""


def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")


def _state(trial: Trial) -> Response:
    return api_trials.state(trial, address=reverse("api:search_result", args=[trial.pk]), shape=_search_result)


def _search_result(trial: Trial) -> Any:
    return SearchResult({"id": trial.pk, "status": trial.status, **trial.result}).data


def _documents() -> QuerySet[Document]:
    return Document.objects.defer("text", "sources")


def _counted(documents: Sequence[Document]) -> Sequence[Document]:
    """With how many passages each has. Counted beside the list, because a join would count those of every document."""
    held = Chunk.objects.filter(document__in=documents, index__status=_ANSWERING).order_by()
    counts = dict(held.values_list("document").annotate(Count("id")))
    for document in documents:
        setattr(document, "passages", counts.get(document.pk, 0))  # noqa: B010
    return documents


def _filtered(asked: dict[str, Any]) -> QuerySet[Document]:
    rows = _documents().order_by("title", "id")
    for name in ("status", "language"):
        if name in asked:
            rows = rows.filter(**{name: asked[name]})
    if "topic" in asked:
        rows = rows.filter(topic__iexact=asked["topic"])
    for word in asked.get("q", "").split():
        rows = rows.filter(Q(title__icontains=word) | Q(publisher__icontains=word) | Q(topic__icontains=word))
    return rows


def _window(request: Request, rows: QuerySet[Any], asked: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The rows asked for, and where the others are."""
    count, limit, offset = rows.count(), asked["limit"], asked["offset"]
    following, before = offset + limit, max(0, offset - limit)
    addresses = {
        "count": count,
        "next": _address(request, following) if following < count else None,
        "previous": _address(request, before) if offset else None,
    }
    return list(rows[offset:following]), addresses


def _address(request: Request, offset: int) -> str:
    """The same list from another row on; without the host, which a proxy may have changed."""
    return f"{request.path}?{urlencode(request.query_params.dict() | {'offset': offset})}"
