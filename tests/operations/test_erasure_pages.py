"""The page on which a person is erased: who may, what it says first, a fresh code, and the list of what was erased."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations.models import Contact, Handover
from operations import preparation, roles
from operations.models import Erasure
from tests import factories
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import PASSWORD, code, enrolled, person, wait
from tests.operations.erased_people import NUMBER, WORDS, left_of, somebody

pytestmark = pytest.mark.django_db
WHY = {"reason": "They asked for it."}


@pytest.fixture(autouse=True)
def _own_folder(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(second_factor="off", data=tmp_path)
    preparation.make_roles()


@pytest.fixture
def meera() -> User:
    return person("meera", roles.OPERATOR)


@pytest.fixture
def meeras(client: Client, meera: User) -> Client:
    client.force_login(meera)
    return client


def at(contact: Contact) -> str:
    return reverse("admin:conversations_contact_erase", args=[contact.pk])


def test_an_operator_finds_the_page_on_that_of_the_person_and_incident_staff_do_not(meeras: Client) -> None:
    contact = somebody()
    transcript = reverse("admin:conversations_contact_change", args=[contact.pk])
    assert f'href="{at(contact)}"' in meeras.get(transcript).content.decode()
    staff = Client()
    staff.force_login(person("ravi", roles.INCIDENT_STAFF))
    assert at(contact) not in staff.get(transcript).content.decode()


def test_only_whoever_may_read_and_erase_opens_it(client: Client) -> None:
    contact = somebody()
    client.force_login(person("ravi", roles.INCIDENT_STAFF))
    assert client.get(at(contact)).status_code == 403
    assert client.post(at(contact), WHY).status_code == 403
    lone = factories.staff("lone")
    lone.user_permissions.set(Permission.objects.filter(codename="erase_contact"))
    client.force_login(lone)
    assert client.post(at(contact), WHY).status_code == 403
    assert Contact.objects.exists()


def test_it_says_what_would_go_and_nothing_of_what_they_wrote(meeras: Client) -> None:
    page = meeras.get(at(somebody())).content.decode()
    for said in ("2 messages from them", "2 messages to them", "1 handover", "cannot be undone", "30 days"):
        assert said in page
    assert WORDS not in page
    assert NUMBER not in page
    assert Contact.objects.exists()


def test_with_a_reason_the_person_goes_and_the_list_says_when_why_and_by_whom(meeras: Client, meera: User) -> None:
    contact = somebody()
    assert "This field is required." in meeras.post(at(contact), {"reason": ""}).content.decode()
    answer = meeras.post(at(contact), WHY, follow=True)
    assert "This person is erased: 2 messages from them" in answer.content.decode()
    assert left_of() == []
    row = Erasure.objects.get()
    assert (row.by, row.reason) == (meera, WHY["reason"])
    listed = meeras.get(reverse("admin:operations_erasure_changelist")).content.decode()
    assert WHY["reason"] in listed
    detail = meeras.get(reverse("admin:operations_erasure_change", args=[row.pk])).content.decode()
    assert "1 question kept for clinicians" in detail
    assert row.people[0] not in detail
    assert meeras.get(at(contact)).status_code == 404


def test_while_they_are_being_helped_it_says_so_and_asks_whether_that_was_looked_at(meeras: Client) -> None:
    contact = somebody()
    Handover.objects.create(contact=contact, reason="red_flag", opened_at=timezone.now())
    assert "A red flag was seen, and nobody has taken it yet." in meeras.get(at(contact)).content.decode()
    assert meeras.post(at(contact), WHY).status_code == 400
    assert Contact.objects.exists()
    assert meeras.post(at(contact), WHY | {"all_the_same": "on"}).status_code == 302
    assert left_of() == []


def test_with_a_second_factor_a_fresh_code_is_asked_for(client: Client, meera: User, environment: ChangeEnvironment) -> None:
    contact = somebody()
    device, _ = enrolled(meera)
    client.force_login(meera)
    session = client.session
    session["otp_device_id"] = device.persistent_id
    session.save()
    environment(second_factor="operators")
    for typed in ("", PASSWORD, "000000"):
        assert client.post(at(contact), WHY | {"confirmation": typed}).status_code == 400
        wait(device)
    assert Contact.objects.exists()
    assert client.post(at(contact), WHY | {"confirmation": code(device.key)}).status_code == 302
    assert left_of() == []
