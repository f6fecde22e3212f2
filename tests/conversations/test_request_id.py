"""One id from the webhook's request to the last status: on the rows, in the lines, and on the page of the staff."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from conversations import answering, compose, delivery, dispatch, handover
from conversations.dispatcher import Dispatcher
from conversations.models import Answer, Contact, InboundMessage, OutboundMessage
from conversations.outages import LONG_SECONDS, Outage
from jeevo import request_ids
from jeevo.logging import Formatter, following, request_id
from tests.factories import (
    HOUR,
    NOW,
    SECOND,
    a_contact,
    a_document,
    a_draft,
    an_answer,
    an_inbound,
    an_outbound,
    envelope,
    staff,
    status,
    text_message,
)
from tests.fakes import FAULT, HANG, Graph
from tests.fixtures import ChangeEnvironment, Post, settle

pytestmark = pytest.mark.django_db(transaction=True)
GIVEN = "4fd1c5b7a9e04c2d8a11bb0d5c6e7f80"
OTHER = "0f0e0d0c0b0a09080706050403020100"
QUESTION = "How do I bring down a fever?"


class Lines:
    """What the program writes, line by line, through the formatter of the settings."""

    def __init__(self, stream: StringIO) -> None:
        self.stream = stream

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def about(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.all() if line["event"] == event]

    def levels(self) -> dict[str, str]:
        return {line["event"]: line["level"] for line in self.all()}


@pytest.fixture
def lines() -> Iterator[Lines]:
    stream, root = StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(next(each.formatter for each in root.handlers if isinstance(each.formatter, Formatter)))
    root.addHandler(handler)
    yield Lines(stream)
    root.removeHandler(handler)


def posted(post: Post, words: str = QUESTION, request: str = GIVEN) -> InboundMessage:
    body = envelope(messages=[text_message(words)])
    assert post(body, **{"X-Request-ID": request}).status_code == 200
    return InboundMessage.objects.latest("received_at")


def lived(now: Any = None) -> None:
    """A dispatcher's round and a worker's."""
    dispatch.attach_received(now=timezone.now(), send_now=delivery.send)
    for contact in answering.waiting_contacts(now=timezone.now()):
        answering.answer_contact(contact)
    settle()


# At the door


def test_an_id_is_made_returned_and_stored(post: Post) -> None:
    answer = post(envelope(messages=[text_message(QUESTION)]))
    made = answer.headers["X-Request-ID"]
    assert len(made) == 32
    assert int(made, 16)
    assert InboundMessage.objects.get().request_id == made


def test_two_requests_have_two_ids_and_nothing_stays_behind(client: Client) -> None:
    ids = {client.get("/health/live").headers["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3
    assert request_id() == ""


def test_the_id_of_a_trusted_proxy_is_taken(post: Post, environment: ChangeEnvironment) -> None:
    environment(behind_proxy=True)
    assert posted(post).request_id == GIVEN


def test_without_a_proxy_nobody_names_the_id(post: Post, environment: ChangeEnvironment) -> None:
    environment(behind_proxy=False)
    assert posted(post).request_id not in ("", GIVEN)


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "short",
        "Zubeida-Quxworth-fever",
        "919876501234919876501234",
        "9198-7650-1234-9198",
        "g" * 32,
        "a" * 65,
        "a" * 20 + "\r\nX: y",
    ],
)
def test_an_id_that_is_odd_or_may_be_a_number_or_a_name_is_not_taken(odd: str, environment: ChangeEnvironment) -> None:
    environment(behind_proxy=True)
    assert request_ids.brought(odd) == ""


def test_an_id_of_the_usual_forms_is_taken(environment: ChangeEnvironment) -> None:
    environment(behind_proxy=True)
    assert request_ids.brought("0199A1B2-7c3d-7e4f-8a5b-123456789abc") == "0199a1b2-7c3d-7e4f-8a5b-123456789abc"
    assert request_ids.brought("af" * 8) == "af" * 8


def test_an_answer_of_the_door_carries_the_id_in_its_lines_too(post: Post, lines: Lines) -> None:
    answer = post(b"{}", sign="sha256=wrong")
    (line,) = lines.about("webhook refused")
    assert (line["level"], line["status"], line["request_id"]) == ("warning", 403, answer.headers["X-Request-ID"])


def test_a_release_before_this_one_can_still_insert(db: None) -> None:
    """While a new release rolls out, its table is there before its processes are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_default FROM information_schema.columns WHERE column_name = 'request_id'"
            " AND table_schema = current_schema() ORDER BY 1"
        )
        found = dict(cursor.fetchall())
    assert found["conversations_inboundmessage"]
    assert found["conversations_outboundmessage"]


