"""`manage.py incident`: every step by hand, who may, and what it does while the database is away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.utils import timezone

from jeevo.environment import ROOT
from operations import incidents, spool, spool_import
from operations.models import Incident
from tests import factories
from tests.fixtures import ChangeEnvironment


def run(*words: str) -> str:
    out = StringIO()
    call_command("incident", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def meera(db: None) -> User:
    user = factories.staff("meera")
    user.user_permissions.add(Permission.objects.get(codename="run_incident"))
    return user


@pytest.mark.usefixtures("meera")
def test_an_incident_from_declaration_to_resolution() -> None:
    said = run("declare", "Answers are late", "--severity", "1", "--as", "meera")
    number = Incident.objects.get().number
    assert said == f"INC-{number} is open, severity 1. Whoever is on call is told.\n"
    assert run("ack", f"INC-{number}", "--as", "meera") == f"meera has INC-{number}.\n"
    said = run("update", str(number), "The queue moves.", "--as", "meera", "--affected", "about 10 %")
    assert said == f"Said on INC-{number}. The next update is due in 15 minutes.\n"
    listed = run("list")
    assert f"INC-{number}  severity 1  Investigating  Answers are late" in listed
    assert "meera has it" in listed
    said = run("resolve", str(number), "Workers started again.", "--as", "meera")
    assert said == f"INC-{number} is resolved. It needs a postmortem before it is closed.\n"
    assert run("list") == "No incident is open.\n"
    assert f"INC-{number}" in run("list", "--all")
    by = set(Incident.objects.get().timeline.values_list("by__username", flat=True))
    assert by == {"meera"}


@pytest.mark.usefixtures("meera")
def test_one_is_shown_with_what_is_due_and_what_happened() -> None:
    incident, _ = incidents.declare(
        "Answers are late", severity=2, now=timezone.now() - timedelta(minutes=8, seconds=30), details="Since noon."
    )
    shown = run("show", str(incident.number))
    assert shown.startswith(f"INC-{incident.number}  Answers are late\n\nSeverity:       2 High\nState:          Triage\n")
    assert "  Acknowledge: overdue for 3 minutes\n" in shown
    assert "  Settle the severity: 1 minute left\n" in shown
    assert "  Jeevo  Declared; Answers are late\n" in shown.replace("; : - -> 2 High", "")
    facts = json.loads(run("show", str(incident.number), "--json"))
    assert (facts["number"], facts["severity"], facts["acknowledged_by"]) == (incident.number, 2, None)
    assert set(facts["due"]) == {"acknowledge", "severity", "commander", "mitigation", "update"}


@pytest.mark.usefixtures("meera")
def test_every_step_prints_json_when_asked() -> None:
    number = json.loads(run("declare", "Late", "--as", "meera", "--json"))["number"]
    states = [
        json.loads(run(*words, "--as", "meera", "--json"))["state"]
        for words in (("ack", str(number)), ("update", str(number), "Looking."), ("resolve", str(number)))
    ]
    assert states == ["investigating", "investigating", "resolved"]
    assert json.loads(run("list", "--json")) == []


@pytest.mark.usefixtures("meera")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("declare", "  ", "--as", "meera"), "Say in a few words what is wrong"),
        (("declare", "Late", "--severity", "5", "--as", "meera"), "invalid choice: 5"),
        (("ack", "4711", "--as", "meera"), "There is no incident 4711"),
        (("ack", "soon", "--as", "meera"), "There is no incident soon"),
        (("ack", "99999999999999999999", "--as", "meera"), "There is no incident 9999"),
        (("declare", "Late", "--as", "nobody"), "There is no active account nobody"),
        (("declare", "Late", "--as", "gone"), "There is no active account gone"),
        (("declare", "Late", "--as", "reader"), "The account reader may not run incidents"),
        (("declare", "Late"), "Say who you are with --as USERNAME"),
        ((), "the following arguments are required: step"),
    ],
)
def test_what_cannot_be_done_is_said(words: tuple[str, ...], said: str) -> None:
    factories.staff("reader")
    User.objects.create(username="gone", is_superuser=True, is_active=False)
    with pytest.raises(CommandError, match=said):
        run(*words)
    assert not Incident.objects.exists()


@pytest.mark.usefixtures("meera")
def test_a_second_acknowledgement_is_told_who_was_first() -> None:
    number = incidents.declare("Late", severity=2, now=timezone.now())[0].number
    run("ack", str(number), "--as", "meera")
    with pytest.raises(CommandError, match="meera acknowledged it already"):
        run("ack", str(number), "--as", "meera")


@pytest.mark.django_db
def test_where_there_is_one_account_it_need_not_be_named() -> None:
    User.objects.create(username="admin", is_superuser=True)
    run("declare", "Late")
    assert Incident.objects.get().declared_by_id == User.objects.get().pk


# Without a database.


def away(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, whose database takes no connection."""
    given = {
        "DATABASE_URL": "postgres://jeevo:secret@127.0.0.1:1/jeevo",
        "REDIS_URL": "redis://127.0.0.1:1",
        "JEEVO_DATA_DIR": str(folder / "data"),
        "JEEVO_KEYS_DIR": str(folder / "keys"),
    }
    command = [sys.executable, "manage.py", "incident", *words]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | given | variables, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_the_database_it_is_written_down_and_read_in_later(
    tmp_path: Path, environment: ChangeEnvironment, meera: User
) -> None:
    done = away(tmp_path, "declare", "Nothing works", "--severity", "1", "--as", "meera")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "The database does not answer."
    assert lines[1].startswith(f"Written down in {tmp_path}/data/spool/incidents/")
    assert lines[2].startswith("Nobody was told: no contact on call")
    reference = lines[3].split()[6]
    assert away(tmp_path, "update", reference, "The power is out.", "--as", "meera").returncode == 0
    environment(data=tmp_path / "data")
    assert [each.what for each in spool.steps()] == ["declare", "update"]
    spool_import.look(timezone.now())
    incident = Incident.objects.get()
    assert (incident.title, incident.severity, incident.source, incident.declared_by) == ("Nothing works", 1, "file", meera)
    assert incident.timeline.get(kind="update").text == "The power is out."
    # The reference that was printed still finds it.
    assert "Nothing works" in run("show", reference)


def test_without_the_database_json_says_what_was_done(tmp_path: Path) -> None:
    done = away(tmp_path, "declare", "Nothing works", "--as", "meera", "--json")
    said: dict[str, Any] = json.loads(done.stdout)
    assert Path(said["written_to"]).exists()
    assert (said["told"], len(said["reference"])) == ([], 8)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ack", "12", "--as", "meera"), "`declare` and `update` work without it"),
        (("list",), "`declare` and `update` work without it"),
        (("declare", "Nothing works"), "say who you are with --as USERNAME"),
        (("update", "FFFFFFFF", "What?", "--as", "meera"), "There is no incident FFFFFFFF"),
    ],
)
def test_without_the_database_the_other_steps_say_so(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = away(tmp_path, *words)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
