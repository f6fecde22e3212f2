"""Writes wait for the received log while its receiver follows, and for nobody once it does not: on the real server."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone

from jeevo.embedded_host import password
from operations import databases, detection, postgres, protection, recovery_state, synchronous, wal
from operations.detectors import copies
from operations.models import Heartbeat, Incident, Protection
from operations.operator import Operator
from operations.preflight import replication
from operations.synchronous import Arming, Guard, Standing
from tests.fixtures import ChangeEnvironment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_backups", "released")]
NOW = timezone.now()


@pytest.fixture
def released(own_backups: None) -> Iterator[None]:
    """Whatever a test did, the next one waits for nobody."""
    yield
    synchronous.release()


def waits() -> bool:
    with synchronous.connect() as one:
        return synchronous.ask(one).waits


def until(check: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.05)


def arm() -> None:
    arming = Arming()

    def looked() -> bool:
        arming.look(now=time.monotonic())
        return waits()

    until(looked, seconds=20)
    arming.close()


class Writer(threading.Thread):
    """One commit, and how long it took."""

    def __init__(self, name: str = "written") -> None:
        super().__init__()
        self.group, self.seconds = name, 0.0

    def run(self) -> None:
        began = time.monotonic()
        Group.objects.create(name=self.group)
        self.seconds = time.monotonic() - began
        connection.close()


def test_a_write_that_nobody_receives_is_freed_in_five_seconds_and_that_is_told() -> None:
    with wal.received():
        arm()
        assert protection.note(timezone.now()).waits
        Group.objects.create(name="received")
    assert waits(), "a receiver that is away for a moment changes nothing"
    writer = Writer()
    with synchronous.guarded():
        writer.start()
        time.sleep(1)
        assert writer.is_alive(), "it waits"
        # What the process that starts the receiver again writes does not.
        Operator().beat()
        assert Heartbeat.objects.filter(name="operator").exists()
        writer.join(60)
        assert not writer.is_alive()
        assert writer.seconds > 3
        until(lambda: Protection.objects.filter(fell_back_at__isnull=False).exists(), seconds=5)
    assert not waits()
    detector = next(each for each in detection.ALL if each.name == "log_not_synchronous")
    detection.look(detector, timezone.now())
    incident = Incident.objects.get()
    assert (incident.severity, incident.runbook) == (2, "docs/runbooks/log-receiver.md")
    Protection.objects.update(tier="A")
    state = recovery_state.look(now=timezone.now())
    assert "have not waited for the received log since" in state.waiting
    assert any("what is acknowledged now could be lost" in each.said for each in state.judged)
    with wal.received():
        arming = Arming()
        # Not at once, so that one that comes and goes frees nobody again and again.
        for second in range(8):
            arming.look(now=100.0 + second)
            time.sleep(0.1)
        assert not waits()
        later = itertools.count(100 + int(synchronous.STEADY_SECONDS))

        def armed() -> bool:
            arming.look(now=float(next(later)))
            return waits()

        until(armed, seconds=30)
        arming.close()
    assert copies.not_synchronous(timezone.now()) == []


@pytest.mark.matrix
def test_a_receiver_that_is_frozen_is_as_good_as_away() -> None:
    with wal.received() as receiver, synchronous.guarded():
        arm()
        os.kill(receiver.pid, signal.SIGSTOP)
        try:
            writer = Writer()
            writer.start()
            writer.join(10)
            assert not writer.is_alive()
            assert 3 < writer.seconds < 6.5
        finally:
            os.kill(receiver.pid, signal.SIGCONT)


@pytest.mark.matrix
def test_a_receiver_that_is_killed_is_started_again_and_waited_for_again() -> None:
    operator = Operator()
    receiving = threading.Thread(target=operator._until_stopped, args=(operator.receive,))
    receiving.start()
    try:
        until(waits, seconds=20)
        with synchronous.guarded():
            os.kill(receiver_pid(), signal.SIGKILL)
            writer = Writer()
            writer.start()
            # It had run for a few seconds only, so the pause after a failure is kept: freed, and soon waited for again.
            writer.join(12)
            assert not writer.is_alive()
            until(waits, seconds=40)
        Group.objects.create(name="received again")
    finally:
        operator.stopping.set()
        receiving.join(20)
    assert not waits(), "a clean stop leaves nobody waiting"


def receiver_pid() -> int:
    for each in psutil.process_iter(["cmdline"]):
        words = " ".join(each.info["cmdline"] or [])
        if "pg_receivewal" in words and str(wal.folder()) in words:
            return int(each.pid)
    raise AssertionError("there is no receiver")


def test_a_clean_stop_leaves_nobody_waiting() -> None:
    operator = Operator()
    receiving = threading.Thread(target=operator._until_stopped, args=(operator.receive,))
    receiving.start()
    try:
        until(waits, seconds=20)
    finally:
        operator.stopping.set()
        receiving.join(20)
    assert not waits()


def test_where_it_is_switched_off_nobody_waits(environment: ChangeEnvironment) -> None:
    with wal.received():
        arm()
        environment(synchronous_replication=False)
        arming = Arming()
        arming.look(now=0)
        assert not waits()
        for second in range(5):
            arming.look(now=float(second))
        assert not waits()
        arming.close()
    assert [line.state for line in replication.lines()] == ["good"]
    Protection.objects.update_or_create(name="service", defaults={"tier": "A", "fell_back_at": NOW})
    assert copies.not_synchronous(NOW) == []
    assert "SYNCHRONOUS_REPLICATION is off" in recovery_state.look(now=NOW).waiting


def as_superuser(*statements: str) -> None:
    live = postgres.live()
    secret = password(Path(os.environ["JEEVO_KEYS_DIR"]), "postgres_password")
    with psycopg.connect(
        host=live.host, port=live.port, user="postgres", password=secret, dbname=databases.MAINTENANCE, autocommit=True
    ) as one:
        for each in statements:
            one.execute(each)


def test_a_server_of_ones_own_is_told_by_a_setting_that_its_superuser_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "is_own", lambda: False)
    (line,) = replication.lines()
    assert (line.state, "GRANT ALTER SYSTEM ON PARAMETER" in line.remedy) == ("at_risk", True)
    with wal.received():
        arming = Arming()
        for second in range(20):
            arming.look(now=float(second))
            time.sleep(0.05)
        assert not waits(), "it is left alone"
        try:
            as_superuser(
                "GRANT ALTER SYSTEM ON PARAMETER synchronous_standby_names TO jeevo",
                "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO jeevo",
            )
            arm()
            assert [line.said for line in replication.lines()] == ["Every write waits until the received log has it."]
            synchronous.release()
            assert not waits()
        finally:
            as_superuser(
                "ALTER SYSTEM RESET synchronous_standby_names",
                "SELECT pg_reload_conf()",
                "REVOKE ALTER SYSTEM ON PARAMETER synchronous_standby_names FROM jeevo",
                "REVOKE EXECUTE ON FUNCTION pg_reload_conf() FROM jeevo",
            )
            arming.close()


class Told:
    """A server that says what a test lets it say, and hears what it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, said: Standing) -> None:
        self.said, self.heard = said, list[bool]()
        monkeypatch.setattr(synchronous, "ask", lambda one, mark=None: self.said)
        monkeypatch.setattr(synchronous, "switch", self._switch)

    def _switch(self, one: object, *, on: bool) -> bool:
        self.heard.append(on)
        return True


