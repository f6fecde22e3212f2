"""What is live is seen everywhere: in the verdict, at home, beside the link, and as a line while it is grave."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from operations import incidents, live_incidents
from tests.fixtures import ChangeEnvironment
from tests.operations.on_duty import at_night, browser, declared, page_of, somebody, words

pytestmark = pytest.mark.django_db
ELSEWHERE = "/admin/password_change/"


@pytest.fixture
def night() -> Client:
    return at_night()


def test_the_worst_comes_first_with_what_is_due_on_each() -> None:
    low, grave = declared(severity=4), declared(severity=1)
    found = live_incidents.found(timezone.now())
    assert [each.incident for each in found] == [grave, low]
    assert [due.kind for due in found[0].due] == ["acknowledge", "severity", "commander", "update", "mitigation"]


@pytest.mark.parametrize(
    ("severity", "headline"), [(1, "Jeevo needs you now"), (2, "Jeevo works, and something needs a look"), (3, None)]
)
def test_the_verdict_takes_grave_incidents_into_account(severity: int, headline: str | None) -> None:
    declared("Search is slow", severity=severity)
    tiles = live_incidents.tiles(live_incidents.found(timezone.now()), may_see=True)
    assert [tile.state for tile in tiles] == {1: ["breached"], 2: ["at_risk"], 3: []}[severity]
    assert all(tile.said == "Search is slow. Nobody has it yet." for tile in tiles)


def test_home_lists_them_above_the_figures_with_the_verdicts_reason(night: Client) -> None:
    incident = declared("Search is slow", severity=1)
    answer = night.get("/admin/")
    text = words(answer)
    assert "Jeevo needs you now" in text
    assert f"INC-{incident.number}: Search is slow. Nobody has it yet. Open the incident" in text
    assert text.index("Live incidents") < text.index("Waiting for an answer")
    assert "Good Acknowledge: in 4 minutes" in text
    assert 'data-refresh="/admin/operations/incident/?part=live"' in answer.content.decode()


def test_a_calm_home_says_that_nothing_is_live(night: Client) -> None:
    assert "No incident is live." in words(night.get("/admin/"))


@pytest.mark.parametrize(("severity", "shown"), [(1, True), (2, True), (3, False)])
def test_every_page_has_the_line_while_it_is_grave(night: Client, severity: int, shown: bool) -> None:
    incident = declared("Search is slow", severity=severity)
    answer = night.get(ELSEWHERE)
    assert (f'<a href="{page_of(incident)}">' in answer.content.decode()) is shown
    incidents.move(incident, "resolved", by=somebody("lead"), now=timezone.now())
    assert page_of(incident) not in night.get(ELSEWHERE).content.decode()


def test_the_page_of_an_incident_has_no_line_about_itself(night: Client) -> None:
    assert 'class="grave' not in night.get(page_of(declared(severity=1))).content.decode()


def test_several_are_counted_beside_the_worst(night: Client) -> None:
    declared("One", severity=2)
    declared("Two", severity=1)
    declared("Three", severity=2)
    text = words(night.get(ELSEWHERE))
    assert "Severity 1, triage: Two" in text
    assert "and 2 more" in text
    assert "Incidents 3 live" in text


def test_who_may_not_see_incidents_learns_from_the_verdict_only_that_there_is_one() -> None:
    declared("Search is slow", severity=1)
    text = words(browser("clinician").get("/admin/"))
    assert "Jeevo needs you now Incident: Staff are working on an incident." in text
    assert "Search is slow" not in text
    assert "Live incidents" not in text


def test_who_may_not_see_incidents_and_strangers_get_neither_line_nor_number() -> None:
    incident = declared("Search is slow", severity=1)
    for client, address in ((browser("clinician"), ELSEWHERE), (Client(), "/admin/login/")):
        html = client.get(address).content.decode()
        assert "Search is slow" not in html
        assert "live-count" not in html
        assert str(incident.pk) not in html


def test_the_line_costs_one_query_however_many_are_live(night: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            night.get(ELSEWHERE)
        return len(queries)

    before = cost()
    for _ in range(5):
        declared(severity=1)
    assert cost() == before
    assert sum("operations_incident" in each["sql"] for each in _queries(night)) == 1


def _queries(client: Client) -> list[dict[str, str]]:
    with CaptureQueriesContext(connection) as queries:
        client.get(ELSEWHERE)
    return list(queries)


def test_who_still_owes_the_second_factor_sees_none_of_it(environment: ChangeEnvironment) -> None:
    declared("Search is slow", severity=1)
    client = browser("night-desk", "view_incident", "run_incident")
    environment(second_factor="everybody")
    answer = client.get("/admin/second-factor/", follow=True)
    assert answer.status_code == 200
    assert "Search is slow" not in words(answer)
    assert "Declare" not in words(answer)
