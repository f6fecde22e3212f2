"""The pictures of the console in README and docs, taken from the running program: `python -m tests.pictures [FOLDER]`.

It takes some minutes, because targets and plots need minutes to show. With a folder the pictures of every page are left
there to be looked at, and nothing in docs/ changes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

import django
from playwright.sync_api import Browser, Page, sync_playwright

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jeevo.settings")
django.setup()  # the roles are named beside models

from jeevo.environment import ROOT  # noqa: E402
from operations import roles  # noqa: E402
from tests.browser import staff  # noqa: E402
from tests.browser.conftest import CHROMIUM  # noqa: E402
from tests.browser.staff import Desk, inside  # noqa: E402
from tests.stack import Stack, eventually, running  # noqa: E402

DOCS = ROOT / "docs" / "images"
DAY, NIGHT = "day-desk", "night-desk"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 780}
QUESTIONS = (
    "How do I bring down a fever in a two-year-old?",
    "My nose is bleeding",
    "I burned my hand on a pot",
    "What time is it?",
)
MINUTES = 6
# Those that README and docs show, by what they are called there.
SHOWN = {"console", "incident", "window", "targets", "backups", "restore"}
ON_PHONE = {"console", "incident", "window", "targets"}
OTHERS = {
    "incidents": "operations/incident/",
    "response": "operations/response/",
    "drills": "operations/drills/",
    "subscribers": "operations/subscriber/",
    "roles": "operations/roles/",
    "preflight": "operations/preflight/",
    "troubleshooting": "operations/troubleshooting/",
    "restore-add": "operations/restore/add/",
}


def manage(stack: Stack, *words: str) -> None:
    subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=stack.variables, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def talk(stack: Stack) -> Iterator[None]:
    """Somebody asks something every four seconds."""
    over = threading.Event()

    def ask() -> None:
        for number, question in enumerate(cycle(QUESTIONS)):
            if over.wait(4):
                return
            stack.says(f"9197000{number % 900:05d}", question)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def a_window(desk: Desk) -> str:
    page = desk.open("operations/maintenancewindow/add/")
    page.get_by_label("Title").fill("Move to a new server")
    start = datetime.now(UTC) + timedelta(minutes=2)
    for name, at in (("Start", start), ("End", start + timedelta(hours=1))):
        page.get_by_label(f"{name}, day").fill(f"{at:%Y-%m-%d}")
        page.get_by_label(f"{name}, time of day").fill(f"{at:%H:%M}")
    page.get_by_role("button", name="Plan the window").click()
    page.get_by_role("button", name="Tick: Going back to the last version was tried").click()
    page.get_by_role("button", name="Start the window").click()
    page.get_by_label("Why begin with open lines").fill("The old server is failing")
    page.get_by_role("button", name="Start the window").click()
    page.get_by_text("In progress").first.wait_for()
    return page.url.split("/admin/")[1]


def a_restore(stack: Stack) -> str:
    instant = datetime.now(UTC)
    threading.Event().wait(3)
    stack.rows("UPDATE knowledge_document SET title = title || ' (old)' WHERE slug = 'burns' RETURNING 1")
    arguments = ("--to", f"{instant:%Y-%m-%dT%H:%M:%SZ}", "--reason", "Imported messages of another service by mistake.")
    manage(stack, "restore", "request", *arguments, "--as", DAY)
    manage(stack, "restore", "approve", "--as", NIGHT)
    ready = "SELECT id FROM operations_restore WHERE status = 'ready'"
    return f"operations/restore/{eventually(lambda: stack.rows(ready), seconds=300, what='the copy')[0][0]}/"


def take(browser: Browser, stack: Stack, pages: dict[str, str], into: Path, *, every: bool) -> None:
    for size, suffix in ((DESK, ""), (PHONE, "-phone")):
        page: Page = browser.new_context(viewport=size, color_scheme="light").new_page()  # type: ignore[arg-type]
        desk = Desk(page, stack.console).sign_in(NIGHT, staff.PASSWORD)
        for name, address in pages.items():
            if every or name in (ON_PHONE if suffix else SHOWN):
                desk.open(address)
                page.wait_for_timeout(1500)
                page.screenshot(path=str(into / f"{name}{suffix}.png"), full_page=every)
                if staff.has_sideways_scroll(page):
                    print(f"{name} scrolls sideways at {size['width']} px")
        print(*desk.faults, sep="\n")
        page.context.close()


def main(into: Path, *, every: bool) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name, sync_playwright() as library:
        folder = Path(name)
        folder.chmod(0o755)
        with running(folder / "pictures", WEB_PORT="18350", SANDBOX_PORT="18351", BURST_SECONDS="1") as stack:
            waiting = "SELECT 1 FROM knowledge_document WHERE status IN ('uploaded', 'indexing')"
            eventually(lambda: not stack.rows(waiting), seconds=240, what="the starter articles to be indexed")
            received = "SELECT 1 FROM pg_replication_slots WHERE slot_name = 'jeevo_receiver' AND active"
            eventually(lambda: stack.rows(received), seconds=90, what="the log to be received")
            inside(stack, f"accounts({dict.fromkeys((DAY, NIGHT), roles.OPERATOR)!r})")
            browser = library.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            with talk(stack):
                manage(stack, "backup", "take", "full")
                manage(stack, "backup", "take", "dump")
                threading.Event().wait(60 * MINUTES)
                title = "Answers are slower than usual"
                inside(stack, f"a_late_incident({title!r}, by={NIGHT!r})")
                first = Desk(browser.new_context(viewport=DESK).new_page(), stack.console)  # type: ignore[arg-type]
                window = a_window(first.sign_in(NIGHT, staff.PASSWORD))
                restore = a_restore(stack)
                number = stack.rows("SELECT id FROM operations_incident WHERE title = %s", title)[0][0]
                pages = {
                    "console": "",
                    "incident": f"operations/incident/{number}/change/",
                    "window": window,
                    "targets": "operations/targets/",
                    "backups": "operations/backup/",
                    "restore": restore,
                } | (OTHERS if every else {})
                take(browser, stack, pages, into, every=every)
            browser.close()


if __name__ == "__main__":
    asked = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if asked is not None:
        asked.mkdir(parents=True, exist_ok=True)
    main(asked or DOCS, every=asked is not None)
