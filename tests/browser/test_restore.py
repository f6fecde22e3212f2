"""The worst day, in real browsers on the whole program: a document and a thousand messages are deleted by mistake, one
person asks for a restore, another approves it, the service comes back with both, and at last it is undone."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from jeevo.environment import ROOT
from operations import roles
from tests.browser import staff
from tests.browser.staff import Desk, has_sideways_scroll, inside
from tests.stack import Stack, eventually, running

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(900)]
SLUG, NUMBER = "burns", 1000
ASHA, RAVI = "919000010077", "919000010078"
QUESTION = "How do I bring down a fever in a two-year-old?"
HEARTBEAT = "SELECT count(*) FROM operations_heartbeat WHERE name = 'operator'"
RECEIVED = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'jeevo_receiver' AND active"
MINUTE = 60_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("restore")
    with running(folder, WEB_PORT="18290", SANDBOX_PORT="18291", BURST_SECONDS="1") as started:
        waiting = "SELECT count(*) FROM knowledge_document WHERE status IN ('uploaded', 'indexing')"
        eventually(lambda: started.rows(waiting)[0][0] == 0, seconds=240, what="the starter articles to be indexed")
        inside(started, f"accounts({dict.fromkeys(('asha', 'ravi'), roles.OPERATOR)!r})")
        eventually(lambda: started.rows(HEARTBEAT)[0][0] == 1, seconds=120, what="the operator's process")
        eventually(lambda: started.rows(RECEIVED)[0][0] == 1, seconds=60, what="the log to be received")
        yield started


@pytest.fixture
def desks(browser: Browser, stack: Stack) -> Iterator[dict[str, Desk]]:
    opened = {}
    for name in ("asha", "ravi"):
        page = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light").new_page()
        opened[name] = Desk(page, stack.console).sign_in(name, staff.PASSWORD)
    yield opened
    for each in opened.values():
        each.page.context.close()


def back_up(stack: Stack) -> None:
    words = [sys.executable, "manage.py", "backup", "take", "full", "--no-verify"]
    subprocess.run(words, cwd=ROOT, env=stack.variables, check=True, stdout=subprocess.DEVNULL)


def count(stack: Stack, table: str, where: str = "true") -> int:
    return int(stack.rows(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])


def old_messages(stack: Stack) -> int:
    return count(stack, "conversations_inboundmessage", "received_at < now() - interval '12 hours'")


def documents(stack: Stack) -> int:
    return count(stack, "knowledge_document", f"slug = '{SLUG}'")


def open_messages(stack: Stack) -> int:
    return count(stack, "conversations_outboundmessage", "status IN ('queued', 'sending')")


def answered(stack: Stack, phone: str) -> list[str]:
    """The ids of what this phone got, once it was answered anew and all is quiet."""
    before = len(stack.received(phone))
    stack.says(phone, QUESTION)
    stack.answers(phone, before + 1, seconds=120)
    eventually(
        lambda: count(stack, "conversations_outboundmessage", "status IN ('queued', 'sending')") == 0, seconds=60, what="quiet"
    )
    return [str(each.get("id") or each.get("wamid")) for each in stack.received(phone)]


def type_name(page: Page, button: str) -> None:
    page.get_by_label("The name of the database").fill(page.locator(".ask .help strong").inner_text())
    page.get_by_role("button", name=button).click()


def test_a_mistake_is_taken_back_by_two_people_and_the_taking_back_is_undone(stack: Stack, desks: dict[str, Desk]) -> None:
    inside(stack, f"many_messages({NUMBER})")
    back_up(stack)
    got = answered(stack, ASHA)
    time.sleep(2)
    instant = datetime.now(UTC).replace(microsecond=0)
    time.sleep(2)
    inside(stack, f"a_mistake({SLUG!r})")
    got_since = answered(stack, RAVI)
    assert (documents(stack), old_messages(stack)) == (0, 0)

    asha, ravi = desks["asha"].open("operations/restore/add/"), desks["ravi"].page
    asha.get_by_label("An instant (UTC)").fill(f"{instant:%Y-%m-%dT%H:%M:%S}")
    asha.get_by_label("Why").fill("A document and messages were deleted by mistake.")
    asha.get_by_label("Incident").fill("INC-1")
    asha.get_by_role("button", name="Ask for approval").click()
    expect(asha.get_by_text("It waits for a second person")).to_be_visible()

    ravi.goto(asha.url)
    ravi.get_by_role("link", name="Look at it and approve").click()
    ravi.get_by_role("button", name="Approve").click()
    # The page goes on by itself.
    expect(asha.get_by_text("It is ready: look at what would change")).to_be_visible(timeout=6 * MINUTE)
    expect(asha.get_by_role("row", name=re.compile("Documents .* 1 comes back"))).to_be_visible()
    assert documents(stack) == 0, "nothing live is touched before it is confirmed"
    restore_page = asha.url

    asha.get_by_role("link", name="Put it in place").click()
    type_name(asha, "Put it in place")
    expect(asha.get_by_text("The restored database is live")).to_be_visible(timeout=3 * MINUTE)
    assert (documents(stack), old_messages(stack)) == (1, NUMBER)
    assert count(stack, "operations_incident", "kind = 'manual'") == 1
    assert [len(stack.received(each)) for each in (ASHA, RAVI)] == [len(got), len(got_since)], "nothing was sent twice"

    # Who works on messages has found the new database: both phones are answered, once each.
    assert answered(stack, ASHA)[: len(got)] == got
    assert answered(stack, RAVI)[: len(got_since)] == got_since
    assert count(stack, "conversations_inboundmessage", "received_at > now() - interval '12 hours'") == 4

    asha.get_by_role("link", name="The restore in the console").click()
    expect(asha.get_by_text("It was restored")).to_be_visible()
    asha.get_by_role("link", name="Undo this restore").click()
    assert not has_sideways_scroll(asha)
    type_name(asha, "Undo the restore")
    expect(asha.get_by_text("The database from before is live again")).to_be_visible(timeout=3 * MINUTE)
    assert (documents(stack), old_messages(stack)) == (0, 0)
    assert count(stack, "operations_incident", "kind = 'manual'") == 1
    assert count(stack, "conversations_inboundmessage") == 4
    answered(stack, ASHA)
    asha.goto(restore_page)
    expect(asha.get_by_text("It was undone")).to_be_visible()
