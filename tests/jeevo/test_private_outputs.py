"""A whole run with seeded numbers, names and symptoms: real processes, every place they write, and not one seed in it.

What stands in for WhatsApp keeps a phone's own chat and is not searched; the rows of the database are read as text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from jeevo import embedded
from tests.conversations.test_privacy import EMERGENCY, NAME, PHONE, QUESTION, UNKNOWN, found
from tests.stack import Stack, eventually, running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]
TOKEN = "a-token-of-this-test-alone"
OURS = ("web", "dispatcher", "watcher", "worker-answers", "worker-indexing", "worker-operations", "beat")
# The stand-in for WhatsApp is the outside world: there the words and numbers are at home.
OUTSIDE = ("sandbox.sqlite3",)
# Celery prints this when it is asked to stop.
FAREWELL = "worker: Warm shutdown (MainProcess)"


@dataclass(frozen=True)
class Run:
    """What a run left behind, by the name of the place."""

    places: dict[str, str]
    # One INSERT of the question: its id, and the lines that carry it by file.
    request_id: str
    lines: list[dict[str, Any]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("private")
    tokens = {"METRICS_TOKEN": TOKEN, "HEALTH_TOKEN": TOKEN}
    ports = {"WEB_PORT": "18230", "SANDBOX_PORT": "18231"}
    with running(folder, BURST_SECONDS="1", LOG_LEVEL="DEBUG", **tokens, **ports) as stack:
        waiting = "SELECT count(*) FROM knowledge_document WHERE status IN ('uploaded', 'indexing')"
        eventually(lambda: stack.rows(waiting)[0][0] == 0, seconds=150, what="the starter articles to be indexed")
        talk(stack)
        looked_up(stack)
        ((request_id,),) = stack.rows("SELECT request_id FROM conversations_inboundmessage ORDER BY received_at LIMIT 1")
        places = outputs(stack)
        assert stack.stop() == 0
        places |= {"what was printed": stack.output(), **files(stack.data)}
    return Run(places, request_id, lines(stack.data))


def talk(stack: Stack) -> None:
    """A question, one that nothing answers, an emergency, a refused and a lost send, and a worker that dies meanwhile."""
    says(stack, QUESTION)
    stack.answers(PHONE, 1, 60)
    says(stack, UNKNOWN)
    stack.answers(PHONE, 2, 60)
    stack.fault("server_error", remaining=2)
    says(stack, EMERGENCY)
    stack.answers(PHONE, 3, 60)
    says(stack, UNKNOWN)
    stack.answers(PHONE, 4, 60)
    stack.fault("server_error", on=False)
    eventually(
        lambda: not stack.rows("SELECT 1 FROM conversations_outboundmessage WHERE status = 'queued'"), seconds=30, what="rest"
    )


def says(stack: Stack, words: str) -> None:
    body = {"from": PHONE, "name": NAME, "text": words}
    httpx.post(f"{stack.chat}sandbox/inbound", json=body, timeout=10).raise_for_status()


def looked_up(stack: Stack) -> None:
    """Somebody of the staff signs in and searches for the number, which stands in the address then."""
    with httpx.Client(base_url=stack.console, follow_redirects=True, timeout=20) as browser:
        page = browser.get("login/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        form = {"username": "admin", "password": stack.password, "csrfmiddlewaretoken": token[1], "next": "/admin/"}
        assert browser.post("login/", data=form, headers={"Referer": stack.console}).status_code == 200
        assert browser.get("conversations/contact/", params={"q": PHONE}).status_code == 200
        browser.get(f"conversations/contact/{PHONE}/change/")
        browser.get(f"nothing/{NAME}")


def outputs(stack: Stack) -> dict[str, str]:
    """What the program shows to machines while it runs."""
    web = stack.console.removesuffix("admin/")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    shown = {"/health/": httpx.get(f"{web}health/", headers=bearer, timeout=20).text, "/metrics": metrics(web, bearer)}
    shown["pg_stat_activity"] = str(stack.rows("SELECT query FROM pg_stat_activity"))
    names = stack.rows("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
    return shown | {f"table {name}": str(stack.rows(f"SELECT t::text FROM {name} t")) for (name,) in names}


def metrics(web: str, bearer: dict[str, str]) -> str:
    """Empty where this release serves none; one that is there and cannot be read is no proof and fails."""
    answer = httpx.get(f"{web}metrics", headers=bearer, timeout=20)
    if answer.status_code == 404:
        return ""
    assert answer.status_code == 200, f"/metrics is there and could not be searched: {answer.status_code}"
    assert "# HELP" in answer.text
    return answer.text


def files(data: Path) -> dict[str, str]:
    """Every file of the data folder and of the servers' home, but for the database's own, whose rows were read as text."""
    home = embedded._home_of(data)
    paths = {path for folder in (data, home) for path in folder.rglob("*") if path.is_file()}
    own = {path for path in paths if home / "postgres" in path.parents or path.name.startswith(OUTSIDE)}
    programs = {path for path in paths if home / "programs" in path.parents}
    return {str(path): path.read_bytes().decode("latin-1") for path in sorted(paths - own - programs)}


def lines(data: Path) -> list[dict[str, Any]]:
    """The lines of our processes that are JSON, with the file each stands in."""
    logs = {name: (data / "logs" / f"{name}.log").read_text(errors="replace").splitlines() for name in OURS}
    return [json.loads(line) | {"file": name} for name in OURS for line in logs[name] if line.startswith("{")]


def test_no_place_that_the_run_wrote_to_holds_a_seed(run: Run) -> None:
    held = {place: seeds for place, text in run.places.items() if (seeds := found(text))}
    assert held == {}


def test_the_places_that_were_searched_are_those_that_count(run: Run) -> None:
    names = " ".join(run.places)
    for name in (*(f"{each}.log" for each in OURS), "postgres-", "valkey", "table conversations_inboundmessage", "/health/"):
        assert name in names, name
    assert len(run.places["what was printed"]) > 1000
    assert any(len(text) > 100 for place, text in run.places.items() if "postgres-" in place)
    assert not [line for line in run.lines if "wamid." in json.dumps(line)]


def test_the_id_of_the_question_leads_through_the_logs_of_three_processes(run: Run) -> None:
    way = {line["event"]: (line["file"], line["level"]) for line in run.lines if line.get("request_id") == run.request_id}
    assert way["message stored"] == ("web", "info")
    assert way["message seen"] == ("dispatcher", "info")
    assert way["answered"] == ("worker-answers", "info")
    assert way["message handed to whatsapp"] == ("worker-answers", "info")
    assert way["whatsapp reported a status"] == ("dispatcher", "info")


def test_what_went_wrong_was_said_aloud(run: Run) -> None:
    said = {(line["level"], line["event"]) for line in run.lines}
    assert ("warning", "whatsapp refused a message") in said
    assert ("warning", "low confidence") in said


def test_every_line_of_our_processes_is_json_with_time_level_and_process(run: Run) -> None:
    for name in OURS:
        (text,) = (text for place, text in run.places.items() if place.endswith(f"/logs/{name}.log"))
        odd = {line for line in text.splitlines() if line.strip() and not line.startswith("{")}
        assert odd <= {FAREWELL}, name
    assert all({"timestamp", "level", "logger", "event", "process"} <= line.keys() for line in run.lines)
    assert all(line["process"] == line["file"] for line in run.lines)
