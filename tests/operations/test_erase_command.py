"""`manage.py erase_contact` and `manage.py erasures`: what they say first, what they ask, and what they refuse."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from conversations.models import Contact, Handover
from operations import erasure_record, preparation, roles
from operations.models import Erasure
from tests import factories
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import person
from tests.operations.erased_people import NUMBER, left_of, somebody

pytestmark = pytest.mark.django_db
WHY = "They asked for it."


@pytest.fixture(autouse=True)
def _own_folder(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(data=tmp_path)


class Typed(io.StringIO):
    """A keyboard, or a pipe."""

    def __init__(self, text: str, *, keyboard: bool = False) -> None:
        super().__init__(text)
        self.keyboard = keyboard

    def isatty(self) -> bool:
        return self.keyboard


def said(number: str = f"+{NUMBER}", **options: object) -> str:
    out = io.StringIO()
    call_command("erase_contact", number, reason=WHY, stdout=out, **options)
    return out.getvalue()


def test_it_shows_what_would_go_and_erases_when_it_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    somebody()
    monkeypatch.setattr(sys, "stdin", Typed("no\n", keyboard=True))
    with pytest.raises(CommandError, match="Nothing was erased"):
        said()
    assert Contact.objects.exists()
    monkeypatch.setattr(sys, "stdin", Typed("erase\n", keyboard=True))
    out = said()
    assert "+91 ······ 23. This would go for good:\n  2 messages from them\n" in out
    assert "Erased, as number 1 of the record." in out
    assert NUMBER not in out
    assert left_of() == []


def test_the_number_may_come_by_a_pipe_so_that_no_history_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    somebody()
    monkeypatch.setattr(sys, "stdin", Typed(f"+{NUMBER}\n"))
    with pytest.raises(CommandError, match="say --yes"):
        said("-")
    monkeypatch.setattr(sys, "stdin", Typed(f"+{NUMBER}\n"))
    said("-", yes=True)
    assert left_of() == []


def test_while_they_are_being_helped_it_wants_to_be_forced() -> None:
    Handover.objects.create(contact=somebody(), reason="red_flag", opened_at=timezone.now())
    with pytest.raises(CommandError, match="--force"):
        said(yes=True)
    assert Contact.objects.exists()
    assert "A red flag was seen" in said(yes=True, force=True)
    assert left_of() == []


def test_who_does_it_must_be_allowed_to() -> None:
    preparation.make_roles()
    somebody()
    ravi, meera = person("ravi", roles.INCIDENT_STAFF), person("meera", roles.OPERATOR)
    with pytest.raises(CommandError, match="Nobody of the staff"):
        said(yes=True, username="nobody")
    with pytest.raises(CommandError, match="ravi may not do this"):
        said(yes=True, username=ravi.username)
    said(yes=True, username=meera.username)
    assert Erasure.objects.get().by == meera


def test_a_number_that_is_nobodys_is_said() -> None:
    factories.a_contact()
    with pytest.raises(CommandError, match="Nobody is known by this number"):
        said("+14155550100", yes=True)


def record(step: str) -> str:
    out = io.StringIO()
    call_command("erasures", step, stdout=out)
    return out.getvalue()


def test_the_record_is_listed_checked_and_mended() -> None:
    assert record("check") == "The record is whole: 0 lines.\n"
    somebody()
    said(yes=True)
    assert f"a terminal  {WHY}" in record("list")
    assert record("check") == "The record is whole: 1 line.\n"
    erasure_record.path().write_bytes(b"{}\n")
    with pytest.raises(CommandError, match="erasures mend"):
        record("check")
    assert "1 line of the database" in record("mend")
    assert record("check") == "The record is whole: 1 line.\n"
