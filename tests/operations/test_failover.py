"""A standby is built from the archive, follows, and takes its primary's place when that one is gone, and not before."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from conversations.models import OutboundMessage
from operations import checkpoints, failover, first_backup, standby_server, standbys, wal
from operations.models import Standby
from operations.standby_folder import Folder
from tests import factories
from tests.operations import standby_world as world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_backups")]


@pytest.fixture
def folder() -> Iterator[Folder]:
    with world.folder() as found:
        yield found


def manage(*arguments: str) -> str:
    out = io.StringIO()
    call_command("standby", *arguments, stdout=out)
    return out.getvalue()


def under_way(now: datetime) -> tuple[OutboundMessage, OutboundMessage, OutboundMessage]:
    """When the primary dies: an ordinary message, an emergency reply, and one that is two hours old."""
    asha = factories.a_contact()
    plain = factories.an_outbound(asha, status="queued", created_at=now)
    urgent = factories.an_outbound(asha, status="sending", urgent=True, created_at=now)
    old = factories.an_outbound(asha, status="uncertain", urgent=True, created_at=now - timedelta(hours=2))
    checkpoints.take(now)
    return plain, urgent, old


def test_it_follows_from_the_archive_and_takes_the_place_of_a_primary_that_is_gone(folder: Folder, tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("JEEVO_MODE=live\nDATABASE_URL=postgresql://old/jeevo\nREDIS_URL=redis://x\n")
    with wal.received(), world.way() as way:
        world.verified()
        Group.objects.create(name="in the log alone")
        world.caught_up()
        said = world.built(folder, through=way)
        assert any("Unpacking the base backup" in line for line in said)
        Group.objects.create(name="written since")
        world.until(lambda: world.groups(folder) == {"in the log alone", "written since"}, what="the row to arrive")
        # Both sides say so.
        assert json.loads(manage("status", "--into", str(folder.path), "--json"))[0]["following"] is True
        standbys.note(timezone.now())
        seen = json.loads(manage("status", "--json"))[0]
        assert (seen["following"], seen["slot"], seen["behind_seconds"] < 3) == (True, "reserved", True)
        plain, urgent, old = under_way(timezone.now())
        # While the primary answers, nothing is changed.
        arguments = ("promote", "--into", str(folder.path), "--at-its-address", "--write-env", str(dotenv))
        with pytest.raises(CommandError, match="answers and takes writes"):
            manage(*arguments)
        assert standby_server.standing(folder, folder.facts()).in_recovery
        refused_at = timezone.now().isoformat()
        world.until(lambda: _level(), what="the standby to have it all")
        way.cut()
        world.until(lambda: not standby_server.standing(folder, folder.facts()).follows, what="the standby to notice")
        Group.objects.create(name="received and not streamed")
        world.caught_up()
        told = manage(*arguments)
    assert "no server listens" in told
    assert "It is replayed first." in told
    assert "1 emergency reply goes out again" in told
    assert "2 messages were held back" in told
    assert folder.failover()["began"] > refused_at, "the time of a refusal is not counted"
    assert all(title in told for title in failover.TITLES.values())
    assert "the guide allows 35 minutes" in told
    # Everything is there, under the address that was written down, with the password of before.
    address = next(line for line in dotenv.read_text().splitlines() if line.startswith("DATABASE_URL=")).partition("=")[2]
    assert dotenv.read_text().startswith("JEEVO_MODE=live\n")
    assert str(connection.settings_dict["PASSWORD"]) not in told
    with world.by_address(address) as one:
        one.execute("INSERT INTO auth_group (name) VALUES ('after the failover')")
        found = dict(one.execute("SELECT id, status FROM conversations_outboundmessage").fetchall())
        row = one.execute("SELECT promoted_at IS NOT NULL, failover FROM operations_standby").fetchone()
    assert found == {plain.pk: "failed", urgent.pk: "queued", old.pk: "failed"}
    assert row is not None
    assert row[0] is True
    assert set(row[1]["steps"]) == {"assess", "activate", "verify", "route"}
    assert all(each["good"] for each in row[1]["checks"]), row[1]["checks"]
    assert world.groups(folder) == {
        *("in the log alone", "written since"),
        *("received and not streamed", "after the failover"),
    }
    assert first_backup.is_owed()
    assert "was promoted" in manage("status", "--into", str(folder.path))
    with pytest.raises(CommandError, match="promoted already"):
        manage(*arguments)
    # The old server is as it was, and forgets the one that follows it no more.
    assert OutboundMessage.objects.get(pk=plain.pk).status == "queued"
    assert Standby.objects.get().promoted_at is None


def _level() -> bool:
    standbys.note(timezone.now())
    (seen,) = standbys.look(now=timezone.now())
    return seen.behind == timedelta(0)


@pytest.mark.matrix
def test_an_older_copy_of_the_last_piece_does_not_undo_what_was_streamed(folder: Folder) -> None:
    with world.way() as way:
        with wal.received():
            world.verified()
            world.caught_up()
            world.built(folder, through=way)
        # The receiver is away, and what it has of the piece that is being written grows old.
        Group.objects.bulk_create(Group(name=f"streamed {number}") for number in range(2000))
        world.until(_level, what="the standby to have it all")
        assert [each for each in wal.segments() if each.partial]
        way.cut()
        world.until(lambda: not standby_server.standing(folder, folder.facts()).follows, what="the standby to notice")
        told = manage("promote", "--into", str(folder.path), "--at-its-address")
    assert "replayed first" not in told
    assert len(world.groups(folder)) == 2000
