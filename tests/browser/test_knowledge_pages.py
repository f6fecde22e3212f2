"""Every page of the knowledge base at a desk and on a phone: whole, quiet, and usable with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import guidelines
from tests.browser.staff import CONTRIBUTOR, REVIEWER, Desk, has_sideways_scroll, inside
from tests.stack import Stack, eventually

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(300)]

Find = Callable[[Page], Locator]
# More presses of Tab than this, and nobody would find it.
MOST_TABS = 60
UNKNOWN = ("Will the new bridge open this year?", "Does my cousin's garage repair old radios?")
HELPED = "How do I bring down a fever in a two-year-old?"


def button(name: str) -> Find:
    return lambda page: page.get_by_role("button", name=name).first


def link(name: str) -> Find:
    return lambda page: page.get_by_role("link", name=name).first


def field(name: str) -> Find:
    return lambda page: page.get_by_role("textbox", name=name).first


@dataclass(frozen=True)
class Place:
    """A page: where it is (below the console, or found by a query), what it says, and what one does there first."""

    name: str
    address: str
    says: str
    first: Find
    query: str = ""

    def at(self, stack: Stack) -> str:
        return self.address.format(key=stack.rows(self.query)[0][0]) if self.query else self.address


OF_GUIDELINE = f"SELECT id FROM knowledge_document WHERE title = '{guidelines.TITLE}'"
PLACES = (
    Place("documents", "knowledge/document/", "Fever in children", link("Import files")),
    Place("review", "knowledge/document/{key}/change/", "1 passage to cite", button("Publish"), OF_GUIDELINE),
    Place("history", "knowledge/document/{key}/history/", "Newest first", link("Back to the document"), OF_GUIDELINE),
    Place("write", "knowledge/document/add/", "Text", field("Title")),
    Place("stale", "knowledge/document/stale/", "2 documents to check now", button("Confirm that")),
    Place("coverage", "knowledge/document/coverage/", "topics", link("Documents")),
    Place("import", "knowledge/import/add/", "Each file becomes a document", button("Import")),
    Place("imports", "knowledge/import/", "Leaflets of the district", link("Import documents")),
    Place(
        "imported",
        "knowledge/import/{key}/change/",
        "This PDF is a scan",
        link("Review it"),
        "SELECT id FROM knowledge_import WHERE label = 'Leaflets of the district'",
    ),
    Place("unanswered", "knowledge/unansweredquestion/groups/", UNKNOWN[0], link("Write an answer")),
    Place("questions", "knowledge/unansweredquestion/", "Waits for a clinician", link("Questions")),
    Place("golden", "knowledge/goldenquestion/", "I spilled hot tea on my hand", button("Ask them all now")),
    Place("golden-add", "knowledge/goldenquestion/add/", "Write it as people ask it", field("Question")),
    Place("try", "knowledge/trial/try/", "See what Jeevo finds", button("Show what is found")),
    Place("indexes", "knowledge/embeddingindex/", "a-folder/with-another-model", link("Add")),
    Place("index-add", "knowledge/embeddingindex/add/", "A sentence-transformers model", field("Model")),
    Place(
        "index",
        "knowledge/embeddingindex/{key}/change/",
        "Paused at 24 of 64 documents",
        button("Go on"),
        "SELECT id FROM knowledge_embeddingindex WHERE status = 'paused'",
    ),
    Place("evaluations", "knowledge/evaluationrun/", "Evaluation runs", link("Knowledge")),
    Place("not-helpful", "conversations/answer/not-helpful/", HELPED, link("How the answer was made")),
    Place("api", "../api/v1/docs/", "Find the passages for a question", button("Find the passages for a question")),
)


@pytest.fixture(scope="module")
def library(staff: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The program with something to see on every page."""
    folder = str(tmp_path_factory.mktemp("files"))
    inside(staff, f"a_library({folder!r}, contributor={CONTRIBUTOR!r}, reviewer={REVIEWER!r})")
    for place, question in enumerate(UNKNOWN):
        staff.says(f"91900001010{place}", question)
    phone = "919000010109"
    staff.says(phone, HELPED)
    answer = staff.answers(phone)[-1]
    pressed = next(each["id"] for each in answer["buttons"] if each["id"].startswith("not_helpful"))
    httpx.post(f"{staff.chat}sandbox/inbound", json={"from": phone, "press": pressed, "message": answer["wamid"]}, timeout=10)
    _until(staff, "SELECT count(*) = 1 FROM conversations_feedback", "the feedback")
    _until(
        staff, "SELECT count(*) >= 2 FROM knowledge_unansweredquestion WHERE vector <> ''", "the questions that nothing answered"
    )
    _until(
        staff, f"SELECT status = 'in_review' FROM ({OF_GUIDELINE.replace('id', 'status')}) found", "the guideline to be indexed"
    )
    return staff


