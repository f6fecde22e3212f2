"""What is counted, once each, under labels that name nobody; and what a query and a task leave behind."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.http import HttpResponse

from conversations import llm, whatsapp
from conversations.models import Contact
from jeevo import logging, measures, measuring
from tests import factories


def value(name: str, **labels: str) -> float:
    return measures.REGISTRY.get_sample_value(name, labels) or 0.0


def counted_errors(kind: str = "") -> float:
    found = (sample for metric in measures.REGISTRY.collect() for sample in metric.samples if sample.name == "errors_total")
    return sum(sample.value for sample in found if kind in ("", sample.labels["kind"]))


def test_a_webhook_is_timed_by_the_class_of_its_status() -> None:
    before = value("webhook_duration_seconds_count", status="4xx")
    measures.by_status(lambda: HttpResponse(status=403))()
    assert value("webhook_duration_seconds_count", status="4xx") == before + 1


def test_a_webhook_that_raises_counts_as_500() -> None:
    def broken() -> HttpResponse:
        raise RuntimeError

    before = value("webhook_duration_seconds_count", status="5xx")
    with pytest.raises(RuntimeError):
        measures.by_status(broken)()
    assert value("webhook_duration_seconds_count", status="5xx") == before + 1


def test_one_failure_that_several_see_is_counted_once() -> None:
    before = counted_errors()
    try:
        try:
            raise ValueError("919876543210")
        except ValueError as inner:
            measures.failed(inner)
            raise RuntimeError("again") from inner
    except RuntimeError as outer:
        measures.failed(outer)
        measures.failed(outer)
    assert counted_errors() == before + 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), "timeout"),
        (DatabaseError(), "database"),
        (llm.ModelError("slow down", permanent=False, code=429), "limit"),
        (llm.ModelError("Groq refused the key", permanent=True, code=401), "other"),
        (whatsapp.judge(130429), "limit"),
        (whatsapp.judge(131026), "refused"),
        (whatsapp.judge(190), "other"),
        (RuntimeError(), "other"),
    ],
)
def test_a_failure_is_of_one_kind(error: Exception, kind: str) -> None:
    assert measures.kind_of(error) == kind


def test_a_timeout_behind_our_own_error_is_a_timeout() -> None:
    error = llm.ModelError("no answer within the deadline", permanent=False)
    error.__cause__ = TimeoutError()
    assert measures.kind_of(error) == "timeout"


def test_a_message_that_whatsapp_refuses_is_no_error_of_ours() -> None:
    before, called = counted_errors(), value("call_duration_seconds_count", service="graph", outcome="refused")
    with pytest.raises(whatsapp.WhatsAppError), measures.call("graph"):
        raise whatsapp.judge(131026)
    assert counted_errors() == before
    assert value("call_duration_seconds_count", service="graph", outcome="refused") == called + 1


def test_the_place_is_a_function_of_ours_and_holds_nothing_else() -> None:
    with pytest.raises(AttributeError) as caught:
        whatsapp.send(None, {}, callback="")  # type: ignore[arg-type]
    measures.failed(caught.value)
    assert value("errors_total", kind="other", error="AttributeError", place="conversations.whatsapp:send") >= 1


def test_an_exception_that_is_logged_as_an_error_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    before = counted_errors()
    event: Any = {"level": "error", "exc_info": RuntimeError("919876543210")}
    logging._place(None, "error", event)
    assert counted_errors() == before + 1
    logging._place(None, "warning", {"level": "warning", "exc_info": RuntimeError()})
    assert counted_errors() == before + 1


@pytest.mark.django_db
def test_every_query_is_timed_and_a_connection_is_watched_once() -> None:
    before = value("database_query_duration_seconds_count")
    assert not Contact.objects.exists()
    assert value("database_query_duration_seconds_count") == before + 1
    measuring.watch_queries(connection=connection)
    assert connection.execute_wrappers.count(measuring._timed) == 1


@pytest.mark.django_db
def test_a_query_that_fails_is_an_error_and_a_constraint_that_holds_is_none() -> None:
    before = counted_errors()
    factories.a_contact()
    with pytest.raises(IntegrityError):
        factories.a_contact()
    assert counted_errors() == before


@pytest.mark.django_db(transaction=True)
def test_a_query_that_runs_out_of_time_is_a_timeout() -> None:
    before = counted_errors("timeout")
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 50; SELECT pg_sleep(5)")
    connection.close()
    assert counted_errors("timeout") == before + 1


def test_an_answer_is_counted_by_kind_and_source() -> None:
    names = ("answers_total", {"kind": "extractive", "cited": "yes"}), ("medical_queries_total", {"kind": "extractive"})
    before = [value(name, **labels) for name, labels in names]
    measures.answered("extractive", cited=True, confidence=0.8)
    assert [value(name, **labels) for name, labels in names] == [each + 1 for each in before]
    greeting = value("medical_queries_total", kind="fixed")
    measures.answered("fixed", cited=False, confidence=None)
    assert value("medical_queries_total", kind="fixed") == greeting
