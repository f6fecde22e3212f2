"""Rules that clinicians add in the console: saved only when they are safe, read by the next message, kept with their history."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from django.test import Client
from django.urls import reverse

from conversations import dispatch, intake, own_rules, roles, rulebook, webhook
from conversations.models import InboundMessage, TriageRule
from conversations.triage import judge
from tests.factories import NOW, dumped, envelope, text_message
from tests.knowledge import people

pytestmark = pytest.mark.django_db
WORDS = "the goat rope is round his neck"
ADD, TREE = "admin:conversations_triagerule_add", "admin:conversations_triagerule_tree"


def a_row(**fields: Any) -> TriageRule:
    usual = {
        "language": "en",
        "concept": "choking",
        "level": "emergency",
        "patterns": "rope + neck",
        "source": "https://example.org",
    }
    return TriageRule.objects.create(**usual | {"fires": f"{WORDS}\nrope on her neck", "quiet": "no rope on his neck"} | fields)


def form(**fields: str) -> dict[str, str]:
    usual = {
        "language": "en",
        "concept": "choking",
        "level": "emergency",
        "patterns": "rope + neck",
        "unless": "",
        "switched_off": "",
        "fires": f"{WORDS}\nthere is a rope on her neck",
        "quiet": "there is no rope on his neck\nwhat is a rope burn on the neck?",
        "source": "https://www.who.int/news-room/fact-sheets",
        "reason": "Missed in spring.",
        "active": "on",
    }
    return usual | fields


@pytest.fixture
def clinician(client: Client) -> Client:
    person = people.reviewer()
    roles.ensure()
    client.force_login(person)
    return client


def test_a_saved_rule_decides_the_next_message(clinician: Client) -> None:
    assert judge(WORDS, books=own_rules.books()).level == "routine"
    assert clinician.post(reverse(ADD), form()).status_code == 302
    intake.store(webhook.parse(dumped(envelope(messages=[text_message(WORDS)]))), now=NOW)
    dispatch.attach_received(now=NOW, send_now=lambda key: None)
    message, rule = InboundMessage.objects.get(), TriageRule.objects.get()
    assert (message.triage_level, message.triage_concept) == ("emergency", "choking")
    assert message.triage_rules == [f"en.choking.own-{rule.pk.hex[-8:]}.1"]
    assert str(rule.created_by) == "meera"


def test_a_bad_rule_is_refused_with_the_failing_example_and_nothing_is_lost(clinician: Client) -> None:
    page = clinician.post(reverse(ADD), form(quiet="there is no rope on his neck\nmy neck hurts since I pulled the rope"))
    said = page.content.decode()
    assert page.status_code == 200
    assert "my neck hurts since I pulled the rope”, which must stay quiet" in said
    assert "rope + neck" in said
    assert not TriageRule.objects.exists()


def test_a_rule_that_is_switched_off_holds_no_more_and_keeps_its_history(clinician: Client) -> None:
    row = a_row()
    assert judge(WORDS, books=own_rules.books()).level == "emergency"
    address = reverse("admin:conversations_triagerule_change", args=[row.pk])
    changed = form()
    del changed["active"]
    assert clinician.post(address, changed).status_code == 302
    assert judge(WORDS, books=own_rules.books()).level == "routine"
    assert TriageRule.history.filter(id=row.pk).count() == 2  # type: ignore[attr-defined]
    assert clinician.post(reverse("admin:conversations_triagerule_delete", args=[row.pk])).status_code == 403


def test_a_rule_of_the_tree_can_be_switched_off(clinician: Client) -> None:
    text = "asthma attack and the inhaler is not here"
    before = judge(text, books=own_rules.books())
    assert before.level == "emergency"
    english = [rule for rule in before.rules if rule.startswith("en.")]
    a_row(concept="breathing", patterns="", switched_off="\n".join(english), fires="")
    assert english
    assert not set(english) & set(judge(text, books=own_rules.books()).rules)


def test_a_row_that_no_longer_fits_the_tree_is_left_out_and_logged() -> None:
    a_row(patterns="<gone> + neck")
    a_row()
    with structlog.testing.capture_logs() as logs:
        books = own_rules.books()
    assert [each["event"] for each in logs] == ["a triage rule does not fit this release and is left out"]
    assert judge(WORDS, books=books).level == "emergency"
    assert judge("I have chest pain", books=books).level == "emergency"


def test_without_rows_the_rules_are_those_of_the_tree() -> None:
    assert own_rules.books() is rulebook.load()


def test_the_page_of_the_tree_lists_rules_with_their_source_and_tries_a_message(clinician: Client) -> None:
    page = clinician.get(reverse(TREE), {"language": "hi"}).content.decode()
    assert "hi.stroke.1" in page
    assert "No clinician has reviewed the rules in this language yet." in page
    tried = clinician.post(reverse(TREE), {"message": "pain in my chest"}).content.decode()
    assert "Emergency: heart attack" in tried
    assert "en.heart_attack." in tried
    assert "No rule fires." in clinician.post(reverse(TREE), {"message": "hello"}).content.decode()
    assert clinician.get(reverse(TREE), {"language": "../en"}).status_code == 200


def test_adding_to_a_sign_starts_with_its_level_and_source(clinician: Client) -> None:
    page = clinician.get(reverse(ADD), {"rule": "en.stroke"}).content.decode()
    assert 'value="stroke"' in page
    assert clinician.get(reverse(ADD), {"rule": "nothing.at.all"}).status_code == 200


def test_what_would_have_changed_is_said_in_numbers(clinician: Client) -> None:
    intake.store(webhook.parse(dumped(envelope(messages=[text_message(WORDS)]))), now=NOW)
    dispatch.attach_received(now=NOW, send_now=lambda key: None)
    page = clinician.post(reverse(ADD), form(), follow=True).content.decode()
    assert "1 of the last 1 messages would be at a higher level" in page
    assert WORDS not in page


@pytest.mark.parametrize(
    ("role", "may_read", "may_add"), [("viewer", 200, 403), ("contributor", 200, 403), ("reviewer", 200, 200)]
)
def test_who_may_read_and_who_may_change(client: Client, role: str, may_read: int, may_add: int) -> None:
    person = getattr(people, role)()
    roles.ensure()
    client.force_login(person)
    assert client.get(reverse(TREE)).status_code == may_read
    assert client.get(reverse(ADD)).status_code == may_add
