"""What a round of detectors costs: a few statements, each of which an index can serve."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from operations import detection
from tests import factories
from tests.factories import MINUTE, NOW
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db
# Tables that grow without end.
LARGE = {"conversations_inboundmessage", "conversations_outboundmessage", "conversations_answer"}
# Most are asked once a minute only.
MOST_STATEMENTS = 34


@pytest.fixture(autouse=True)
def _trouble(environment: ChangeEnvironment) -> Iterator[None]:
    """Some of everything, so that no detector stops at its first question."""
    environment(groq={"api_key": "a key"})
    cache.clear()
    asha = factories.a_contact()
    factories.an_inbound(asha)
    factories.an_inbound(asha, status="received")
    for _ in range(6):
        factories.an_outbound(asha, status="failed", failed_at=NOW + 9 * MINUTE)
    factories.an_outbound(asha, status="queued", error_code=190)
    yield
    cache.clear()


def test_a_round_takes_few_statements() -> None:
    with CaptureQueriesContext(connection) as asked:
        for detector in detection.ALL:
            detector.look(NOW + 10 * MINUTE)
    assert len(asked) <= MOST_STATEMENTS


def test_no_detector_reads_a_large_table_from_end_to_end() -> None:
    with CaptureQueriesContext(connection) as asked:
        for detector in detection.ALL:
            detector.look(NOW + 10 * MINUTE)
    read: set[str] = set()
    with connection.cursor() as cursor:
        # On a few rows the planner reads all of them; told not to, it shows whether it could do otherwise.
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in asked.captured_queries:
            cursor.execute(f"EXPLAIN {statement['sql']}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            read |= set(re.findall(r"(?:Scan|on) (?:using \w+ on )?(conversations_\w+)", plan))
            assert not set(re.findall(r"Seq Scan on (\w+)", plan)) & LARGE, (statement["sql"], plan)
    assert read >= LARGE
