"""A maintenance window in a real browser: planned, ticked, started, written into from a phone, completed, and answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenDesk
from tests.browser.staff import has_sideways_scroll
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(300)]
ASKS, IN_DANGER = "919810000081", "919810000082"
SOON = 15_000
TICKED = (
    "A full backup is made and verified",
    "Going back to the last version was tried",
    "A plan for going back is written down",
)


def test_a_window_from_its_plan_to_the_answers_after_it(desk: OpenDesk, stack: Stack) -> None:
    page = desk("admin", password=stack.password).open("operations/maintenancewindow/")
    expect(page.get_by_role("heading", name="No maintenance is planned")).to_be_visible()
    _plan(page)
    _tick(page)
    _start(page)

    stack.says(ASKS, "how do I bring down a fever")
    assert "a little later than usual" in str(stack.answers(ASKS, 1)[0])
    stack.says(IN_DANGER, "my father has crushing chest pain and is sweating")
    assert "Call 112 or 108 now." in str(stack.answers(IN_DANGER, 1)[0])
    assert len(stack.received(ASKS)) == 1

    _complete(page)
    answer = stack.answers(ASKS, 2, seconds=90)[1]
    assert "fever" in str(answer).lower()
    assert "later than usual" not in str(answer)
    for event in ("Maintenance on", "Maintenance has begun", "Maintenance is over"):
        expect(page.get_by_role("listitem").filter(has_text=event).first).to_be_visible(timeout=SOON)


def test_a_schedule_shows_its_dates_and_the_next_window_stands_on_the_home_page_of_a_phone(desk: OpenDesk, stack: Stack) -> None:
    page = desk("admin", password=stack.password, width=360, height=780).open("operations/maintenanceschedule/add/")
    page.get_by_role("button", name="Show the next dates").click()
    dates = page.get_by_role("region", name="The next dates").get_by_role("listitem")
    expect(dates).to_have_count(5)
    first = dates.first.inner_text()
    assert first.startswith("Sunday")
    page.get_by_role("button", name="Keep the schedule").click()
    expect(page.get_by_role("heading", name=first)).to_be_visible()
    assert not has_sideways_scroll(page)
    page.get_by_role("link", name="Home", exact=True).first.click()
    expect(page.get_by_text(f"Next maintenance: {first}.")).to_be_visible()


def _plan(page: Page) -> None:
    page.get_by_role("link", name="Plan a window").click()
    page.get_by_label("Title").fill("Move to a new server")
    start = datetime.now(UTC) + timedelta(minutes=10)
    for name, at in (("Start", start), ("End", start + timedelta(hours=1))):
        page.get_by_label(f"{name}, day").fill(f"{at:%Y-%m-%d}")
        page.get_by_label(f"{name}, time of day").fill(f"{at:%H:%M}")
    page.get_by_role("button", name="Plan the window").click()
    expect(page.get_by_role("heading", name="Move to a new server", level=1)).to_be_visible()
    # The watcher announces at once what is this near; the page shows it without being loaded again.
    expect(page.get_by_text("Maintenance on").first).to_be_visible(timeout=60_000)


def _tick(page: Page) -> None:
    for line in TICKED:
        page.get_by_role("button", name=f"Tick: {line}").click()
        row = page.get_by_role("listitem").filter(has_text=line)
        expect(row).to_contain_text("Done")
        expect(row).to_contain_text("admin")


def _start(page: Page) -> None:
    page.get_by_role("button", name="Start the window").click()
    expect(page.get_by_text("Not done yet:")).to_be_visible()
    page.get_by_label("Why begin with open lines").fill("The old server is failing")
    page.get_by_role("button", name="Start the window").click()
    expect(page.get_by_text("In progress").first).to_be_visible()
    expect(page.get_by_text("The old server is failing")).to_be_visible()


def _complete(page: Page) -> None:
    page.get_by_role("listitem").filter(has_text="Documentation says what changed").get_by_role("button", name="Tick").click()
    page.get_by_label("Why end with open lines").fill("Figures are looked at tomorrow")
    page.get_by_role("button", name="Complete the window").click()
    expect(page.get_by_text("Completed").first).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="All services run")).to_contain_text("Done")
