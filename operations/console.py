"""Jeevo's console: Django's admin with a home page that answers "is the service well?".

Every page of the staff hangs below it. Tiles link to the page that explains them, and only where the
reader may open that page.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone

from operations import figures, live_incidents, plot, public_maintenance, second_factor, targets, verdict
from operations.pages import LOOK, account, catalogue
from operations.pages import second_factor as second_factor_pages

# What people come for first; anything else follows by name.
NAMES = {"auth": "Staff", "django_celery_beat": "Timers", "axes": "Signing in"}
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
        # The stock sign-out lets only those out who were let in: not somebody who has no code at hand.
        ways = [path("logout/", self.logout, name="logout"), *second_factor_pages.urls(), *account.urls(self)]
        return [*ways, *catalogue.patterns(self), *super().get_urls()]

    def has_permission(self, request: HttpRequest) -> bool:
        """Django's condition, and the second factor where one is asked for."""
        return super().has_permission(request) and second_factor.satisfied(request.user)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The password; whoever has given it and owes a code is led on to that."""
        if request.method == "GET" and super().has_permission(request) and not second_factor.satisfied(request.user):
            return second_factor_pages.to("admin:second_factor", request)
        return super().login(request, extra_context)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**home(request), **(extra_context or {})})

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        # Not to somebody who still owes the second factor.
        inside = self.has_permission(request)
        live = live_incidents.seen_everywhere(request) if inside else []
        return {
            **super().each_context(request),
            "sandbox": not settings.LIVE,
            "second_factor_off": second_factor.is_off(),
            "operations": catalogue.menu(request),
            "live_incidents": live,
            "grave_incidents": [incident for incident in live if incident.severity <= GRAVE],
            "may_declare": inside and live_incidents.may_declare(request),
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
    paging = targets.paging(now) if request.user.has_perm(LOOK) else []
    return {
        "now": now,
        "verdict": verdict.verdict([*grave, *tiles, *targets.tiles(paging)], quiet=not hours.total),
        "live_now": live if may_see else None,
        "tiles": tiles,
        "plot": hours,
        "paging": paging,
        "maintenance": public_maintenance.for_home(),
    }


def _for_reader(tile: figures.Tile, request: HttpRequest) -> figures.Tile:
    allowed = not tile.permission or request.user.has_perm(tile.permission)
    return tile if allowed else replace(tile, href="", link="")
