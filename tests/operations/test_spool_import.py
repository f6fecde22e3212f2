"""Reading in what was written down: with its times, by whom, once, and nothing lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User

from operations import absence, detection, due, incidents, spool, spool_import
from operations.models import Incident, Notice, OnCallContact, TimelineEntry
from operations.spool import Known
from tests import factories
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _folder(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(data=tmp_path)


@pytest.fixture
def meera() -> User:
    user = factories.staff("meera")
    user.user_permissions.add(Permission.objects.get(codename="run_incident"))
    return user


def put(what: str = spool.DECLARE, at: datetime = NOW, **values: object) -> spool.Step:
    usual = {"title": "Nothing works", "by": "meera"} if what == spool.DECLARE else {"by": "meera"}
    made = spool.new_step(what, now=at, **usual | values)
    spool.write(made)
    return made


def places() -> dict[str, int]:
    return {name: len(list((spool.folder() / name).glob("*"))) for name in ("imported", "unreadable")}


def test_an_incident_comes_in_with_its_times_and_whoever_declared_it(meera: User) -> None:
    made = put(severity=1, details="Since nine.")
    assert spool_import.look(NOW + HOUR) == 1
    incident = Incident.objects.get(pk=made.key)
    assert (incident.declared_at, incident.detected_at, incident.declared_by) == (NOW, NOW, meera)
    assert (incident.severity, incident.source, incident.details) == (1, "file", "Since nine.")
    assert incident.timers.get(kind="acknowledge").due_at == NOW + 5 * MINUTE
    assert "while the database was away, read in at 10:00 UTC" in incident.timeline.get(kind="note").text
    assert (spool.waiting(), places()) == ([], {"imported": 1, "unreadable": 0})


def test_updates_follow_their_incident_by_reference_and_by_number(meera: User) -> None:
    known, _ = incidents.declare("Known before", severity=2, now=NOW - HOUR)
    made = put()
    put(spool.UPDATE, NOW + MINUTE, of=str(made.key), text="Power is back.")
    put(spool.UPDATE, NOW + 2 * MINUTE, of=str(known.number), text="So is this.")
    assert spool_import.look(NOW + HOUR) == 3
    said = TimelineEntry.objects.filter(kind="update").order_by("at").values_list("incident", "text", "at", "by")
    assert list(said) == [
        (made.key, "Power is back.", NOW + MINUTE, meera.pk),
        (known.pk, "So is this.", NOW + 2 * MINUTE, meera.pk),
    ]


def test_a_crash_between_reading_in_and_moving_away_doubles_nothing(meera: User) -> None:
    made = put()
    put(spool.UPDATE, NOW + MINUTE, of=str(made.key), text="Power is back.")
    copies = {path: path.read_bytes() for path in spool.waiting()}
    spool_import.look(NOW + HOUR)
    before = TimelineEntry.objects.count()
    for path, content in copies.items():
        path.write_bytes(content)
    assert spool_import.look(NOW + 2 * HOUR) == 2
    assert (Incident.objects.count(), TimelineEntry.objects.count()) == (1, before)


@pytest.mark.parametrize("name", ["nobody", "gone", "reader"])
def test_a_name_that_may_not_do_it_stays_a_name_and_the_incident_is_not_lost(name: str) -> None:
    User.objects.create(username="gone", is_active=False, is_superuser=True)
    factories.staff("reader")
    made = put(by=name)
    put(spool.UPDATE, NOW + MINUTE, of=str(made.key), text="Power is back.", by=name)
    spool_import.look(NOW + HOUR)
    incident = Incident.objects.get()
    assert incident.declared_by is None
    notes = list(incident.timeline.filter(kind="note").values_list("text", flat=True))
    assert f"Written by {name}." in notes[0]
    assert f"Declared by {name}." in notes[1]


def test_what_cannot_be_read_is_put_aside_and_the_rest_is_read(meera: User) -> None:
    (spool.folder() / "0.jsonl").write_text("{ half a st")
    put(spool.UPDATE, of="4711", text="Of what?")
    put()
    assert spool_import.look(NOW + HOUR) == 1
    assert places() == {"imported": 1, "unreadable": 2}


def test_a_file_from_the_future_happened_now(meera: User) -> None:
    put(at=NOW + 24 * HOUR)
    spool_import.look(NOW)
    assert Incident.objects.get().declared_at == NOW


def test_an_update_older_than_the_last_one_is_a_note_and_moves_no_timer(meera: User) -> None:
    known, _ = incidents.declare("Known before", severity=2, now=NOW - HOUR)
    incidents.update(known, "Newer.", by=meera, now=NOW + 10 * MINUTE)
    put(spool.UPDATE, NOW, of=str(known.number), text="Older.")
    spool_import.look(NOW + HOUR)
    known.refresh_from_db()
    assert known.last_update_at == NOW + 10 * MINUTE
    assert known.timeline.get(text="Older.").kind == "note"


def test_an_incident_of_the_watcher_clears_once_the_database_is_back() -> None:
    OnCallContact.objects.create(position=1, name="First", email="first@example.org")
    detector = next(each for each in detection.ALL if each.name == absence.KIND)
    put(kind=absence.KIND, title=absence.TITLE, severity=1, by="")
    put(kind=absence.KIND, title=absence.TITLE, severity=1, by="")
    spool_import.look(NOW + 20 * MINUTE)
    for minutes in (20, 21, 26):
        detection.look(detector, NOW + minutes * MINUTE)
    assert Incident.objects.get().state == "monitoring"
    due.look(NOW + 27 * MINUTE)
    assert not Notice.objects.exists()


def test_the_copy_of_the_contacts_follows_the_rows() -> None:
    OnCallContact.objects.create(position=2, name="Ravi", email="ravi@example.org", webhook="https://pager.example/2")
    OnCallContact.objects.create(position=1, name="Meera", email="meera@example.org")
    OnCallContact.objects.create(position=3, name="Pager", webhook="https://pager.example/3")
    assert spool_import.keep_contacts(NOW)
    assert spool.kept_contacts() == [Known("Meera", "meera@example.org"), Known("Ravi", "ravi@example.org")]
    assert not spool_import.keep_contacts(NOW)
    OnCallContact.objects.filter(name="Meera").update(active=False)
    assert spool_import.keep_contacts(NOW)
