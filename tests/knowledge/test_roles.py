"""Three roles, and what each sees and may do on every page of knowledge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from knowledge import roles, starter
from knowledge.models import Document
from operations import preparation
from tests.factories import NOW
from tests.knowledge import people

pytestmark = pytest.mark.django_db
MODELS = sorted((each for each in admin.site._registry if each._meta.app_label == "knowledge"), key=lambda each: each.__name__)
WHO: dict[str, Callable[[], User]] = {"viewer": people.viewer, "contributor": people.contributor, "reviewer": people.reviewer}
NOBODY = "nobody"
LOOK = [
    "view_chunk",
    "view_document",
    "view_embeddingindex",
    "view_evaluationfigure",
    "view_evaluationquestion",
    "view_evaluationrun",
    "view_goldenquestion",
    "view_import",
    "view_importitem",
    "view_trial",
]
BRING = [
    "add_document",
    "add_goldenquestion",
    "add_import",
    "add_trial",
    "change_goldenquestion",
    "change_import",
    "change_unansweredquestion",
    "view_unansweredquestion",
]
MAY = {"viewer": LOOK, "contributor": LOOK + BRING, "reviewer": [*LOOK, *BRING, "change_document", "publish_document"]}


def client_of(client: Client, who: str) -> Client:
    client.force_login(WHO[who]() if who in WHO else User.objects.create(username="noor", is_staff=True))
    return client


@pytest.mark.parametrize("who", WHO)
def test_a_role_is_exactly_its_permissions(who: str) -> None:
    held = {each.split(".")[1] for each in WHO[who]().get_all_permissions()}
    assert sorted(held) == sorted(MAY[who])


def test_nobody_may_delete_anything() -> None:
    assert not [each for codenames in roles.ROLES.values() for each in codenames if each.startswith("delete")]


def test_the_roles_are_made_once_and_brought_up_to_date() -> None:
    roles.ensure()
    viewer = Group.objects.get(name=roles.VIEWER)
    viewer.permissions.remove(Permission.objects.get(codename="view_document"))
    viewer.permissions.add(Permission.objects.get(codename="publish_document"), Permission.objects.get(codename="view_contact"))
    roles.ensure()
    held = set(viewer.permissions.values_list("codename", flat=True))
    assert Group.objects.count() == 3
    assert "view_document" in held
    assert "publish_document" not in held
    assert "view_contact" in held, "what an operator gave in another app is kept"


def test_preparing_the_service_makes_the_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "call_command", lambda *_, **__: None)
    monkeypatch.setattr(preparation, "first_account", lambda **_: None)
    monkeypatch.setattr(starter, "load", lambda: starter.Loaded(0, 0, 0))
    preparation.prepare(say=lambda line: None)
    assert set(Group.objects.values_list("name", flat=True)) >= set(roles.ROLES)


@pytest.mark.parametrize("model", MODELS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("who", [*WHO, NOBODY])
def test_every_list_opens_for_those_who_may_look_and_for_nobody_else(client: Client, model: Any, who: str) -> None:
    name = model._meta.model_name
    answer = client_of(client, who).get(reverse(f"admin:knowledge_{name}_changelist"), follow=True)
    assert answer.status_code == (200 if f"view_{name}" in MAY.get(who, []) else 403)


@pytest.mark.parametrize("model", MODELS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("who", [*WHO, NOBODY])
def test_the_form_for_something_new_opens_only_for_those_who_may_add_it(client: Client, model: Any, who: str) -> None:
    name = model._meta.model_name
    answer = client_of(client, who).get(reverse(f"admin:knowledge_{name}_add"))
    if f"add_{name}" not in MAY.get(who, []):
        assert answer.status_code == 403


OVER_ALL = ["stale", "coverage"]
OF_ONE = ["change", "history"]


@pytest.mark.parametrize("who", [*WHO, NOBODY])
def test_every_page_about_documents_opens_for_those_who_may_look(client: Client, who: str) -> None:
    document = people.a_document()
    client_of(client, who)
    addresses = [reverse(f"admin:knowledge_document_{name}") for name in OVER_ALL]
    addresses += [reverse(f"admin:knowledge_document_{name}", args=[document.pk]) for name in OF_ONE]
    expected = 403 if who == NOBODY else 200
    assert [client.get(each).status_code for each in addresses] == [expected] * len(addresses)


@pytest.mark.parametrize(("who", "buttons"), [("viewer", []), ("contributor", []), ("reviewer", ["publish", "retire"])])
def test_a_page_offers_only_the_steps_its_reader_may_take(client: Client, who: str, buttons: list[str]) -> None:
    document = people.a_document()
    text = client_of(client, who).get(reverse("admin:knowledge_document_change", args=[document.pk])).content.decode()
    offered = [each for each in ("publish", "retire", "confirm", "put_back", "retry") if f"/step/{each}/" in text]
    assert offered == buttons
    assert ("details-form" in text) == (who == "reviewer")
    assert ("Test golden questions now" in text) == (who != "viewer")


@pytest.mark.parametrize("who", ["viewer", "contributor", NOBODY])
@pytest.mark.parametrize("step", ["publish", "retire", "confirm", "put_back", "put_back_old"])
def test_a_step_that_is_posted_all_the_same_changes_nothing(client: Client, who: str, step: str) -> None:
    meera = people.reviewer()
    document = people.published(by=meera, at=NOW)
    waiting = people.a_document("Burns")
    client_of(client, who)
    for each in (document, waiting):
        client.post(reverse("admin:knowledge_document_step", args=[each.pk, step]))
    states = {(each.title, each.status, each.confirmed_at) for each in Document.objects.all()}
    assert states == {("Fever in children", "published", None), ("Burns", "in_review", None)}


@pytest.mark.parametrize("who", ["viewer", "contributor", NOBODY])
def test_details_and_golden_questions_are_refused_to_those_who_may_not(client: Client, who: str) -> None:
    document = people.a_document()
    client_of(client, who)
    assert client.post(reverse("admin:knowledge_document_change", args=[document.pk]), {"title": "x"}).status_code == 403
    asked = client.post(reverse("admin:knowledge_document_golden", args=[document.pk])).status_code
    assert asked == (302 if who == "contributor" else 403)
    assert Document.objects.get().title == "Fever in children"
