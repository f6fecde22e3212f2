"""Notices by mail, to a mail server on this machine: what it says, what is not taken, and a server that is away or silent."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail as django_mail
from pytest_django import Settings

from operations import mail
from operations.models import Delivery
from operations.notifications import Recipient
from operations.sending import Sender
from tests.fixtures import ChangeEnvironment
from tests.operations.notices_sent import NOW, run, states, subscriber, tell
from tests.smtp_server import MailServer, mail_server

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture
def smtp(settings: Settings) -> Iterator[MailServer]:
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        yield server


def test_a_mail_says_who_writes_and_how_to_stop_it(smtp: MailServer, environment: ChangeEnvironment) -> None:
    environment(public_url="https://jeevo.example", email_from="jeevo@example.org", incident_contact="incidents@example.org")
    person = subscriber("email", "meera@example.org")
    (delivery,) = tell(person, subject="Answers\r\nBcc: all@example.org", body="We look into it.\n\nउत्तर देर से")
    run()
    (got,) = smtp.mails
    assert got["Subject"] == "Jeevo health helpline: Answers Bcc: all@example.org"
    assert (got["From"], got["To"], got["Reply-To"]) == ("jeevo@example.org", "meera@example.org", "incidents@example.org")
    assert got["Message-ID"] == f"<{delivery.pk}@example.org>"
    assert got["Bcc"] is None
    link = mail.unsubscribe_link(person)
    assert link.startswith("https://jeevo.example/unsubscribe/")
    assert got["List-Unsubscribe"].strip() == f"<{link}>"
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text = got.get_content()
    assert "उत्तर देर से" in text
    assert link in text
    assert states() == [("meera@example.org", "sent")]


def test_a_mail_to_a_contact_on_call_has_no_way_out(smtp: MailServer) -> None:
    tell(Recipient("Night desk", "email", "night@example.org"))
    run()
    assert smtp.mails[0]["List-Unsubscribe"] is None
    assert "no more" not in smtp.mails[0].get_content()


def test_one_connection_carries_a_batch_and_a_refused_address_stops_nobody_else(smtp: MailServer) -> None:
    smtp.refused = {"gone@example.org": "550 Nobody here", "full@example.org": "452 No space"}
    tell(*(subscriber("email", f"{name}@example.org") for name in ("anna", "full", "gone", "zoe")))
    run()
    assert smtp.recipients == ["anna@example.org", "zoe@example.org"]
    assert smtp.connections == 1
    assert list(Delivery.objects.order_by("recipient").values_list("status", "reason")) == [
        ("sent", ""),
        ("queued", "The mail server does not take mail for this address now (452)."),
        ("failed", "The mail server does not know this address (550)."),
        ("sent", ""),
    ]


def test_a_server_that_takes_a_few_mails_a_connection_gets_a_new_one(smtp: MailServer) -> None:
    smtp.disconnect_after = 1
    tell(*(subscriber("email", f"{name}@example.org") for name in ("anna", "bela", "carl", "dora")))
    for minute in range(0, 10, 2):
        run(NOW + timedelta(minutes=minute))
    assert {status for _, status in states()} == {"sent"}
    assert sorted(smtp.recipients) == [f"{name}@example.org" for name in ("anna", "bela", "carl", "dora")]


@pytest.mark.parametrize(
    ("answer", "status"), [("451 Try later", "queued"), ("554 It looks like spam", "failed"), ("552 Too large", "failed")]
)
def test_a_mail_that_is_not_taken_says_why(smtp: MailServer, answer: str, status: str) -> None:
    smtp.data_answer = answer
    tell(subscriber("email", "anna@example.org"))
    run()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.reason) == (status, f"The mail server refuses it ({answer[:3]}).")


def test_a_mail_server_that_is_away_is_asked_once_for_a_batch(smtp: MailServer, settings: Settings) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.EMAIL_PORT = free.getsockname()[1]
        tell(*(subscriber("email", f"{number}@example.org") for number in range(3)))
        run()
    assert {tuple(row) for row in Delivery.objects.values_list("status", "attempts", "reason")} == {
        ("queued", 1, "The mail server could not be reached.")
    }


def test_a_mail_server_that_says_nothing_ends_in_time_and_is_asked_once(smtp: MailServer, settings: Settings) -> None:
    smtp.silent, settings.EMAIL_TIMEOUT = True, 0.5
    tell(*(subscriber("email", f"{number}@example.org") for number in range(3)))
    run()
    assert smtp.connections == 1
    assert {status for _, status in states()} == {"queued"}


def test_a_mail_whose_turn_did_not_come_has_used_no_attempt(smtp: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "BATCH_SECONDS", -1)
    (delivery,) = tell(subscriber("email", "anna@example.org"))
    sender = Sender(patience=0)
    run(sender=sender)
    while not all(future.done() for future in sender._running):
        time.sleep(0.01)
    sender.record(NOW)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, smtp.connections) == ("queued", 0, 0)


def test_a_live_service_without_a_mail_server_says_so(settings: Settings) -> None:
    settings.LIVE = True
    (delivery,) = tell(subscriber("email", "anna@example.org"))
    run()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("failed", "No mail server is set: EMAIL_URL is empty.")
    assert django_mail.outbox == []


def test_an_address_that_no_mail_can_hold_fails_alone(smtp: MailServer) -> None:
    tell(Recipient("Odd", "email", "od\nd@example.org"), Recipient("Fine", "email", "fine@example.org"))
    run()
    assert states() == [("Fine", "sent"), ("Odd", "failed")]
