"""Safe answers in real browsers: an emergency in Hindi, a rule that a clinician adds, a dose that a model invents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests import groq_server
from tests.browser.conftest import OpenDesk
from tests.browser.staff import REVIEWER
from tests.browser.test_journey import ask
from tests.stack import Stack, eventually, running

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(240)]
DOSE = "Give 4 tablets of 500 mg every hour"
ROPE = "the goat rope is round his neck"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole program, with a language model that adds an invented dose to every answer."""
    with groq_server.serving() as groq:
        groq.plays = "one dose too many"
        model = {"GROQ_API_KEY": "gsk_played", "GROQ_BASE_URL": groq.url}
        folder = tmp_path_factory.mktemp("safety")
        with running(folder, WEB_PORT="18210", SANDBOX_PORT="18211", BURST_SECONDS="1", **model) as started:
            waiting = "SELECT count(*) FROM knowledge_document WHERE status IN ('uploaded', 'indexing')"
            eventually(lambda: started.rows(waiting)[0][0] == 0, seconds=120, what="the starter articles to be indexed")
            yield started


@pytest.mark.parametrize(
    ("words", "first", "advice"),
    [
        ("मेरी माँ का चेहरा एक तरफ लटक गया है और वे बोल नहीं पा रहीं", "अभी 112 या 108 पर फ़ोन करें।", "एम्बुलेंस"),
        ("papa ko seene me bahut dard hai aur pasina aa raha hai", "Abhi 112 ya 108 par phone karein.", "hospital"),
    ],
)
def test_an_emergency_in_hindi_is_answered_in_the_letters_it_was_written_in(
    page: Page, stack: Stack, words: str, first: str, advice: str
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(stack.chat)
    page.get_by_label("You are").select_option("new")
    ask(page, words)
    reply = page.get_by_role("log", name="Conversation").get_by_role("listitem").filter(has_text=first)
    expect(reply.last).to_be_visible(timeout=10_000)
    expect(reply.last).to_contain_text(advice)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"


@pytest.mark.parametrize("width", [1280, 360])
def test_a_clinician_adds_a_rule_and_a_bad_one_is_refused_with_the_failing_example(
    desk: OpenDesk, stack: Stack, width: int
) -> None:
    page = desk(REVIEWER, width=width).open("conversations/triagerule/tree/")
    page.get_by_label("Try a message").fill(ROPE)
    page.get_by_role("button", name="Read it as Jeevo would").click()
    expect(page.get_by_text("No rule fires." if width == 1280 else "Emergency: choking")).to_be_visible()
    page.goto(page.url.replace("tree/", "add/"))
    page.get_by_label("Sign").fill("choking")
    page.get_by_label("Level").select_option("emergency")
    page.get_by_label("Patterns").fill("rope + neck")
    page.get_by_label("Must be found").fill(f"{ROPE}\nthere is a rope on her neck")
    page.get_by_label("Must stay quiet").fill("there is no rope on his neck\nmy neck hurts since I pulled the rope")
    page.get_by_label("Source").fill("https://www.who.int/news-room/fact-sheets")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("my neck hurts since I pulled the rope”, which must stay quiet")).to_be_visible()
    page.get_by_label("Must stay quiet").fill("there is no rope on his neck\nwhat is a rope burn on the neck?")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Every message is read with this from now on.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    phone = f"9190000201{width % 100:02d}"
    stack.says(phone, ROPE)
    assert "112" in stack.answers(phone)[0]["text"]


def test_an_invented_dose_is_taken_out_and_the_reviewer_sees_why(page: Page, desk: OpenDesk, stack: Stack) -> None:
    phone = "919000020199"
    stack.says(phone, "How do I bring down a fever in a two-year-old?")
    (sent,) = stack.answers(phone)
    assert "[1]" in sent["text"]
    assert "500 mg" not in sent["text"]
    contact = "SELECT id FROM conversations_contact WHERE label LIKE %s"
    [(answer, kind)] = stack.rows(f"SELECT id, kind FROM conversations_answer WHERE contact_id = ({contact})", "%99")
    assert kind == "generated"
    own = desk("admin", password=stack.password).open(f"conversations/answer/{answer}/change/")
    expect(own.get_by_text(DOSE)).to_be_visible()
    expect(own.get_by_text("number").first).to_be_visible()
