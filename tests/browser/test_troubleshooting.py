"""Troubleshooting in a real browser: every page fits a phone, obeys the content policy, and a stuck connection is ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from operations.troubleshooting import TOPICS
from tests import factories
from tests.operations.lookers import a_person, a_rollup, another

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = ["", *(f"{topic.name}/" for topic in TOPICS), "cache/clear/", "runbooks/", "runbooks/jeevo-down/"]


@pytest.fixture(params=[360, 1280])
def page(request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer, asha: User) -> Iterator[Page]:
    """A window of Asha's, signed in; what the browser complains of fails the test."""
    client = Client()
    client.force_login(asha)
    context = browser.new_context(viewport={"width": request.param, "height": 860}, base_url=live_server.url)
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    opened, complaints = context.new_page(), list[str]()
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture
def asha() -> User:
    return a_person("asha", "view_machine", "act_on_machine")


@pytest.fixture
def busy() -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    person = factories.a_contact()
    factories.an_inbound(person, status="waiting", received_at=now - timedelta(minutes=7))
    factories.an_outbound(person, status="failed", failed_at=now, reason="The access token has expired or was withdrawn")
    for minutes in range(0, 400, 10):
        at = now - timedelta(minutes=minutes)
        a_rollup("memory:worker-answers", at=at, total=900 - minutes / 3)
        a_rollup("errors:django.db.utils.OperationalError@knowledge/retrieval.py:88 search_with_a_long_name", at=at, count=2)


@pytest.mark.usefixtures("busy")
def test_every_page_fits_its_window_and_has_one_answer(page: Page) -> None:
    for place in PAGES:
        page.goto(f"/admin/operations/troubleshooting/{place}")
        assert page.locator("h1").count() == 1, place
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), place


def test_a_stuck_connection_is_ended_by_typing_its_name(page: Page) -> None:
    with another("worker-answers") as stuck:
        stuck.execute("SELECT 1")
        pid = stuck.info.backend_pid
        page.goto("/admin/operations/troubleshooting/connections/")
        page.get_by_role("row").filter(has_text=str(pid)).get_by_role("link", name="End").click()
        page.get_by_label("Type worker-answers to go on").fill("worker-answers")
        page.get_by_role("button", name="End this connection").click()
        page.get_by_text(f"The connection {pid} of worker-answers was ended.").wait_for()
        page.reload()  # the server ends it a moment after it was asked to
        page.get_by_text("No connection idles in a transaction.").wait_for()
