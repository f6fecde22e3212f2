"""The lists of the console: a number is found by typing it and never shown, and no row is changed by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations import lookup
from conversations.models import (
    Citation,
    Contact,
    DeliveryEvent,
    Handover,
    HoldingNotice,
    InboundMessage,
    OutboundMessage,
    UnhandledEvent,
)
from jeevo.fields import keyed_hash
from tests import factories

pytestmark = pytest.mark.django_db
PHONE = "919876543210"
WAMID = "wamid.HBgMOTE5ODc2NTQzMjEwFQIAEhggABC"
OURS = ("contact", "inboundmessage", "outboundmessage", "answer", "handover", "unhandledevent")


@pytest.fixture
def asha(client: Client) -> Client:
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def person() -> Contact:
    """Somebody with a row in every list."""
    now = timezone.now()
    person = factories.a_contact(PHONE, name="Sunita", label="+91 ······ 10", last_inbound_at=now)
    answer = factories.an_answer(person, confidence=0.7, passages=[{"title": "Fever", "heading": "Care", "score": 0.81}])
    Citation.objects.create(
        answer=answer,
        number=1,
        chunk_key=answer.pk,
        title="Fever in children",
        publisher="WHO",
        url="https://example.org/fever",
        heading="What to do",
        quote="Give plenty to drink.",
        score=0.8,
    )
    payload = {"message": {"from": PHONE, "id": WAMID}}
    factories.an_inbound(
        person,
        "my knee aches",
        wamid=WAMID,
        sender_key=keyed_hash(PHONE),
        payload=payload,
        answer=answer,
        status="answered",
        received_at=now,
    )
    sent = factories.an_outbound(
        person,
        answer=answer,
        status="failed",
        wamid=WAMID,
        error_code=131047,
        reason="More than 24 hours have passed",
        failed_at=now,
        created_at=now,
    )
    factories.an_event("failed", wamid=WAMID, outbound=sent)
    Handover.objects.create(contact=person, reason="asked", opened_at=now)
    UnhandledEvent.objects.create(
        digest="d",
        field="account",
        reason="not about messages",
        payload={"phone": PHONE, "display": "+91 98765 43210"},
        received_at=now,
    )
    return person


def pages() -> list[str]:
    """Every list and every row's own page of every model that is registered."""
    found = [reverse("admin:index"), reverse("admin:conversations_handover_waiting")]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        found += [reverse(f"{name}_change", args=[row.pk]) for row in model._default_manager.all()[:5]]
    return found


def test_no_page_shows_a_full_number_or_an_id_of_whatsapp_that_holds_it(asha: Client, person: Contact) -> None:
    checked = 0
    for page in pages():
        answer = asha.get(page, follow=True)
        text = answer.content.decode()
        assert answer.status_code == 200, page
        for secret in (PHONE, "98765 43210", "9876543210", WAMID, keyed_hash(PHONE)):
            assert secret not in text, f"{page} shows {secret}"
        checked += 1
    assert checked > 20


def test_no_list_shows_what_somebody_wrote(asha: Client, person: Contact) -> None:
    for name in OURS:
        assert "my knee aches" not in asha.get(reverse(f"admin:conversations_{name}_changelist")).content.decode()


@pytest.mark.parametrize("typed", [PHONE, "+91 98765 43210", "98765-43210", "09876543210", "(+91) 98765.43210", "10"])
def test_a_person_is_found_by_the_number_in_any_spelling(asha: Client, person: Contact, typed: str) -> None:
    factories.a_contact("14155550123", label="+1 ······ 23", country="US")
    answer = asha.post(reverse("admin:conversations_contact_changelist"), {"find": typed}, follow=True)
    assert [row.pk for row in answer.context["cl"].result_list] == [person.pk]


def test_a_person_is_found_by_their_whatsapp_user_id(asha: Client) -> None:
    person = factories.a_contact("x", phone_key=None, wa_user_id="IN.ab12CD", wa_user_key=keyed_hash("IN.ab12CD"))
    answer = asha.post(reverse("admin:conversations_contact_changelist"), {"find": " IN.ab12CD "}, follow=True)
    assert [row.pk for row in answer.context["cl"].result_list] == [person.pk]


@pytest.mark.parametrize("name", ["contact", "inboundmessage", "outboundmessage", "answer", "handover"])
def test_a_number_that_is_searched_never_stands_in_an_address(asha: Client, person: Contact, name: str) -> None:
    address = reverse(f"admin:conversations_{name}_changelist")
    for answer in (asha.post(address, {"find": PHONE}), asha.get(address, {"q": PHONE})):
        assert answer.status_code == 302
        assert "98765" not in answer["Location"]
    found = asha.post(address, {"find": PHONE}, follow=True)
    assert found.context["cl"].result_count == 1
    assert asha.post(address, {"find": "+91 99999 00000"}, follow=True).context["cl"].result_count == 0


