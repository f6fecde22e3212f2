"""A patient's name, number and words go the whole way; then every place that somebody may read is searched for them."""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, connections
from django.test import Client
from django.utils import timezone
from structlog.stdlib import ProcessorFormatter

from conversations import answering, compose, contacts, delivery, dispatch, handover, tasks, webhook
from conversations.models import Answer, Contact, DeliveryEvent, InboundMessage, OutboundMessage
from conversations.sandbox.envelopes import new_wamid
from jeevo import embedded
from jeevo.fields import keyed_hash
from knowledge.models import UnansweredQuestion
from tests.factories import NOW, SECOND, a_document, envelope, press, staff, status, text_message
from tests.fakes import Graph
from tests.fixtures import ChangeEnvironment, Post, database_url, settle

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("graph", "fake_embed", "quick"),
]
PHONE, USER_ID, NAME = "919876501234", "IN.77665544332211", "Zubeida Quxworth"
QUESTION = "Do I bring down a fever, drink plenty of water and rest in a cool room? My xerophagic quibbleberry"
UNKNOWN = "Why does my zanzibarine elbow whistle?"
EMERGENCY = "My husband Plinkerton is not breathing"
STAFF_REPLY = "Dear Zubeida, please rest your flimberous knee."
# No part of these may be found anywhere.
SEEDS = (
    PHONE, "9876501234", USER_ID, "77665544332211", "Zubeida", "Quxworth", "xerophagic", "quibbleberry", "zanzibarine", "whistle",
    "Plinkerton", "flimberous",
)  # fmt: skip
# As WhatsApp's are: the number stands in them in base64.
ASKED, UNANSWERED, URGENT, PRESSED, REPORTED = (new_wamid(PHONE, from_person=side) for side in (True, True, True, True, False))
WAMIDS = (ASKED, UNANSWERED, URGENT, PRESSED, REPORTED)
ARTICLE = "## What to do\n\nTo bring down a fever, drink plenty of water and rest in a cool room.\n"


def found(text: str) -> list[str]:
    """The seeds in a text, as they are, as the bytes of a column are shown, or in base64; and ids of WhatsApp."""
    folded = text.casefold()
    plain = [seed for seed in SEEDS if seed.casefold() in folded or seed.encode().hex() in folded]
    hidden = [seed for seed in (PHONE, PHONE[2:], USER_ID) if any(each in text for each in in_base64(seed))]
    ids = [wamid for wamid in WAMIDS if wamid.removeprefix("wamid.") in text or wamid.encode().hex() in folded]
    return plain + hidden + ids


