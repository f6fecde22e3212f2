"""An incident in real browsers, from its declaration to its postmortem, at a desk and on a phone, with two people at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenDesk
from tests.browser.staff import has_sideways_scroll, inside
from tests.stack import Stack, running

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(240)]
NIGHT, DAY = "night-desk", "day-desk"
SCREENS = {1280: 860, 360: 740}
# The parts are fetched every five seconds.
SOON = 15_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("incident"), WEB_PORT="18220", SANDBOX_PORT="18221", BURST_SECONDS="1") as started:
        inside(started, f"on_duty({NIGHT!r}, {DAY!r})")
        yield started


def declare(page: Page, title: str) -> None:
    page.get_by_role("link", name="Declare").click()
    page.get_by_label("What is wrong").fill(title)
    page.get_by_role("radio", name="2 High").check()
    page.get_by_label("Who is affected").fill("about 15 % of messages")
    page.get_by_label("Show it on the public status page").check()
    page.get_by_role("button", name="Declare the incident").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()


def next_step(page: Page) -> Locator:
    return page.get_by_role("region", name="Next step").locator(".button")


def bottom(part: Locator) -> float:
    box = part.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


def see_it_without_a_reload(night: Page, day: Page) -> None:
    """The second person acknowledges; the first, who is typing, sees it and keeps every word."""
    night.evaluate("window.stayed = true")
    night.get_by_role("textbox", name="What is going on").fill("The queue is long and")
    day.get_by_role("button", name="Acknowledge").click()
    expect(night.get_by_role("region", name="Who has it").get_by_text(DAY)).to_be_visible(timeout=SOON)
    expect(next_step(night)).to_have_text("Begin mitigation")
    expect(night.get_by_role("textbox", name="What is going on")).to_have_value("The queue is long and")
    assert night.evaluate("window.stayed") is True


def write_it_down(page: Page) -> None:
    expect(next_step(page)).to_have_text("Write the postmortem")
    next_step(page).click()
    page.get_by_role("textbox", name="Root cause").fill("One worker for answers, and no alert on the queue.")
    assert "Restarted" in page.get_by_role("textbox", name="What happened").input_value()
    page.get_by_role("button", name="Save the postmortem").click()
    expect(page.get_by_text("The postmortem is saved.")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("It is closed now.")).to_be_visible()


@pytest.mark.parametrize("width", list(SCREENS))
def test_an_incident_is_declared_worked_on_by_two_written_down_and_closed(desk: OpenDesk, stack: Stack, width: int) -> None:
    night = desk(NIGHT, width=width, height=SCREENS[width]).page
    declare(night, f"Answers are late at {width}")
    assert bottom(next_step(night)) < SCREENS[width], "the next step is below the first screen"
    assert bottom(night.locator("li.due").nth(2)) < SCREENS[width], "what is due is below the first screen"
    assert not has_sideways_scroll(night)
    day = desk(DAY).open("operations/incident/")
    day.get_by_role("link", name=f"Answers are late at {width}").click()
    see_it_without_a_reload(night, day)
    night.get_by_role("textbox", name="What is being done").fill("Restarted the worker")
    night.get_by_role("button", name="Preview").click()
    expect(night.get_by_text("Current action: Restarted the worker")).to_be_visible()
    night.get_by_role("button", name="Post update").click()
    expect(night.get_by_text("subscribers are being told")).to_be_visible()
    for label in ("Begin mitigation", "Cause found", "Mitigated, watch it", "Resolve"):
        expect(next_step(night)).to_have_text(label)
        next_step(night).click()
    expect(day.get_by_text("Nothing is due any more.")).to_be_visible(timeout=SOON)
    write_it_down(night)
    assert not has_sideways_scroll(night)
    title = f"Answers are late at {width}"
    [(state, told)] = stack.rows(
        "SELECT state, (SELECT count(*) FROM operations_delivery d JOIN operations_notice n ON n.id = d.notice_id"
        " WHERE n.about_key = i.id AND d.subscriber_id IS NOT NULL) FROM operations_incident i WHERE title = %s",
        title,
    )
    assert (state, told) == ("closed", 5)  # declared, update, identified, monitoring, resolved


def test_what_becomes_late_is_marked_and_said_aloud_once(desk: OpenDesk, stack: Stack) -> None:
    inside(stack, f"a_late_incident('Search is slow', by={DAY!r})")
    page = desk(NIGHT, width=360, height=740).open("operations/incident/")
    page.get_by_role("link", name="Search is slow").click()
    due = page.get_by_role("region", name="What is due")
    expect(due.locator("li").filter(has_text="Name a commander")).to_contain_text("Breached")
    expect(due.locator("li").filter(has_text="Begin to mitigate")).to_contain_text("At risk")
    update = due.locator("li:not(.met)").filter(has_text="Say what is going on")
    expect(update).to_contain_text("Good")
    expect(page.get_by_role("alert")).to_have_text("")
    inside(stack, "the_update_is_late('Search is slow')")
    expect(update).to_contain_text("Breached", timeout=SOON)
    expect(page.get_by_role("alert")).to_have_text("Say what is going on: it is late.")
    page.get_by_role("button", name="I take it as commander").click()
    expect(page.get_by_text("Commander: night-desk.")).to_be_visible()


def test_the_next_step_is_reached_with_the_keyboard(desk: OpenDesk, stack: Stack) -> None:
    inside(stack, f"a_late_incident('Uploads fail', by={DAY!r})")
    page = desk(NIGHT).open("operations/incident/")
    page.get_by_role("link", name="Uploads fail").click()
    target = next_step(page).element_handle()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("(target) => target === document.activeElement", target):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_text("Mitigation has begun.")).to_be_visible()
