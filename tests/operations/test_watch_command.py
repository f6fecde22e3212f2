"""The whole program: an alert that is posted is an incident, and the watcher's own process tells the contact on call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from jeevo import embedded
from jeevo.environment import ROOT
from tests.prometheus_stack import free_port
from tests.stack import Stack, eventually, running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
TOKEN = "a-long-random-word"
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


def test_an_alert_wakes_the_contact_on_call_and_the_command_line_takes_it(tmp_path: Path) -> None:
    ports = {"WEB_PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
    with running(tmp_path, ALERTS_TOKEN=TOKEN, **ports) as stack:
        execute(
            stack,
            "INSERT INTO operations_oncallcontact (position, name, email, webhook, active)"
            " VALUES (1, 'Night desk', 'night@example.org', '', true)",
        )
        body = {"version": "4", "groupKey": "{}", "alerts": [ALERT]}
        address = stack.console.replace("/admin/", "/api/alerts")
        answer = httpx.post(address, json=body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
        assert answer.json()["opened"] == 1, answer.text
        told = "SELECT recipient FROM operations_delivery WHERE channel = 'email' AND address = 'night@example.org'"
        eventually(lambda: stack.rows(told), seconds=60, what="the contact on call to be told")
        kept = stack.data / "spool" / "contacts.json"
        eventually(
            lambda: kept.exists() and "night@example.org" in kept.read_text(), seconds=120, what="the copy of the contacts"
        )
        (found,) = [each for each in incident(stack, "list") if each["kind"] == "alert:HighErrorRate"]
        assert (found["severity"], found["acknowledged_by"]) == (1, None)
        assert incident(stack, "ack", str(found["number"]), "--as", "admin")["acknowledged_by"] == "admin"
        assert "a watch failed" not in stack.output()
