"""`manage.py restore` does what the pages do: the same people, the same steps, the same words for what would change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from conversations.models import Contact
from knowledge.models import Document
from operations import backups, contents, databases, knowledge_tables, postgres, preparation, roles, verification
from operations.models import Backup, Incident, Restore
from tests import factories
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_folders(environment: ChangeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    environment(keys=tmp_path / "keys")
    monkeypatch.setattr(backups, "folder", lambda: tmp_path / "backups")
    monkeypatch.setattr("operations.journal.folder", lambda: tmp_path / "restores")
    preparation.make_roles()
    yield
    connection.close()
    for each in databases.names(*contents.BESIDE):
        databases.drop(each)
    for each in knowledge_tables.names(*contents.BESIDE):
        knowledge_tables.drop(each)


@pytest.fixture
def people() -> tuple[User, User]:
    return person("meera", roles.OPERATOR), person("ravi", roles.OPERATOR)


def restore(*words: str) -> str:
    out = StringIO()
    call_command("restore", *words, stdout=out)
    return out.getvalue()


def a_dump() -> Backup:
    backup = backups.take("dump", now=timezone.now())
    verification.verify(backup, now=timezone.now())
    return backup


@pytest.mark.usefixtures("people")
def test_a_backup_is_put_in_place_and_taken_back_from_a_terminal() -> None:
    document = Document.objects.create(title="Fever", origin="starter", slug="fever", text="x")
    backup = a_dump()
    Document.objects.all().delete()
    name = postgres.live().database
    said = restore("request", "--backup", str(backup.pk), "--reason", "Deleted by mistake.", "--as", "meera")
    assert "Somebody else approves it" in said
    assert "Approved." in restore("approve", "--as", "ravi")
    said = restore("prepare", "--as", "meera")
    assert "Make the restored copy beside the live database ..." in said
    assert "Documents: 0 now, 1 then" in said
    assert not Document.objects.exists()
    assert "The restored database is live." in restore("confirm", "--type", name, "--as", "meera")
    assert Document.objects.get().pk == document.pk
    told = json.loads(restore("status", "--json"))
    assert (told["status"], told["losses"]["knowledge_document"]) == ("done", {"now": 0, "then": 1})
    assert {step["state"] for step in told["steps"]} == {"done"}
    with pytest.raises(CommandError, match="name that was typed"):
        restore("undo", "--type", "another", "--as", "meera")
    assert "live again" in restore("undo", "--type", name, "--as", "ravi")
    assert not Document.objects.exists()
    assert "Undone" in restore("status")


@pytest.mark.usefixtures("people", "short", "fake_embed")
def test_the_knowledge_base_alone_is_put_in_place_and_taken_back_from_a_terminal() -> None:
    factories.a_document("Fever", "Drink water.")
    backup = backups.take("dump", now=timezone.now())
    Document.objects.update(title="Changed")
    factories.a_contact()
    name = postgres.live().database
    request = ("request", "--only", "knowledge", "--backup", str(backup.pk), "--reason", "A bad edit.", "--as", "meera")
    assert "Somebody else approves it" in restore(*request)
    restore("approve", "--as", "ravi")
    said = restore("prepare", "--as", "meera")
    assert "Lay its knowledge base beside the live one, with the indexes, and compare every row ..." in said
    assert "Documents: 0 come back, 0 are lost, 1 as they were" in said
    said = restore("confirm", "--type", name, "--as", "meera")
    assert "Exchange the tables of the knowledge base ..." in said
    assert "The restored knowledge base is live." in said
    assert (Document.objects.get().title, Contact.objects.count()) == ("Fever", 1)
    assert "a search waited for" in restore("status")
    assert json.loads(restore("status", "--json"))["scope"] == "knowledge"
    assert "The knowledge base from before the restore is live again." in restore("undo", "--type", name, "--as", "ravi")
    assert Document.objects.get().title == "Changed"


@pytest.mark.usefixtures("people")
def test_who_may_not_and_what_does_not_fit_is_refused() -> None:
    person("asha", roles.INCIDENT_STAFF)
    request = ("request", "--to", "2026-01-01T10:00:00", "--reason", "A test.", "--as")
    for name, told in (("asha", "asha may not do this: it needs operations.add_restore"), ("nobody", "Nobody of the staff")):
        with pytest.raises(CommandError, match=told):
            restore(*request, name)
    with pytest.raises(CommandError, match="This is no instant"):
        restore("request", "--to", "yesterday", "--reason", "A test.", "--as", "meera")
    with pytest.raises(CommandError, match="no such restore"):
        restore("approve", "--as", "ravi")
    restore(*request, "meera")
    assert Restore.objects.get().instant is not None
    with pytest.raises(CommandError, match="Somebody else has to approve it"):
        restore("approve", "--as", "meera")
    with pytest.raises(CommandError, match="waits for approval"):
        restore("prepare", "--as", "meera")
    assert "Approved." in restore("approve", "--alone", "--as", "meera")
    assert Incident.objects.get().severity == 2
    assert "Cancelled" in restore("cancel", "--as", "meera")
    assert "cancelled" in restore("status").lower()
