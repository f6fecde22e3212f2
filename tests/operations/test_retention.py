"""What may go and what may never: every instant of the window, whole chains, and the last verified one."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from operations import backups, retention, wal
from operations.models import Backup

NOW = timezone.now()
DAY = timedelta(days=1)


def a_backup(kind: str, days: float, *, parent: Backup | None = None, status: str = "verified") -> Backup:
    at = NOW - days * DAY
    times = {"requested_at": at, "started_at": at, "taken_at": at, "verified_at": at if status == "verified" else None}
    return Backup.objects.create(kind=kind, status=status, parent=parent, **times)


@pytest.mark.django_db
def test_the_full_backup_the_window_rests_on_stays_and_the_one_before_it_goes() -> None:
    oldest = a_backup("full", 45)
    part_of_oldest = a_backup("incremental", 44, parent=oldest)
    resting = a_backup("full", 38)
    a_backup("incremental", 20, parent=resting)
    a_backup("full", 3)
    assert set(retention.may_go(now=NOW)) == {oldest, part_of_oldest}


@pytest.mark.django_db
def test_a_chain_that_somebody_needs_stays_whole() -> None:
    full = a_backup("full", 50)
    middle = a_backup("incremental", 40, parent=full)
    a_backup("incremental", 10, parent=middle)
    a_backup("full", 35)
    assert retention.may_go(now=NOW) == []


@pytest.mark.django_db
def test_the_last_verified_one_never_goes_however_old() -> None:
    dump, full = a_backup("dump", 400), a_backup("full", 400)
    a_backup("dump", 399, status="taken")
    a_backup("full", 399, status="taken")
    gone = retention.may_go(now=NOW)
    assert dump not in gone
    assert full not in gone


@pytest.mark.django_db
def test_files_go_after_their_row_and_a_kill_between_is_made_good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backups, "folder", lambda: tmp_path)
    monkeypatch.setattr(wal, "folder", lambda: tmp_path / "wal")
    (tmp_path / "wal").mkdir()
    old, new = a_backup("dump", 40), a_backup("dump", 1)
    running = Backup.objects.create(kind="dump", status="running", requested_at=NOW, started_at=NOW)
    for each in (old, new):
        (tmp_path / str(each.pk)).mkdir()
    (tmp_path / f"{running.pk}.tmp").mkdir()
    assert retention.expire(now=NOW) == [old]
    assert {path.name for path in tmp_path.iterdir()} == {"wal", str(new.pk), f"{running.pk}.tmp"}
    (tmp_path / str(old.pk)).mkdir()
    retention.sweep()
    assert not (tmp_path / str(old.pk)).exists()


class AnyHistory(TestCase):
    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(["full", "incremental", "dump"]), st.booleans(), st.integers(1, 4)), max_size=14))
    def test_every_instant_of_the_window_that_could_be_restored_still_can(self, history: list[tuple[str, bool, int]]) -> None:
        Backup.objects.all().delete()
        day, last = 60.0, None
        for kind, verified, gap in history:
            if kind == "incremental" and last is None:
                continue
            parent = last if kind == "incremental" else None
            made = a_backup(kind, day, parent=parent, status="verified" if verified else "taken")
            last = last if kind == "dump" else made
            day -= gap
        could = {each: self.base_at(NOW - each * DAY, set[UUID]()) for each in range(30)}
        gone = {each.pk for each in retention.may_go(now=NOW)}
        for each, base in could.items():
            assert (base is None) == (self.base_at(NOW - each * DAY, gone) is None)

    @staticmethod
    def base_at(instant: datetime, gone: set[UUID]) -> Backup | None:
        rows = Backup.objects.exclude(kind="dump").filter(taken_at__lte=instant).exclude(pk__in=gone).order_by("-taken_at")
        return next((row for row in rows if not any(each.pk in gone for each in backups.chain(row))), None)
