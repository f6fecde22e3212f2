"""Bodies that WhatsApp really sent, recorded by others, through the whole door."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from conversations import webhook
from conversations.models import DeliveryEvent, InboundMessage, UnhandledEvent
from jeevo.environment import ROOT
from tests.fixtures import Post

DATA = Path(os.environ.get("JEEVO_DATA", ROOT.parent / "shared" / "data")) / "whatsapp_payloads"
BODIES = sorted(DATA.glob("dev/*.json"))
MALFORMED = sorted(DATA.glob("malformed/*.json"))
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        not BODIES, reason=f"NOT TESTED: no recorded bodies in {DATA}; set JEEVO_DATA to the folder that holds them"
    ),
]


def counted() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in (InboundMessage, DeliveryEvent, UnhandledEvent)}


def announced(body: Any) -> dict[str, int]:
    """What stands in a body, counted on its own: messages and statuses of the field `messages`, and the rest."""
    counts = {"InboundMessage": 0, "DeliveryEvent": 0, "UnhandledEvent": 0}
    for change in [change for entry in body["entry"] for change in entry["changes"]]:
        value = change["value"]
        ours = change["field"] == "messages"
        counts["InboundMessage"] += len(value.get("messages", [])) if ours else 0
        counts["DeliveryEvent"] += len(value.get("statuses", [])) if ours else 0
        counts["UnhandledEvent"] += 1 if not ours or value.get("errors") else 0
    return counts


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_a_recorded_body_is_stored_once(path: Path, post: Post) -> None:
    raw = path.read_bytes()
    assert post(raw).status_code == 200
    assert counted() == announced(json.loads(raw))
    assert post(raw).status_code == 200
    assert counted() == announced(json.loads(raw)), "the second delivery stored something"


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_a_recorded_message_has_words_or_says_why_it_has_none(path: Path) -> None:
    for event in webhook.parse(path.read_bytes()):
        if isinstance(event, webhook.Inbound):
            assert event.sender
            assert event.sent_at is not None
            assert bool(event.text) or bool(event.ignored) or event.kind in webhook.KINDS_ACKNOWLEDGED


def test_every_recorded_body_in_one_database_is_stored_without_a_collision_of_kinds(post: Post) -> None:
    assert {post(path.read_bytes()).status_code for path in BODIES} == {200}
    assert InboundMessage.objects.filter(status="ignored", reason="").count() == 0
    assert InboundMessage.objects.filter(status="received").count() > 10
    assert UnhandledEvent.objects.filter(reason="").count() == 0


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem)
def test_a_malformed_body_is_refused(path: Path, post: Post) -> None:
    assert post(path.read_bytes()).status_code == 400
    assert sum(counted().values()) == 0
