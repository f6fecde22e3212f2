"""Bringing files in the console: with and without JavaScript, watched, cancelled, tried again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError
from pytest_django import Settings

from knowledge import import_claims, import_runs, import_tasks, importing
from knowledge.import_fields import Defaults
from knowledge.models import Document, Import, UnansweredQuestion
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]
ADD = "/admin/knowledge/import/add/"
JSON = {"Accept": "application/json"}
FEVER = b"# Fever in children\n\nGive fluids.\n"


@pytest.fixture
def storage(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr(import_tasks, "hasten", lambda: None)


def staff(name: str, *permissions: str) -> User:
    person = User.objects.create(username=name, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return person


@pytest.fixture
def meera() -> User:
    return staff("meera", "add_document", "view_document", "view_import")


@pytest.fixture
def desk(client: Client, meera: User) -> Client:
    client.force_login(meera)
    return client


def a_file(content: bytes = FEVER, name: str = "fever.md") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def a_form(*files: SimpleUploadedFile, **fields: Any) -> dict[str, Any]:
    return {"documents": list(files), "language": "en", "audience": "public"} | fields


def page(batch: Import, part: str = "change") -> str:
    return reverse(f"admin:knowledge_import_{part}", args=[batch.pk])


def an_import(by: User | None, *files: tuple[str, bytes], **defaults: Any) -> Import:
    batch = importing.begin(label="Files from the browser", defaults=Defaults(**defaults), by=by)
    for name, content in files:
        importing.add_file(batch, name=name, content=ContentFile(content))
    return batch


def worked(batch: Import) -> None:
    claim = import_claims.take(batch.pk, now=timezone.now())
    assert claim is not None
    import_runs.run(claim)


def test_files_sent_by_the_form_become_an_import_whose_page_opens(desk: Client, meera: User) -> None:
    said = {"publisher": "WHO", "url": "who.int/fever", "licence": "CC BY", "topic": "Fever", "language": "hi"}
    answer = desk.post(ADD, a_form(a_file(), a_file(b"", "empty.txt"), **said))
    batch = Import.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, page(batch))
    assert (batch.requested_by, batch.status, batch.label) == (meera, "waiting", "Files from the browser")
    assert Defaults.of(batch.defaults) == Defaults("WHO", "CC BY", "hi", "public", "Fever", "https://who.int/fever")
    assert list(batch.items.values_list("name", flat=True)) == ["fever.md", "empty.txt"]


def test_the_script_sends_one_file_at_a_time_into_the_same_import(desk: Client) -> None:
    first = desk.post(ADD, a_form(a_file(), more="1"), headers=JSON)
    assert first.status_code == 201
    place = first.json()
    second = desk.post(place["more"], {"documents": a_file(b"# Burns\n\nCool it.", "burns.md")}, headers=JSON)
    assert (second.status_code, second.json()) == (201, place)
    batch = Import.objects.get()
    assert (batch.label, batch.items.count(), place["page"]) == ("Files from the browser", 2, page(batch))


def test_one_file_names_its_import(desk: Client) -> None:
    desk.post(ADD, a_form(a_file()))
    assert Import.objects.get().label == "fever.md"


def test_a_form_without_files_says_what_is_missing(desk: Client) -> None:
    answer = desk.post(ADD, a_form())
    assert answer.status_code == 400
    assert "Choose at least one file." in answer.content.decode()
    assert "Choose at least one file." in desk.post(ADD, a_form(), headers=JSON).json()["error"]
    assert not Import.objects.exists()


def test_a_cancelled_import_takes_no_further_file(desk: Client, meera: User) -> None:
    batch = an_import(meera, ("fever.md", FEVER))
    desk.post(page(batch, "cancel"))
    answer = desk.post(page(batch, "files"), {"documents": a_file()}, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (409, "This import was cancelled. Begin a new one.")


def test_nobody_adds_to_the_import_of_somebody_else(desk: Client) -> None:
    batch = an_import(staff("ravi"), ("fever.md", FEVER))
    assert desk.post(page(batch, "files"), {"documents": a_file()}, headers=JSON).status_code == 404


def test_a_viewer_looks_and_a_colleague_without_rights_does_neither(client: Client, meera: User) -> None:
    batch = an_import(meera, ("fever.md", FEVER))
    client.force_login(staff("lata", "view_import"))
    text = client.get(page(batch)).content.decode()
    assert "Cancel the import" not in text
    assert [client.get(ADD).status_code, client.post(page(batch, "cancel")).status_code] == [403, 403]
    assert client.post(page(batch, "retry")).status_code == 403
    client.force_login(staff("tara"))
    assert client.get(page(batch)).status_code == 403


def test_the_page_shows_a_result_for_each_file_and_escapes_its_name(desk: Client, meera: User) -> None:
    table = b"topic,question,answer\nFever,What?,Rest.\nFever,,x\n"
    batch = an_import(meera, ("<b>fever</b>.md", FEVER), ("empty.txt", b""), ("faq.csv", table))
    worked(batch)
    text = desk.get(page(batch)).content.decode()
    document = Document.objects.get(title="Fever in children")
    assert "&lt;b&gt;fever&lt;/b&gt;.md" in text
    assert "<b>fever" not in text
    assert reverse("admin:knowledge_document_change", args=[document.pk]) in text
    assert "This file is empty." in text
    assert "2 rows read: 1 added, 0 here already, 1 left out." in text
    assert "<strong>line 3</strong>: The row has no question." in text
    assert "Finished: 2 documents added" in text


def test_the_part_that_refreshes_itself_says_when_nothing_more_will_change(desk: Client, meera: User) -> None:
    batch = an_import(meera, ("fever.md", FEVER))
    part = page(batch) + "?part=progress"
    waiting = desk.get(part).content.decode()
    assert "Waiting for its turn" in waiting
    assert "<html" not in waiting
    worked(batch)
    indexing = desk.get(part).content.decode()
    assert "0 of 1 documents can be reviewed now; the others are being indexed." in indexing
    assert "data-quiet" not in waiting + indexing
    Document.objects.update(status="in_review")
    assert "data-quiet" in desk.get(part).content.decode()


def test_an_import_whose_process_is_gone_says_what_happens_next(desk: Client, meera: User) -> None:
    batch, long_ago = an_import(meera, ("fever.md", FEVER)), timezone.now() - import_claims.STALLED_AFTER * 2
    Import.objects.update(status="running", started_at=long_ago, heartbeat_at=long_ago)
    text = desk.get(page(batch)).content.decode()
    assert "Nothing has happened for a while" in text
    assert "It goes on by itself when the worker is back." in text
    Import.objects.update(defaults={"paths": ["/data/guides"]})
    assert "Run the same command again to go on." in desk.get(page(batch)).content.decode()


def test_the_results_are_filtered_by_state_with_counts_and_come_in_pages(desk: Client, meera: User) -> None:
    batch = an_import(meera, *((f"{number}.md", FEVER + str(number).encode()) for number in range(101)), ("empty.txt", b""))
    worked(batch)
    text = desk.get(page(batch)).content.decode()
    assert "Refused (1)" in text
    assert "Page 1 of 2" in text
    refused = desk.get(page(batch) + "?show=refused").content.decode()
    assert "empty.txt" in refused
    assert "7.md" not in refused


def test_a_page_of_many_results_asks_the_database_no_more_often(desk: Client, meera: User) -> None:
    few, many = an_import(meera, ("a.md", FEVER)), an_import(meera, *((f"{n}.md", FEVER + bytes([65 + n])) for n in range(20)))
    worked(few)
    worked(many)
    desk.get(page(few))
    asked = []
    for batch in (few, many):
        with CaptureQueriesContext(connection) as queries:
            desk.get(page(batch) + "?part=progress")
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_cancelling_and_trying_again_by_the_buttons(desk: Client, meera: User) -> None:
    batch = an_import(meera, ("empty.txt", b""), ("fever.md", FEVER))
    assert "It stops" not in desk.get(page(batch)).content.decode()
    text = desk.post(page(batch, "cancel"), follow=True).content.decode()
    assert "What was added stays; the rest is left out." in text
    assert "Try 2 files again" in text
    assert "The files are read again." in desk.post(page(batch, "retry"), follow=True).content.decode()
    batch.refresh_from_db()
    assert batch.status == "waiting"
    assert "still under way" in desk.post(page(batch, "retry"), follow=True).content.decode()


@pytest.mark.usefixtures("fake_embed")
def test_a_new_version_begins_with_what_is_known_of_the_old_one(desk: Client) -> None:
    old = factories.a_document("Fever", "## Care\n\nRest.", topic="Fever", language="hi")
    text = desk.get(f"{ADD}?supersedes={old.pk}").content.decode()
    assert "It replaces" in text
    assert 'value="WHO"' in text
    assert '<option value="hi" selected>' in text
    desk.post(ADD, a_form(a_file(), supersedes=str(old.pk)))
    assert Defaults.of(Import.objects.get().defaults).supersedes == str(old.pk)
    two = desk.post(ADD, a_form(a_file(), a_file(b"x", "b.md"), supersedes=str(old.pk)))
    assert "A new version of a document is one file." in two.content.decode()


def options(page: str) -> list[str]:
    """The audiences that the form offers, the chosen one marked."""
    select = page[page.index('name="audience"') :]
    return re.findall(r'<option value="(\w+"(?: selected)?)', select[: select.index("</select>")])


def test_an_audience_is_chosen_and_public_where_nobody_did(desk: Client) -> None:
    assert options(desk.get(ADD).content.decode()) == ['public" selected', 'staff"']
    for said in ("staff", " Staff ", "", "Public"):
        desk.post(ADD, a_form(a_file(), audience=said))
    kept = [Defaults.of(each.defaults).audience for each in Import.objects.order_by("created_at")]
    assert kept == ["staff", "staff", "public", "public"]
    assert "Select a valid choice" in desk.post(ADD, a_form(a_file(), audience="pubic")).content.decode()


@pytest.mark.usefixtures("fake_embed")
def test_a_new_version_stays_for_whom_its_old_one_was(desk: Client) -> None:
    old = factories.a_document("Dose", "## Adults\n\nTwice a day.", audience="Clinicians")
    offered = options(desk.get(f"{ADD}?supersedes={old.pk}").content.decode())
    assert offered == ['public"', 'staff"', 'clinicians" selected']
    desk.post(ADD, a_form(a_file(), supersedes=str(old.pk), audience="clinicians"))
    assert Defaults.of(Import.objects.get().defaults).audience == "clinicians"


@pytest.mark.parametrize("value", ["nonsense", factories.NOBODYS_KEY, ""])
def test_an_address_that_names_nothing_known_shows_the_plain_form(desk: Client, value: str) -> None:
    text = desk.get(f"{ADD}?supersedes={value}&answers={value}").content.decode()
    assert "Each file becomes a document" in text
    assert "It replaces" not in text


def test_a_source_for_questions_remembers_them(desk: Client) -> None:
    keys = [UnansweredQuestion.objects.create(text="zorbitis", language="en", score=0.2, answer_key=uuid4()).pk for _ in range(2)]
    text = desk.get(f"{ADD}?answers={keys[0]},{keys[1]},{uuid4()}").content.decode()
    assert "answers the 2 questions you chose" in text
    assert "zorbitis" not in text
    desk.post(ADD, a_form(a_file(), answers=f"{keys[0]},{uuid4()},rubbish"))
    assert [UUID(each) for each in Defaults.of(Import.objects.get().defaults).answers] == [keys[0]]


def test_the_list_says_what_came_of_each_and_how_to_begin(desk: Client, meera: User) -> None:
    address = reverse("admin:knowledge_import_changelist")
    assert "Nothing has been imported yet." in desk.get(address).content.decode()
    batch = an_import(meera, ("fever.md", FEVER), ("empty.txt", b""), ("again.md", FEVER))
    worked(batch)
    text = desk.get(address).content.decode()
    found = f"/admin/knowledge/document/?batch__id__exact={batch.pk}"
    assert f'<a href="{found}">1 added</a>, 1 here already, 1 file refused' in text
    assert [row.pk for row in desk.get(address, {"q": "empty"}).context["cl"].result_list] == [batch.pk]
    assert desk.get(found).status_code == 200


def test_no_import_is_deleted_or_changed_by_hand(client: Client, meera: User) -> None:
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    batch = an_import(meera, ("fever.md", FEVER))
    assert client.post(f"/admin/knowledge/import/{batch.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(page(batch), {"label": "other"}).status_code == 405


def test_the_worker_takes_turns_and_leaves_the_imports_of_the_command_alone(meera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("celery.app.task.Task.apply_async", lambda task, **_: sent.append(task.name))
    mine, theirs = an_import(meera, ("fever.md", FEVER)), an_import(None, paths=("/data/guides",))
    import_tasks.import_due()
    assert (Import.objects.get(pk=mine.pk).status, Import.objects.get(pk=theirs.pk).status) == ("finished", "waiting")
    assert sent == ["knowledge.index_due"]
    monkeypatch.setattr(import_tasks, "TURN_SECONDS", -1.0)
    importing.add_file(mine, name="burns.md", content=ContentFile(b"# Burns\n\nCool it."))
    import_tasks.import_due()
    assert sent[1:] == ["knowledge.index_due", "knowledge.import_due"]


def test_an_upload_is_taken_while_the_broker_is_away(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("away")

    monkeypatch.undo()
    monkeypatch.setattr("celery.app.task.Task.apply_async", away)
    assert desk.post(ADD, a_form(a_file())).status_code == 302
    assert Import.objects.get().items.count() == 1
