"""One contact for a phone number, a business-scoped user id, or both; one open session each."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from conversations import contacts
from conversations.models import Contact, Session
from tests.factories import ASHA, HOUR, MINUTE, NOW, RAVI, SECOND, a_contact

pytestmark = pytest.mark.django_db


def came(phone: Any = None, user_id: Any = None, name: str = "") -> Contact:
    payload = {"message": {"from": phone, "from_user_id": user_id}, "contact": {"profile": {"name": name}}}
    return contacts.find_or_create(payload, now=NOW)


def test_a_new_number_becomes_a_contact_with_its_country() -> None:
    person = came(ASHA, name="Asha")
    row = Contact.objects.get()
    assert (row.pk, row.phone, row.name, row.country, row.language, row.last_inbound_at) == (
        person.pk,
        ASHA,
        "Asha",
        "IN",
        "en",
        NOW,
    )


@pytest.mark.parametrize(("phone", "country"), [("254712345678", "KE"), ("5491123456789", "AR"), ("12", "IN"), ("", "KE")])
def test_the_country_is_that_of_the_number_or_of_the_user_id_or_of_the_setting(phone: str, country: str) -> None:
    assert came(phone, "KE.123" if not phone else None).country == country


def test_the_same_number_is_the_same_contact_and_its_name_may_change() -> None:
    came(ASHA, name="Asha")
    assert came(ASHA, name="Asha K").name == "Asha K"
    assert came(ASHA).name == "Asha K"
    assert Contact.objects.count() == 1


def test_somebody_may_be_known_by_user_id_alone() -> None:
    person = came(None, "IN.123456")
    assert (person.phone, person.address, came(None, "IN.123456").pk) == (None, "IN.123456", person.pk)


def test_a_number_that_comes_with_a_known_user_id_joins_the_contact() -> None:
    person = came(None, "IN.123456")
    joined = came(ASHA, "IN.123456")
    assert (joined.pk, joined.address, came(ASHA).pk) == (person.pk, ASHA, person.pk)
    assert Contact.objects.get().label == contacts.masked(ASHA)


def test_a_user_id_that_comes_with_a_known_number_joins_the_contact() -> None:
    person = came(ASHA)
    came(ASHA, "IN.123456")
    assert came(None, "IN.123456").pk == person.pk


def test_of_two_contacts_that_match_the_number_decides_and_nothing_collides() -> None:
    by_id, by_phone = came(None, "IN.123456"), came(ASHA)
    assert came(ASHA, "IN.123456").pk == by_phone.pk
    assert came(None, "IN.123456").pk == by_id.pk


def test_two_numbers_are_two_contacts() -> None:
    assert came(ASHA).pk != came(RAVI).pk


@pytest.mark.parametrize("phone", [None, "", [ASHA], {"a": ASHA}, 7, "\ud800"])
def test_a_payload_that_names_nobody_is_refused(phone: Any) -> None:
    with pytest.raises(contacts.NoSender):
        came(phone)


def test_a_sender_without_a_digit_is_a_contact_of_its_own() -> None:
    assert came("abc").pk != came("abd").pk


def test_the_row_holds_number_name_and_id_only_sealed() -> None:
    came(ASHA, "IN.123456", name="Asha")
    with connection.cursor() as cursor:
        cursor.execute("SELECT c::text, convert_from(phone, 'UTF8') FROM conversations_contact c")
        columns = " ".join(cursor.fetchone())
    assert not [secret for secret in (ASHA, "Asha", "123456") if secret in columns]


@pytest.mark.parametrize(
    ("address", "label"),
    [
        (ASHA, "+91 ······ 01"),
        ("254712345678", "+254 ······ 78"),
        ("IN.13491208655302741918", "IN. ······ 18"),
        ("x", "x. ······ "),
    ],
)
def test_a_label_tells_two_people_apart_and_calls_neither(address: str, label: str) -> None:
    assert contacts.masked(address) == label
    assert len(label) <= 24


def test_a_number_is_found_however_it_was_typed() -> None:
    assert contacts.phone_key("+91 98100-00001") == contacts.phone_key(ASHA)


def test_a_session_goes_on_while_messages_come() -> None:
    person = a_contact()
    first = contacts.open_session(person, now=NOW)
    again = contacts.open_session(person, now=NOW + 6 * HOUR)
    assert again.pk == first.pk
    assert Session.objects.get().last_message_at == NOW + 6 * HOUR


def test_after_six_idle_hours_a_new_session_begins_and_the_old_one_ended_when_it_fell_quiet() -> None:
    person = a_contact()
    first = contacts.open_session(person, now=NOW)
    contacts.open_session(person, now=NOW + MINUTE)
    second = contacts.open_session(person, now=NOW + 6 * HOUR + MINUTE + SECOND)
    assert second.pk != first.pk
    assert Session.objects.get(pk=first.pk).ended_at == NOW + MINUTE
    assert Session.objects.get(ended_at__isnull=True).pk == second.pk


def test_idle_sessions_end_by_themselves_and_running_ones_go_on() -> None:
    contacts.open_session(a_contact(ASHA), now=NOW)
    running = contacts.open_session(a_contact(RAVI), now=NOW + HOUR)
    assert contacts.end_idle_sessions(now=NOW + 6 * HOUR + SECOND) == 1
    assert Session.objects.get(ended_at__isnull=True).pk == running.pk
