"""The whole program: what Prometheus sees in its figures is an incident, and the watcher's own process tells the contact
on call."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from jeevo import embedded
from jeevo.environment import ROOT
from tests.prometheus_stack import ALERTMANAGER, PROMETHEUS, alerting, free_port
from tests.stack import Stack, eventually, running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
TOKEN, FIGURES_TOKEN = "a-long-random-word", "another-random-word"
ALERT = {
    "status": "firing",
    "labels": {"alertname": "HighErrorRate", "severity": "critical"},
    "annotations": {"summary": "Errors are high"},
    "startsAt": "2026-03-01T09:00:00Z",
    "fingerprint": "f1",
}


def execute(stack: Stack, sql: str) -> None:
    services = embedded.find(stack.data, stack.keys)
    assert services is not None
    with psycopg.connect(services.database_url) as connection:
        connection.execute(sql.encode())


def incident(stack: Stack, *words: str) -> Any:
    command = [sys.executable, "manage.py", "incident", *words, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=stack.variables, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    ports = {"WEB_PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
    with running(tmp_path_factory.mktemp("stack"), ALERTS_TOKEN=TOKEN, METRICS_TOKEN=FIGURES_TOKEN, **ports) as started:
        yield started


def test_an_alert_wakes_the_contact_on_call_and_the_command_line_takes_it(stack: Stack) -> None:
    execute(
        stack,
        "INSERT INTO operations_oncallcontact (position, name, email, webhook, active)"
        " VALUES (1, 'Night desk', 'night@example.org', '', true)",
    )
    body = {"version": "4", "groupKey": "{}", "alerts": [ALERT]}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.post(stack.console.replace("/admin/", "/api/alerts"), json=body, headers=headers, timeout=20)
    assert answer.json()["opened"] == 1, answer.text
    told = "SELECT recipient FROM operations_delivery WHERE channel = 'email' AND address = 'night@example.org'"
    eventually(lambda: stack.rows(told), seconds=60, what="the contact on call to be told")
    kept = stack.data / "spool" / "contacts.json"
    eventually(lambda: kept.exists() and "night@example.org" in kept.read_text(), seconds=120, what="the copy of the contacts")
    (found,) = [each for each in incident(stack, "list") if each["kind"] == "alert:HighErrorRate"]
    assert (found["severity"], found["acknowledged_by"]) == (1, None)
    assert incident(stack, "ack", str(found["number"]), "--as", "admin")["acknowledged_by"] == "admin"
    assert "a watch failed" not in stack.output()


@pytest.mark.skipif(
    not (PROMETHEUS and ALERTMANAGER),
    reason="PROMETHEUS AND ALERTMANAGER ARE NOT INSTALLED: apt-get install prometheus prometheus-alertmanager",
)
def test_a_shipped_alert_on_the_figures_of_the_program_opens_one_incident_and_clears(stack: Stack, tmp_path: Path) -> None:
    """Its real figures and our own rules, without the hour that a rule waits before it fires."""
    rules = [rule for name in ("recording", "alerts") for rule in groups(name)]
    host = stack.console.split("/")[2]
    scrape = {
        "job_name": "jeevo",
        "metrics_path": "/metrics",
        "authorization": {"type": "Bearer", "credentials": FIGURES_TOKEN},
        "static_configs": [{"targets": [host]}],
    }
    post_to = stack.console.replace("/admin/", "/api/alerts")
    with alerting(tmp_path, rules=json.dumps({"groups": rules}), scrape=scrape, post_to=post_to, token=TOKEN):
        eventually(lambda: state(stack, aged="10 days"), seconds=90, what="an incident about old knowledge")
        eventually(lambda: state(stack, aged="0 days") == "monitoring", seconds=60, what="its end")
    opened = "SELECT state, severity, runbook, source FROM operations_incident WHERE kind = 'alert:JeevoStaleKnowledge'"
    assert stack.rows(opened) == [("monitoring", 4, "docs/runbooks/stale-knowledge.md", "alert")]


def groups(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules" / f"{name}.yml").read_text())["groups"]
    for group in found:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule.pop("for", None)
    return found


def state(stack: Stack, *, aged: str) -> str:
    """Of the incident, with the last document indexed so long ago; what is still being indexed is aged again."""
    columns = ("indexed_at", "reviewed_at", "confirmed_at", "retired_at")
    changes = ", ".join(f"{name} = CASE WHEN {name} IS NOT NULL THEN now() - interval '{aged}' END" for name in columns)
    execute(stack, f"UPDATE knowledge_document SET {changes}")
    rows = stack.rows("SELECT state FROM operations_incident WHERE kind = 'alert:JeevoStaleKnowledge'")
    return str(rows[0][0]) if rows else ""
