"""The list of the staff and the page of one of them: nobody is deleted, and nobody gives themselves more than they have."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from knowledge import roles as knowledge_roles
from operations import preparation, roles
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import PASSWORD, enrolled, person

pytestmark = pytest.mark.django_db
LIST = "/admin/auth/user/"


@pytest.fixture(autouse=True)
def _roles() -> None:
    preparation.make_roles()


@pytest.fixture
def operator() -> User:
    return person("asha", roles.OPERATOR)


@pytest.fixture
def desk(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def ravi() -> User:
    return person("ravi", roles.INCIDENT_STAFF)


def page_of(user: User) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


def step(user: User, name: str) -> str:
    return reverse(f"admin:auth_user_{name}", args=[user.pk])


def shown(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def as_form(user: User, **changes: object) -> dict[str, object]:
    """What the page of a person posts, with changes."""
    usual = {
        "username": user.username,
        "is_active": "on",
        "is_staff": "on",
        "groups": list(user.groups.values_list("pk", flat=True)),
    }
    return usual | changes


def test_the_list_shows_role_second_factor_and_last_sign_in(
    desk: Client, environment: ChangeEnvironment, operator: User, ravi: User
) -> None:
    enrolled(ravi)
    User.objects.filter(pk=ravi.pk).update(first_name="Ravi", last_name="Rao")
    person("lata", is_active=False)
    page = shown(desk, LIST)
    rows = {
        name: row for row in page.split("<tr>") for name in ("asha", "ravi", "lata") if f">{name}<" in row or f"({name})" in row
    }
    assert "Ravi Rao (ravi)" in rows["ravi"]
    assert roles.INCIDENT_STAFF in rows["ravi"]
    assert '<td class="field-second_factor">Yes</td>' in rows["ravi"]
    assert "never" in rows["ravi"]
    assert '<td class="field-active">Deactivated</td>' in rows["lata"]
    assert '<td class="field-second_factor">No</td>' in rows["asha"]
    assert "ago" in rows["asha"] or "just now" in rows["asha"]


def test_the_list_says_who_is_asked_to_set_a_second_factor_up(client: Client, environment: ChangeEnvironment) -> None:
    environment(second_factor="operators")
    person("asha", roles.OPERATOR)
    client.force_login(enrolled(person("root", is_superuser=True))[0].user)
    session = client.session
    session["otp_device_id"] = TOTPDevice.objects.get().persistent_id
    session.save()
    assert "No, asked for at the next sign-in" in shown(client, LIST)


@pytest.mark.parametrize(
    ("asked", "found"), [("second_factor=yes", ["ravi"]), ("second_factor=no", ["asha"]), ("is_active__exact=0", [])]
)
def test_the_list_is_filtered(desk: Client, ravi: User, asked: str, found: list[str]) -> None:
    enrolled(ravi)
    names = re.findall(r'<th class="field-person">.*?>([^<]+)</a>', shown(desk, f"{LIST}?{asked}"))
    assert names == found


@pytest.mark.parametrize("superuser", [True, False])
def test_nobody_deletes_an_account(client: Client, operator: User, ravi: User, superuser: bool) -> None:
    User.objects.filter(pk=operator.pk).update(is_superuser=superuser)
    operator.user_permissions.add(Permission.objects.get(codename="delete_user"))
    client.force_login(User.objects.get(pk=operator.pk))
    assert client.get(reverse("admin:auth_user_delete", args=[ravi.pk])).status_code == 403
    assert client.post(reverse("admin:auth_user_delete", args=[ravi.pk]), {"post": "yes"}).status_code == 403
    client.post(LIST, {"action": "delete_selected", "_selected_action": [ravi.pk], "post": "yes"})
    assert User.objects.filter(pk=ravi.pk).exists()
    assert "deletelink" not in shown(client, page_of(ravi))


def test_a_deactivated_person_is_signed_out_everywhere_and_the_history_says_by_whom(
    desk: Client, ravi: User, operator: User
) -> None:
    theirs = Client()
    theirs.force_login(ravi)
    assert theirs.get("/admin/").status_code == 200
    said = desk.post(step(ravi, "deactivate_one"), follow=True).content.decode()
    assert "Signed out everywhere: ravi can sign in no more." in said
    assert theirs.get("/admin/").status_code == 302
    entry = LogEntry.objects.get(object_id=ravi.pk)
    assert (entry.user, entry.change_message) == (operator, "Deactivated.")
    assert "Deactivated." in shown(desk, reverse("admin:auth_user_history", args=[ravi.pk]))


def test_the_tokens_of_a_deactivated_person_are_refused(desk: Client, ravi: User) -> None:
    ravi.groups.add(Group.objects.get(name=knowledge_roles.VIEWER))
    call_command("api_token", "ravi")
    headers = {"Authorization": f"Token {ravi.auth_token.key}"}
    assert Client().get("/api/v1/documents/", headers=headers).status_code == 200
    desk.post(step(ravi, "deactivate_one"))
    assert Client().get("/api/v1/documents/", headers=headers).status_code == 401


def test_several_are_deactivated_at_once_but_oneself_and_superusers(desk: Client, ravi: User, operator: User) -> None:
    root = person("root", is_superuser=True)
    chosen = {"action": "deactivate", "_selected_action": [ravi.pk, operator.pk, root.pk]}
    said = desk.post(LIST, chosen, follow=True).content.decode()
    assert set(User.objects.filter(is_active=False)) == {ravi}
    assert "Deactivated: ravi." in said
    assert "asha, root" in said


def test_the_second_factor_of_somebody_else_is_taken_away_and_recorded(desk: Client, ravi: User, operator: User) -> None:
    enrolled(ravi)
    assert "Take the second factor away" in shown(desk, page_of(ravi))
    said = desk.post(step(ravi, "reset_second_factor"), follow=True).content.decode()
    assert "The second factor of ravi is gone." in said
    assert not TOTPDevice.objects.exists()
    entry = LogEntry.objects.filter(object_id=ravi.pk).first()
    assert entry is not None
    assert (entry.user, entry.change_message) == (operator, "Took the second factor away, in the console.")
    assert "Take the second factor away" not in shown(desk, page_of(ravi))
    assert (
        "There is no second factor of ravi to take away."
        in desk.post(step(ravi, "reset_second_factor"), follow=True).content.decode()
    )


@pytest.mark.parametrize("name", ["deactivate_one", "reset_second_factor"])
def test_the_buttons_work_for_nobody_without_the_role_nor_on_oneself_nor_on_a_superuser(
    desk: Client, ravi: User, operator: User, name: str
) -> None:
    root = person("root", is_superuser=True)
    for each in (operator, root):
        enrolled(each)
        assert desk.post(step(each, name)).status_code == 403
    assert desk.get(step(ravi, name)).status_code == 405
    theirs = Client()
    theirs.force_login(ravi)
    assert theirs.post(step(operator, name)).status_code == 403
    assert TOTPDevice.objects.count() == 2
    assert not User.objects.filter(is_active=False).exists()


def test_an_operator_makes_an_account_with_a_role(desk: Client) -> None:
    given = {"username": "noor", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    answer = desk.post(f"{LIST}add/", given)
    noor = User.objects.get(username="noor")
    assert answer["Location"] == page_of(noor)
    group = Group.objects.get(name=roles.READ_ONLY)
    assert desk.post(page_of(noor), as_form(noor, groups=[group.pk])).status_code == 302
    assert list(noor.groups.all()) == [group]
    assert noor.check_password(PASSWORD)


def test_who_is_no_superuser_makes_none_and_touches_none(desk: Client, ravi: User) -> None:
    root = person("root", is_superuser=True)
    extra = {"is_superuser": "on", "user_permissions": [Permission.objects.get(codename="publish_document").pk]}
    desk.post(page_of(ravi), as_form(ravi, **extra))
    ravi.refresh_from_db()
    assert not ravi.is_superuser
    assert not ravi.user_permissions.exists()
    assert "is_superuser" not in shown(desk, page_of(ravi))
    assert desk.post(page_of(root), as_form(root, username="mine")).status_code == 403
    assert desk.get(reverse("admin:auth_user_password_change", args=[root.pk])).status_code == 403
    assert desk.get(page_of(root)).status_code == 200, "to look at"


def test_an_operator_gives_themselves_no_role_and_does_not_shut_themselves_out(desk: Client, operator: User) -> None:
    every = list(Group.objects.values_list("pk", flat=True))
    form = as_form(operator, groups=every, first_name="Asha")
    for left_out in ("is_active", "is_staff"):
        del form[left_out]
    assert desk.post(page_of(operator), form).status_code == 302
    operator.refresh_from_db()
    assert (operator.first_name, operator.is_active, operator.is_staff) == ("Asha", True, True)
    assert [each.name for each in operator.groups.all()] == [roles.OPERATOR]


@pytest.mark.parametrize("name", ["auth_user_add", "auth_user_password_change", "auth_user_change"])
def test_the_forms_of_the_stock_admin_run_no_script_that_the_policy_refuses(desk: Client, ravi: User, name: str) -> None:
    answer = desk.get(reverse(f"admin:{name}", args=[] if name.endswith("add") else [ravi.pk]))
    assert answer.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S|\sstyle=|\son[a-z]+=", answer.content.decode())


def test_a_new_password_is_given_in_the_stock_form(desk: Client, ravi: User) -> None:
    new = "another long sentence"
    form = {"usable_password": "true", "password1": new, "password2": new, "set-password": "1"}
    assert desk.post(reverse("admin:auth_user_password_change", args=[ravi.pk]), form)["Location"] == page_of(ravi)
    ravi.refresh_from_db()
    assert ravi.check_password(new)


def test_no_key_of_a_second_factor_is_a_page_of_the_console(desk: Client, ravi: User) -> None:
    device, _ = enrolled(ravi)
    User.objects.update(is_superuser=True)
    for address in ("otp_totp/totpdevice/", "otp_static/staticdevice/", f"otp_totp/totpdevice/{device.pk}/qrcode/"):
        assert desk.get(f"/admin/{address}").status_code == 404
    assert device.key not in shown(desk, page_of(ravi))
