"""Pages of the console that show no table of rows: one module a page, each with its own `PAGES`.

`operations.pages.catalogue` lists them; the console gives every one an address below /admin/operations/ and
checks the permission before the view runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpResponseBase

LOOK = "operations.view_machine"
ACT = "operations.act_on_machine"


@dataclass(frozen=True)
class Page:
    """`path` is below /admin/operations/ and `name` below the namespace `admin`. A page with a `title` stands in the menu."""

    path: str
    name: str
    view: Callable[..., HttpResponseBase]
    title: str = ""
    permission: str = LOOK


@dataclass(frozen=True)
class Place:
    """A line of the menu of operations."""

    title: str
    href: str
    current: bool
