"""Files become documents once, whatever they are called; each has its own result, and no file stops the others."""

from __future__ import annotations

import errno
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from knowledge import extraction, import_claims, import_files, import_progress, import_runs, importing
from knowledge.extraction import Extracted
from knowledge.import_fields import Defaults
from knowledge.models import Document, Import, ImportItem, UnansweredQuestion
from tests import factories
from tests.fixtures import database_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]
FEVER = b"# Fever in children\n\nGive fluids. See a doctor if it lasts three days.\n"
BURNS = b"# Burns\n\nCool the burn under running water for twenty minutes.\n"


@pytest.fixture
def storage(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def an_import(files: dict[str, bytes] | None = None, *, importer: str = "auto", **defaults: Any) -> Import:
    batch = importing.begin(label="Guidelines", defaults=Defaults(**defaults), by=factories.staff(uuid4().hex), importer=importer)
    for name, content in (files or {}).items():
        importing.add_file(batch, name=name, content=ContentFile(content))
    return batch


def worked(batch: Import, **more: Any) -> bool:
    claim = import_claims.take(batch.pk, now=timezone.now())
    assert claim is not None
    over = import_runs.run(claim, **more)
    batch.refresh_from_db()
    return over


def results(batch: Import) -> list[tuple[str, str]]:
    return list(batch.items.values_list("name", "status"))


def kept(storage: Path) -> list[Path]:
    return [path for path in storage.rglob("*") if path.is_file()]


def a_zip(members: dict[str, bytes]) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_a_file_becomes_a_document_that_waits_for_the_index(storage: Path) -> None:
    batch = an_import({"fever.md": FEVER}, publisher="WHO", licence="CC BY", topic="Fever", url="https://who.int/fever")
    assert worked(batch)
    document = Document.objects.get()
    assert (document.title, document.status, document.kind) == ("Fever in children", "uploaded", "markdown")
    assert (document.publisher, document.licence, document.topic) == ("WHO", "CC BY", "Fever")
    assert (document.url, document.language, document.file_name) == ("https://who.int/fever", "en", "fever.md")
    assert (document.uploaded_by, document.batch) == (batch.requested_by, batch)
    assert "Give fluids." in document.text
    assert [path.read_bytes() for path in kept(storage)] == [FEVER]
    assert Path(document.file.path) == kept(storage)[0]
    assert (batch.status, batch.items.get().status, batch.items.get().document) == ("finished", "added", document)
    assert batch.finished_at is not None


def test_its_history_begins_with_who_brought_it() -> None:
    batch = an_import({"fever.md": FEVER})
    worked(batch)
    changes: Any = Document.objects.get().history
    assert [each.history_user for each in changes.all()] == [batch.requested_by]


def test_a_stored_name_is_ours_and_a_shown_name_is_one_line(storage: Path) -> None:
    worked(an_import({"..\\..\\evil\n\x00name.MD": FEVER}))
    (path,) = kept(storage)
    assert path.suffix == ".md"
    assert "evil" not in path.name
    assert ImportItem.objects.get().name == "..\\..\\evil  name.MD"
    assert importing.stored_name("x.exe").isalnum()
    assert importing.stored_name("a.JSONL.gz").endswith(".jsonl.gz")


def test_the_same_bytes_under_another_name_are_recognised_and_not_kept_twice(storage: Path) -> None:
    worked(an_import({"fever.md": FEVER}))
    again = an_import({"other.md": FEVER})
    worked(again)
    item = again.items.get()
    assert (item.status, item.reason) == ("known", "This file is here already.")
    assert item.document == Document.objects.get()
    assert len(kept(storage)) == 1


def test_the_same_text_in_another_file_is_recognised(storage: Path) -> None:
    worked(an_import({"fever.md": FEVER}))
    again = an_import({"fever.md": b"\xef\xbb\xbf" + FEVER})
    worked(again)
    assert again.items.get().reason == "The same text is here already, from another file."
    assert Document.objects.count() == 1
    assert len(kept(storage)) == 1


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("retired", "It is retired; a reviewer can publish it again"),
        ("index_failed", "It could not be indexed; its page says why."),
    ],
)
def test_what_is_here_and_not_in_use_says_so(status: str, sentence: str) -> None:
    worked(an_import({"fever.md": FEVER}))
    Document.objects.update(status=status)
    again = an_import({"fever.md": FEVER})
    worked(again)
    assert sentence in again.items.get().reason


