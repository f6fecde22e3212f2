"""The pages of backups: the answer first, what may be asked for and by whom, and nothing that deletes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from operations import backup_schedule, backups, preparation, restorable, roles
from operations.models import Backup, Heartbeat, Protection
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import person

pytestmark = pytest.mark.django_db
LIST, TAKE = reverse("admin:operations_backup_changelist"), reverse("admin:operations_backup_take")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _own_folder(environment: ChangeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(second_factor="off")
    monkeypatch.setattr(backups, "folder", lambda: tmp_path / "backups")
    preparation.make_roles()


@pytest.fixture
def asha() -> User:
    return person("asha", roles.OPERATOR)


@pytest.fixture
def operator(client: Client, asha: User) -> Client:
    client.force_login(asha)
    return client


def a_backup(kind: str = "full", status: str = "verified", *, age: timedelta = HOUR, **fields: Any) -> Backup:
    at = timezone.now() - age
    times = {"requested_at": at, "started_at": at}
    times |= {"taken_at": at} if status in ("taken", "verified") else {}
    times |= {"verified_at": at} if status == "verified" else {}
    return Backup.objects.create(kind=kind, status=status, **(times | fields))


def page(client: Client, address: str = LIST) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_before_the_first_backup_it_says_how_to_begin(operator: Client) -> None:
    said = page(operator)
    assert "Nothing can be restored yet" in said
    assert "The first one is made five minutes after the start" in said
    assert "process is not at work" in said
    for kind in ("full", "incremental", "dump"):
        assert f'value="{kind}"' in said
    assert "delete" not in said.lower()


def test_the_answer_says_how_much_would_be_lost_and_when_the_next_runs_are(operator: Client) -> None:
    Heartbeat.objects.create(name="operator", at=timezone.now(), every_seconds=2)
    backup_schedule.ensure()
    backup = a_backup(age=2 * HOUR)
    Backup.objects.filter(pk=backup.pk).update(bytes=3 * 1024 * 1024)
    said = page(operator)
    # Nothing receives the log here, so what was written since the backup began is in danger.
    assert "2 hours of work would be lost now" in said
    assert "Breached" in said
    assert "not at work" not in said
    assert "Daily backup" in said
    assert "02:00 UTC" in said
    assert "3.0" in said


def test_a_server_that_sends_no_log_says_that_only_dumps_exist_and_why(operator: Client) -> None:
    Protection.objects.create(tier="C", reasons=["Our account may not read the log."])
    a_backup("dump", age=timedelta(minutes=4))
    said = page(operator)
    assert "Only dumps exist: 4 minutes of work would be lost now" in said
    assert "Our account may not read the log." in said
    assert 'value="full"' not in said


def test_who_may_take_one_asks_for_it_once_and_is_recorded(operator: Client, asha: User) -> None:
    for _ in range(2):
        assert operator.post(TAKE, {"kind": "dump"}, follow=True).status_code == 200
    asked = Backup.objects.get()
    assert (asked.kind, asked.status, asked.requested_by) == ("dump", "requested", asha)
    assert LogEntry.objects.get().change_message == "Asked for."
    assert operator.post(TAKE, {"kind": "everything"}).status_code == 403


def test_who_only_looks_sees_no_button_and_takes_none(client: Client) -> None:
    waiting = a_backup(status="requested")
    client.force_login(person("ravi", roles.INCIDENT_STAFF))
    assert "Dump now" not in page(client)
    assert client.post(TAKE, {"kind": "dump"}).status_code == 403
    assert client.post(reverse("admin:operations_backup_cancel", args=[waiting.pk])).status_code == 403
    waiting.refresh_from_db()
    assert waiting.status == "requested"


def test_one_that_waits_is_cancelled_at_once_and_one_that_runs_is_told_to_stop(operator: Client, asha: User) -> None:
    waiting, running = a_backup("dump", "requested"), a_backup(status="running")
    for each in (waiting, running):
        operator.post(reverse("admin:operations_backup_cancel", args=[each.pk]))
        each.refresh_from_db()
    assert (waiting.status, running.status) == ("cancelled", "running")
    assert running.cancelled_by == asha
    assert "stopping, because it was cancelled" in page(operator)


def test_one_that_runs_shows_its_step_its_rate_and_how_long_it_may_take(operator: Client) -> None:
    a_backup(age=24 * HOUR, manifest={"files": [{"plain_bytes": 4_000_000}]})
    a_backup(status="running", age=timedelta(seconds=10), done_bytes=1_000_000, step="copying the server's files")
    said = page(operator, reverse("admin:operations_backup_now"))
    assert "copying the server&#x27;s files" in said
    assert 'value="25"' in said
    assert "a second, about" in said


def test_a_part_that_looks_the_same_is_not_sent_again(operator: Client) -> None:
    backup = a_backup(status="running")
    address = reverse("admin:operations_backup_change", args=[backup.pk]) + "?part=state"
    first = operator.get(address)
    assert operator.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 304
    Backup.objects.filter(pk=backup.pk).update(step="another step")
    assert operator.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_a_failed_one_says_why_and_what_to_do(operator: Client) -> None:
    backup = a_backup(status="failed", reason="The disk has 3 MB free.")
    assert "The disk has 3 MB free." in page(operator)
    said = page(operator, reverse("admin:operations_backup_change", args=[backup.pk]))
    assert "It failed" in said
    assert "Put right what it says, then take a new one" in said


def test_the_page_of_one_shows_what_it_rests_on_its_files_and_what_the_restored_copy_held(operator: Client) -> None:
    full = a_backup(age=30 * HOUR)
    manifest = {
        "server": "18.1",
        "tools": "18.1",
        "sealed_with": "age1abc",
        "migrations": {"knowledge": "0012"},
        "files": [{"name": "base.tar.age", "bytes": 2048, "sha256": "ab" * 32}],
    }
    verification = {"tables": {"knowledge_document": {"rows": 123}}, "seconds": 2.5}
    later = a_backup("incremental", parent=full, manifest=manifest, verification=verification)
    said = page(operator, reverse("admin:operations_backup_change", args=[later.pk]))
    assert reverse("admin:operations_backup_change", args=[full.pk]) in said
    for word in ("It was restored and is good", "base.tar.age", "ab" * 32, "age1abc", "knowledge_document", "123"):
        assert word in said
    below = page(operator, reverse("admin:operations_backup_change", args=[full.pk]))
    assert "These build on it" in below


def test_the_console_shows_what_would_be_lost_as_a_tile(operator: Client) -> None:
    a_backup(age=3 * HOUR)
    assert "Would be lost now" in page(operator, reverse("admin:index"))
    now = timezone.now()
    found = restorable.measure(now=now)
    assert (found.state, restorable.in_words(found.lost)) == ("breached", "3 hours")
    Protection.objects.create(tier="A", noted_at=now, safe_at=now)
    found = restorable.measure(now=now)
    assert (found.state, restorable.in_words(found.lost)) == ("good", "1 second")


def test_a_new_service_is_not_called_bad_before_its_first_backup() -> None:
    born = MigrationRecorder.Migration.objects.earliest("applied").applied
    assert restorable.measure(now=born + timedelta(minutes=29)).state == "unknown"
    assert restorable.measure(now=born + timedelta(days=400)).state == "breached"
