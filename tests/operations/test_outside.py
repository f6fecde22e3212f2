"""The ping to an address outside: where one is set, with its patience, and quiet about its failure."""

from __future__ import annotations

import pytest
from django.utils import timezone

from operations import outside
from tests.fixtures import ChangeEnvironment

NOW = timezone.now()


class Recorded:
    def __init__(self, *, answers: bool) -> None:
        self.answers, self.calls = answers, list[tuple[str, float]]()

    def __call__(self, url: str, *, timeout: float) -> bool:
        self.calls.append((url, timeout))
        return self.answers


@pytest.mark.parametrize("answers", [True, False])
def test_the_address_is_called_with_a_short_patience(answers: bool, environment: ChangeEnvironment) -> None:
    environment(outside_ping_url="https://ping.example/uuid")
    get = Recorded(answers=answers)
    assert outside.ping_by(get)(NOW) is answers
    assert get.calls == [("https://ping.example/uuid", outside.PATIENCE)]


def test_where_no_address_is_set_nothing_is_called(environment: ChangeEnvironment) -> None:
    environment(outside_ping_url="")
    get = Recorded(answers=True)
    assert outside.ping_by(get)(NOW) is False
    assert get.calls == []
