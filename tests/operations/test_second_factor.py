"""The second factor: who is asked for it, how it is shown, what cannot get round it, and what is said while it is off."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from knowledge import roles as knowledge_roles
from operations import roles, second_factor
from operations.second_factor_forms import tidy
from tests import factories
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import PASSWORD, code, enrolled, give_password, person, wait
from tests.operations.second_factor_pages import ACCOUNT, ASK, HOME, LOGIN, SET_UP, opens, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("asked_of_operators")]


# Who is asked


@pytest.mark.parametrize(
    ("mode", "asked"),
    [
        ("off", set()),
        ("operators", {"superuser", roles.OPERATOR}),
        (
            "everybody",
            {"superuser", roles.OPERATOR, roles.INCIDENT_STAFF, roles.READ_ONLY, *knowledge_roles.ROLES},
        ),
    ],
)
def test_the_setting_says_who_must_have_one(environment: ChangeEnvironment, mode: str, asked: set[str]) -> None:
    people = {name: person(name, name) for name in (*roles.ROLES, *knowledge_roles.ROLES)}
    people["superuser"] = person("root", is_superuser=True)
    environment(second_factor=mode)
    assert {name for name, user in people.items() if second_factor.must_have(user)} == asked


@pytest.mark.parametrize(("mode", "role", "comes_in"), [
    ("off", roles.OPERATOR, True),
    ("operators", roles.OPERATOR, False),
    ("operators", roles.INCIDENT_STAFF, True),
    ("everybody", roles.INCIDENT_STAFF, False),
])  # fmt: skip
def test_a_password_alone_opens_the_console_only_to_whom_no_code_is_asked_of(
    client: Client, environment: ChangeEnvironment, mode: str, role: str, comes_in: bool
) -> None:
    environment(second_factor=mode)
    person("asha", role)
    give_password(client)
    assert opens(client) == comes_in
    assert opens(client, ACCOUNT) == comes_in


def test_whoever_set_one_up_of_their_own_accord_is_asked_for_it(client: Client) -> None:
    enrolled(person("asha", roles.INCIDENT_STAFF))
    assert give_password(client) == f"{ASK}?next=%2Fadmin%2F"
    assert not opens(client)


def test_no_page_of_the_console_opens_between_the_password_and_the_code(client: Client, operator: User) -> None:
    enrolled(operator)
    client.force_login(operator)
    for name in (
        "index",
        "account",
        "password_change",
        "auth_user_changelist",
        "conversations_handover_waiting",
        "operations_roles",
    ):
        answer = client.get(reverse(f"admin:{name}"))
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, LOGIN), name
    assert client.post("/admin/account/replace/", {"replace-confirmation": PASSWORD}).status_code == 302
    assert client.get(SET_UP)["Location"].startswith(ASK), "an app is not set up past the one that is there"


def test_an_account_that_is_no_staff_meets_the_sign_in_page(client: Client) -> None:
    client.force_login(User.objects.create(username="noor"))
    assert client.get(ASK)["Location"].startswith(LOGIN)
    assert client.get(SET_UP)["Location"].startswith(LOGIN)


# Showing it


def test_the_code_of_the_app_opens_the_page_that_was_wanted_and_only_once(client: Client, operator: User) -> None:
    device, _ = enrolled(operator)
    wait(device)
    give_password(client, then="/admin/auth/user/")
    session, now = client.session.session_key, code(device.key)
    answer = client.post(ASK, {"otp_token": now, "next": "/admin/auth/user/"})
    assert answer["Location"] == "/admin/auth/user/"
    assert opens(client)
    assert client.session.session_key != session
    other = Client()
    give_password(other)
    assert other.post(ASK, {"otp_token": now}).status_code == 400, "a code that was looked at is spent"
    assert not opens(other)


def test_a_recovery_code_opens_the_console_once_as_it_was_printed(client: Client, operator: User) -> None:
    _, codes = enrolled(operator)
    give_password(client)
    assert client.post(ASK, {"otp_token": f" {codes[3].upper()} "})["Location"] == HOME
    assert opens(client)
    assert second_factor.codes_left(operator) == 9
    other = Client()
    give_password(other)
    answer = other.post(ASK, {"otp_token": codes[3]})
    assert (answer.status_code, "it was used before" in text(answer)) == (400, True)
    assert not opens(other)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_show_one_recovery_code_at_once_one_comes_in(operator: User) -> None:
    _, codes = enrolled(operator)
    browsers = [Client(), Client()]
    for each in browsers:
        give_password(each)
    together = threading.Barrier(2)

    def come(browser: Client) -> None:
        together.wait(10)
        browser.post(ASK, {"otp_token": codes[0]})
        connections.close_all()

    threads = [threading.Thread(target=come, args=[each]) for each in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(opens(each) for each in browsers) == [False, True]
    assert second_factor.codes_left(operator) == 9


def test_recovery_codes_are_not_kept_in_clear(operator: User) -> None:
    _, codes = enrolled(operator)
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert len(kept) == 10
    assert not kept & {tidy(each) for each in codes}


def test_what_is_misread_on_paper_is_understood() -> None:
    assert tidy("MZ0W-1t8k") == "mzowltbk"
    assert tidy(" 018 180 ") == "018180", "a code of the app is taken as it is"


def test_wrong_codes_are_slowed_down_and_said_so(client: Client, operator: User) -> None:
    device, _ = enrolled(operator)
    give_password(client)
    wrong = text(client.post(ASK, {"otp_token": "000000"}))
    assert "That code is not right" in wrong
    assert "000000" not in wrong, "it does not stand in the field again"
    TOTPDevice.objects.update(throttling_failure_count=6, throttling_failure_timestamp=timezone.now())
    TOTPDevice.objects.update(last_t=0)
    refused = client.post(ASK, {"otp_token": code(device.key)})
    assert re.search(r"There were 6 wrong codes in a row, so the next one is taken in (?:2\d|3[0-2]) seconds\.", text(refused))
    assert not opens(client)
    TOTPDevice.objects.update(throttling_failure_timestamp=timezone.now() - timedelta(seconds=33))
    client.post(ASK, {"otp_token": code(device.key)})
    assert opens(client)
    assert TOTPDevice.objects.get().throttling_failure_count == 0


def test_guessing_recovery_codes_does_not_slow_down_the_app(client: Client, operator: User) -> None:
    device, _ = enrolled(operator)
    wait(device)
    give_password(client)
    client.post(ASK, {"otp_token": "aaaa-aaaa"})
    client.post(ASK, {"otp_token": code(device.key)})
    assert opens(client)


def test_the_code_of_somebody_else_opens_nothing(client: Client, operator: User) -> None:
    enrolled(operator)
    device, codes = enrolled(person("ravi", roles.OPERATOR))
    wait(device)
    give_password(client)
    for typed in (code(device.key), codes[0]):
        assert client.post(ASK, {"otp_token": typed}).status_code == 400
    assert not opens(client)
    assert second_factor.codes_left(User.objects.get(username="ravi")) == 10


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", LOGIN, ASK, SET_UP])
def test_nobody_is_led_to_another_host_or_round_in_circles(client: Client, operator: User, where: str) -> None:
    _, codes = enrolled(operator)
    give_password(client)
    assert "evil" not in text(client.get(ASK, {"next": where}))
    assert client.post(ASK, {"otp_token": codes[0], "next": where})["Location"] == HOME


def test_who_has_no_code_at_hand_can_sign_out(client: Client, operator: User) -> None:
    enrolled(operator)
    give_password(client)
    assert reverse("admin:logout") in text(client.get(ASK))
    assert "You are signed out" in text(client.post(reverse("admin:logout")))
    assert "_auth_user_id" not in client.session


# While it is off


@pytest.mark.parametrize("address", [LOGIN, HOME, ACCOUNT])
def test_while_it_is_off_the_pages_say_so_and_what_turns_it_on(
    client: Client, environment: ChangeEnvironment, address: str
) -> None:
    environment(second_factor="off")
    if address != LOGIN:
        client.force_login(factories.staff())
    told = text(client.get(address))
    assert "Second factor is off: this is a sandbox." in told
    assert "SECOND_FACTOR=operators" in told


@pytest.mark.parametrize("address", [LOGIN, HOME])
def test_while_it_is_on_no_page_says_that_it_is_off(client: Client, address: str) -> None:
    if address != LOGIN:
        client.force_login(factories.staff())
    assert "Second factor is off" not in text(client.get(address))


def test_a_live_service_without_it_warns_on_the_home_page(
    client: Client, environment: ChangeEnvironment, settings: Settings
) -> None:
    environment(second_factor="off")
    settings.LIVE = True
    client.force_login(factories.staff())
    assert "A stolen password opens this console." in text(client.get(HOME))


def test_a_token_of_the_api_needs_no_second_factor(client: Client, operator: User) -> None:
    operator.groups.add(Group.objects.get(name=knowledge_roles.VIEWER))
    enrolled(operator)
    call_command("api_token", "asha")
    key = operator.auth_token.key
    assert client.get("/api/v1/documents/", headers={"Authorization": f"Token {key}"}).status_code == 200


@pytest.mark.parametrize("address", [ASK, SET_UP, ACCOUNT])
def test_no_page_of_it_has_a_script_or_style_of_its_own_in_the_page(client: Client, operator: User, address: str) -> None:
    if address != SET_UP:
        _, codes = enrolled(operator)
    give_password(client)
    if address == ACCOUNT:
        client.post(ASK, {"otp_token": codes[0]})
    answer = client.get(address)
    assert answer.status_code == 200
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S|\sstyle=|\son[a-z]+=", text(answer))
