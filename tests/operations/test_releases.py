"""Releases: which one runs, what came before, and the way back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from operations import preparation, releases
from operations.models import Release
from tests.fixtures import ChangeEnvironment
from tests.operations.lookers import table

NOW = timezone.now()
COMMIT, OTHER = "ab" * 20, "cd" * 20


def a_repository(root: Path, head: str = "ref: refs/heads/main") -> Path:
    (root / ".git" / "refs" / "heads").mkdir(parents=True)
    (root / ".git" / "HEAD").write_text(head + "\n")
    return root / ".git"


def test_the_commit_of_a_branch_is_read_from_its_file(tmp_path: Path) -> None:
    (a_repository(tmp_path) / "refs" / "heads" / "main").write_text(COMMIT + "\n")
    assert releases.commit(tmp_path) == COMMIT


def test_the_commit_of_a_packed_branch_is_read_from_the_list(tmp_path: Path) -> None:
    packed = f"# pack-refs with: peeled\n{OTHER} refs/heads/old-main\n{COMMIT} refs/heads/main\n"
    (a_repository(tmp_path) / "packed-refs").write_text(packed)
    assert releases.commit(tmp_path) == COMMIT


def test_a_commit_that_is_checked_out_itself_is_read_from_head(tmp_path: Path) -> None:
    a_repository(tmp_path, COMMIT)
    assert releases.commit(tmp_path) == COMMIT


def test_a_worktree_finds_its_branch_in_the_folder_that_is_shared(tmp_path: Path) -> None:
    shared = a_repository(tmp_path / "main")
    (shared / "refs" / "heads" / "side").write_text(COMMIT)
    (shared / "worktrees" / "side").mkdir(parents=True)
    (shared / "worktrees" / "side" / "HEAD").write_text("ref: refs/heads/side\n")
    (shared / "worktrees" / "side" / "commondir").write_text("../..\n")
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / ".git").write_text(f"gitdir: {shared / 'worktrees' / 'side'}\n")
    assert releases.commit(tmp_path / "side") == COMMIT


@pytest.mark.parametrize("head", ["", "ref: refs/heads/unborn", "not a commit"])
def test_without_a_commit_there_is_none(head: str, tmp_path: Path) -> None:
    assert releases.commit(tmp_path) == ""
    a_repository(tmp_path, head)
    assert releases.commit(tmp_path) == ""


@pytest.mark.django_db
def test_a_release_is_written_down_once_and_again_when_it_changed(environment: ChangeEnvironment) -> None:
    environment(release="jeevo:1")
    assert releases.note(now=NOW) is not None
    assert releases.note(now=NOW + timedelta(hours=1)) is None
    environment(release="jeevo:2")
    releases.note(now=NOW + timedelta(hours=2))
    environment(release="jeevo:1")
    releases.note(now=NOW + timedelta(hours=3))
    assert list(Release.objects.values_list("release", flat=True)) == ["jeevo:1", "jeevo:2", "jeevo:1"]
    assert set(Release.objects.first().migrations) == set(releases.OURS)  # type: ignore[union-attr]


@pytest.mark.django_db
def test_preparing_writes_it_down(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(release="jeevo:7", keys=tmp_path / "keys", serve_starter_content=False)
    preparation.prepare(say=lambda line: None)
    preparation.prepare(say=lambda line: None)
    assert Release.objects.get().release == "jeevo:7"


def two(*, older: dict[str, str], newer: dict[str, str]) -> None:
    for number, migrations in ((1, older), (2, newer)):
        Release.objects.create(
            version=f"0.{number}",
            release=f"jeevo:{number}",
            commit=OTHER,
            migrations=migrations,
            first_seen=NOW - timedelta(days=3 - number),
        )


@pytest.mark.django_db
def test_the_page_names_what_runs_and_since_when(environment: ChangeEnvironment) -> None:
    environment(release="jeevo:2")
    two(older={"knowledge": "0001_initial"}, newer={"knowledge": "0001_initial"})
    found = releases.look(NOW)
    assert (found.answer, found.state) == ("jeevo:2 runs, for 1 day", "good")
    assert [row[0] for row in table(found, "Releases seen here, latest first")] == ["jeevo:2", "jeevo:1"]


@pytest.mark.django_db
def test_without_a_change_of_the_tables_going_back_is_safe() -> None:
    two(older={"knowledge": "0001_initial"}, newer={"knowledge": "0001_initial"})
    back = next(each for each in releases.look(NOW).tables if each.title == "How to go back")
    assert "safe at any time" in back.note
    assert not any("migrate" in str(row) for row in back.rows)
    assert any("jeevo:1" in str(row) for row in back.rows)


@pytest.mark.django_db
def test_with_a_change_the_tables_go_back_first_and_new_ones_stay() -> None:
    two(
        older={"knowledge": "0001_initial", "conversations": "0002_rules"},
        newer={"knowledge": "0003_vectors", "conversations": "0003_answer", "operations": "0002_incidents"},
    )
    found = releases.look(NOW)
    back = next(each for each in found.tables if each.title == "How to go back")
    words = str(back.rows)
    assert "manage.py migrate conversations 0002_rules, then manage.py migrate knowledge 0001_initial" in words
    assert "migrate operations" not in words
    assert "migrate back first" in back.note
    changes = table(found, "Releases seen here, latest first")[0][4]
    assert changes == "knowledge 0001 to 0003, conversations 0002 to 0003, operations none to 0002"


@pytest.mark.django_db
def test_a_change_that_was_not_applied_is_a_breach() -> None:
    MigrationRecorder(connection).record_unapplied("operations", "0006_samples")
    found = releases.look(NOW)
    assert found.state == "breached"
    assert found.said == ("1 change of the tables is not applied: run manage.py prepare.",)


@pytest.mark.django_db
def test_a_new_installation_says_that_nothing_is_known_yet() -> None:
    found = releases.look(NOW)
    assert table(found, "Releases seen here, latest first") == []
    assert next(each for each in found.tables if each.title == "How to go back").empty == "No earlier release is known here."