# On its way


@pytest.fixture
def trusted(environment: ChangeEnvironment) -> None:
    environment(behind_proxy=True)


@pytest.mark.usefixtures("trusted", "quick", "fake_embed")
def test_the_id_follows_an_answer_from_the_door_to_whatsapp_s_last_word(post: Post, graph: Graph, lines: Lines) -> None:
    a_document("Treating a fever", "## What to do\n\nTo bring down a fever, drink plenty of water and rest in a cool room.\n")
    message = posted(post)
    lived()
    row = OutboundMessage.objects.get()
    post(envelope(statuses=[status("delivered", callback=str(row.pk))]), **{"X-Request-ID": OTHER})
    dispatch.sweep(now=timezone.now())
    assert (message.request_id, row.request_id) == (GIVEN, GIVEN)
    way = [line["event"] for line in lines.all() if line.get("request_id") == GIVEN]
    steps = ["message stored", "message seen", "answered", "message handed to whatsapp", "whatsapp reported a status"]
    assert [each for each in way if each in steps] == steps
    assert {line["process"] for line in lines.all()} == {"manage"}
    assert request_id() == ""


@pytest.mark.usefixtures("trusted", "quick")
def test_an_emergency_is_followed_through_the_dispatcher(post: Post, graph: Graph, lines: Lines) -> None:
    posted(post, "my father is not breathing")
    dispatch.attach_received(now=timezone.now(), send_now=delivery.send)
    assert OutboundMessage.objects.get().request_id == GIVEN
    assert [line["request_id"] for line in lines.about("message handed to whatsapp")] == [GIVEN]


@pytest.mark.usefixtures("quick")
def test_several_messages_are_answered_under_the_id_of_the_last(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "for_burst", lambda *_, **__: a_draft())
    person = a_contact()
    an_inbound(person, request_id=OTHER)
    an_inbound(person, request_id=GIVEN, received_at=NOW + SECOND)
    answering.answer_contact(person.pk)
    assert OutboundMessage.objects.get().request_id == GIVEN