def test_a_refused_file_says_why_and_the_others_go_on() -> None:
    batch = an_import({"a.md": FEVER, "empty.txt": b"", "scan.png": b"\x89PNG\r\n", "b.md": BURNS})
    worked(batch)
    assert results(batch) == [("a.md", "added"), ("empty.txt", "refused"), ("scan.png", "refused"), ("b.md", "added")]
    assert "This file is empty." in batch.items.get(name="empty.txt").reason
    assert "This is a picture." in batch.items.get(name="scan.png").reason
    assert Document.objects.count() == 2


def test_what_nobody_expected_becomes_a_refusal_without_a_word_of_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(path: Path, *, name: str) -> Extracted:
        if "bad" in name:
            raise TypeError("Give fluids to Asha")
        return extraction.HERE["markdown"](path, name=name, limits=extraction.Limits())

    monkeypatch.setattr(extraction, "extract", broken)
    batch = an_import({"bad.md": FEVER, "good.md": BURNS})
    worked(batch)
    assert batch.items.get(name="bad.md").reason.startswith("This file could not be read (TypeError).")
    assert Document.objects.get().title == "Burns"
    assert "Asha" not in capsys.readouterr().err


def test_a_full_disk_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *, name: str) -> Extracted:
        raise OSError(errno.ENOSPC, "No space left")

    monkeypatch.setattr(extraction, "extract", full)
    batch = an_import({"fever.md": FEVER})
    worked(batch)
    assert "Free some room on the disk" in batch.items.get().reason


def test_a_file_that_vanished_is_refused(storage: Path) -> None:
    batch = an_import({"fever.md": FEVER})
    kept(storage)[0].unlink()
    worked(batch)
    assert batch.items.get().reason == "The file is no longer where it was. Bring it again."


def test_a_database_that_goes_away_leaves_the_file_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError("gone")

    batch = an_import({"fever.md": FEVER})
    with monkeypatch.context() as broken:
        broken.setattr(import_files, "bring_in", gone)
        with pytest.raises(OperationalError):
            worked(batch)
    item = batch.items.get()
    batch.refresh_from_db()
    assert (item.status, item.attempts, batch.status, batch.heartbeat_at) == ("waiting", 0, "waiting", None)
    assert worked(batch)
    assert batch.items.get().status == "added"


def test_a_file_that_stopped_the_worker_twice_is_left_out() -> None:
    batch = an_import({"bomb.md": FEVER, "b.md": BURNS})
    batch.items.filter(name="bomb.md").update(status="running", attempts=2)
    worked(batch)
    assert results(batch) == [("bomb.md", "refused"), ("b.md", "added")]
    assert "stopped the program 2 times" in batch.items.get(name="bomb.md").reason


def test_flags_of_the_reading_are_said_with_the_result_and_kept_with_the_document() -> None:
    worked(an_import({"fever.md": b"<html><body><h1>Fever</h1><p>Give fluids and let the child rest.</p></body></html>"}))
    item, document = ImportItem.objects.get(), Document.objects.get()
    assert document.flags == ["The file is named like Markdown and is a web page."]
    assert (document.kind, item.reason) == ("html", "The file is named like Markdown and is a web page.")


