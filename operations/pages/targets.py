"""The page of the targets: each with its figure beside its limit, how it was kept, a plot, and what may still fail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone

from operations import target_list, target_plot, targets
from operations.history import HOUR, MONTH, WINDOWS, Window
from operations.pages import Page
from operations.phrases import count
from operations.target_kinds import Target
from operations.target_plot import TargetPlot
from operations.targets import Kept, Look
from operations.verdict import WORST_FIRST

_WORDS = {"below": "must be less than", "above": "must be more than", "whole": "must be"}


@dataclass(frozen=True)
class Card:
    target: Target
    limit: str
    now: Kept
    kept: tuple[Kept, ...]
    plot: TargetPlot
    budget: str


@dataclass(frozen=True)
class Group:
    title: str
    cards: tuple[Card, ...]


def show(request: HttpRequest) -> TemplateResponse:
    now = timezone.now()
    chosen = next((window for window in WINDOWS if window.key == request.GET.get("window")), HOUR)
    context = {
        **admin.site.each_context(request),
        "title": "Targets",
        "now": now,
        "windows": WINDOWS,
        "chosen": chosen,
        **content(chosen, now),
    }
    return TemplateResponse(request, "admin/operations/targets/page.html", context)


def content(chosen: Window, now: datetime) -> dict[str, object]:
    seen = {window.key: targets.look(window, now=now) for window in WINDOWS}
    cards = [_card(target, seen, chosen) for target in target_list.ALL]
    groups = [Group(title, tuple(card for card in cards if card.target.group == title)) for title in target_list.GROUPS]
    worst = [card for state in WORST_FIRST for card in cards if card.now.state == state]
    return {"groups": groups, "worst": worst, "number": len(cards), "measured": _measured(seen[chosen.key])}


def _card(target: Target, seen: dict[str, Look], chosen: Window) -> Card:
    kept = tuple(targets.over(target, seen[window.key]) for window in WINDOWS)
    limit = f"{_WORDS[target.comparison]} {targets.said(target.limit, target.unit)}"
    plot = target_plot.draw(target, seen[chosen.key].slots)
    return Card(target, limit, kept[0], kept, plot, _budget(target, seen[MONTH.key]))


def _budget(target: Target, month: Look) -> str:
    found = targets.budget(target, month)
    if found is None:
        return ""
    if found.used > 1:
        return f"Of what may fail in 30 days, {found.used:.0%} has failed."
    more = count(found.left, "more failure is", "more failures are")
    return f"{found.used:.0%} of the error budget of 30 days is used: {more} allowed."


def _measured(seen: Look) -> str:
    """How much of the window the figures stand for."""
    minutes = round(seen.window.length.total_seconds() / 60)
    if not seen.whole.known:
        return "Nothing was measured in this time. The watcher begins with the second minute after a start."
    share = min(seen.whole.known, minutes) / minutes
    return "" if share > 0.95 else f"Measured for {share:.0%} of this time; the rest is unknown."


PAGES = (Page("targets/", "operations_targets", show, "Targets"),)
