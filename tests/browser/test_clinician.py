"""A guideline's whole life in real browsers: brought by one person, reviewed by another, cited in the chat, retired."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import guidelines
from tests.browser.conftest import OpenDesk
from tests.browser.guidelines import Guideline
from tests.browser.staff import CONTRIBUTOR, REVIEWER, Desk
from tests.knowledge import files
from tests.stack import Stack, eventually

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(300)]

# The workers look for work every 15 s; a busy machine takes its time on top.
SOON, A_WHILE = 15_000, 90_000
_DROP = """([name, content]) => {
  const carried = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
  carried.items.add(new File([bytes], name, { type: "application/pdf" }));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.querySelector("[data-drop]").dispatchEvent(new DragEvent(kind, { dataTransfer: carried, bubbles: true }));
}"""
_CITED = """SELECT number, title, page, quote FROM conversations_citation
            WHERE answer_id = (SELECT id FROM conversations_answer ORDER BY created_at DESC LIMIT 1) ORDER BY number"""
_STATUS = "SELECT status FROM knowledge_document WHERE id = %s"


@pytest.mark.parametrize("guideline", [guidelines.thermometer, pytest.param(guidelines.healthy_diet, marks=files.needs_data)])
def test_a_guideline_is_brought_reviewed_cited_with_its_page_and_retired(
    desk: OpenDesk, page: Page, stack: Stack, tmp_path: Path, guideline: Callable[[Path], Guideline]
) -> None:
    brought = guideline(tmp_path)
    assert brought.title not in _titles(_answer(page, stack, brought.question)), "it is cited before anybody has seen it"

    document = _bring(desk(CONTRIBUTOR), brought)
    assert brought.title not in _titles(_answer(page, stack, brought.question)), "it is cited before its review"

    reviewer = desk(REVIEWER)
    _publish(reviewer, document, brought)
    assert stack.rows(_STATUS, document) == [("published",)]
    cited = _answer(page, stack, brought.question)
    assert (brought.title, brought.page) in [(title, at) for _, title, at, _ in cited]
    assert any(brought.words in quote for _, title, at, quote in cited if (title, at) == (brought.title, brought.page))
    source = _conversation(page).get_by_role("listitem").last
    expect(source).to_contain_text(f"{brought.title}, {brought.publisher}, page")

    _retire(reviewer, document)
    assert stack.rows(_STATUS, document) == [("retired",)]
    assert brought.title not in _titles(_answer(page, stack, brought.question)), "it is cited after it was retired"


def test_a_scan_and_an_unreadable_file_are_refused_with_the_reason_and_can_be_replaced(desk: OpenDesk, tmp_path: Path) -> None:
    page = desk(CONTRIBUTOR).open("knowledge/import/add/")
    page.get_by_label("Files", exact=True).set_input_files(
        [guidelines.scan(tmp_path), files.kept(tmp_path, "empty.txt", ""), files.kept(tmp_path, "notes.pdf", "not a PDF")]
    )
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", name="Finished: nothing new")).to_be_visible(timeout=A_WHILE)
    for name, why in {"scan.pdf": "This PDF is a scan", "empty.txt": "empty", "notes.pdf": "PDF"}.items():
        expect(page.get_by_role("listitem").filter(has_text=name)).to_contain_text(why)
    expect(page.get_by_role("button", name="Try 3 files again")).to_be_visible()


def test_a_document_without_words_says_why_it_could_not_be_indexed_and_nothing_of_it_is_cited(desk: OpenDesk) -> None:
    page = desk(REVIEWER).open("knowledge/document/add/")
    page.get_by_label("Title").fill("A page of nothing")
    page.get_by_label("Text").fill("<!-- page 1 -->")
    page.get_by_role("button", name="Save", exact=True).click()
    problem = page.get_by_role("alert").filter(has_text="Nothing of it is cited.")
    expect(problem).to_contain_text("The document has no readable text.", timeout=A_WHILE)
    expect(page.get_by_text("Could not be indexed").first).to_be_visible()
    expect(page.get_by_role("button", name="Publish")).to_have_count(0)


# The contributor


def _bring(desk: Desk, brought: Guideline) -> str:
    """By dragging it onto the page; the key of the document."""
    page = desk.open("knowledge/document/")
    page.get_by_role("link", name="Import files").click()
    expect(page.get_by_text("anywhere on this page")).to_be_visible()
    _drop(page, brought.file)
    expect(page.get_by_role("list", name="Chosen files")).to_contain_text(brought.file.name)
    page.get_by_label("Publisher").fill(brought.publisher)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", name="Finished: 1 document added")).to_be_visible(timeout=A_WHILE)
    expect(page.get_by_text("It can be reviewed now.")).to_be_visible(timeout=A_WHILE)
    page.get_by_role("listitem").filter(has_text=brought.file.name).get_by_role("link", name=brought.title).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(brought.title)
    expect(page.get_by_role("button", name="Publish")).to_have_count(0)
    return page.url.rstrip("/").split("/")[-2]


def _drop(page: Page, file: Path) -> None:
    page.evaluate(_DROP, [file.name, base64.b64encode(file.read_bytes()).decode()])


# The reviewer


def _publish(desk: Desk, document: str, brought: Guideline) -> None:
    """Reads the page that will be cited, beside its passages, and publishes."""
    page = desk.open("knowledge/document/?status__exact=in_review")
    page.locator(f"a[href*='{document}']").first.click()
    page.get_by_label("Go to").first.fill(str(brought.page))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Page {brought.page} of")).to_be_visible()
    picture = page.get_by_role("img", name=f"Page {brought.page} of the uploaded file")
    picture.scroll_into_view_if_needed()
    eventually(lambda: _is_drawn(picture), seconds=30, what="the picture of the page")
    expect(page.get_by_role("region", name="Passages")).to_contain_text(brought.words)
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text(f"{brought.title}: published.")).to_be_visible(timeout=SOON)


def _is_drawn(picture: Locator) -> bool:
    return bool(picture.evaluate("image => image.complete && image.naturalWidth > 300"))


def _retire(desk: Desk, document: str) -> None:
    page = desk.open(f"knowledge/document/{document}/change/")
    page.get_by_label("Why it is retired").fill("A newer leaflet is on its way")
    page.get_by_role("button", name="Retire").click()
    expect(page.get_by_text("retired it: A newer leaflet is on its way")).to_be_visible(timeout=SOON)


# The person who asks


def _conversation(page: Page) -> Locator:
    return page.get_by_role("log", name="Conversation")


def _answer(page: Page, stack: Stack, question: str) -> list[tuple[Any, ...]]:
    """What Jeevo cites when a new person asks this in the chat, read until the answer is on the page."""
    before = _answers(stack)
    page.goto(stack.chat)
    person = page.get_by_label("You are")
    expect(person).to_have_value(re.compile(r"\d+"))
    last = person.input_value()
    person.select_option("new")
    # Until the new person is there, words would go out in the name of the last one.
    eventually(lambda: person.input_value() not in ("new", last), seconds=10, what="a new person")
    expect(page.get_by_text("Ask Jeevo something")).to_be_visible()
    page.get_by_role("textbox", name="Message").fill(question)
    page.keyboard.press("Enter")
    eventually(lambda: _answers(stack) > before, seconds=60, what="an answer in the chat")
    expect(_conversation(page).get_by_role("button", name="Talk to a person").last).to_be_visible(timeout=SOON)
    return stack.rows(_CITED)


def _answers(stack: Stack) -> int:
    return int(stack.rows("SELECT count(*) FROM conversations_answer")[0][0])


def _titles(cited: list[tuple[Any, ...]]) -> list[str]:
    return [title for _, title, _, _ in cited]
