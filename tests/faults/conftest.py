from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack import Stack, running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("stack"), WEB_PORT="18100", SANDBOX_PORT="18101", BURST_SECONDS="0.5") as started:
        wait_for_articles(started)
        yield started


def wait_for_articles(stack: Stack) -> None:
    from tests.stack import eventually

    waiting = "SELECT count(*) FROM knowledge_document WHERE status IN ('uploaded', 'indexing')"
    eventually(lambda: stack.rows(waiting)[0][0] == 0, seconds=120, what="the starter articles to be indexed")
