"""E-mail without the database: who is told, and in words who is not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from django.core import mail
from pytest_django import Settings

from operations import spool, spool_mail
from operations.spool import Known
from tests.fixtures import ChangeEnvironment

NAMES = ("Meera", "Ravi", "Asha", "Tom")


@pytest.fixture(autouse=True)
def _folder(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(data=tmp_path, email_url="smtp://127.0.0.1:25", email_from="jeevo@example.org")


def known(*names: str) -> None:
    spool.keep_contacts([Known(name, f"{name.lower()}@example.org") for name in names])


def test_the_first_three_are_told_each_by_a_letter_of_their_own() -> None:
    known(*NAMES)
    mailed = spool_mail.tell_first("Severity 1: Nothing works", "Since nine.")
    assert mailed.said == "Told by e-mail: Meera, Ravi, Asha."
    assert [each.to for each in mail.outbox] == [["meera@example.org"], ["ravi@example.org"], ["asha@example.org"]]
    assert {(each.subject, each.body, each.from_email) for each in mail.outbox} == {
        ("Severity 1: Nothing works", "Since nine.", "jeevo@example.org")
    }


def test_without_a_copy_of_contacts_somebody_must_be_called() -> None:
    assert spool_mail.tell_first("s", "b").said.startswith("Nobody was told: no contact on call")


def test_without_a_mail_server_the_names_to_call_are_said(environment: ChangeEnvironment) -> None:
    environment(email_url="")
    known("Meera", "Ravi")
    assert spool_mail.tell_first("s", "b").said == "Nobody was told: no mail server is set (EMAIL_URL). Call Meera, Ravi."
    assert mail.outbox == []


def test_a_mail_server_that_is_away_is_said_and_raises_nothing(settings: Settings) -> None:
    known("Meera")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = taken.getsockname()
        mailed = spool_mail.tell_first("s", "b")
    assert mailed.names == ()
    assert mailed.said == "The mail server did not take the e-mail to Meera. Call them."