AWAY = Standing(wal.SLOT, "0/3000028", False, False)


def test_a_guard_that_stood_still_itself_looks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    server, guard = Told(monkeypatch, AWAY), Guard()
    guard.look(now=100.0)
    guard.look(now=160.0)
    assert server.heard == []
    for half in range(20):
        guard.look(now=160.5 + half / 2)
    assert server.heard[:1] == [False]
    guard.close()


def test_a_receiver_that_passes_each_mark_is_never_away_and_standbys_of_others_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, guard, arming = Told(monkeypatch, replace(AWAY, active=True, passed=True)), Guard(), Arming()
    for second in range(60):
        guard.look(now=float(second))
    server.said = replace(AWAY, names="a_standby_of_ours")
    for second in range(60, 90):
        guard.look(now=float(second))
        arming.look(now=float(second))
    assert server.heard == []
    assert Protection.objects.filter(fell_back_at__isnull=False).count() == 0
    (line,) = replication.lines()
    assert line.said == "Writes wait for standbys of your own; Jeevo leaves that as it is."
    guard.close()
    arming.close()


def test_what_a_page_says_is_as_old_as_the_last_look() -> None:
    row = Protection(tier="A", waits=True, noted_at=NOW)
    assert recovery_state.waiting_said(row, now=NOW).startswith("Every write waits")
    assert "Preflight" in recovery_state.waiting_said(row, now=NOW + timedelta(minutes=2))
    assert recovery_state.waiting_said(Protection(tier="C"), now=NOW) == ""