@pytest.mark.usefixtures("quick")
def test_a_failure_in_the_worker_names_the_id_and_the_next_task_does_not_inherit_it(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choke(*_: Any, **__: Any) -> None:
        raise ValueError(QUESTION)

    monkeypatch.setattr(compose, "for_burst", choke)
    person = a_contact()
    an_inbound(person, request_id=GIVEN)
    with pytest.raises(answering.CouldNotAnswer):
        answering.answer_contact(person.pk)
    (line,) = lines.about("somebody could not be answered")
    assert (line["level"], line["request_id"], line["error"]) == ("error", GIVEN, "builtins.ValueError")
    assert request_id() == ""


def test_a_retry_hours_later_is_still_under_the_id(graph: Graph, lines: Lines) -> None:
    graph.script = [FAULT]
    row = an_outbound(a_contact(), request_id=GIVEN)
    delivery.send(row.pk, now=NOW)
    delivery.send(row.pk, now=timezone.now() + HOUR)
    said = [(line["event"], line["level"]) for line in lines.all() if line.get("request_id") == GIVEN]
    assert said == [("whatsapp refused a message", "warning"), ("message handed to whatsapp", "info")]


@pytest.mark.usefixtures("impatient")
def test_a_call_without_an_answer_is_a_warning_under_the_id(graph: Graph, lines: Lines) -> None:
    graph.script = [HANG]
    delivery.send(an_outbound(a_contact(), request_id=GIVEN).pk, now=NOW)
    (line,) = lines.about("whatsapp did not answer")
    assert (line["level"], line["request_id"]) == ("warning", GIVEN)


def test_the_read_receipt_is_followed_into_its_thread(environment: ChangeEnvironment, lines: Lines) -> None:
    environment(whatsapp={"graph_url": "http://127.0.0.1:1"})
    with following(GIVEN):
        answering._show_that_it_is_read(an_inbound(a_contact()))
    settle()
    assert [line["request_id"] for line in lines.about("read receipt was not taken")] == [GIVEN]


def test_what_staff_write_is_followed_from_their_own_request(client: Client, graph: Graph) -> None:
    person = a_contact()
    with following(OTHER):
        handover.ask(person, reason="asked", now=NOW)
        handover.reply(handover.waiting()[0], "Please rest.", by=staff(), now=NOW)
    assert set(OutboundMessage.objects.values_list("request_id", flat=True)) == {OTHER}


def test_the_path_of_an_answer_shows_its_id_to_staff(client: Client) -> None:
    person = a_contact()
    answer = an_answer(person)
    an_inbound(person, answer=answer, status="answered", request_id=GIVEN)
    an_outbound(person, answer=answer, request_id=GIVEN)
    reader = staff()
    reader.is_superuser = True
    reader.save()
    client.force_login(reader)
    assert f"<code>{GIVEN}</code>" in client.get(f"/admin/conversations/contact/{person.pk}/change/").content.decode()


# How loud


@pytest.mark.usefixtures("quick", "fake_embed")
def test_an_unsure_answer_is_a_warning_with_its_figure_and_no_word(post: Post, graph: Graph, lines: Lines) -> None:
    a_document("Treating a fever", "## What to do\n\nTo bring down a fever, drink plenty of water and rest in a cool room.\n")
    posted(post, "Why does my zanzibarine elbow whistle?")
    lived()
    (line,) = lines.about("low confidence")
    assert line["level"] == "warning"
    assert line["confidence"] < answering.LOW_CONFIDENCE
    assert line["answer"] == str(Answer.objects.get().pk)
    assert set(line) == {"event", "level", "logger", "timestamp", "process", "request_id", "answer", "confidence"}


def test_an_outage_is_critical_after_a_minute_and_then_once_a_minute(lines: Lines) -> None:
    outage = Outage("the broker has been away for long", "the broker is back")
    for now in range(0, 200, 2):
        outage.seen(True, now=now)
    outage.seen(False, now=200)
    outage.seen(False, now=202)
    said = [(line["event"], line["level"], line["seconds"]) for line in lines.all()]
    assert said == [
        *[("the broker has been away for long", "critical", seconds) for seconds in (60, 120, 180)],
        ("the broker is back", "info", 200),
    ]


def test_a_short_absence_is_not_critical(lines: Lines) -> None:
    outage = Outage("the broker has been away for long", "the broker is back")
    outage.seen(True, now=0)
    outage.seen(False, now=30)
    outage.seen(True, now=70)
    assert lines.all() == []


def test_two_short_absences_with_nobody_looking_between_are_not_a_long_one(lines: Lines) -> None:
    outage = Outage("the broker has been away for long", "the broker is back")
    outage.seen(True, now=0)
    outage.seen(True, now=3600)
    assert lines.all() == []


def test_a_dispatcher_whose_broker_stays_away_raises_its_voice(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise BrokerError

    monkeypatch.setattr("conversations.dispatcher.current_app.send_task", away)
    dispatcher = Dispatcher()
    for _ in range(2):
        assert not dispatcher.publish("conversations.send_message", uuid4())
        dispatcher.broker_back_at = 0
        assert dispatcher.no_broker.since is not None
        dispatcher.no_broker.since -= LONG_SECONDS
    levels = [line["level"] for line in lines.all()]
    assert levels == ["warning", "warning", "critical"]


def test_work_that_nobody_takes_is_seen() -> None:
    late = NOW + 2 * dispatch.LEFT_LYING_FOR
    person = a_contact(handed_at=NOW)
    row = an_inbound(person)
    assert dispatch.is_left_lying(now=late)
    assert not dispatch.is_left_lying(now=NOW + SECOND)
    busy = a_contact("919810000009", lease_token=row.pk, lease_until=late + SECOND)
    assert not dispatch.is_left_lying(now=late), "a worker is at work: there is a queue, and no outage"
    Contact.objects.filter(pk=busy.pk).update(lease_until=NOW)
    InboundMessage.objects.update(attempts=1)
    assert not dispatch.is_left_lying(now=late)


def test_what_nobody_handed_out_is_not_the_workers_fault() -> None:
    an_inbound(a_contact())
    assert not dispatch.is_left_lying(now=NOW + 2 * dispatch.LEFT_LYING_FOR)
