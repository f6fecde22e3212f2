"""The watcher: each watch at its pace, a broken one in nobody's way, and a heartbeat after every round."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from operations import watches
from operations.models import Heartbeat
from operations.watcher import NAME, Watch, Watcher

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def test_a_watch_that_breaks_stops_no_other_and_the_round_is_recorded() -> None:
    seen: list[datetime] = []

    def broken(_: datetime) -> None:
        raise RuntimeError("the words of a patient")

    Watcher([Watch("broken", broken), Watch("sound", seen.append)]).round(now=NOW)
    assert seen == [NOW]
    assert Heartbeat.objects.get(name=NAME).at == NOW


def test_a_watch_keeps_its_own_pace() -> None:
    quick: list[datetime] = []
    slow: list[datetime] = []
    watcher = Watcher([Watch("quick", quick.append, every=0), Watch("slow", slow.append, every=3600)])
    for second in range(3):
        watcher.round(now=NOW + timedelta(seconds=second))
    assert (len(quick), len(slow)) == (3, 1)
    assert Heartbeat.objects.get(name=NAME).at == NOW + timedelta(seconds=2)


def test_what_follows_a_good_round_waits_while_a_watch_is_failing() -> None:
    after: list[datetime] = []
    failing = [True]

    def shaky(_: datetime) -> None:
        if failing[0]:
            raise RuntimeError

    watcher = Watcher([Watch("shaky", shaky, every=0)], after_good_round=[Watch("after", after.append, every=0)])
    watcher.round(now=NOW)
    assert after == []
    failing[0] = False
    watcher.round(now=NOW + timedelta(seconds=5))
    assert after == [NOW + timedelta(seconds=5)]


def test_a_watch_with_a_slow_pace_that_broke_holds_back_what_follows_until_it_works() -> None:
    after: list[datetime] = []

    def broken(_: datetime) -> None:
        raise RuntimeError

    watcher = Watcher([Watch("slow", broken, every=3600)], after_good_round=[Watch("after", after.append, every=0)])
    for second in range(3):
        watcher.round(now=NOW + timedelta(seconds=second))
    assert after == []


def test_watches_have_names_of_their_own() -> None:
    names = [watch.name for watch in watches.ALL]
    assert len(names) == len(set(names))
