"""People of the knowledge base at their browsers: accounts in the running program, and what a browser complained about."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page, Request, Response

from jeevo.environment import ROOT
from knowledge import roles
from tests.stack import Stack

PASSWORD = "a long sentence of nobody"
CONTRIBUTOR, REVIEWER = "ravi", "meera"
_ROLES = {CONTRIBUTOR: roles.CONTRIBUTOR, REVIEWER: roles.REVIEWER}


def inside(stack: Stack, statement: str) -> None:
    """A statement about `tests.browser.rows`, run where the program runs."""
    words = [sys.executable, "manage.py", "shell", "--no-imports", "-c", f"from tests.browser import rows; rows.{statement}"]
    environment = {**stack.variables, "STAFF_PASSWORD": PASSWORD}
    subprocess.run(words, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def make_accounts(stack: Stack) -> None:
    inside(stack, f"accounts({_ROLES!r})")


@dataclass
class Desk:
    """A page of somebody who is signed in, and everything that went wrong on it."""

    page: Page
    console: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def sign_in(self, name: str, password: str = PASSWORD) -> Desk:
        self.page.goto(f"{self.console}login/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        return self

    def open(self, address: str) -> Page:
        self.page.goto(self.console + address)
        return self.page

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.faults.append(message.text)

    def _failed(self, request: Request) -> None:
        # What the browser itself dropped, because the page was left, is no fault.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"{request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.url}: {response.status}")


def has_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
