"""`manage.py import_knowledge`: folders, one result for each file, an exit code that tells, and another go after a stop."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from knowledge import import_claims, import_folders, import_runs, importing
from knowledge.models import Document, Import, ImportItem

FEVER, BURNS = "# Fever in children\n\nGive fluids.\n", "# Burns\n\nCool the burn.\n"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    place = tmp_path / "guidelines"
    (place / "inner").mkdir(parents=True)
    (place / "fever.md").write_text(FEVER)
    (place / "inner" / "burns.md").write_text(BURNS)
    return place


def imported(*arguments: Any, **options: Any) -> str:
    out = StringIO()
    call_command("import_knowledge", *map(str, arguments), stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


@pytest.mark.django_db
def test_a_folder_is_imported_with_its_subfolders_and_said_in_a_line(folder: Path) -> None:
    User.objects.create(username="meera")
    said = imported(folder, "--publisher", "WHO", "--licence", "CC BY", "--topic", "Children", "--by", "meera")
    assert said == "2 documents added, 0 here already, 0 files refused.\n"
    document = Document.objects.get(title="Burns")
    assert (document.publisher, document.licence, document.topic, str(document.uploaded_by)) == (
        "WHO",
        "CC BY",
        "Children",
        "meera",
    )
    assert Path(document.file.path).read_text() == BURNS
    assert (folder / "inner" / "burns.md").exists()
    assert list(ImportItem.objects.values_list("name", flat=True)) == ["guidelines/fever.md", "guidelines/inner/burns.md"]
    assert imported(folder) == "0 documents added, 2 here already, 0 files refused.\n"


def test_hidden_files_and_links_that_lead_out_are_left_out(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.md"
    outside.write_text("secret")
    (folder / ".hidden.md").write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git" / "notes.md").write_text("x")
    (folder / "link.md").symlink_to(outside)
    (folder / "away").symlink_to(tmp_path)
    (folder / "same.md").symlink_to(folder / "fever.md")
    names = [name for name, _ in import_folders.files([folder])]
    assert names == ["guidelines/fever.md", "guidelines/same.md", "guidelines/inner/burns.md"]
    assert [name for name, _ in import_folders.files([folder / "fever.md"])] == ["fever.md"]


@pytest.mark.django_db
def test_refused_files_are_listed_with_their_reasons_and_the_exit_code_says_so(folder: Path) -> None:
    (folder / "empty.txt").touch()
    with pytest.raises(CommandError, match=r"guidelines/empty.txt: This file is empty") as problem:
        imported(folder)
    assert problem.value.returncode == 1
    assert Document.objects.count() == 2


@pytest.mark.django_db
def test_the_result_as_json(folder: Path) -> None:
    (folder / "empty.txt").touch()
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("import_knowledge", str(folder), "--json", stdout=out)
    result = json.loads(out.getvalue())
    figures = {name: result[name] for name in ("status", "files", "added", "known", "refused", "bad", "to_index")}
    assert figures == {"status": "finished", "files": 3, "added": 2, "known": 0, "refused": 1, "bad": 0, "to_index": 2}
    assert result["reasons"][0]["file"] == "guidelines/empty.txt"


@pytest.mark.django_db
def test_what_cannot_begin_says_why_and_imports_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    for arguments, words in (
        ((tmp_path / "nowhere",), "There is no "),
        ((folder, "--by", "nobody"), "There is no account named nobody"),
        ((tmp_path / "bare",), "No file was found there"),
    ):
        with pytest.raises(CommandError, match=words):
            imported(*arguments)
    assert not Document.objects.exists()
    assert set(Import.objects.values_list("status", flat=True)) == {"failed"}


@pytest.mark.django_db
def test_a_stop_leaves_an_import_that_the_same_command_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = import_runs._one

    def interrupted(item: ImportItem, *args: Any) -> None:
        if item.position == 1:
            raise KeyboardInterrupt
        real(item, *args)

    with monkeypatch.context() as stopped:
        stopped.setattr(import_runs, "_one", interrupted)
        with pytest.raises(SystemExit) as ended:
            imported(folder)
    assert ended.value.code == 130
    batch = Import.objects.get()
    assert (batch.status, batch.heartbeat_at) == ("waiting", None)
    (folder / "later.md").write_text("# Later\n\nIt came in between.\n")
    assert imported(folder).startswith("3 documents added")
    assert Import.objects.get().items.filter(status="added").count() == 3


@pytest.mark.django_db
def test_paths_that_another_process_imports_are_left_to_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_claims, "take", lambda key, now: None)
    with pytest.raises(CommandError, match="being imported by another process right now"):
        imported(folder)


@pytest.mark.django_db
def test_an_import_that_was_cancelled_in_the_console_ends_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = import_runs._one

    def cancelled(item: ImportItem, *args: Any) -> None:
        real(item, *args)
        importing.cancel(item.batch, now=timezone.now())

    monkeypatch.setattr(import_runs, "_one", cancelled)
    with pytest.raises(CommandError, match="What was added stays"):
        imported(folder)
    assert (Document.objects.count(), Import.objects.get().status) == (1, "cancelled")


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_the_command_indexes_too_and_leaves_the_sentences_of_records_for_later(folder: Path) -> None:
    (folder / "faq.csv").write_text("topic,question,answer\nColds,What helps?,Rest and drink.\n")
    result = json.loads(imported(folder, "--index", "--json"))
    assert (result["added"], result["to_index"]) == (3, 0)
    assert set(Document.objects.values_list("status", flat=True)) == {"in_review"}
    record, file = Document.objects.get(title="Colds"), Document.objects.get(title="Burns")
    assert bytes(record.chunks.get().sentence_vectors) == b""
    assert bytes(file.chunks.get().sentence_vectors) != b""


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_terminal_sees_progress(folder: Path) -> None:
    out = Terminal()
    call_command("import_knowledge", str(folder), "--index", stdout=out)
    assert "1 of 2 files, 1 documents added" in out.getvalue()
    assert "2 of 2 documents indexed" in out.getvalue()


@pytest.mark.django_db
def test_a_named_importer_and_a_limit_reach_the_records(tmp_path: Path, settings: Settings) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    table = tmp_path / "faq.csv"
    table.write_text("topic,question,answer\n" + "".join(f"T{n},Q{n}?,Answer {n}.\n" for n in range(9)))
    imported(table, "--importer", "qa", "--limit", 4)
    assert Document.objects.filter(key__startswith="qa:").count() == 4


@pytest.mark.django_db
def test_an_audience_of_the_command_is_kept_in_lower_case(folder: Path) -> None:
    imported(folder, "--audience", " Staff")
    assert set(Document.objects.values_list("audience", flat=True)) == {"staff"}