def _until(stack: Stack, query: str, what: str) -> None:
    eventually(lambda: (rows := stack.rows(query)) and rows[0][0], seconds=90, what=what)


@pytest.fixture(scope="module", params=[(1280, 860), (360, 740)], ids=["desk", "phone"])
def console(request: pytest.FixtureRequest, browser: Browser, library: Stack) -> Iterator[Desk]:
    """Signed in once for all pages of one width."""
    width, height = request.param
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    yield Desk(page, library.console).sign_in("admin", library.password)
    page.context.close()


@pytest.mark.parametrize("place", PLACES, ids=[each.name for each in PLACES])
def test_a_page_is_whole_and_its_first_step_is_reached_with_the_keyboard(console: Desk, library: Stack, place: Place) -> None:
    console.faults.clear()
    page = console.open(place.at(library))
    expect(page.get_by_text(place.says).first).to_be_attached()
    expect(place.first(page)).to_be_visible()
    assert not has_sideways_scroll(page)
    assert [words.strip() != "" for words in page.locator("h1:visible").all_inner_texts()] == [True], "one heading names the page"
    assert page.evaluate("[...document.images].filter((each) => !each.hasAttribute('alt')).map((each) => each.src)") == []
    assert _is_reached(page, place.first(page)), "the keyboard does not reach it, or does not show that it does"
    assert console.faults == []


def _is_reached(page: Page, wanted: Locator) -> bool:
    target = wanted.element_handle()
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("(target) => target === document.activeElement && target.matches(':focus-visible')", target):
            return bool(target.evaluate("(it) => getComputedStyle(it).outlineStyle !== 'none'"))
    return False


def test_a_question_is_tried_and_every_passage_says_why_it_was_found(console: Desk) -> None:
    console.faults.clear()
    page = console.open("knowledge/trial/try/")
    page.get_by_role("textbox", name="Question").fill("How do I treat a burn on the hand?")
    page.get_by_role("button", name="Show what is found").click()
    expect(page.get_by_role("heading", name="passages, the best first")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("list", name="Why it was found").first).to_contain_text("0.")
    assert not has_sideways_scroll(page)
    assert console.faults == []


def test_the_second_button_of_the_form_answers_as_jeevo_would(console: Desk) -> None:
    console.faults.clear()
    page = console.open("knowledge/trial/try/")
    page.get_by_role("textbox", name="Question").fill("How do I treat a burn on the hand?")
    page.get_by_role("button", name="Answer as Jeevo would").click()
    expect(page.get_by_role("heading", name="Jeevo would answer this")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("heading", name="What it cites")).to_be_visible()
    assert not has_sideways_scroll(page)
    assert console.faults == []


def test_golden_questions_are_asked_and_each_says_what_became_of_it(console: Desk) -> None:
    console.faults.clear()
    page = console.open("knowledge/goldenquestion/")
    page.get_by_role("button", name="Ask them all now").click()
    expect(page.get_by_role("heading", name="2 of 2 golden questions find what they should")).to_be_visible(timeout=30_000)
    assert not has_sideways_scroll(page)
    assert console.faults == []


def test_the_review_page_is_readable_in_the_dark(browser: Browser, library: Stack) -> None:
    page = browser.new_context(color_scheme="dark").new_page()
    desk = Desk(page, library.console).sign_in("admin", library.password)
    desk.open(f"knowledge/document/{library.rows(OF_GUIDELINE)[0][0]}/change/")
    expect(page.get_by_role("button", name="Publish")).to_be_visible()
    ground, words = (page.evaluate(f"getComputedStyle(document.body).{each}") for each in ("backgroundColor", "color"))
    assert _lightness(ground) < 60 < 180 < _lightness(words)
    assert desk.faults == []
    page.context.close()


def _lightness(colour: str) -> float:
    """Of "rgb(16, 22, 21)"."""
    return sum(map(float, colour.removeprefix("rgb(").removesuffix(")").split(","))) / 3
