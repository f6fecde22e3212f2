"""What a failover looks at: a primary that may be there after all, a log that goes further, differences, a file of settings."""

from __future__ import annotations

import io
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.utils import timezone

from operations import failover_checks, failover_route, postgres, standby_folder, standby_server, wal
from operations.failover_checks import Verdict
from operations.failover_route import NotRouted, Route
from operations.models import Checkpoint
from operations.standby_folder import Facts, Folder
from tests.factories import NOW
from tests.fixtures import ChangeEnvironment
from tests.operations import standby_world as world

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder() -> Iterator[Folder]:
    with world.folder() as found:
        yield found


def facts(port: int, **fields: object) -> Facts:
    given = {"host": "127.0.0.1", "port": str(port), "user": "jeevo"}
    usual = {"name": "one", "slot": "jeevo_standby_one", "system": "7", "major": 18, "port": 5433, "listen": "127.0.0.1"}
    rest = {"superuser": "postgres", "database": "jeevo", "connection": given, "created_at": NOW.isoformat()}
    return Facts(**{**usual, **rest, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ('connection to server at "10.0.0.4", port 5432 failed: Connection refused', Verdict.STOPPED),
        ("connection failed: connection timeout expired", Verdict.UNKNOWN),
        ('connection to server at "10.0.0.4", port 5432 failed: No route to host', Verdict.UNKNOWN),
        ('could not translate host name "db" to address', Verdict.UNKNOWN),
        ("FATAL:  the database system is starting up", Verdict.ANSWERS),
        ("FATAL:  password authentication failed for user", Verdict.ANSWERS),
        ("FATAL:  sorry, too many clients already", Verdict.ANSWERS),
        ("server closed the connection unexpectedly", Verdict.ANSWERS),
        ("failed: Connection refused\nconnection timeout expired", Verdict.UNKNOWN),
        ("something that nobody has seen before", Verdict.ANSWERS),
    ],
)
def test_only_a_primary_that_refuses_every_connection_is_taken_for_stopped(error: str, verdict: Verdict) -> None:
    assert failover_checks._judged(error).verdict is verdict


def test_one_that_takes_connections_and_says_nothing_may_come_back(folder: Folder, silent_port: int) -> None:
    known = facts(silent_port)
    folder.make()
    folder.write(folder.passfile, standby_folder.pass_line(known.connection, "x"))
    began = time.monotonic()
    assert failover_checks.primary(folder, known).verdict is Verdict.UNKNOWN
    assert time.monotonic() - began < 10


def test_one_that_is_refused_is_asked_again_because_it_may_be_restarting(folder: Folder) -> None:
    known, paused = facts(world.free_port()), list[float]()
    folder.make()
    folder.write(folder.passfile, standby_folder.pass_line(known.connection, "x"))
    assert failover_checks.primary(folder, known, pause=paused.append).verdict is Verdict.STOPPED
    assert paused == [1.5, 1.5]


def test_the_new_address_is_written_and_the_file_of_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# a comment\nexport DATABASE_URL = postgresql://old\nREDIS_URL=redis://x\n# DATABASE_URL=example\n")
    path.chmod(0o640)
    kept = failover_route.write(
        path, {"DATABASE_URL": "postgresql://jeevo:a%5C1@10.0.0.5/jeevo"}, now=datetime(2026, 3, 1, tzinfo=UTC)
    )
    assert path.read_text().splitlines() == [
        "# a comment",
        "DATABASE_URL=postgresql://jeevo:a%5C1@10.0.0.5/jeevo",
        "REDIS_URL=redis://x",
        "# DATABASE_URL=example",
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (kept.name, stat.S_IMODE(kept.stat().st_mode)) == (".env.before-20260301000000", 0o600)
    assert "postgresql://old" in kept.read_text()
    path.write_text("REDIS_URL=redis://x")
    failover_route.write(path, {"DATABASE_URL": "y"}, now=NOW)
    assert path.read_text() == "REDIS_URL=redis://x\nDATABASE_URL=y\n"


def test_an_address_keeps_what_ours_says_of_encryption(environment: ChangeEnvironment) -> None:
    environment(database_url="postgresql://jeevo:x@old:5432/jeevo?sslmode=require")
    assert failover_route.url(facts(1), "a/b", host="10.0.0.5") == "postgresql://jeevo:a%2Fb@10.0.0.5:5433/jeevo?sslmode=require"
    environment(database_url=None)
    assert failover_route.url(facts(1), "x", host="fd00::5") == "postgresql://jeevo:x@[fd00::5]:5433/jeevo"


def test_a_server_that_is_kept_running_is_not_replaced(folder: Folder, tmp_path: Path) -> None:
    folder.make("postgres")
    # The server of these tests runs as the one that Jeevo runs itself.
    with pytest.raises(NotRouted, match="still runs here"):
        failover_route.check(Route(embedded=True), folder)
    with pytest.raises(NotRouted, match="is not there"):
        failover_route.check(Route(embedded=False, dotenv=tmp_path / "nothing"), folder)


@pytest.mark.matrix
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_backups")
def test_a_promotion_that_stops_before_people_are_routed_is_gone_on_with(folder: Folder) -> None:
    def promote(*more: str) -> str:
        out = io.StringIO()
        call_command("standby", "promote", "--into", str(folder.path), "--at-its-address", *more, stdout=out)
        return out.getvalue()

    Group.objects.bulk_create(Group(name=f"group {number}") for number in range(50))
    world.built(folder, fresh=True)
    Checkpoint.objects.create(at=timezone.now(), tables={"auth_group": {"rows": 90}, "django_site": {"rows": 1}})
    world.until(lambda: standby_server.standing(folder, folder.facts()).behind_bytes == 0, what="the standby to have it all")
    time.sleep(0.5)
    with pytest.raises(CommandError, match="primary-is-fenced"):
        promote()
    with pytest.raises(CommandError, match="--accept-differences"):
        promote("--primary-is-fenced")
    assert not standby_server.standing(folder, folder.facts()).in_recovery
    checks = folder.failover()["checks"]
    assert "auth_group has 50 rows in place of 90" in checks[0]["said"]
    # Somebody works with it already, and the second time leaves that alone.
    received = wal.folder() / "000000020000000000000009"
    received.touch()
    told = promote("--accept-differences")
    assert "It was activated before" in told
    assert "NOT GOOD" in told
    assert received.exists()
    assert folder.failover()["ended"] is True
    assert postgres.works_in(folder.cluster)
