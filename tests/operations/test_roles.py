"""Six roles, and what each may open: every page of the console as every role, against one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import URLPattern, reverse

from conversations.models import Handover
from jeevo.ids import new_id
from knowledge import roles as knowledge_roles
from knowledge.models import UnansweredQuestion
from operations import preparation, roles
from operations.pages import ACT, LOOK, catalogue
from operations.pages.roles import ABILITIES
from tests import factories

pytestmark = pytest.mark.django_db
WHO = {
    "V": knowledge_roles.VIEWER,
    "C": knowledge_roles.CONTRIBUTOR,
    "R": knowledge_roles.REVIEWER,
    "L": roles.READ_ONLY,
    "I": roles.INCIDENT_STAFF,
    "O": roles.OPERATOR,
    "N": "",  # staff without a role
}
EVERYBODY = "VCRLION"
# Each address below /admin/, and the letters of those for whom it opens, or who are told that it is only posted to.
OPENS = {
    "": EVERYBODY,
    "account/": EVERYBODY,
    "account/recovery-codes/": EVERYBODY,
    "account/replace/": EVERYBODY,
    "jsi18n/": EVERYBODY,
    "logout/": EVERYBODY,
    "password_change/": EVERYBODY,
    "password_change/done/": EVERYBODY,
    "auth/group/": "O",
    "auth/user/": "O",
    "auth/user/add/": "O",
    "axes/accessattempt/": "O",
    "conversations/answer/": "IO",
    "conversations/answer/not-helpful/": "IO",
    "conversations/contact/": "IO",
    "conversations/handover/": "IO",
    "conversations/handover/waiting/": "IO",
    "conversations/holdingnotice/": "IO",
    "conversations/holdingnotice/add/": "O",
    "conversations/inboundmessage/": "IO",
    "conversations/outboundmessage/": "IO",
    "conversations/triagerule/": "VCR",
    "conversations/triagerule/add/": "R",
    "conversations/triagerule/tree/": "VCR",
    "conversations/unhandledevent/": "IO",
    "django_celery_beat/clockedschedule/": "O",
    "django_celery_beat/clockedschedule/add/": "O",
    "django_celery_beat/crontabschedule/": "O",
    "django_celery_beat/crontabschedule/add/": "O",
    "django_celery_beat/intervalschedule/": "O",
    "django_celery_beat/intervalschedule/add/": "O",
    "django_celery_beat/periodictask/": "O",
    "django_celery_beat/periodictask/add/": "O",
    "django_celery_beat/solarschedule/": "O",
    "django_celery_beat/solarschedule/add/": "O",
    "operations/maintenanceschedule/add/": "O",
    "operations/maintenancewindow/": "LIO",
    "operations/maintenancewindow/add/": "O",
    "operations/maintenancewindow/mode/off/": "O",
    "operations/maintenancewindow/mode/on/": "O",
    "knowledge/chunk/": "VCRL",
    "knowledge/document/": "VCRL",
    "knowledge/document/add/": "CR",
    "knowledge/document/coverage/": "VCRL",
    "knowledge/document/stale/": "VCRL",
    "knowledge/embeddingindex/": "VCRL",
    "knowledge/evaluationrun/": "VCRL",
    "knowledge/goldenquestion/": "VCRL",
    "knowledge/goldenquestion/add/": "CR",
    "knowledge/import/": "VCRL",
    "knowledge/import/add/": "CR",
    "knowledge/trial/try/": "VCRL",
    "knowledge/unansweredquestion/": "CR",
    "knowledge/unansweredquestion/groups/": "CR",
    "operations/backup/": "LIO",
    "operations/backup/now/": "LIO",
    "operations/backup/take/": "O",
    "operations/restore/": "LIO",
    "operations/restore/add/": "O",
    "operations/erasure/": "O",
    "operations/followup/": "LIO",
    "operations/incident/": "LIO",
    "operations/incident/add/": "IO",
    "operations/oncallcontact/": "IO",
    "operations/oncallcontact/add/": "O",
    "operations/notice/": "LIO",
    "operations/subscriber/": "IO",
    "operations/subscriber/add/": "O",
}
# A page of operations names its permission; these are the ones it may name.
OF_OPERATIONS = {
    LOOK: "LIO",
    ACT: "O",
    "operations.view_incident": "LIO",
    "operations.run_incident": "IO",
    "operations.view_maintenancewindow": "LIO",
    "operations.change_maintenancewindow": "O",
    "operations.view_subscriber": "IO",
    "operations.change_subscriber": "O",
}


def somebody(letter: str) -> User:
    user = User.objects.create(username=f"staff-{letter}", is_staff=True)
    user.groups.set(Group.objects.filter(name=WHO[letter]))
    return user


def addresses(patterns: Sequence[Any], below: str = "") -> Iterator[str]:
    """Every address that takes no argument."""
    for each in patterns:
        here = below + str(each.pattern)
        if isinstance(each, URLPattern):
            if "<" not in here and "(" not in here:
                yield here
        else:
            yield from addresses(each.url_patterns, here)


def opened(client: Client) -> set[str]:
    found = addresses(admin.site.get_urls())
    return {each for each in found if client.get(f"/admin/{each}").status_code in (200, 405)}


def table() -> dict[str, str]:
    pages = {f"operations/{page.path}": OF_OPERATIONS[page.permission] for page in catalogue.ALL if "<" not in page.path}
    return pages | OPENS


@pytest.fixture(autouse=True)
def _roles() -> None:
    preparation.make_roles()


@pytest.mark.parametrize("letter", WHO)
def test_every_page_of_the_console_opens_for_the_roles_of_the_table_and_for_no_other(client: Client, letter: str) -> None:
    client.force_login(somebody(letter))
    expected = {address for address, letters in table().items() if letter in letters}
    found = opened(client)
    assert found - expected == set(), "opens, and should not"
    assert expected - found == set(), "should open, and does not"


def test_no_page_opens_without_an_account(client: Client) -> None:
    assert opened(client) == {"login/", "logout/"}


def test_the_table_names_only_addresses_that_exist() -> None:
    assert set(table()) - set(addresses(admin.site.get_urls())) == set()


def held(letter: str) -> set[str]:
    return somebody(letter).get_all_permissions()


@pytest.mark.parametrize("letter", WHO)
def test_no_role_deletes_anything(letter: str) -> None:
    assert [each for each in held(letter) if ".delete_" in each] == []


@pytest.mark.parametrize("letter", "VL")
def test_who_only_reads_reads_no_words_of_patients_and_changes_nothing(letter: str) -> None:
    found = held(letter)
    assert "knowledge.view_unansweredquestion" not in found
    assert {each for each in found if each.startswith("conversations.")} <= {"conversations.view_triagerule"}
    assert [each for each in found if not each.split(".")[1].startswith("view_")] == []


def test_an_operator_may_all_that_incident_staff_may_and_acts_on_the_machine() -> None:
    staff, operator = held("I"), held("O")
    assert staff < operator
    assert "operations.act_on_machine" in operator - staff
    assert {each for each in operator if each.startswith("auth.")} == {
        "auth.add_user",
        "auth.change_user",
        "auth.view_group",
        "auth.view_user",
    }


@pytest.mark.parametrize("name", roles.ROLES)
def test_every_permission_of_a_table_that_is_there_exists(name: str) -> None:
    """A word spelled wrong would give nothing, and nobody would notice."""
    for app, codenames in roles.ROLES[name].items():
        models = {model._meta.model_name for model in apps.get_app_config(app).get_models()}
        asked = {each for each in codenames if each.partition("_")[2] in models}
        there = set(Permission.objects.filter(content_type__app_label=app).values_list("codename", flat=True))
        assert asked <= there


def test_the_roles_are_made_once_and_brought_up_to_date() -> None:
    group = Group.objects.get(name=roles.READ_ONLY)
    group.permissions.remove(Permission.objects.get(codename="view_machine"))
    group.permissions.add(*Permission.objects.filter(codename__in=["act_on_machine", "view_contact", "view_session"]))
    given = Permission.objects.get(codename="view_periodictask")
    group.permissions.add(given)
    roles.ensure()
    codenames = set(group.permissions.values_list("codename", flat=True))
    assert "view_machine" in codenames
    assert not codenames & {"act_on_machine", "view_contact"}
    assert "view_periodictask" in codenames, "what was given in an app that the role does not govern is kept"
    assert Group.objects.count() == 6


def test_incident_staff_take_a_handover_and_reply(client: Client) -> None:
    contact = factories.a_contact()
    Handover.objects.create(contact=contact, reason="asked", opened_at=factories.NOW)
    client.force_login(somebody("I"))
    client.post(reverse("admin:conversations_contact_take", args=[contact.pk]))
    assert Handover.objects.get().taken_by == User.objects.get()


def test_a_viewer_of_knowledge_does_not_see_what_was_asked_in_vain(client: Client) -> None:
    row = UnansweredQuestion.objects.create(text="my private words", language="en", score=0.1, answer_key=new_id())
    client.force_login(somebody("V"))
    assert client.get(reverse("admin:knowledge_unansweredquestion_change", args=[row.pk])).status_code == 403
    home = client.get("/admin/").content.decode()
    assert "unansweredquestion" not in home
    assert reverse("admin:conversations_answer_not_helpful") not in home


# The page


def cells(page: str, row: str) -> list[str]:
    line = page.split(f'<th scope="row">{row}</th>')[1].split("</tr>")[0]
    return ["Yes" if 'class="may"' in each else "no" for each in line.split("<td>")[1:]]


def test_the_page_says_what_each_role_may_do(client: Client) -> None:
    client.force_login(somebody("L"))
    page = client.get("/admin/operations/roles/").content.decode()
    order = [roles.READ_ONLY, roles.INCIDENT_STAFF, roles.OPERATOR, *knowledge_roles.ROLES]
    assert [page.index(f'<th scope="col">{name}</th>') for name in order] == sorted(
        page.index(f'<th scope="col">{name}</th>') for name in order
    )
    assert cells(page, "Take handovers and reply") == ["no", "Yes", "Yes", "no", "no", "no"]
    assert cells(page, "Read questions that found no source") == ["no", "no", "no", "no", "Yes", "Yes"]
    assert cells(page, "Decide what is cited") == ["no", "no", "no", "no", "no", "Yes"]


def test_the_page_follows_what_a_group_really_holds(client: Client) -> None:
    Group.objects.create(name="Night desk").permissions.add(Permission.objects.get(codename="view_contact"))
    client.force_login(somebody("L"))
    page = client.get("/admin/operations/roles/").content.decode()
    assert cells(page, "Read conversations")[-1] == "Yes"
    assert cells(page, "Take handovers and reply")[-1] == "no"
    assert cells(page, "<code>conversations.view_contact</code>") == ["no", "Yes", "Yes", "no", "no", "no", "Yes"]


def test_every_ability_is_made_of_permissions_that_a_role_holds_once_its_tables_are_there() -> None:
    tables = {f"{app}.{each}" for table in roles.ROLES.values() for app, names in table.items() for each in names}
    tables |= {f"knowledge.{each}" for names in knowledge_roles.ROLES.values() for each in names}
    tables |= {"conversations.change_triagerule"}
    assert {need for _, part in ABILITIES for each in part for need in each.needs} <= tables
