"""A person who was erased: nothing of them in any column, nothing sent, nothing answered twice, and a line in the record."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection, connections, transaction
from django.utils import timezone
from pytest_django import Settings

from conversations import dispatch, erasure, intake
from conversations.models import (
    Answer,
    Contact,
    DeliveryEvent,
    Handover,
    InboundMessage,
    OutboundMessage,
    Session,
    UnhandledEvent,
)
from conversations.webhook import parse
from jeevo.fields import keyed_hash
from knowledge.models import UnansweredQuestion
from operations import erasure_record, erasures
from operations.models import Erasure
from tests import factories
from tests.fixtures import ChangeEnvironment
from tests.operations.erased_people import NAME, NUMBER, OTHER, OTHER_ID, USER_ID, WORDS, left_of, somebody

pytestmark = pytest.mark.django_db
WHY = "They asked for it by letter."


@pytest.fixture(autouse=True)
def _own_folder(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(data=tmp_path)


def erased(**given: Any) -> Erasure:
    return erasures.erase(erasure.person(f"+{NUMBER}"), reason=WHY, **given)


def another() -> Contact:
    return somebody(OTHER, OTHER_ID, words="an indigo headache", name="Imran Qureshi")


def rows_of_others() -> list[int]:
    models = (Contact, Session, Answer, OutboundMessage, DeliveryEvent, Handover, UnansweredQuestion)
    return [model.objects.count() for model in models]


def test_the_search_of_these_tests_finds_what_is_there() -> None:
    somebody()
    assert left_of() == [
        "conversations_answer.removed",
        "conversations_answer.text",
        "conversations_answer.understood_as",
        "conversations_contact.name",
        "conversations_contact.phone",
        "conversations_contact.phone_key",
        "conversations_contact.wa_user_id",
        "conversations_contact.wa_user_key",
        "conversations_inboundmessage.payload",
        "conversations_inboundmessage.sender_key",
        "conversations_inboundmessage.text",
        "conversations_outboundmessage.body",
        "conversations_unhandledevent.payload",
        "knowledge_unansweredquestion.text",
        "knowledge_unansweredquestion.vector",
    ]


def test_nothing_of_them_is_left_in_any_column_and_others_lose_nothing() -> None:
    another()
    before, events = rows_of_others(), UnhandledEvent.objects.count()
    somebody()
    row = erased()
    assert left_of() == []
    assert rows_of_others() == before
    assert left_of(OTHER, OTHER_ID, "an indigo headache", "Imran Qureshi") != []
    assert UnhandledEvent.objects.count() == events + 1, "its digest stays, so that it is not kept a second time"
    assert row.counts == {
        "contacts": 1, "messages": 2, "answers": 1, "outbound": 2, "handovers": 1, "questions": 1, "events": 1,
    }  # fmt: skip


def test_of_a_message_a_row_without_words_and_person_stays() -> None:
    person = somebody()
    kept = person.messages.get()
    erased()
    left = InboundMessage.objects.get(pk=kept.pk)
    assert (left.wamid_key, left.kind, left.triage_level, left.received_at) == (
        kept.wamid_key, "text", "emergency", kept.received_at,
    )  # fmt: skip
    assert (left.status, left.reason, left.text, left.payload, left.contact_id) == ("ignored", erasure.ERASED, None, None, None)
    assert (left.sender_key, left.triage_concept, left.triage_rules, left.request_id) == ("", "", [], "")


def test_a_redelivery_is_not_answered_and_a_new_message_is_of_somebody_new() -> None:
    somebody()
    erased()
    for wamid in (f"wamid.{NUMBER}", "wamid.quite-new"):
        body = factories.envelope(messages=[factories.text_message("Hello again", sender=NUMBER, wamid=wamid)])
        intake.store(parse(factories.dumped(body)), now=timezone.now())
    dispatch.attach_received(now=timezone.now(), send_now=lambda key: None)
    assert InboundMessage.objects.count() == 3
    new = InboundMessage.objects.get(text__isnull=False)
    assert new.text == "Hello again"
    assert new.contact == Contact.objects.get()
    assert Session.objects.get().contact == new.contact


def test_who_wrote_under_a_number_and_under_an_id_is_found_by_either_with_both_rows() -> None:
    by_id = Contact.objects.create(wa_user_id=USER_ID, wa_user_key=keyed_hash(USER_ID), label="IN. ······ 01", country="IN")
    by_number = factories.a_contact(NUMBER)
    factories.an_inbound(by_number, WORDS, payload={"message": {"from": NUMBER, "from_user_id": USER_ID}})
    assert set(erasure.person(f"+{NUMBER}").contacts) == {by_id.pk, by_number.pk}
    erased()
    assert left_of() == []


def test_a_message_that_nobody_has_looked_at_goes_too() -> None:
    body = factories.envelope(messages=[factories.text_message(WORDS, sender=NUMBER)])
    intake.store(parse(factories.dumped(body)), now=timezone.now())
    with pytest.raises(erasures.Refused, match="it may be an emergency"):
        erased()
    erased(all_the_same=True)
    assert left_of() == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [("12", "no full number"), ("Lakshmi", "no full number"), ("+14155550100", "Nobody is known by this number")],
)
def test_nobody_is_erased_by_a_number_that_is_not_theirs(typed: str, told: str) -> None:
    somebody()
    with pytest.raises(erasure.NotFound, match=told):
        erasure.person(typed)


def test_a_number_that_may_be_of_two_people_has_to_be_typed_in_full() -> None:
    for number in ("9810011223", "919810011223"):
        factories.a_contact(number)
    with pytest.raises(erasure.NotFound, match="several people"):
        erasure.person("9810011223")
    assert len(erasure.person("+919810011223").contacts) == 1


def test_words_that_no_key_opens_go_as_well(settings: Settings) -> None:
    somebody()
    kept = settings.FIELD_KEYS
    settings.FIELD_KEYS = ["4" * 43 + "="]
    row = erased()
    assert not Contact.objects.exists()
    assert row.counts["contacts"] == 1
    settings.FIELD_KEYS = kept
    assert left_of() == ["conversations_unhandledevent.payload"], "what cannot be read cannot be searched; it goes by its age"


# While somebody is being helped


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda person: Handover.objects.create(contact=person, reason="red_flag", opened_at=timezone.now()),
            "red flag was seen",
        ),
        (lambda person: factories.an_outbound(person, urgent=True, status="sending"), "emergency reply"),
    ],
)
def test_who_is_being_helped_now_is_not_erased_unless_that_was_looked_at(make: Any, told: str) -> None:
    person = somebody()
    make(person)
    with pytest.raises(erasures.Refused, match=told):
        erased()
    assert Contact.objects.exists()
    assert erasure_record.read() == []
    erased(all_the_same=True)
    assert left_of() == []


@pytest.mark.parametrize(("why", "told"), [("  ", "Say why"), (f"It was {NUMBER}.", "looks like a number")])
def test_a_reason_is_given_and_holds_no_number(why: str, told: str) -> None:
    somebody()
    with pytest.raises(erasures.Refused, match=told):
        erasures.erase(erasure.person(NUMBER), reason=why)
    assert Contact.objects.exists()


# The record


def test_the_line_and_the_row_are_the_same_and_say_who_did_it_and_nothing_of_whom() -> None:
    meera = factories.staff("meera")
    somebody()
    row = erased(by=meera)
    (entry,) = erasure_record.read()
    assert (row.number, row.hash, row.at, row.people) == (1, entry.hash, entry.at, list(entry.people))
    assert (row.by, row.reason) == (meera, WHY)
    assert len(entry.people) == 4, "the number, the user id, and the hashes they are found by"
    raw = erasure_record.path().read_text()
    assert not [each for each in (NUMBER, USER_ID, NAME, keyed_hash(NUMBER)) if each in raw]
    assert LogEntry.objects.get().object_repr == "erasure 1"
    erasures.check()


def test_where_the_disk_refuses_the_line_nobody_is_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    somebody()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(erasure_record, "append", full)
    with pytest.raises(OSError, match="No space"), transaction.atomic():
        erased()
    assert left_of() != []
    assert not Erasure.objects.exists()


def test_the_record_is_read_with_the_key_of_its_time_after_another_took_its_place(settings: Settings) -> None:
    somebody()
    row = erased()
    (entry,) = erasure_record.read()
    first = settings.FIELD_KEYS[0]
    settings.FIELD_KEYS = ["4" * 43 + "=", first]
    assert erasure_record.until([entry])(NUMBER) == row.at
    assert erasure_record.until([entry])(OTHER) is None
    settings.FIELD_KEYS = ["4" * 43 + "="]
    with pytest.raises(erasure_record.Damaged, match="put that key behind the others"):
        erasure_record.until([entry])


def flip(path: Path, at: int = 30) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_flipped_byte_is_found_and_mended_from_the_database() -> None:
    somebody()
    erased()
    whole = erasure_record.path().read_bytes()
    flip(erasure_record.path())
    with pytest.raises(erasure_record.Damaged, match="erasures mend"):
        erasures.check()
    another()
    with pytest.raises(erasure_record.Damaged):
        erasures.erase(erasure.person(OTHER), reason=WHY)
    assert erasures.mend() == 1
    assert erasure_record.path().read_bytes() == whole
    assert len(list(erasure_record.path().parent.glob("erasures.jsonl.before-*"))) == 1
    erasures.check()


@pytest.mark.parametrize("left", [0, 1])
def test_lines_that_are_missing_at_the_end_are_found_and_come_back_with_a_start(left: int) -> None:
    for make in (somebody, another):
        erasures.erase(erasure.of(make()), reason=WHY)
    whole = erasure_record.read()
    erasure_record.replace(whole[:left])
    with pytest.raises(erasure_record.Damaged):
        erasures.check()
    assert erasures.settle() == 2 - left
    assert erasure_record.read() == whole
    assert erasures.settle() == 0


def test_rows_that_a_restore_took_back_come_from_the_file() -> None:
    somebody()
    row = erased()
    Erasure.objects.all().delete()
    erasures.check()
    assert erasures.settle() == 1
    again = Erasure.objects.get()
    assert (again.number, again.hash, again.people, again.reason) == (1, row.hash, row.people, "")


def test_a_line_whose_rows_were_not_erased_after_all_gets_its_row_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    somebody()
    with monkeypatch.context() as patched:
        patched.setattr(erasures, "_row", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            erased()
    assert Contact.objects.exists()
    assert len(erasure_record.read()) == 1
    erasures.check()
    assert erased().number == 2
    assert left_of() == []
    erasures.check()
    assert dict(Erasure.objects.values_list("number", "reason")) == {1: "", 2: WHY}


def test_a_row_that_was_changed_is_found() -> None:
    somebody()
    erased()
    Erasure.objects.update(at=timezone.now() - timedelta(days=1))
    with pytest.raises(erasure_record.Damaged, match="in the database"):
        erasures.mend()


# Two at once


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_is_being_written_ends_first_and_what_it_wrote_goes() -> None:
    person = somebody()
    written, done = threading.Event(), threading.Event()

    def answer() -> None:
        with transaction.atomic():
            Contact.objects.select_for_update().values_list("pk").get(pk=person.pk)
            written.set()
            done.wait(5)
            factories.an_outbound(person, WORDS, created_at=timezone.now())
        connections.close_all()

    worker = threading.Thread(target=answer)
    worker.start()
    written.wait(5)
    threading.Timer(0.3, done.set).start()
    erased()
    worker.join(10)
    assert left_of() == []
    connection.close()