def test_a_message_is_found_by_key_and_by_whatsapps_id_without_repeating_it(asha: Client, person: Contact) -> None:
    message = InboundMessage.objects.get()
    factories.an_inbound(person, "another")
    address = reverse("admin:conversations_inboundmessage_changelist")
    for typed in (str(message.pk), WAMID):
        answer = asha.post(address, {"find": typed}, follow=True)
        assert [row.pk for row in answer.context["cl"].result_list] == [message.pk]
        assert WAMID not in answer.redirect_chain[0][0]
    assert InboundMessage.objects.get(lookup.messages(f" {WAMID} ")) == message


def test_words_that_match_nobody_find_nothing(asha: Client, person: Contact) -> None:
    answer = asha.post(reverse("admin:conversations_contact_changelist"), {"find": "% or 1=1"}, follow=True)
    assert answer.context["cl"].result_count == 0
    assert "Nothing matches" in answer.content.decode()


@pytest.mark.parametrize("name", OURS)
def test_no_patients_row_is_added_changed_or_deleted_by_hand(asha: Client, person: Contact, name: str) -> None:
    assert asha.get(reverse(f"admin:conversations_{name}_add")).status_code == 403
    model: Any = next(model for model in admin.site._registry if model._meta.model_name == name)
    row = model._default_manager.first()
    assert asha.post(reverse(f"admin:conversations_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert asha.post(
        reverse(f"admin:conversations_{name}_change", args=[row.pk]), {"label": "x", "status": "sent"}
    ).status_code in (403, 405)
    assert model._default_manager.filter(pk=row.pk).exists()


def test_an_empty_list_says_how_to_begin(asha: Client) -> None:
    assert "Nobody has written yet" in asha.get(reverse("admin:conversations_contact_changelist")).content.decode()
    assert "No message has come in yet" in asha.get(reverse("admin:conversations_inboundmessage_changelist")).content.decode()


def test_a_failed_message_says_why_and_what_to_do(asha: Client, person: Contact) -> None:
    factories.an_outbound(person, status="sent")
    answer = asha.get(reverse("admin:conversations_outboundmessage_changelist"), {"status__exact": "failed"})
    text = answer.content.decode()
    assert answer.context["cl"].result_count == 1
    assert "More than 24 hours have passed" in text
    assert "It can be sent when the person writes again." in text


def test_the_page_of_a_sent_message_lists_what_whatsapp_reported(asha: Client, person: Contact) -> None:
    assert DeliveryEvent.objects.count() == 1
    text = asha.get(
        reverse("admin:conversations_outboundmessage_change", args=[OutboundMessage.objects.get().pk])
    ).content.decode()
    assert "What WhatsApp reported" in text


def test_an_answer_shows_the_snapshot_of_its_sources(asha: Client, person: Contact) -> None:
    text = asha.get(reverse("admin:conversations_answer_change", args=[person.answers.get().pk])).content.decode()
    for part in (
        "Fever in children",
        "WHO",
        "https://example.org/fever",
        "Give plenty to drink.",
        "What to do",
        "0.810",
    ):
        assert part in text


def test_filters_show_counts(asha: Client, person: Contact) -> None:
    assert "Answered (1)" in asha.get(reverse("admin:conversations_inboundmessage_changelist")).content.decode()


def test_messages_that_wait_are_one_link_away(asha: Client, person: Contact) -> None:
    waiting = factories.an_inbound(person, "hello", status="waiting")
    answer = asha.get(reverse("admin:conversations_inboundmessage_changelist"), {"open": "yes"})
    assert [row.pk for row in answer.context["cl"].result_list] == [waiting.pk]


def test_a_holding_notice_can_be_written(asha: Client) -> None:
    fields = {
        "text": "We answer later today.",
        "starts_at_0": "2026-03-01",
        "starts_at_1": "10:00",
        "ends_at_0": "2026-03-01",
        "ends_at_1": "12:00",
    }
    assert asha.post(reverse("admin:conversations_holdingnotice_add"), fields).status_code == 302
    notice = HoldingNotice.objects.get()
    assert notice.ends_at - notice.starts_at == timedelta(hours=2)


def test_a_viewer_without_permission_sees_no_list(client: Client, person: Contact) -> None:
    client.force_login(User.objects.create(username="meera", is_staff=True))
    for name in OURS:
        assert client.get(reverse(f"admin:conversations_{name}_changelist")).status_code == 403
    assert client.get(reverse("admin:conversations_contact_change", args=[person.pk])).status_code == 403
