"""Every address of the web process."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path, re_path

from conversations.views import WebhookView


def home(request: HttpRequest) -> HttpResponse:
    """People who open the bare address want the console."""
    return redirect("admin:index")


urlpatterns = [
    path("", home, name="home"),
    re_path(r"^webhook/whatsapp/?$", WebhookView.as_view(), name="webhook"),
    path("admin/", admin.site.urls),
    path("", include("operations.urls")),
]