def test_a_zip_becomes_a_file_each_and_bad_members_are_said(storage: Path) -> None:
    members = {"guides/fever.md": FEVER, "../outside.md": BURNS, "notes/burns.md": BURNS, "scan.png": b"\x89PNG\r\n"}
    batch = an_import({"all.zip": a_zip(members)})
    worked(batch)
    assert results(batch) == [
        ("all.zip", "added"),
        ("all.zip/guides/fever.md", "added"),
        ("all.zip/notes/burns.md", "added"),
        ("all.zip/scan.png", "refused"),
    ]
    item = batch.items.get(name="all.zip")
    assert (item.reason, item.records, item.bad) == ("3 files were taken out of it.", 4, 1)
    assert "points outside the zip" in item.problems[0][1]
    assert {each.file_name for each in Document.objects.all()} == {"fever.md", "burns.md"}
    # The two documents and the picture, which can be tried again; not the zip.
    assert len(kept(storage)) == 3


def test_a_zip_goes_on_behind_the_last_member_that_was_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = an_import({"all.zip": a_zip({"fever.md": FEVER, "burns.md": BURNS})})
    real, calls = importing.add_member, 0

    def stops(*args: Any, **kwargs: Any) -> ImportItem:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    with monkeypatch.context() as stopped:
        stopped.setattr(importing, "add_member", stops)
        with pytest.raises(KeyboardInterrupt):
            worked(batch)
    assert batch.items.count() == 2
    worked(batch)
    assert results(batch) == [("all.zip", "added"), ("all.zip/fever.md", "added"), ("all.zip/burns.md", "added")]


def test_a_zip_without_a_usable_member_is_refused() -> None:
    batch = an_import({"all.zip": a_zip({"../outside.md": FEVER})})
    worked(batch)
    assert "No file could be taken out of this zip" in batch.items.get().reason
    assert len(batch.items.get().problems) == 1


@pytest.mark.usefixtures("fake_embed")
def test_a_new_version_remembers_what_it_supersedes() -> None:
    old = factories.a_document("Fever", "## Care\n\nRest.")
    worked(an_import({"fever.md": FEVER}, supersedes=str(old.pk)))
    assert Document.objects.get(title="Fever in children").supersedes == old


def test_questions_get_the_document_that_was_brought_for_them() -> None:
    asked = [
        UnansweredQuestion.objects.create(text=words, language="en", score=0.2, answer_key=uuid4()) for words in ("one", "two")
    ]
    worked(an_import({"fever.md": FEVER}, answers=(str(asked[0].pk),)))
    assert UnansweredQuestion.objects.get(pk=asked[0].pk).document == Document.objects.get()
    assert UnansweredQuestion.objects.get(pk=asked[1].pk).document is None


def test_a_file_added_to_a_finished_import_opens_it_again() -> None:
    batch = an_import({"fever.md": FEVER})
    worked(batch)
    importing.add_file(batch, name="burns.md", content=ContentFile(BURNS))
    batch.refresh_from_db()
    assert (batch.status, batch.finished_at) == ("waiting", None)
    worked(batch)
    assert results(batch) == [("fever.md", "added"), ("burns.md", "added")]


def test_cancelling_before_anybody_began_ends_it_at_once() -> None:
    batch = an_import({"fever.md": FEVER})
    importing.cancel(batch, now=timezone.now())
    batch.refresh_from_db()
    assert (batch.status, results(batch)) == ("cancelled", [("fever.md", "cancelled")])
    with pytest.raises(importing.NotPossible, match="was cancelled"):
        importing.add_file(batch, name="burns.md", content=ContentFile(BURNS))
    with pytest.raises(importing.NotPossible, match="nothing to cancel"):
        importing.cancel(batch, now=timezone.now())


def test_cancelling_stops_between_two_files_and_what_was_added_stays() -> None:
    batch = an_import({"fever.md": FEVER, "burns.md": BURNS})
    worked(batch, told=lambda item: importing.cancel(batch, now=timezone.now()))
    assert (batch.status, results(batch)) == ("cancelled", [("fever.md", "added"), ("burns.md", "cancelled")])
    assert Document.objects.get().title == "Fever in children"


