"""How a delivery stands, as staff read it: one word, one shape, and a sentence where something is not well."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render

from operations.models import Delivery
from operations.phrases import count, lasted

Status = Delivery.Status


@dataclass(frozen=True)
class Line:
    delivery: Delivery
    state: str
    word: str
    said: str


def lines(deliveries: Iterable[Delivery], *, now: datetime) -> list[Line]:
    return [Line(each, *_judged(each, now)) for each in deliveries]


def _judged(delivery: Delivery, now: datetime) -> tuple[str, str, str]:
    if delivery.status == Status.SENT:
        return "good", "Sent", ""
    if delivery.status == Status.FAILED:
        return "breached", "Failed", delivery.reason
    if delivery.status == Status.SENDING:
        return "unknown", "Being sent", ""
    if not delivery.attempts:
        return "unknown", "Waits", "It goes out within seconds while the watcher runs."
    wait = lasted(delivery.next_try_at - now) if delivery.next_try_at > now else "a moment"
    tried = count(delivery.attempts, "attempt", "attempts")
    return "at_risk", "Trying again", f"{delivery.reason} After {tried}, the next is in {wait}."


def fragment(request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """The part of a page that refreshes itself; an open page that shows it already gets an empty answer."""
    answer = render(request, template, context)
    mark = f'"{hashlib.sha256(answer.content).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == mark:
        return HttpResponseNotModified()
    answer["ETag"] = mark
    return answer
