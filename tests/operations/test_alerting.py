"""From a figure to an incident: a real Prometheus sees it, a real Alertmanager says so, and Jeevo opens one incident."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.cache import cache

from operations.models import Alert, Incident
from tests.fixtures import ChangeEnvironment
from tests.prometheus_stack import ALERTMANAGER, PROMETHEUS, Figures, alerting
from tests.stack import eventually

TOKEN = "a-long-random-word"
RULES = """
groups:
  - name: jeevo
    rules:
      - alert: MessagesStuck
        expr: max_over_time(queue_oldest_seconds[10s]) > 300
        labels:
          severity: "2"
        annotations:
          summary: "A message has waited {{ $value }} seconds."
          runbook_url: docs/runbooks/stuck-messages.md
"""

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(240),
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not (PROMETHEUS and ALERTMANAGER),
        reason="PROMETHEUS AND ALERTMANAGER ARE NOT INSTALLED: apt-get install prometheus prometheus-alertmanager",
    ),
]


def state() -> str:
    incident = Incident.objects.first()
    return incident.state if incident else ""


def test_an_alert_opens_one_incident_and_ends_in_monitoring(
    live_server: Any, tmp_path: Path, environment: ChangeEnvironment
) -> None:
    environment(alerts_token=TOKEN)
    cache.clear()
    with Figures("queue_oldest_seconds", 12) as figures:
        scrape = {"job_name": "jeevo", "static_configs": [{"targets": [figures.address]}]}
        post_to = f"{live_server.url}/api/alerts"
        with alerting(tmp_path, rules=RULES, scrape=scrape, post_to=post_to, token=TOKEN) as prometheus:
            eventually(lambda: known(prometheus), seconds=60, what="Prometheus to read the figure")
            assert not Incident.objects.exists()
            figures.value = 412
            eventually(state, seconds=60, what="an incident")
            first = Alert.objects.get().heard_at
            # Alertmanager repeats itself every few seconds here.
            eventually(lambda: Alert.objects.get().heard_at > first, seconds=60, what="the alert to be repeated")
            incident = Incident.objects.get()
            assert (incident.kind, incident.severity, incident.source) == ("alert:MessagesStuck", 2, "alert")
            assert (incident.title, incident.runbook) == (
                "A message has waited 412 seconds.",
                "docs/runbooks/stuck-messages.md",
            )
            assert incident.scope == f"job=jeevo, instance={figures.address}"
            assert incident.timeline.count() == 1
            figures.value = 3
            eventually(lambda: state() == "monitoring", seconds=60, what="the incident to be monitored")
            figures.value = 500
            eventually(lambda: state() == "investigating", seconds=60, what="the incident to be worked on again")
            assert Incident.objects.count() == 1


@pytest.mark.matrix
def test_with_another_token_nothing_is_opened_and_alertmanager_is_told_why(
    live_server: Any, tmp_path: Path, environment: ChangeEnvironment
) -> None:
    environment(alerts_token="another")
    with Figures("queue_oldest_seconds", 412) as figures:
        scrape = {"job_name": "jeevo", "static_configs": [{"targets": [figures.address]}]}
        post_to = f"{live_server.url}/api/alerts"
        with alerting(tmp_path, rules=RULES, scrape=scrape, post_to=post_to, token=TOKEN):
            log = next(path for path in tmp_path.glob("*alertmanager.log"))
            eventually(lambda: "unexpected status code 401" in log.read_text(), seconds=60, what="a refusal")
    assert not Incident.objects.exists()


def known(prometheus: str) -> bool:
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": "queue_oldest_seconds"}, timeout=5).json()
    return bool(answer["data"]["result"])