def test_what_was_refused_or_left_out_is_tried_again() -> None:
    batch = an_import({"empty.txt": b"", "fever.md": FEVER})
    worked(batch)
    with pytest.raises(importing.NotPossible, match="still under way"):
        importing.retry(an_import({"x.md": FEVER}))
    assert importing.retry(batch) == 1
    batch.refresh_from_db()
    assert (batch.status, results(batch)) == ("waiting", [("empty.txt", "waiting"), ("fever.md", "added")])
    worked(batch)
    assert results(batch) == [("empty.txt", "refused"), ("fever.md", "added")]


def test_refused_files_are_forgotten_after_a_week(storage: Path) -> None:
    batch = an_import({"empty.txt": b"", "fever.md": FEVER})
    worked(batch)
    assert importing.forget_files(now=timezone.now()) == 0
    assert importing.forget_files(now=timezone.now() + importing.KEPT) == 1
    assert len(kept(storage)) == 1
    with pytest.raises(importing.NotPossible, match="Upload it again"):
        importing.retry(batch)


def test_a_turn_ends_when_its_time_is_up_and_the_rest_waits() -> None:
    batch = an_import({"fever.md": FEVER, "burns.md": BURNS})
    assert not worked(batch, seconds=-1)
    assert (batch.status, batch.heartbeat_at) == ("waiting", None)
    assert worked(batch)


def test_only_one_process_has_an_import_and_a_silent_one_loses_it() -> None:
    batch, now = an_import({"fever.md": FEVER}), timezone.now()
    claim = import_claims.take(batch.pk, now=now)
    assert claim is not None
    claim.unlock()
    number = int.from_bytes(batch.pk.bytes[-8:], signed=True)
    with psycopg.connect(database_url()) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [number])
        assert import_claims.take(batch.pk, now=now + import_claims.STALLED_AFTER) is None
        later = import_claims.take(batch.pk, now=now + import_claims.STALLED_AFTER * 2)
    assert later is not None
    with pytest.raises(import_claims.Lost):
        claim.beat(now=now)
    with pytest.raises(import_claims.Lost):
        claim.check()
    assert not import_runs.run(claim)
    assert Document.objects.count() == 0
    assert import_runs.run(later)


def test_the_lock_of_a_dead_process_frees_its_import_at_once() -> None:
    batch, now = an_import({"fever.md": FEVER}), timezone.now()
    Import.objects.filter(pk=batch.pk).update(status="running", heartbeat_at=now)
    claim = import_claims.take(batch.pk, now=now)
    assert claim is not None
    claim.unlock()


def test_a_finished_import_cannot_be_taken_and_leaves_no_lock() -> None:
    batch = an_import({"empty.txt": b""})
    before = locks()
    worked(batch)
    assert import_claims.take(batch.pk, now=timezone.now()) is None
    assert locks() == before


def locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        found: int = cursor.fetchone()[0]
    return found


def test_progress_counts_and_estimates() -> None:
    batch = an_import({f"{number}.md": FEVER + str(number).encode() for number in range(6)} | {"empty.txt": b""})
    seen: list[import_progress.Progress] = []

    def look(item: ImportItem) -> None:
        seen.append(import_progress.of(Import.objects.get(pk=batch.pk), now=timezone.now()))

    worked(batch, told=look)
    assert [(each.done, each.files) for each in seen] == [(number, 7) for number in range(1, 8)]
    assert seen[0].left is None
    assert seen[3].left is not None
    assert not seen[-1].is_over
    last = import_progress.of(batch, now=timezone.now())
    assert (last.added, last.refused, last.known, last.to_index, last.ready) == (6, 1, 0, 6, 0)
    assert last.rate is not None
    assert last.is_over
    assert not last.is_quiet
