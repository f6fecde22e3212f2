"""What is due: every boundary to the second, dates that are odd, clocks that jump, watchers that were away, storms."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from operations import due, incidents, timers
from operations.models import Delivery, Heartbeat, Incident, Notice, OnCallContact, TimelineEntry, Timer
from operations.watcher import NAME
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LENGTHS = {"acknowledge": 5, "severity": 10, "commander": 15, "mitigation": 20, "update": 15}
ODD_TIMES = [
    pytest.param(datetime(2026, 3, 29, 0, 58, tzinfo=ZoneInfo("Europe/London")), id="clocks go forward"),
    pytest.param(datetime(2026, 10, 25, 1, 58, tzinfo=ZoneInfo("Europe/London")), id="clocks go back"),
    pytest.param(datetime(2026, 10, 25, 1, 58, fold=1, tzinfo=ZoneInfo("Europe/London")), id="the hour that comes twice"),
    pytest.param(datetime(2028, 2, 28, 23, 58, tzinfo=UTC), id="before a leap day"),
    pytest.param(datetime(2028, 2, 29, 23, 58, tzinfo=UTC), id="the end of a leap day"),
    pytest.param(datetime(2026, 4, 30, 23, 58, tzinfo=UTC), id="the end of a month"),
    pytest.param(datetime(2026, 12, 31, 23, 58, tzinfo=UTC), id="the end of a year"),
    pytest.param(datetime(2026, 3, 1, 2, 28, tzinfo=ZoneInfo("Asia/Kolkata")), id="half an hour off"),
]


@pytest.fixture
def meera() -> User:
    user = factories.staff("meera")
    user.email = "meera@example.org"
    user.save()
    return user


@pytest.fixture
def on_call() -> list[OnCallContact]:
    return [
        OnCallContact.objects.create(position=number, name=name, email=f"{name.lower()}@example.org")
        for number, name in enumerate(("First", "Second", "Third"), 1)
    ]


def declared(at: datetime = NOW, **fields: object) -> Incident:
    values = {"severity": 2, "now": at} | fields
    return incidents.declare("Answers are late", **values)[0]  # type: ignore[arg-type]


def a_storm(number: int) -> None:
    last = Incident.objects.latest("number").number
    rows = [
        Incident(number=last + each, title="Late", severity=3, impact_started_at=NOW, detected_at=NOW, declared_at=NOW)
        for each in range(1, number + 1)
    ]
    Incident.objects.bulk_create(rows)
    Timer.objects.bulk_create(
        Timer(incident=row, kind=kind, started_at=NOW, due_at=NOW + length * MINUTE)
        for row in rows
        for kind, length in LENGTHS.items()
    )


def only(incident: Incident, kind: str, *, now: datetime) -> None:
    """Leave this timer alone to run, on an incident that somebody has."""
    if kind == "acknowledge":
        timers.running(incident).exclude(kind=kind).update(dropped_at=now)
        return
    by = User.objects.get_or_create(username="meera", email="meera@example.org")[0]
    incidents.acknowledge(incident, by=by, now=now)
    timers.running(incident).exclude(kind=kind).update(dropped_at=now)


def said(kind: str = "due") -> list[tuple[str, str]]:
    return list(TimelineEntry.objects.filter(kind=kind).order_by("at", "id").values_list("field", "new"))


def told(notice: Notice) -> list[str]:
    return sorted(notice.deliveries.values_list("recipient", flat=True))


def notices() -> Iterator[tuple[str, list[str]]]:
    for notice in Notice.objects.order_by("created_at", "id"):
        yield notice.event, told(notice)


@pytest.mark.parametrize("kind", LENGTHS)
def test_every_timer_is_said_on_its_second_and_once(kind: str, on_call: list[OnCallContact]) -> None:
    incident = declared()
    only(incident, kind, now=NOW)
    length = LENGTHS[kind] * MINUTE
    for at, so_far in (
        (0.8 * length - SECOND, []),
        (0.8 * length, [(kind, "at risk")]),
        (0.8 * length + SECOND, [(kind, "at risk")]),
        (length - SECOND, [(kind, "at risk")]),
        (length, [(kind, "at risk"), (kind, "breached")]),
        (length + SECOND, [(kind, "at risk"), (kind, "breached")]),
    ):
        due.look(NOW + at)
        assert said() == so_far, at
    timer = incident.timers.get(kind=kind)
    assert (timer.warned_at, timer.breached_at) == (NOW + 0.8 * length, NOW + length)


@pytest.mark.parametrize("start", ODD_TIMES)
def test_odd_dates_and_time_zones_move_no_timer(start: datetime, on_call: list[OnCallContact]) -> None:
    at = start.astimezone(UTC)
    incident = declared(at=start)
    only(incident, "severity", now=at)
    for seconds, number in ((479, 0), (480, 1), (599, 1), (600, 2), (601, 2)):
        # In the zone it was declared in: what the clock on the wall says there does not matter.
        due.look((at + seconds * SECOND).astimezone(start.tzinfo))
        assert len(said()) == number, seconds


def test_what_is_met_in_its_last_second_is_not_said(meera: User) -> None:
    incident = declared()
    only(incident, "severity", now=NOW)
    due.look(NOW + 8 * MINUTE)
    incidents.set_severity(incident, 2, by=meera, now=NOW + 10 * MINUTE - SECOND)
    due.look(NOW + 10 * MINUTE)
    assert said() == [("severity", "at risk")]


def test_the_contacts_are_told_one_after_the_other_until_somebody_has_it(on_call: list[OnCallContact], meera: User) -> None:
    incident = declared()
    timers.running(incident).exclude(kind="acknowledge").update(dropped_at=NOW)
    for seconds in (0, 1, 299, 300, 301, 599, 600):
        due.look(NOW + seconds * SECOND)
    assert [who for event, who in notices() if event == "escalated"] == [["First"], ["Second"], ["Third"]]
    assert [new for _, new in said("escalated")] == ["First", "Second", "Third"]
    incidents.acknowledge(incident, by=meera, now=NOW + 11 * MINUTE)
    before = Notice.objects.count()
    due.look(NOW + 16 * MINUTE)
    assert Notice.objects.count() == before


def test_after_the_last_contact_all_are_told_at_a_slower_pace(on_call: list[OnCallContact]) -> None:
    incident = declared()
    timers.running(incident).exclude(kind="acknowledge").update(dropped_at=NOW)
    for minute in range(76):
        due.look(NOW + minute * MINUTE)
    told_at = incident.timeline.filter(kind="escalated", new="First, Second, Third").values_list("at", flat=True)
    assert [(at - NOW) // MINUTE for at in told_at] == [15, 45, 75]


def test_whoever_has_it_is_reminded_and_not_the_contacts(on_call: list[OnCallContact], meera: User) -> None:
    incident = declared()
    due.look(NOW)
    incidents.acknowledge(incident, by=meera, now=NOW + MINUTE)
    due.look(NOW + 8 * MINUTE)
    assert list(notices()) == [("escalated", ["First"]), ("due", ["meera"])]
    assert "Settle the severity: 2 minutes left." in Notice.objects.latest("id").body


def test_an_update_is_asked_for_again_after_each_until_it_is_over(meera: User) -> None:
    incident = declared()
    only(incident, "update", now=NOW)
    for number in range(3):
        due.look(NOW + number * 14 * MINUTE + 12 * MINUTE)
        incidents.update(incident, "Still looking.", by=meera, now=NOW + (number + 1) * 14 * MINUTE)
    assert said() == 3 * [("update", "at risk")]
    incidents.move(incident, "resolved", by=meera, now=NOW + 43 * MINUTE)
    due.look(NOW + 5 * HOUR)
    assert len(said()) == 3


def test_an_acknowledgement_lapses_on_the_second_of_two_intervals(on_call: list[OnCallContact], meera: User) -> None:
    incident = declared()
    incidents.acknowledge(incident, by=meera, now=NOW + MINUTE)
    incidents.update(incident, "Looking.", by=meera, now=NOW + 10 * MINUTE)
    due.look(NOW + 40 * MINUTE - SECOND)
    assert Incident.objects.get().acknowledged_by == meera
    due.look(NOW + 40 * MINUTE)
    assert Incident.objects.get().acknowledged_by is None
    latest = Notice.objects.latest("id")
    assert (latest.event, told(latest)) == ("escalated", ["First"])
    assert "meera had it and has said nothing for two intervals" in latest.body
    due.look(NOW + 45 * MINUTE)
    assert told(Notice.objects.latest("id")) == ["Second"]


def test_a_watcher_back_after_three_hours_says_once_what_came_due(on_call: list[OnCallContact], meera: User) -> None:
    first, second = declared(), declared(at=NOW + 10 * MINUTE)
    third = incidents.acknowledge(declared(), by=meera, now=NOW)
    due.look(NOW)
    Heartbeat.objects.create(name=NAME, at=NOW, every_seconds=5)
    Delivery.objects.all().delete()
    Notice.objects.all().delete()
    due.look(NOW + 3 * HOUR)
    notice = Notice.objects.get()
    assert (notice.event, told(notice)) == ("back", ["First", "Second", "Third"])
    assert notice.subject == "The watcher was away for 3 hours: 3 incidents need a look"
    assert sorted(notice.facts["incidents"]) == [first.number, second.number, third.number]
    assert notice.body.count("Name a commander: overdue") == 3
    # A timer whose warning came and went meanwhile is breached, and was never "at risk".
    assert {new for _, new in said() if new} == {"breached"}
    Heartbeat.objects.update(at=NOW + 3 * HOUR)
    due.look(NOW + 3 * HOUR + 5 * SECOND)
    assert Notice.objects.count() == 1


@pytest.mark.parametrize(("minutes", "event"), [(10, "escalated"), (10.1, "back")])
def test_ten_minutes_of_silence_are_away(minutes: float, event: str, on_call: list[OnCallContact]) -> None:
    Heartbeat.objects.create(name=NAME, at=NOW - minutes * MINUTE, every_seconds=5)
    declared()
    due.look(NOW)
    assert Notice.objects.get().event == event


def test_a_clock_that_jumps_ahead_says_each_thing_once_and_in_one_notice(on_call: list[OnCallContact]) -> None:
    for _ in range(8):
        declared()
    due.look(NOW)
    assert [event for event, _ in notices()] == ["due"]
    due.look(NOW + 30 * 24 * HOUR)
    assert Notice.objects.count() == 2
    assert len(said()) == 8 * 5
    # And when it is put right again, nothing is said a second time.
    due.look(NOW + SECOND)
    due.look(NOW + 6 * MINUTE)
    assert Notice.objects.count() == 2


def test_a_clock_that_is_put_back_loses_nothing(on_call: list[OnCallContact], meera: User) -> None:
    """Declared while the clock was three hours ahead: without a remedy nobody would hear of it for three hours."""
    ahead = NOW + 3 * HOUR
    incident, other = declared(at=ahead), declared(at=ahead)
    due.look(ahead)
    incidents.acknowledge(other, by=meera, now=ahead)
    due.look(NOW)
    assert {timer.started_at for timer in timers.running(incident)} == {NOW}
    assert timers.running(incident).get(kind="acknowledge").due_at == NOW + 5 * MINUTE
    before = Notice.objects.count()
    due.look(NOW + 5 * MINUTE)
    assert told(Notice.objects.latest("id")) == ["Second"]
    assert Notice.objects.count() == before + 1
    due.look(NOW + 30 * MINUTE)
    other.refresh_from_db()
    assert other.acknowledged_by is None


def test_a_few_seconds_back_change_no_timer(on_call: list[OnCallContact]) -> None:
    incident = declared()
    due.look(NOW - 20 * SECOND)
    assert {timer.started_at for timer in timers.running(incident)} == {NOW}
    assert not Notice.objects.exists()
    due.look(NOW)
    assert Notice.objects.count() == 1


def test_where_signals_have_ended_nobody_is_woken(on_call: list[OnCallContact]) -> None:
    incident = declared(kind="stuck_messages")
    due.look(NOW)
    incidents.move(incident, "monitoring", by=None, now=NOW + MINUTE)
    due.look(NOW + HOUR)
    assert Notice.objects.count() == 1
    assert ("update", "breached") in said()
    # Seen again, it is told from the first contact on.
    declared(kind="stuck_messages", at=NOW + 2 * HOUR)
    due.look(NOW + 2 * HOUR)
    assert told(Notice.objects.latest("id")) == ["First"]


def test_with_nobody_to_tell_it_is_on_record() -> None:
    declared()
    due.look(NOW)
    assert TimelineEntry.objects.get(kind="escalated").text == "Nobody could be told: no contact on call has an address."
    assert Notice.objects.count() == 1


def test_a_storm_takes_the_same_statements_as_a_breeze(on_call: list[OnCallContact]) -> None:
    for _ in range(10):
        declared()
    with CaptureQueriesContext(connection) as few:
        due.look(NOW + MINUTE)
    a_storm(990)
    rounds = []
    for second in range(12):
        with CaptureQueriesContext(connection) as many:
            rounds.append(due.look(NOW + HOUR + second * SECOND))
        assert len(many) <= len(few) + 3, many.captured_queries
    assert max(rounds) == due.BATCH
    assert rounds[-1] == 0
    assert Timer.objects.filter(breached_at__isnull=True).count() == 0
    # One notice a round, and not one for each of a thousand.
    assert Notice.objects.count() == 1 + sum(1 for number in rounds if number)


@pytest.mark.django_db(transaction=True)
def test_two_watchers_at_once_say_it_once(on_call: list[OnCallContact]) -> None:
    declared()
    together = threading.Barrier(4)

    def look() -> None:
        together.wait()
        due.look(NOW + 5 * MINUTE)
        connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Notice.objects.count() == 1
    assert said() == [("acknowledge", "breached")]
    assert [new for _, new in said("escalated")] == ["First, Second"]


@pytest.mark.django_db(transaction=True)
def test_a_look_waits_for_nobody_who_works_on_an_incident(on_call: list[OnCallContact], meera: User) -> None:
    incident = declared()
    looked: list[int] = []

    def look() -> None:
        looked.append(due.look(NOW + 5 * MINUTE))
        connections.close_all()

    with transaction.atomic(), incidents.locked(incident):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(10)
        assert looked == [0]
    assert due.look(NOW + 5 * MINUTE) == 1
