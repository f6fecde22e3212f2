"""A real browser on the whole program. Without a Chromium these tests are left out, and say so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack import Stack, eventually, running

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in str(item.path) and CHROMIUM is None:
            item.add_marker(
                pytest.mark.skip(reason="no Chromium here: install it (make browser, as root) to run the browser tests")
            )


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": quiet}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("stack"), WEB_PORT="18200", SANDBOX_PORT="18201", BURST_SECONDS="1") as started:
        waiting = "SELECT count(*) FROM knowledge_document WHERE status IN ('uploaded', 'indexing')"
        eventually(lambda: started.rows(waiting)[0][0] == 0, seconds=120, what="the starter articles to be indexed")
        yield started
