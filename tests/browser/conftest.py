"""A real browser on the whole program. Without a Chromium these tests are left out, and say so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.staff import Desk, make_accounts
from tests.stack import Stack, eventually, running

# What a click leads to is a page of a program that shares two processors with another run of tests.
expect.set_options(timeout=30_000)

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in str(item.path) and CHROMIUM is None:
            item.add_marker(
                pytest.mark.skip(reason="no Chromium here: install it (make programs, as root) to run the browser tests")
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


class OpenDesk(Protocol):
    def __call__(self, name: str, *, width: int = 1280, height: int = 860, password: str = "") -> Desk: ...


@pytest.fixture(scope="module")
def staff(stack: Stack) -> Stack:
    """The program, with accounts for a contributor and a clinician reviewer."""
    make_accounts(stack)
    return stack


@pytest.fixture
def desk(browser: Browser, staff: Stack) -> Iterator[OpenDesk]:
    """`desk("meera")`: a browser of their own for somebody of the staff, signed in. At the end nothing may have gone wrong."""
    opened: list[Desk] = []

    def open_desk(name: str, *, width: int = 1280, height: int = 860, password: str = "") -> Desk:
        page = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light").new_page()
        opened.append(Desk(page, staff.console))
        return opened[-1].sign_in(name, *([password] if password else []))

    yield open_desk
    faults = [fault for each in opened for fault in each.faults]
    for each in opened:
        each.page.context.close()
    assert faults == []
