"""Every page of operations, in the order of its menu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, reverse

from operations.pages import (
    Page,
    Place,
    incident_numbers,
    preflight,
    response,
    roles,
    targets,
    troubleshooting,
    troubleshooting_acts,
)

ALL: tuple[Page, ...] = (
    *targets.PAGES,
    *response.PAGES,
    *incident_numbers.PAGES,
    *troubleshooting.PAGES,
    *troubleshooting_acts.PAGES,
    *preflight.PAGES,
    *roles.PAGES,
)


def patterns(site: AdminSite) -> list[URLPattern]:
    return [path(f"operations/{page.path}", site.admin_view(_guarded(page)), name=page.name) for page in ALL]


def _guarded(page: Page) -> Callable[..., HttpResponseBase]:
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm(page.permission):
            raise PermissionDenied
        return page.view(request, *args, **kwargs)

    return view


def menu(request: HttpRequest) -> list[Place]:
    """The pages that this reader may open."""
    found = [page for page in ALL if page.title and request.user.has_perm(page.permission)]
    return [
        Place(page.title, reverse(f"admin:{page.name}"), request.path.startswith(reverse(f"admin:{page.name}"))) for page in found
    ]
