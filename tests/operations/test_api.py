"""The door for Alertmanager: who may knock, what it takes, and a clear sentence for whatever it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from operations import api
from operations.models import Alert, Incident
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db
TOKEN = "a-long-random-word"
Json = dict[str, Any]


@pytest.fixture(autouse=True)
def _token(environment: ChangeEnvironment) -> Iterator[None]:
    environment(alerts_token=TOKEN)
    cache.clear()
    yield
    cache.clear()


def alert(**changes: Any) -> Json:
    """As Alertmanager 0.25 writes it, with what it adds and nobody asked for."""
    labels = {"alertname": "HighErrorRate", "job": "jeevo", "instance": "web:8000", "severity": "critical", "team": "night"}
    return {
        "status": "firing",
        "labels": labels | changes.pop("labels", {}),
        "annotations": {"summary": "Errors are high", "description": "2 % of requests fail."} | changes.pop("annotations", {}),
        "startsAt": "2026-03-01T09:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "c0ffee",
    } | changes


def payload(*alerts: Any, **changes: Any) -> Json:
    return {
        "receiver": "jeevo",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
    } | changes


def post(client: Client, body: Any, *, token: str = TOKEN, path: str = "/api/alerts") -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer: Any = client.post(path, data=raw, content_type="application/json", headers=headers)
    said: HttpResponse = answer
    return said


def detail(answer: Any) -> str:
    return str(json.loads(answer.content)["detail"])


@pytest.mark.parametrize("path", ["/api/alerts", "/api/alerts/"])
def test_what_alertmanager_posts_is_an_incident(client: Client, path: str) -> None:
    answer = post(client, payload(alert()), path=path)
    assert (answer.status_code, json.loads(answer.content)) == (200, {"opened": 1, "again": 0, "resolved": 0, "unchanged": 0})
    incident = Incident.objects.get()
    assert (incident.kind, incident.scope, incident.severity) == ("alert:HighErrorRate", "job=jeevo, instance=web:8000", 1)
    assert (incident.title, incident.details) == ("Errors are high", "2 % of requests fail.")


def test_a_standby_is_the_place_where_our_detector_would_see_it_too(client: Client) -> None:
    of = {"alertname": "JeevoStandbyAway", "severity": "3"}
    each = [alert(labels=of | {"standby": name}, fingerprint=name) for name in ("depot", "school")]
    assert post(client, payload(*each)).status_code == 200
    assert set(Incident.objects.values_list("kind", "scope")) == {("standby_away", "depot"), ("standby_away", "school")}


@pytest.mark.parametrize("token", ["", "wrong", "a-long-random-wor", "a-long-random-wörd"])
def test_without_the_token_nothing_is_taken(client: Client, token: str) -> None:
    answer = client.post(
        "/api/alerts", data=payload(alert()), content_type="application/json", headers={"Authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "value of ALERTS_TOKEN" in detail(answer)
    assert not Incident.objects.exists()


@pytest.mark.parametrize("header", [None, "", "Bearer", f"Token {TOKEN}", f"Basic {TOKEN}", TOKEN])
def test_the_token_comes_as_a_bearer(client: Client, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    assert client.post("/api/alerts", data={}, content_type="application/json", headers=headers).status_code == 401


@pytest.mark.parametrize("token", ["", " ", TOKEN])
def test_where_no_token_is_set_nobody_may_post_and_is_told_what_to_set(
    client: Client, token: str, environment: ChangeEnvironment
) -> None:
    environment(alerts_token="")
    answer = post(client, payload(alert()), token=token)
    assert answer.status_code == 401
    assert detail(answer).startswith("Alerts are not taken yet: set ALERTS_TOKEN")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (json.dumps(payload(alert())).encode()[:-30], "The body is not JSON that can be read"),
        (b"", "version: This field is required."),
        (b"\xff\xfe", "The body is not JSON that can be read"),
        (b"[" * 100_000, "The body is not JSON that can be read"),
        ([], "body: Invalid data. Expected a dictionary, but got list."),
        ("text", "body: Invalid data."),
        ({}, "version: This field is required."),
        (payload(alert(), version="3"), "version: Only version 4 of Alertmanager's webhook is known here."),
        (payload(alert(), alerts="none"), 'alerts: Expected a list of items but got type "str".'),
        (payload(alert(), alert(status="odd")), 'alerts[1].status: "odd" is not a valid choice.'),
        (payload({"status": "firing"}), "alerts[0].labels: This field is required."),
        (payload(alert(), alert(), 7), "alerts[2]: Invalid data. Expected a dictionary, but got int."),
        (payload(alert(labels={"job": {"a": 1}})), "alerts[0].labels.job: Not a valid string."),
        (payload(alert(startsAt="yesterday")), "alerts[0].startsAt: Datetime has wrong format."),
        (payload(alert(), truncatedAlerts=-1), "truncatedAlerts: Ensure this value is greater than or equal to 0."),
    ],
)
def test_what_cannot_be_read_is_refused_whole_with_its_place(client: Client, body: Any, said: str) -> None:
    answer = post(client, body)
    assert (answer.status_code, detail(answer)[: len(said)]) == (400, said)
    assert not Incident.objects.exists()
    assert not Alert.objects.exists()


def test_hundreds_are_taken_and_too_many_are_refused(client: Client) -> None:
    many = [alert(fingerprint=f"f{number}", labels={"instance": f"host{number}"}) for number in range(500)]
    assert post(client, payload(*many)).status_code == 200
    assert Alert.objects.count() == 500
    assert Incident.objects.count() == 1
    answer = post(client, payload(*(many[0] for _ in range(api.MOST_ALERTS + 1))))
    assert answer.status_code == 400
    assert detail(answer) == "alerts: Ensure this field has no more than 2000 elements."
    answer = post(client, b" " * (api.LARGEST_POST + 1))
    assert answer.status_code == 413
    assert "Set max_alerts" in detail(answer)


@pytest.mark.parametrize(
    ("word", "severity"),
    [("critical", 1), ("CRITICAL ", 1), ("page", 1), ("1", 1), ("2", 2), ("error", 2), ("warning", 3), ("3", 3), ("4", 4)]
    + [("info", 4), ("", 2), ("purple", 2), ("0", 2), ("5", 2)],
)
def test_a_severity_that_is_not_known_is_high(client: Client, word: str, severity: int) -> None:
    post(client, payload(alert(labels={"severity": word})))
    assert Incident.objects.get().severity == severity


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("docs/runbooks/high-error-rate.md", "docs/runbooks/high-error-rate.md"),
        ("https://example.org/docs/runbooks/errors.md", "https://example.org/docs/runbooks/errors.md"),
        ("http://example.org/docs/runbooks/errors.md", ""),
        ("javascript:alert(1)", ""),
        ("https://example.org/ <script>", ""),
        ("docs/runbooks/../../etc/passwd", ""),
        ("", ""),
    ],
)
def test_a_runbook_is_a_page_of_ours_or_an_https_address(client: Client, address: str, kept: str) -> None:
    post(client, payload(alert(annotations={"runbook_url": address})))
    assert Incident.objects.get().runbook == kept


def test_missing_and_odd_labels_and_annotations_lose_no_alert(client: Client) -> None:
    bare = {"status": "firing", "labels": {}}
    assert post(client, payload(bare)).status_code == 200
    incident = Incident.objects.get()
    assert (incident.kind, incident.scope, incident.severity, incident.title) == ("alert:unnamed", "", 2, "Unnamed")
    odd = {"alertname": "Disk\x00Almost\ud800Full" * 20, "instance": "x" * 5000}
    texts = {"summary": "", "description": "Call 919810000001 " + "y" * 9000}
    answer = post(client, payload(alert(fingerprint="", labels=odd, annotations=texts), groupKey="other"))
    assert answer.status_code == 200
    incident = Incident.objects.get(details__startswith="Call")
    assert (len(incident.kind), len(incident.scope), len(incident.details)) == (56, 120, 2000)
    assert "919810000001" not in incident.details


def test_a_beginning_in_the_year_one_is_now(client: Client) -> None:
    post(client, payload(alert(startsAt="0001-01-01T00:00:00Z")))
    incident = Incident.objects.get()
    assert incident.impact_started_at == incident.detected_at


def test_too_many_posts_are_told_to_wait(client: Client, settings: Settings) -> None:
    rates = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] | {"alerts": "2/min"}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    assert [post(client, payload(alert())).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_only_a_post_is_taken(client: Client, method: str) -> None:
    answer = getattr(client, method)("/api/alerts", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 405
