"""Whoever was erased does not come back: not with a restore, not with its undoing, not while one stands ready."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from conversations import erasure
from conversations.models import Contact, InboundMessage
from jeevo.fields import keyed_hash
from knowledge.models import UnansweredQuestion
from operations import erasure_record, erasures, postgres, restores
from operations.journal import Journal
from operations.models import Backup, Erasure, Restore
from tests import factories
from tests.fixtures import ChangeEnvironment, database_url
from tests.operations.erased_people import NUMBER, OTHER, OTHER_ID, left_of, somebody
from tests.operations.test_restores import a_dump

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_restores")]
MINUTE = timedelta(minutes=1)


def approved(backup: Backup, people: tuple[User, User]) -> Restore:
    restore = restores.request(backup=backup, reason="A test.", by=people[0], now=timezone.now())
    return restores.approve(restore, by=people[1], now=timezone.now())


def erased(number: str = NUMBER) -> Erasure:
    return erasures.erase(erasure.person(f"+{number}"), reason="They asked for it.")


def in_place(restore: Restore, people: tuple[User, User]) -> Restore:
    restores.confirm(restore, typed=postgres.live().database, by=people[0], now=timezone.now())
    restore = restores.put_in_place(restore, healthy=lambda: True)
    assert restore.status == "done", restore.problem
    return restore


def of_other() -> list[str]:
    return left_of(OTHER, OTHER_ID, "an indigo headache", "Imran Qureshi")


def test_a_restore_and_its_undoing_bring_back_neither_who_was_erased_before_nor_meanwhile(people: tuple[User, User]) -> None:
    somebody(ago=6 * MINUTE)
    somebody(OTHER, OTHER_ID, words="an indigo headache", name="Imran Qureshi", ago=6 * MINUTE)
    kept = factories.a_contact("919000000001")
    backup = a_dump()
    erased()
    # Who was erased and writes again is somebody new, and stays.
    new = factories.a_contact(NUMBER, last_inbound_at=timezone.now())
    factories.an_inbound(new, "I am back.", sender_key=keyed_hash(NUMBER), received_at=timezone.now(), status="answered")
    restore = restores.prepare(approved(backup, people))
    assert restore.status == "ready", restore.problem
    step = Journal(restore.pk).done("erase")
    assert step is not None
    assert (step.facts["contacts"], step.facts["messages"]) == (1, 2)
    # While the copy stands ready.
    erased(OTHER)
    restore = in_place(restore, people)
    assert set(Contact.objects.values_list("pk", flat=True)) == {kept.pk, new.pk}
    assert InboundMessage.objects.get(text__isnull=False).text == "I am back."
    assert InboundMessage.objects.filter(reason=erasure.ERASED).count() == 4
    assert not UnansweredQuestion.objects.exists()
    assert of_other() == []
    assert Erasure.objects.count() == 2
    erasures.check()

    # The database from before holds whoever is erased after the exchange.
    erased()
    restore = restores.ask_undo(restore, typed=postgres.live().database, by=people[1], now=timezone.now())
    restore = restores.undo(restore, healthy=lambda: True)
    assert restore.status == "undone", restore.problem
    assert Contact.objects.get().pk == kept.pk
    assert left_of() == of_other() == []
    assert Erasure.objects.count() == 3


def test_with_a_damaged_record_nothing_is_restored_and_the_sentence_says_what_to_do(people: tuple[User, User]) -> None:
    somebody(ago=6 * MINUTE)
    now = timezone.now()
    backup = Backup.objects.create(
        kind="dump", status="verified", requested_at=now, started_at=now, taken_at=now, verified_at=now
    )
    erased()
    path = erasure_record.path()
    for harm in (lambda: path.write_bytes(path.read_bytes().replace(b'"people"', b'"peoqle"')), path.unlink):
        harm()
        restore = restores.prepare(approved(backup, people))
        assert (restore.status, restore.new_database) == ("failed", "")
        assert "`manage.py erasures mend`" in restore.problem
    erasures.mend()
    restore = restores.prepare(approved(backup, people))
    assert "erasures" not in restore.problem


# A copy, without the restore around it


@pytest.fixture
def copy() -> Iterator[psycopg.Connection]:
    """The database of the tests, as a copy is seen: a connection of its own, in autocommit."""
    with psycopg.connect(database_url(), autocommit=True) as one:
        yield one


def replayed(copy: psycopg.Connection, *, since: timedelta = timedelta(hours=2)) -> dict[str, int]:
    return erasures.replay(copy, erasure_record.read(), since=timezone.now() - since)


def test_everything_of_them_goes_from_a_copy_as_it_went_from_the_live_database(copy: psycopg.Connection) -> None:
    row = erased_by_record_alone()
    assert replayed(copy) == {"erasures": 1, **row}
    assert left_of() == []
    assert of_other() != []
    assert replayed(copy)["contacts"] == 0


def erased_by_record_alone() -> dict[str, int]:
    """A line of somebody whose rows are there again; what should go."""
    person = erasure.of(somebody())
    somebody(OTHER, OTHER_ID, words="an indigo headache", name="Imran Qureshi")
    counts = erasures.look(person).counts
    erasure_record.append(person.identities, at=timezone.now())
    return counts


def test_they_are_found_by_their_number_where_the_hashes_were_made_anew(copy: psycopg.Connection, settings: Settings) -> None:
    erased_by_record_alone()
    settings.INDEX_KEY = "another key for hashes"
    Contact.objects.filter(phone_key=None).delete()
    for contact in Contact.objects.all():
        keys = {"phone_key": keyed_hash(contact.phone or ""), "wa_user_key": keyed_hash(contact.wa_user_id or "")}
        Contact.objects.filter(pk=contact.pk).update(**keys)
    InboundMessage.objects.filter(contact=None).delete()
    replayed(copy)
    assert left_of() == []
    assert of_other() != []


def test_what_was_erased_long_before_the_instant_is_not_looked_for(copy: psycopg.Connection) -> None:
    erased_by_record_alone()
    assert replayed(copy, since=-timedelta(hours=1)) == {"erasures": 0}
    assert left_of() != []


def test_a_copy_of_an_older_release_lacks_a_column_and_is_gone_through_all_the_same(copy: psycopg.Connection) -> None:
    erased_by_record_alone()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE conversations_inboundmessage RENAME COLUMN request_id TO not_known_yet")
    try:
        assert replayed(copy)["messages"] == 2
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE conversations_inboundmessage RENAME COLUMN not_known_yet TO request_id")
    assert left_of() == []


def test_a_key_that_is_gone_is_said(copy: psycopg.Connection, environment: ChangeEnvironment, settings: Settings) -> None:
    erased_by_record_alone()
    settings.FIELD_KEYS = ["4" * 43 + "="]
    with pytest.raises(erasure_record.Damaged, match="from the recovery kit"):
        replayed(copy)
