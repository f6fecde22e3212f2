"""The page of the drills: what it says, who may ask for one, and what is behind its plots."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from operations import drill_plot
from operations.models import Backup, Drill, Protection
from tests.factories import staff

pytestmark = pytest.mark.django_db
NOW = timezone.now()
DAY = timedelta(days=1)
ADDRESS = "/admin/operations/drills/"


@pytest.fixture
def asha(client: Client) -> Client:
    """Looks and acts."""
    person = staff("asha")
    person.user_permissions.set(Permission.objects.filter(codename__in=["view_machine", "act_on_machine"]))
    client.force_login(person)
    return client


def a_drill(age: timedelta, *, rto: float = 40, rpo: float = 12, reason: str = "") -> Drill:
    at = NOW - age
    times = {"requested_at": at, "started_at": at, "taken_at": at, "verified_at": at}
    base = Backup.objects.create(kind="full", status="verified", **times)
    status = "failed" if reason else "passed"
    return Drill.objects.create(
        cause="weekly",
        status=status,
        reason=reason,
        step="comparing with what was counted then" if reason else "",
        requested_at=at,
        started_at=at,
        ended_at=at,
        instant=at,
        base=base,
        tables=61,
        rto_seconds=None if reason else rto,
        rpo_seconds=None if reason else rpo,
        materialise_seconds=1.5,
    )


def page(client: Client, part: str = "") -> str:
    answer = client.get(ADDRESS + (f"?part={part}" if part else ""))
    assert answer.status_code == 200
    return answer.content.decode()


def test_before_the_first_drill_it_says_what_comes(asha: Client) -> None:
    said = page(asha)
    assert "No drill was held yet. The first one follows the first verified base backup." in said
    assert "not measured yet" in said
    assert "What can be restored is not known yet" in said


def test_each_drill_says_what_it_took_or_where_it_failed(asha: Client) -> None:
    Protection.objects.create(tier="A", earliest=NOW - 30 * DAY, noted_at=NOW, safe_at=NOW)
    a_drill(2 * DAY, rto=41.3)
    a_drill(DAY, reason="The copy differs: conversations_answer is missing.")
    said = page(asha)
    assert "A database that answers after <strong>41.3 s</strong>; 61 tables are what they were." in said
    assert "While comparing with what was counted then: The copy differs: conversations_answer is missing." in said
    assert "Base backup 1.5 s." in said
    assert "The last drill failed." in said


def test_the_button_leaves_a_row_and_the_page_follows_it(asha: Client) -> None:
    answer = asha.post(reverse("admin:drills_run"), follow=True)
    assert "It begins within a few seconds" in answer.content.decode()
    drill = Drill.objects.get()
    assert (drill.status, drill.cause, drill.requested_by) == ("requested", "person", User.objects.get(username="asha"))
    assert "and waits." in page(asha, "now")
    asha.post(reverse("admin:drills_run"))
    assert Drill.objects.count() == 1
    Drill.objects.update(requested_at=NOW - timedelta(minutes=3))
    assert "The process for backups is busy or does not run" in page(asha, "now")
    Drill.objects.update(status="running", started_at=NOW, step="replaying the log up to the instant")
    assert "A drill is running: replaying the log up to the instant." in page(asha, "now")


def test_who_only_looks_has_no_button_and_asks_in_vain(client: Client) -> None:
    person = staff("dev")
    person.user_permissions.set(Permission.objects.filter(codename="view_machine"))
    client.force_login(person)
    assert "Run a drill now" not in page(client)
    assert client.post(reverse("admin:drills_run")).status_code == 403
    assert client.get(reverse("admin:drills_run")).status_code == 403
    assert not Drill.objects.exists()


def test_a_part_that_has_not_changed_is_not_sent_again(asha: Client) -> None:
    a_drill(DAY)
    first = asha.get(f"{ADDRESS}?part=list")
    assert asha.get(f"{ADDRESS}?part=list", headers={"If-None-Match": first["ETag"]}).status_code == 304
    a_drill(timedelta(hours=1))
    assert asha.get(f"{ADDRESS}?part=list", headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_a_plot_has_its_goal_its_drills_in_order_and_a_table_with_the_same(asha: Client) -> None:
    rows = [a_drill(3 * DAY, rto=30), a_drill(2 * DAY, rto=3000), a_drill(DAY, rto=4000)]
    rto, rpo = drill_plot.plots(rows)
    assert [dot.state for dot in rto.dots] == ["good", "at_risk", "breached"]
    assert [dot.x for dot in rto.dots] == [8, 180, 352]
    assert rto.dots[0].y > rto.dots[1].y > rto.goal_y > rto.dots[2].y >= 0
    assert (rto.latest, rto.state, rto.goal) == ("1 hour", "breached", "must be less than 1 hour")
    assert (rpo.latest, rpo.state) == ("12 seconds", "good")
    said = page(asha)
    assert said.count('<path class="dot') == 6
    assert said.count('<td class="number">12 seconds</td>') == 3


def test_without_a_drill_a_plot_says_nothing() -> None:
    empty, _ = drill_plot.plots([])
    assert (empty.dots, empty.line, empty.state, empty.latest) == ((), "", "unknown", "unknown")
