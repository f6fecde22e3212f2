"""The API of the running program: its page in a real browser, and a search that a worker does while the caller waits."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest
from playwright.sync_api import Page, expect

from jeevo.environment import ROOT
from tests.stack import Stack, eventually

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(240)]


def test_the_page_of_the_api_is_drawn_under_the_strict_policy(page: Page, stack: Stack) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 760})
        page.goto(stack.console.replace("admin/", "api/v1/docs/"))
        page.get_by_role("button", name="Find the passages for a question").first.click()
        expect(page.get_by_text("What was found, best first.").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    assert faults == []


def _done(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 200 else None


def test_a_program_with_a_token_searches_and_asks(stack: Stack) -> None:
    words = [sys.executable, "manage.py", "api_token", "admin"]
    token = subprocess.run(words, cwd=ROOT, env=stack.variables, capture_output=True, text=True, check=True).stdout.strip()
    with httpx.Client(
        base_url=stack.console.replace("admin/", "api/v1/"), headers={"Authorization": f"Token {token}"}, timeout=10
    ) as api:
        # Just after the start the worker is still reading its model and its rules, and the answer is 202.
        asked = {"question": "How do I bring down a fever in a child?"}
        found = eventually(lambda: _done(api.post("search/", json=asked)), seconds=60, what="a worker that is warm")
        asked = {"question": "My father has crushing chest pain and cannot breathe"}
        said = eventually(lambda: _done(api.post("ask/", json=asked)), seconds=60, what="an answer")
    assert "ever" in found.json()["passages"][0]["title"]
    assert (said.json()["kind"], "112" in said.json()["text"]) == ("emergency", True)
