"""Connections: who is there, who is stuck, who holds whom up, and that only the very one that was looked at is ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from operations import database_connections
from operations.database_connections import Connection, NotEnded
from tests import factories
from tests.fixtures import database_url
from tests.operations.lookers import a_person, another, table
from tests.stack import eventually

pytestmark = pytest.mark.django_db(transaction=True)
IDLE = "Idle in a transaction, longest first"


@pytest.fixture
def asha() -> User:
    return a_person("asha", "view_machine", "act_on_machine")


@pytest.fixture
def stuck() -> Iterator[psycopg.Connection]:
    """A worker that left its transaction open."""
    with another("worker-answers") as connection:
        connection.execute("SELECT 'my chest hurts'")
        yield connection


def found(pid: int) -> Connection:
    return next(each for each in database_connections.everyone() if each.pid == pid)


def is_alive(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def test_a_calm_database_says_how_many_of_the_limit_are_used() -> None:
    finding = database_connections.look(timezone.now())
    used, limit = dict(finding.facts)["In use"].split(" of ")
    assert finding.state == "good"
    assert finding.answer == f"{used} of {limit} connections are in use, none is stuck"
    assert (0 < int(used) < int(limit), limit) == (True, "100")


def test_an_open_transaction_is_shown_without_its_values(stuck: psycopg.Connection) -> None:
    (row,) = table(database_connections.look(timezone.now()), IDLE)
    assert (row[0], row[1], row[3], row[4]) == ("worker-answers", str(stuck.info.backend_pid), "SELECT $1", "End")


def test_after_an_hour_it_is_stuck_and_ending_it_is_the_first_button(stuck: psycopg.Connection) -> None:
    now = timezone.now()
    assert not [step for step in database_connections.look(now).steps if step.main]
    later = database_connections.look(now + timedelta(hours=1, minutes=1))
    assert (later.answer, later.state) == ("1 connection is stuck in a transaction", "breached")
    assert later.steps[0].main
    assert later.steps[0].text == "End worker-answers, stuck for 1 hour"
    assert f"/{stuck.info.backend_pid}/end/" in later.steps[0].href


def _held_up() -> list[list[str]]:
    return table(database_connections.look(timezone.now()), "Who holds whom up")


def test_who_waits_is_shown_with_who_holds_it_up() -> None:
    factories.a_contact()
    with another("worker-answers") as holder, another("dispatcher") as waiting:
        holder.execute("SELECT id FROM conversations_contact FOR UPDATE")
        thread = threading.Thread(target=lambda: waiting.execute("SELECT id FROM conversations_contact FOR UPDATE"))
        thread.start()
        eventually(_held_up, seconds=20, what="a connection that waits")
        finding = database_connections.look(timezone.now())
        (row,) = table(finding, "Who holds whom up")
        assert row[0] == f"dispatcher ({waiting.info.backend_pid})"
        assert row[2] == f"worker-answers ({holder.info.backend_pid}, idle in transaction)"
        assert finding.answer == "Something holds a transaction open"
        later = database_connections.look(timezone.now() + timedelta(minutes=2))
        assert (later.answer, later.state) == ("1 connection waits for another", "breached")
        holder.rollback()
        thread.join(5)


def test_connections_are_counted_by_process(stuck: psycopg.Connection) -> None:
    rows = {row[0]: row[1:] for row in table(database_connections.look(timezone.now()), "By process")}
    assert rows["worker-answers"] == ["0", "0", "1", "1"]


def test_ending_rolls_back_and_is_written_down(asha: User) -> None:
    with another("worker-answers") as worker:
        worker.execute("DELETE FROM conversations_contact")
        meant = found(worker.info.backend_pid)
        ended = database_connections.end(meant.pid, meant.began, typed="worker-answers", by=asha, now=timezone.now())
        assert ended.pid == meant.pid
        assert not is_alive(worker)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr) == (asha, f"Database connection {meant.pid} of worker-answers")
    assert entry.change_message.startswith("Ended: idle in transaction for")


@pytest.mark.parametrize("typed", ["", "worker", "dispatcher"])
def test_the_name_of_the_process_has_to_be_typed(typed: str, stuck: psycopg.Connection, asha: User) -> None:
    meant = found(stuck.info.backend_pid)
    with pytest.raises(NotEnded, match="Type worker-answers"):
        database_connections.end(meant.pid, meant.began, typed=typed, by=asha, now=timezone.now())
    assert is_alive(stuck)
    assert not LogEntry.objects.exists()


def test_a_number_that_was_used_again_is_not_hit(stuck: psycopg.Connection, asha: User) -> None:
    meant = found(stuck.info.backend_pid)
    with pytest.raises(NotEnded, match="already ended"):
        database_connections.end(meant.pid, meant.began - timedelta(seconds=1), typed=meant.process, by=asha, now=timezone.now())
    assert is_alive(stuck)


def test_our_own_connection_cannot_be_ended(asha: User) -> None:
    own = next(each for each in database_connections.everyone() if each.own)
    with pytest.raises(NotEnded, match="already ended"):
        database_connections.end(own.pid, own.began, typed=own.process, by=asha, now=timezone.now())
    assert User.objects.exists()


def test_no_connection_of_another_database_is_listed_or_ended(asha: User) -> None:
    with psycopg.connect(elsewhere()) as other:
        pid = other.info.backend_pid
        assert pid not in {each.pid for each in database_connections.everyone()}
        with psycopg.connect(elsewhere()) as reader:
            row = reader.execute("SELECT backend_start FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
        assert row is not None
        with pytest.raises(NotEnded):
            database_connections.end(pid, row[0], typed="worker-answers", by=asha, now=timezone.now())
        assert is_alive(other)


def elsewhere() -> str:
    """Another database of the same server."""
    return database_url().rpartition("/")[0] + "/postgres?application_name=worker-answers"


def address(each: Connection) -> str:
    return reverse("admin:troubleshooting_end", args=[each.pid])


def test_the_page_says_what_will_happen_and_ends_it_after_the_name_is_typed(
    client: Client, stuck: psycopg.Connection, asha: User
) -> None:
    client.force_login(asha)
    meant = found(stuck.info.backend_pid)
    page = client.get(address(meant), {"began": meant.mark}).content.decode()
    assert "rolled back" in page
    assert "its answer is tried again" in page
    wrong = client.post(address(meant), {"began": meant.mark, "typed": "something"})
    assert (wrong.status_code, is_alive(stuck)) == (422, True)
    done = client.post(address(meant), {"began": meant.mark, "typed": "worker-answers"}, follow=True)
    assert f"The connection {meant.pid} of worker-answers was ended." in done.content.decode()
    assert not is_alive(stuck)


def test_the_links_of_the_list_lead_to_that_page(client: Client, stuck: psycopg.Connection, asha: User) -> None:
    client.force_login(asha)
    finding = client.get(reverse("admin:troubleshooting_connections")).context["finding"]
    link = next(each for each in finding.tables if each.title == IDLE).rows[0][-1]
    assert client.get(link.href).status_code == 200


@pytest.mark.parametrize("began", ["", "yesterday", "2026-13-45T00:00:00", "2020-01-01T00:00:00+00:00"])
def test_an_address_that_means_nobody_ends_nobody(began: str, client: Client, stuck: psycopg.Connection, asha: User) -> None:
    client.force_login(asha)
    reply = client.post(address(found(stuck.info.backend_pid)), {"began": began, "typed": "worker-answers"}, follow=True)
    assert "Nothing was done." in reply.content.decode()
    assert is_alive(stuck)


def test_who_may_only_look_cannot_end_anything(client: Client, stuck: psycopg.Connection) -> None:
    client.force_login(a_person("ravi", "view_machine"))
    meant = found(stuck.info.backend_pid)
    assert client.post(address(meant), {"began": meant.mark, "typed": "worker-answers"}).status_code == 403
    assert "/end/" not in client.get(reverse("admin:troubleshooting_connections")).content.decode()
    assert is_alive(stuck)
