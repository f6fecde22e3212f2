"""What several tests of conversations stand on: somebody who writes, drafts that are written at once, and a house to
dispatch in."""

from __future__ import annotations

from typing import Any

import pytest

from conversations import compose
from conversations.draft import Draft
from conversations.models import Contact, InboundMessage
from tests.conversations.answers import Write
from tests.conversations.house import House
from tests.factories import a_contact


@pytest.fixture
def person() -> Contact:
    return a_contact()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Write:
    """Let every burst be answered with this draft, or fail with this error; returns the bursts as lists of words."""

    def answer_with(outcome: Draft | Exception) -> list[list[str | None]]:
        bursts: list[list[str | None]] = []

        def for_burst(messages: list[InboundMessage], **_: Any) -> Draft:
            bursts.append([each.text for each in messages])
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(compose, "for_burst", for_burst)
        return bursts

    return answer_with


@pytest.fixture
def house() -> House:
    return House()
