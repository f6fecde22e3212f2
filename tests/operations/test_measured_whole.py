"""The whole program: one question, and what every process counted of it is told at one address."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.stack import Stack, eventually, running

pytestmark = [pytest.mark.stack, pytest.mark.matrix, pytest.mark.timeout(300)]
ASKED, NUMBER = "How do I bring down a fever in a two-year-old?", "919812345678"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    ports = {"WEB_PORT": "18340", "SANDBOX_PORT": "18341"}
    with running(tmp_path_factory.mktemp("measured"), METRICS_TOKEN="a-token", BURST_SECONDS="0.5", **ports) as started:
        yield started


def scraped(stack: Stack) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    address = stack.console.replace("/admin/", "/metrics")
    text = httpx.get(address, headers={"Authorization": "Bearer a-token"}, timeout=10).text
    assert NUMBER not in text
    return {(s.name, frozenset(s.labels.items())): s.value for f in text_string_to_metric_families(text) for s in f.samples}


def test_a_question_is_counted_in_gunicorn_dispatcher_and_celery_and_told_by_either_web_worker(stack: Stack) -> None:
    indexed = "SELECT 1 FROM knowledge_document WHERE slug = 'fever-in-children' AND indexed_at IS NOT NULL"
    eventually(lambda: stack.rows(indexed), seconds=120, what="the article")
    stack.says(NUMBER, ASKED)
    stack.answers(NUMBER, seconds=60)
    stack.says("919812345679", ASKED)
    stack.answers("919812345679", seconds=60)
    wanted = {
        ("medical_queries_total", frozenset({("kind", "extractive")})): 2,
        ("answers_total", frozenset({("kind", "extractive"), ("cited", "yes")})): 2,
        ("triage_levels_total", frozenset({("level", "routine")})): 2,
        ("query_duration_seconds_count", frozenset()): 2,
        ("vector_search_duration_seconds_count", frozenset()): 2,
    }
    # Two workers serve by turns, and both tell the same.
    for _ in range(6):
        told = scraped(stack)
        assert {key: told[key] for key in wanted} == wanted
    assert told[("webhook_duration_seconds_count", frozenset({("status", "2xx")}))] >= 2
    assert told[("operations_total", frozenset({("kind", "task")}))] >= 2
    running_now = {dict(labels)["process"]: value for (name, labels), value in told.items() if name == "processes_running"}
    assert running_now["web"] == 3  # two workers and the one that keeps them
    assert running_now["worker-answers"] >= 2


def test_the_watcher_writes_what_all_processes_did_by_the_minute(stack: Stack) -> None:
    measured = "SELECT sum(count) FROM operations_rollup WHERE period = 'minute' AND name = %s"
    eventually(lambda: stack.rows(measured, "figures")[0][0], seconds=200, what="a minute that was measured")
    assert stack.rows(measured, "database_query_duration_seconds")[0][0] > 100
    assert stack.rows(measured, "process_resident_memory_bytes{process=worker-answers}")[0][0] >= 1
    root = stack.console.replace("/admin/", "/health/")
    assert httpx.get(root, timeout=10).json()["components"]["watcher"]["status"] == "alive"


def test_a_celery_child_that_was_killed_takes_nothing_of_the_sum_with_it(stack: Stack) -> None:
    key = ("medical_queries_total", frozenset({("kind", "extractive")}))
    before = scraped(stack)[key]

    for pid in stack.pid("celery --quiet -A jeevo worker -Q answers")[1:]:
        os.kill(pid, signal.SIGKILL)
    stack.says("919812345670", ASKED)
    stack.answers("919812345670", seconds=90)
    assert scraped(stack)[key] == before + 1