def in_base64(seed: str) -> Iterator[str]:
    """What base64 makes of it wherever it begins, without the signs that its neighbours change; also as hex."""
    for before in range(3):
        written = base64.b64encode(b"\0" * before + seed.encode()).decode().rstrip("=")
        inner = written[-(-before * 8 // 6) : len(seed) * 8 // 6 - 1]
        yield from (inner, inner.encode().hex())


def test_the_search_itself_finds_what_is_there() -> None:
    assert found("hello ZUBEIDA") == ["Zubeida"]
    assert found("\\x" + b"whistle".hex()) == ["whistle"]
    for wamid in (new_wamid(PHONE, from_person=True), base64.b64encode(f"1{PHONE}".encode()).decode()):
        assert found(wamid) == found(wamid.encode().hex()) == [PHONE, PHONE[2:]]
    assert found(base64.b64encode(f"ab{PHONE}".encode()).decode()) == [PHONE, PHONE[2:]]
    assert ASKED in found(f"the id {ASKED} of")
    assert found("nothing here") == []


@contextmanager
def logged() -> Iterator[StringIO]:
    """Everything the program logs, down to the last detail, through the formatter of the settings."""
    stream = StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    ours = [each.formatter for each in root.handlers if isinstance(each.formatter, ProcessorFormatter)]
    handler.setFormatter(ours[0])
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


@pytest.fixture
def lived(post: Post, graph: Graph) -> str:
    """The whole life of four messages; the log of it. All four were answered, so that the search has something to miss."""
    with logged() as stream:
        a_document("Treating a fever", ARTICLE)
        asked = {QUESTION: ASKED, UNKNOWN: UNANSWERED, EMERGENCY: URGENT}
        bodies = [text_message(each, sender=PHONE, from_user_id=USER_ID, wamid=wamid) for each, wamid in asked.items()]
        named = [{"wa_id": PHONE, "user_id": USER_ID, "profile": {"name": NAME}}]
        for body in [*bodies, press("person:", sender=PHONE, title="quibbleberry") | {"id": PRESSED}]:
            assert post(envelope(messages=[body], contacts=named)).status_code == 200
            see()
        for row in OutboundMessage.objects.all():
            reported = [status("delivered", wamid=REPORTED, callback=str(row.pk)), status("read", callback="another's")]
            assert post(envelope(statuses=reported)).status_code == 200
        dispatch.sweep(now=timezone.now())
        handover.reply(handover.waiting()[0], STAFF_REPLY, by=staff(), now=Contact.objects.get().last_inbound_at or NOW)
        see()
        settle()
    assert len(graph.messages) >= 5
    assert not InboundMessage.objects.exclude(status="answered").exists()
    return stream.getvalue()


def see() -> None:
    """A dispatcher's round and a worker's, in this thread."""

    def publish(key: Any) -> bool:
        tasks.send_message(str(key))
        return True

    def answer(key: Any) -> bool:
        tasks.answer_contact(str(key))
        return True

    now = timezone.now()
    dispatch.attach_received(now=now, send_now=delivery.send)
    dispatch.send_unattended(now=now, publish=publish, send_now=delivery.send)
    dispatch.hand_out(now=timezone.now(), publish=answer)


def tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [name for (name,) in cursor.fetchall()]


def server_logs() -> str:
    home = embedded._home_of(settings.ENVIRONMENT.data)
    files = [path for path in Path(home, "logs").rglob("*") if path.is_file()]
    assert files, f"PostgreSQL has no log in {home}"
    return "\n".join(path.read_text(errors="replace") for path in files)


# At rest


def test_no_table_holds_a_seed_and_the_rows_that_would_are_there(lived: str) -> None:
    assert {Answer.objects.filter(kind=kind).exists() for kind in ("extractive", "declined", "emergency", "fixed")} == {True}
    assert UnansweredQuestion.objects.get().text == UNKNOWN
    assert Contact.objects.get().name == NAME
    for table in tables():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT t::text FROM {table} t")
            rows = " ".join(row for (row,) in cursor.fetchall())
        assert found(rows) == [], table
        assert "wamid." not in rows, table


def test_the_ids_of_whatsapp_are_kept_as_keyed_hashes_and_the_whole_ones_with_the_key(lived: str, graph: Graph) -> None:
    """So that no table holds one because it is sealed or hashed, not because nothing was stored."""
    came = InboundMessage.objects.order_by("received_at", "id")
    assert [webhook.message_id(row.payload) for row in came] == [ASKED, UNANSWERED, URGENT, PRESSED]
    assert [row.wamid_key for row in came] == [keyed_hash(each) for each in (ASKED, UNANSWERED, URGENT, PRESSED)]
    assert DeliveryEvent.objects.filter(wamid_key=keyed_hash(REPORTED), applied_at__isnull=False).exists()
    given = {keyed_hash(f"wamid.OUT{number:06d}") for number in range(1, len(graph.calls) + 1)}
    kept = set(OutboundMessage.objects.filter(wamid_key__isnull=False).values_list("wamid_key", flat=True))
    assert len(kept) >= 4
    assert kept <= given
    assert ASKED in {receipt["message_id"] for receipt in graph.receipts}


def test_every_column_that_holds_words_is_readable_with_the_key(lived: str) -> None:
    """So that the test above misses them because they are sealed, not because they are gone."""
    words = [row.text for row in InboundMessage.objects.order_by("received_at", "id")]
    assert words == [QUESTION, UNKNOWN, EMERGENCY, "quibbleberry"]
    assert any(STAFF_REPLY in str(row.body) for row in OutboundMessage.objects.all())


def test_broker_and_cache_hold_no_seed(lived: str) -> None:
    tasks.answer_contact.delay(str(Contact.objects.get().pk))
    seen = 0
    for url in (settings.BROKER_URL, settings.CACHE_URL):
        with redis.Redis.from_url(url) as server:
            for key in server.scan_iter():
                seen += 1
                assert found(f"{key!r} {dumped(server, key)!r}") == []
            server.flushdb()
    assert seen > 0, "nothing was in the broker, so nothing was searched"


def dumped(server: Any, key: bytes) -> Any:
    kind = server.type(key).decode()
    reads: dict[str, Callable[[], Any]] = {
        "string": lambda: server.get(key),
        "list": lambda: server.lrange(key, 0, -1),
        "set": lambda: server.smembers(key),
        "hash": lambda: server.hgetall(key),
        "zset": lambda: server.zrange(key, 0, -1),
    }
    return reads[kind]()


# In flight


def test_the_log_of_the_whole_way_holds_no_seed(lived: str) -> None:
    assert "message handed to whatsapp" in lived
    assert found(lived) == []


def test_an_error_anywhere_is_logged_without_what_it_says(post: Post, monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    """Errors quote what they choke on: here each one quotes the patient."""

    def choke(*_: Any, **__: Any) -> None:
        raise ValueError(f"cannot read {QUESTION!r} of {NAME}, {PHONE}")

    body = envelope(messages=[text_message(QUESTION, sender=PHONE)])
    client.raise_request_exception = False
    with logged() as stream:
        with monkeypatch.context() as broken:
            broken.setattr("conversations.intake.store", choke)
            assert post(body).status_code == 500
        post(body)
        with monkeypatch.context() as broken:
            broken.setattr(contacts, "open_session", choke)
            dispatch.attach_received(now=NOW, send_now=lambda key: None)
        InboundMessage.objects.update(retry_at=None)
        dispatch.attach_received(now=NOW, send_now=lambda key: None)
        with monkeypatch.context() as broken:
            broken.setattr(compose, "for_burst", choke)
            tasks.answer_contact.apply(args=(str(Contact.objects.get().pk),))
    said = stream.getvalue()
    assert said.count("ValueError") >= 3, "the errors were not logged"
    assert "CouldNotAnswer" in said, "Celery has not logged the failure"
    assert found(said) == [], [line for line in said.splitlines() if found(line)]


def test_an_error_page_holds_no_seed(post: Post, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def choke(*_: Any, **__: Any) -> None:
        raise DatabaseError(QUESTION)

    client.raise_request_exception = False
    monkeypatch.setattr("conversations.intake.store", choke)
    answer = post(envelope(messages=[text_message(QUESTION, sender=PHONE)]))
    assert found(answer.content.decode()) == []


def test_what_values_are_made_of_is_not_shown_when_they_are_printed(post: Post) -> None:
    post(envelope(messages=[text_message(QUESTION, sender=PHONE, from_user_id=USER_ID)]))
    see()
    rows: list[Any] = [Contact.objects.get(), InboundMessage.objects.get(), Answer.objects.get(), OutboundMessage.objects.get()]
    assert found(" ".join(f"{row!r} {row}" for row in rows)) == []


# At the database server


def test_a_database_error_leaves_no_seed_in_the_server_log(lived: str) -> None:
    before = server_logs().count("duplicate key value")
    row = InboundMessage.objects.order_by("received_at").first()
    assert row is not None
    for cause in (_a_second_row(row), _a_wrong_value, _a_broken_statement):
        with pytest.raises(DatabaseError):
            cause()
    said = ""
    for _ in range(300):
        said = server_logs()
        if said.count("duplicate key value") > before:
            break
        time.sleep(0.1)
    assert said.count("duplicate key value") > before, "the server logged nothing, so nothing was searched"
    assert found(said) == [], [line for line in said.splitlines() if found(line)]
    assert "wamid." not in said


def _a_second_row(row: InboundMessage) -> Callable[[], None]:
    def insert() -> None:
        InboundMessage.objects.create(
            wamid_key=row.wamid_key,
            sender_key="x",
            kind="text",
            text=QUESTION,
            payload={"from": PHONE},
            sent_at=NOW,
            received_at=NOW,
        )

    return insert


def _a_wrong_value() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE conversations_contact SET country = %s", [f"{NAME} {PHONE}"])


def _a_broken_statement() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT plainto_tsquery('no such configuration', %s), 1 / 0", [QUESTION])


def test_a_database_error_is_logged_without_its_details(post: Post) -> None:
    post(envelope(messages=[text_message("hello", wamid=f"wamid.{PHONE}", sender=PHONE)]))
    with logged() as stream:
        row = InboundMessage.objects.get()
        # Nothing of ours stands in a unique column in clear, so a number is put there.
        InboundMessage.objects.update(wamid_key=PHONE)
        row.wamid_key = PHONE
        with pytest.raises(IntegrityError, match=PHONE) as caught:
            _a_second_row(row)()
        logging.getLogger("conversations").error("it failed", exc_info=caught.value)
    assert "IntegrityError" in stream.getvalue()
    assert found(stream.getvalue()) == [], stream.getvalue()[-3000:]


def statement_while(table: str, work: Callable[[], object]) -> str:
    """The SQL that the server shows to whoever may look, while `work` waits for a locked table."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    with psycopg.connect(database_url(), autocommit=True) as watcher, psycopg.connect(database_url()) as locker:
        locker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        worker = threading.Thread(target=run)
        worker.start()
        try:
            return _waiting_statement(watcher)
        finally:
            locker.rollback()
            worker.join(20)


def _waiting_statement(watcher: psycopg.Connection[Any]) -> str:
    for _ in range(200):
        asked = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        queries = [query for (query,) in watcher.execute(asked).fetchall()]
        if queries:
            return "\n".join(queries)
        time.sleep(0.05)
    raise AssertionError("no statement waited for the lock")


def test_a_statement_in_flight_shows_no_seed_while_a_message_is_stored(post: Post) -> None:
    body = envelope(messages=[text_message(QUESTION, sender=PHONE)], contacts=[{"wa_id": PHONE, "profile": {"name": NAME}}])
    statement = statement_while("conversations_inboundmessage", lambda: post(body))
    assert "INSERT INTO conversations_inboundmessage" in statement
    assert found(statement) == []
    assert InboundMessage.objects.get().text == QUESTION


@pytest.mark.parametrize(("table", "statement_of"), [("knowledge_term", "to_tsvector"), ("knowledge_chunk", "WITH dense AS")])
def test_a_statement_in_flight_shows_no_seed_while_passages_are_searched(post: Post, table: str, statement_of: str) -> None:
    a_document("Treating a fever", ARTICLE)
    post(envelope(messages=[text_message(QUESTION, sender=PHONE)]))
    dispatch.attach_received(now=NOW + SECOND, send_now=lambda key: None)
    person = Contact.objects.get()
    statement = statement_while(table, lambda: answering.answer_contact(person.pk))
    assert statement_of in statement
    assert found(statement) == []
    assert Answer.objects.get().kind == "extractive"


def test_a_wrong_country_setting_or_token_is_not_told_to_the_log(post: Post, environment: ChangeEnvironment) -> None:
    environment(whatsapp={"graph_url": "http://127.0.0.1:9", "token": "Quxworth-secret"})
    with logged() as stream:
        post(envelope(messages=[text_message(EMERGENCY, sender=PHONE)]))
        see()
    assert "whatsapp refused a message" in stream.getvalue()
    assert found(stream.getvalue()) == [], stream.getvalue()[-3000:]
