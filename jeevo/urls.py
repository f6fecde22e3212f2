"""Every address of the web process."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path, re_path

from conversations import api as asking
from conversations.views import WebhookView
from knowledge import api
from knowledge.api_parts import NotThere


def home(request: HttpRequest) -> HttpResponse:
    """People who open the bare address want the console."""
    return redirect("admin:index")


api_patterns = [
    path("documents/", api.Documents.as_view(), name="documents"),
    path("documents/<uuid:key>/", api.OneDocument.as_view(), name="document"),
    path("search/", api.Search.as_view(), name="search"),
    path("searches/<uuid:key>/", api.OneSearch.as_view(), name="search_result"),
    path("ask/", asking.Ask.as_view(), name="ask"),
    path("asks/<uuid:key>/", asking.OneAsk.as_view(), name="ask_result"),
    path("schema/", api.Schema.as_view(), name="schema"),
    path("docs/", api.docs, name="docs"),
]

urlpatterns = [
    path("", home, name="home"),
    re_path(r"^webhook/whatsapp/?$", WebhookView.as_view(), name="webhook"),
    path("admin/", admin.site.urls),
    path("api/v1/", include((api_patterns, "api"))),
    path("", include("operations.urls")),
    # Without it a forgotten slash would be a redirect, and the body would be lost on the way.
    re_path(r"^api(/|$)", NotThere.as_view()),
]
