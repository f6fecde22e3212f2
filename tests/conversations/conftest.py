"""What several tests of conversations stand on."""

from __future__ import annotations

import pytest

from tests.conversations.house import House

# Of dispatch: house


@pytest.fixture
def house() -> House:
    return House()
