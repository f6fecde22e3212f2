"""Doors for machines: `POST /api/alerts` takes what Alertmanager posts, version 4 of its payload, by a bearer token.

A post is taken whole or refused whole, with a sentence that says what to change. Labels and annotations are other people's
text: only what is named here is kept, cut to size, as plain text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from jeevo.logging import masked
from knowledge.api_parts import ApiView, TooLarge, checked
from operations import alert_intake, tokens
from operations.alert_intake import PLACED_BY, Heard

MOST_ALERTS = 2000
LARGEST_POST = 2 * 1024 * 1024
# Where it happens, of the labels that Prometheus and our own rules set.
PLACES = ("job", "instance", "lane", "device", "table")
# Whoever writes no severity may mean the worst but one; Prometheus' own word for the worst is "critical".
UNSURE = 2
SEVERITIES = {
    **dict.fromkeys(("1", "critical", "crit", "page", "emergency", "fatal"), 1),
    **dict.fromkeys(("2", "high", "error", "major"), 2),
    **dict.fromkeys(("3", "warning", "warn", "medium", "minor"), 3),
    **dict.fromkeys(("4", "low", "info", "information", "notice", "none"), 4),
}
_OURS = re.compile(r"docs/runbooks/[a-z0-9-]+\.md")
_ADDRESS = re.compile(r"https://[^\s\"'<>]+")


class NoToken(exceptions.AuthenticationFailed):
    """Said to whoever sets up Alertmanager."""


class Bearer(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[None, str]:
        token = settings.ENVIRONMENT.alerts_token
        if not token:
            raise NoToken("Alerts are not taken yet: set ALERTS_TOKEN to a long random word, here and in Alertmanager.")
        if not tokens.bears(request._request, token):
            raise NoToken("The token is missing or wrong. Send Authorization: Bearer, a space, and the value of ALERTS_TOKEN.")
        return None, "alerts"

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ByToken(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.auth == "alerts")


class Word(serializers.CharField):
    """Text of any length without what a database cannot hold."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_blank=True, trim_whitespace=True, **options)
        self.validators = []

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).replace("\x00", "").encode("utf-8", "replace").decode()


class OneAlert(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["firing", "resolved"])
    labels = serializers.DictField(child=Word())
    annotations = serializers.DictField(child=Word(), required=False, default=dict)
    startsAt = serializers.DateTimeField(required=False, default=None, allow_null=True)
    fingerprint = Word(required=False, default="")


class Payload(serializers.Serializer[Any]):
    version = serializers.CharField()
    groupKey = Word()
    truncatedAlerts = serializers.IntegerField(required=False, default=0, min_value=0)
    alerts = serializers.ListField(child=OneAlert(), max_length=MOST_ALERTS)

    def validate_version(self, version: str) -> str:
        if version != "4":
            raise serializers.ValidationError("Only version 4 of Alertmanager's webhook is known here.")
        return version


class Alerts(ApiView):
    """What Alertmanager's `webhook_configs` posts."""

    schema = None
    http_method_names = ["post"]
    authentication_classes = (Bearer,)
    permission_classes = (ByToken,)
    throttle_scope = "alerts"
    largest_body: ClassVar[int] = LARGEST_POST
    too_large: ClassVar[TooLarge] = TooLarge("The post is larger than 2 MB. Set max_alerts in Alertmanager's webhook_configs.")

    def post(self, request: Request) -> Response:
        payload, now = _payload(request.data), timezone.now()
        heard = [_heard(each, now=now) for each in payload["alerts"]]
        complete = not payload["truncatedAlerts"]
        taken = alert_intake.take(heard, group_key=payload["groupKey"], complete=complete, now=now)
        figures = ("opened", "again", "resolved", "unchanged")
        return Response({name: getattr(taken, name) for name in figures})


def _payload(given: Any) -> dict[str, Any]:
    try:
        return checked(Payload, given)
    except serializers.ValidationError as problem:
        raise serializers.ValidationError(dict(_places(problem.detail, ""))) from problem


def _places(detail: Any, where: str) -> Iterator[tuple[str, list[str]]]:
    """Every mistake by its place in the post, as in `alerts[3].labels`."""
    if isinstance(detail, Mapping):
        for name, said in detail.items():
            # What is wrong with an element as a whole has no name of its own.
            own = bool(where) and name == api_settings.NON_FIELD_ERRORS_KEY
            step = (
                "" if own else f"[{name}]" if isinstance(name, int) or str(name).isdigit() else f".{name}" if where else str(name)
            )
            yield from _places(said, where + step)
    elif any(isinstance(each, Mapping) for each in detail):
        for number, said in enumerate(detail):
            yield from _places(said, f"{where}[{number}]")
    elif detail:
        yield where, [str(each) for each in detail][:1]


def _scope(name: str, labels: Mapping[str, str]) -> str:
    if name in PLACED_BY:
        return labels.get(PLACED_BY[name], "")
    return ", ".join(f"{each}={labels[each]}" for each in PLACES if labels.get(each))


def _heard(alert: Mapping[str, Any], *, now: datetime) -> Heard:
    labels, annotations = alert["labels"], alert["annotations"]
    name = (labels.get("alertname") or "unnamed")[:50]
    title = annotations.get("summary") or annotations.get("title") or _spaced(name)
    starts_at = alert["startsAt"] or now
    return Heard(
        fingerprint=alert["fingerprint"][:64] or _fingerprint(labels),
        firing=alert["status"] == "firing",
        name=name,
        scope=_scope(name, labels)[:120],
        severity=SEVERITIES.get(labels.get("severity", "").strip().lower(), UNSURE),
        title=masked(" ".join(title.split()))[:200],
        # A clock that is ahead does not make it begin tomorrow, nor a missing one in the year 1.
        starts_at=starts_at if starts_at.year > 2000 else now.astimezone(UTC),
        details=masked(annotations.get("description") or annotations.get("message") or "")[:2000],
        runbook=_runbook(annotations.get("runbook_url") or annotations.get("runbook") or ""),
    )


def _fingerprint(labels: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()


def _spaced(name: str) -> str:
    """ "DiskAlmostFull" as people read it."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ")
    return words[:1].upper() + words[1:].lower()


def _runbook(text: str) -> str:
    """A page of ours or an https address; nothing else becomes a link."""
    found = _OURS.search(text)
    if found and not text.startswith(("http://", "https://")):
        return found[0]
    return text if _ADDRESS.fullmatch(text) and len(text) <= 200 else ""
