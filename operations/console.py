"""Jeevo's console: Django's admin with a home page that answers "is the service well?".

Every page of the staff hangs below it. Tiles link to the page that explains them, and only where the
reader may open that page.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone

from operations import figures, live_incidents, plot, verdict
from operations.pages import catalogue

# What people come for first; anything else follows by name.
NAMES = {"auth": "Staff", "django_celery_beat": "Timers"}
# Incidents of this severity or worse are said on top of every page.
GRAVE = 2
ORDER = ["conversations", "knowledge", "operations", "auth"]


class ConsoleSite(AdminSite):
    site_header = "Jeevo"
    site_title = "Jeevo"
    index_title = "Home"
    site_url = None
    # The links at the top replace it: the sidebar lists tables, not tasks.
    enable_nav_sidebar = False

    def get_urls(self) -> list[Any]:
        return [*catalogue.patterns(self), *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**home(request), **(extra_context or {})})

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        live = live_incidents.seen_everywhere(request)
        return {
            **super().each_context(request),
            "sandbox": not settings.LIVE,
            "operations": catalogue.menu(request),
            "live_incidents": live,
            "grave_incidents": [incident for incident in live if incident.severity <= GRAVE],
            "may_declare": request.user.has_perm("operations.run_incident") or request.user.has_perm("operations.add_incident"),
        }

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["name"] = NAMES.get(app["app_label"], app["name"])
        return sorted(apps, key=lambda app: (_place(app["app_label"]), app["name"].lower()))


def _place(label: str) -> int:
    return ORDER.index(label) if label in ORDER else len(ORDER)


def home(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    hours = plot.messages_by_hour(now)
    tiles = [_for_reader(figure(now), request) for figure in figures.FIGURES]
    live, may_see = live_incidents.found(now), request.user.has_perm(live_incidents.VIEW)
    grave = live_incidents.tiles(live, may_see=may_see)
    return {
        "now": now,
        "verdict": verdict.verdict([*grave, *tiles], quiet=not hours.total),
        "live_now": live if may_see else None,
        "tiles": tiles,
        "plot": hours,
    }


def _for_reader(tile: figures.Tile, request: HttpRequest) -> figures.Tile:
    allowed = not tile.permission or request.user.has_perm(tile.permission)
    return tile if allowed else replace(tile, href="", link="")
