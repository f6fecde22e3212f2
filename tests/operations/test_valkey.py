"""Valkey: its figures in words, keys without an end, lanes, and a cache that is cleared while the broker is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from operations import valkey
from operations.valkey import NotCleared
from tests.operations.lookers import a_person, table

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.BROKER_URL) as client:
        client.delete("answers")
        yield client
        client.delete("answers")


def test_its_figures_have_units_and_words() -> None:
    facts = dict(valkey.look(NOW).facts)
    assert facts["Memory"].endswith("MB, no limit set")
    assert facts["When it is full"] == "noeviction"
    assert facts["Answers in"].endswith("ms")
    assert facts["Thrown away"] == "0 keys"


def test_keys_are_counted_by_their_first_part_and_no_value_is_shown() -> None:
    for number in range(3):
        cache.set(f"llm:note {number}", "my chest hurts", timeout=120)
    cache.set("919810000001", "a number as a key", timeout=60)
    found = valkey.look(NOW)
    rows = table(found, "What lies in the cache")
    assert [row[:2] for row in rows] == [["llm", "3"], ["other", "1"]]
    assert "to" in rows[0][2]
    assert "chest" not in str(found)
    assert "919810000001" not in str(found)


def test_a_key_without_an_end_is_at_risk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "SLOW_PING_MS", 60_000)
    assert valkey.look(NOW).state == "good"
    cache.set("forgotten:key", 1, timeout=None)
    found = valkey.look(NOW)
    assert (found.answer, found.state) == ("1 key has no end", "at_risk")
    assert table(found, "What lies in the cache") == [["forgotten", "1", "-", "1"]]


def test_only_a_sample_of_many_keys_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "SAMPLE", 40)
    cache.set_many({f"many:{number}": 1 for number in range(100)}, timeout=60)
    with valkey.client(settings.CACHE_URL) as client:
        families, looked = valkey.by_family(client)
    assert (looked, families["many"].number) == (40, 40)


def test_tasks_that_wait_are_counted_by_lane(broker: redis.Redis) -> None:
    broker.lpush("answers", "one", "two")
    assert table(valkey.look(NOW), "Tasks that wait in the broker")[0] == ["answers", "2"]


@pytest.mark.parametrize(
    ("info", "state"),
    [
        ({"used_memory": 10, "maxmemory": 100}, "good"),
        ({"used_memory": 85, "maxmemory": 100}, "at_risk"),
        ({"used_memory": 96, "maxmemory": 100}, "breached"),
        ({"used_memory": 96, "maxmemory": 0, "total_system_memory": 10_000}, "good"),
        ({"used_memory": 10, "maxmemory": 100, "evicted_keys": 1}, "breached"),
    ],
)
def test_memory_and_evictions_decide_how_serious_it_is(info: dict[str, int], state: str) -> None:
    assert valkey._answer(info, {}, 0.5)[1] == state
    assert valkey._answer({"used_memory": 1, "maxmemory": 100}, {}, 11)[1] == "at_risk"


def test_when_it_is_away_the_page_says_what_is_safe(settings: Settings) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:1/1"
    found = valkey.look(NOW)
    assert (found.answer, found.state) == ("Valkey does not answer", "breached")
    assert "kept in the database" in found.said[0]


def test_clearing_empties_the_cache_and_leaves_the_broker(client: Client, broker: redis.Redis) -> None:
    asha = a_person("asha", "view_machine", "act_on_machine")
    client.force_login(asha)
    cache.set("llm:problem", 1)
    broker.lpush("answers", "a task")
    address = reverse("admin:troubleshooting_clear")
    assert "Messages, answers and tasks on their way are not touched" in client.get(address).content.decode()
    wrong = client.post(address, {"typed": "everything"})
    assert (wrong.status_code, cache.get("llm:problem")) == (422, 1)
    done = client.post(address, {"typed": "cache"}, follow=True)
    assert "The cache was cleared: 1 key went." in done.content.decode()
    assert cache.get("llm:problem") is None
    assert broker.llen("answers") == 1
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr, entry.change_message) == (asha, "Cache", "Cleared: 1 key.")


def test_when_it_cannot_be_cleared_nothing_is_claimed(settings: Settings) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:1/1"
    with pytest.raises(NotCleared, match="Nothing was done"):
        valkey.clear(typed="cache", by=a_person("asha"))
    assert not LogEntry.objects.exists()


def test_the_cache_is_cleared_by_post_only_and_by_who_may_act(client: Client) -> None:
    client.force_login(a_person("ravi", "view_machine"))
    cache.set("llm:problem", 1)
    assert client.post(reverse("admin:troubleshooting_clear"), {"typed": "cache"}).status_code == 403
    client.force_login(a_person("asha", "act_on_machine"))
    client.get(reverse("admin:troubleshooting_clear"), {"typed": "cache"})
    assert cache.get("llm:problem") == 1
