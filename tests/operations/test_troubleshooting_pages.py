"""The pages of troubleshooting: every one opens, says its answer, and lets nobody do more than they may."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from operations import runbooks
from operations.troubleshooting import SYMPTOMS, TOPICS
from tests import factories
from tests.operations.lookers import a_person

pytestmark = pytest.mark.django_db
NAMES = [f"troubleshooting_{topic.name}" for topic in TOPICS]


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def ravi(client: Client) -> Client:
    """May look."""
    client.force_login(a_person("ravi", "view_machine"))
    return client


def text(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode()))


@pytest.mark.parametrize("name", ["troubleshooting", "troubleshooting_runbooks", *NAMES])
def test_a_page_opens_for_who_may_look_and_for_nobody_else(name: str, client: Client) -> None:
    address = reverse(f"admin:{name}")
    client.force_login(a_person("meera"))
    assert client.get(address).status_code == 403
    client.force_login(a_person("ravi", "view_machine"))
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_page_says_its_question_its_answer_and_the_command_for_the_same(topic: object, ravi: Client) -> None:
    name = topic.name  # type: ignore[attr-defined]
    page = ravi.get(reverse(f"admin:troubleshooting_{name}"))
    finding = page.context["finding"]
    assert finding.name == name
    assert f'<h1 id="answer">{finding.answer}</h1>' in page.content.decode().replace("&#x27;", "'")
    assert finding.question in text(page.content)
    assert f"manage.py inspect {name}" in text(page.content)


@pytest.mark.parametrize("name", ["troubleshooting", *NAMES])
def test_a_page_holds_no_style_and_no_script_of_its_own(name: str, ravi: Client) -> None:
    page = ravi.get(reverse(f"admin:{name}")).content.decode()
    assert not re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


def test_the_front_page_goes_by_symptoms_and_answers_each_line(ravi: Client) -> None:
    page = ravi.get(reverse("admin:troubleshooting"))
    for symptom in SYMPTOMS:
        assert symptom.title in text(page.content)
    shown = [finding.answer for _, found in page.context["symptoms"] for _, finding in found]
    assert all(answer for answer in shown)
    assert len(shown) == sum(len(symptom.topics) for symptom in SYMPTOMS)
    assert {name for symptom in SYMPTOMS for name in symptom.topics} == {topic.name for topic in TOPICS}


def test_every_next_step_that_is_shown_opens(ravi: Client) -> None:
    for name in NAMES:
        finding = ravi.get(reverse(f"admin:{name}")).context["finding"]
        for step in finding.steps:
            assert ravi.get(step.href).status_code == 200, step


def test_a_reason_leads_to_the_messages_only_for_who_may_open_them(ravi: Client, client: Client) -> None:
    now = timezone.now()
    factories.an_outbound(factories.a_contact(), status="failed", failed_at=now, reason="The access token was refused")
    address = reverse("admin:conversations_outboundmessage_changelist")
    page = ravi.get(reverse("admin:troubleshooting_errors")).content.decode()
    assert "The access token was refused" in page
    assert f'href="{address}?status__exact=failed"' not in page
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    assert f'href="{address}?status__exact=failed">The access token was refused' in client.get(
        reverse("admin:troubleshooting_errors")
    ).content.decode().replace("&amp;", "&")


def test_only_one_place_of_the_menu_is_troubleshootings(ravi: Client) -> None:
    menu = ravi.get(reverse("admin:troubleshooting")).context["operations"]
    assert [place.title for place in menu if "troubleshooting" in place.href] == ["Troubleshooting"]


def test_who_may_only_look_sees_no_button_to_clear(ravi: Client, client: Client) -> None:
    address = reverse("admin:troubleshooting_cache")
    assert reverse("admin:troubleshooting_clear") not in ravi.get(address).content.decode()
    assert ravi.get(reverse("admin:troubleshooting_clear")).status_code == 403
    client.force_login(a_person("asha", "view_machine", "act_on_machine"))
    assert reverse("admin:troubleshooting_clear") in client.get(address).content.decode()


def test_memory_and_errors_are_shown_over_three_stretches(ravi: Client) -> None:
    for name in ("memory", "errors"):
        for key in ("1h", "24h", "7d"):
            page = ravi.get(reverse(f"admin:troubleshooting_{name}"), {"over": key})
            assert page.context["period"].key == key
        assert ravi.get(reverse(f"admin:troubleshooting_{name}"), {"over": "a year"}).context["period"].key == "24h"


def test_a_runbook_is_shown_with_its_links_inside_the_console(ravi: Client) -> None:
    page = ravi.get(reverse("admin:troubleshooting_runbook", args=["slow-answers"])).content.decode()
    assert f'href="{reverse("admin:troubleshooting_workers")}"' in page
    assert f'href="{reverse("admin:troubleshooting_runbook", args=["stuck-messages"])}"' in page


@pytest.mark.parametrize("name", ["nothing-like-it", "README", "..", "settings"])
def test_no_other_file_is_shown_as_a_runbook(name: str, ravi: Client) -> None:
    assert runbooks.read(name) is None
    assert ravi.get(f"/admin/operations/troubleshooting/runbooks/{name}/").status_code in (404, 302)
