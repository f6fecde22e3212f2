"""A newcomer's first minutes, in a real browser: three questions in the chat, and what the console shows of them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(240)]

EMERGENCY = "My father's face is drooping and he can't lift his arm"
QUESTION = "How do I bring down a fever in a two-year-old?"
UNKNOWN = "Will the new bridge open this year?"


@pytest.fixture
def faults(page: Page) -> list[str]:
    """What the browser complains about: errors of scripts, and anything the content security policy refused."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    return found


def ask(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.keyboard.press("Enter")


def sign_in(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.console}login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(stack.password)
    page.get_by_role("button", name="Log in").or_(page.get_by_role("button", name="Sign in")).click()


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (360, 740)])
def test_the_chat_answers_an_emergency_a_question_and_says_when_it_does_not_know(
    page: Page, stack: Stack, faults: list[str], width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(stack.chat)
    page.get_by_label("You are").select_option("new")
    expect(page.get_by_text("Ask Jeevo something")).to_be_visible()
    conversation = page.get_by_role("log", name="Conversation")
    ask(page, EMERGENCY)
    expect(conversation.get_by_text("Call 112 or 108").last).to_be_visible(timeout=10_000)
    ask(page, QUESTION)
    expect(conversation.get_by_text("Sources").last).to_be_visible(timeout=30_000)
    expect(conversation.get_by_role("button", name="Talk to a person").last).to_be_visible()
    ask(page, UNKNOWN)
    expect(conversation.get_by_text("I do not know the answer").last).to_be_visible(timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    assert faults == []


def test_the_console_shows_what_happened_and_the_snapshot_of_each_source(page: Page, stack: Stack, faults: list[str]) -> None:
    phone = "919000010099"
    stack.says(phone, QUESTION)
    stack.answers(phone)
    [(answer, count)] = stack.rows(
        """SELECT a.id, count(c.id) FROM conversations_answer a JOIN conversations_citation c ON c.answer_id = a.id
           JOIN conversations_contact p ON p.id = a.contact_id WHERE p.label LIKE %s GROUP BY a.id""",
        "%99",
    )
    assert count >= 2
    sign_in(page, stack)
    expect(page.get_by_role("heading", name="Jeevo is").or_(page.get_by_text("Jeevo is well"))).to_be_visible()
    page.goto(f"{stack.console}conversations/answer/{answer}/change/")
    quotes = [row[0] for row in stack.rows("SELECT quote FROM conversations_citation WHERE answer_id = %s", answer)]
    shown = page.inner_text("body")
    assert all(quote[:60] in shown for quote in quotes)
    assert phone not in page.content()
    assert faults == []


def test_a_person_is_asked_for_and_staff_reply_from_the_transcript(page: Page, stack: Stack, faults: list[str]) -> None:
    phone = "919000010042"
    stack.says(phone, UNKNOWN)
    stack.answers(phone)
    sign_in(page, stack)
    page.get_by_role("link", name="Handovers").first.click()
    page.get_by_role("link", name="42").first.click()
    page.get_by_role("textbox").last.fill("A colleague can help you with this at the clinic on Monday.")
    page.get_by_role("button", name="Send").click()
    replies = stack.answers(phone, count=3)
    assert any("clinic on Monday" in each["text"] for each in replies)
    assert faults == []


def test_a_restart_keeps_the_history(page: Page, stack: Stack) -> None:
    page.goto(stack.chat)
    ask(page, "hi")
    expect(page.get_by_text("I am Jeevo").last).to_be_visible(timeout=15_000)
    assert stack.stop() == 0
    stack.start()
    page.goto(stack.chat)
    expect(page.get_by_text("I am Jeevo").last).to_be_visible(timeout=15_000)
