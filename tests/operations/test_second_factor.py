"""The second factor: who is asked for it, how it is set up, shown, renewed and taken away, and what cannot get round it."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from knowledge import roles as knowledge_roles
from operations import preparation, roles, second_factor
from operations.pages.second_factor import KEY
from operations.second_factor_forms import tidy
from tests import factories
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import PASSWORD, code, enrolled, give_password, person, wait

pytestmark = pytest.mark.django_db
HOME, LOGIN = "/admin/", "/admin/login/"
ASK, SET_UP, ACCOUNT = "/admin/second-factor/", "/admin/second-factor/set-up/", "/admin/account/"


@pytest.fixture(autouse=True)
def _asked_of_operators(environment: ChangeEnvironment, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    environment(second_factor="operators")
    preparation.make_roles()


@pytest.fixture
def operator() -> User:
    return person("asha", roles.OPERATOR)


def opens(client: Client, address: str = HOME) -> bool:
    return client.get(address).status_code == 200


def text(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined, no-any-return]


def codes_on(page: str) -> list[str]:
    return re.findall(r"<li><code>([a-z2-7]{4}-[a-z2-7]{4})</code></li>", page)


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


# Setting it up


def test_an_operator_without_one_is_led_from_the_password_to_setting_it_up(client: Client, operator: User) -> None:
    assert give_password(client, then="/admin/auth/user/") == f"{SET_UP}?next=%2Fadmin%2Fauth%2Fuser%2F"
    page = text(client.get(SET_UP))
    assert second_factor.key_in_text(client.session[KEY]) in page
    assert 'src="data:image/svg+xml' in page
    assert "Password" not in page, "no way into the console yet"


def test_the_right_code_sets_it_up_and_shows_ten_recovery_codes_once(client: Client, operator: User) -> None:
    give_password(client)
    client.get(SET_UP)
    key, session = client.session[KEY], client.session.session_key
    answer = client.post(SET_UP, {"code": f"{code(key)[:3]} {code(key)[3:]}", "next": "/admin/auth/user/"})
    shown = codes_on(text(answer))
    assert len(set(shown)) == 10
    assert "no-store" in answer["Cache-Control"]
    assert 'href="/admin/auth/user/"' in text(answer)
    assert TOTPDevice.objects.get(user=operator).confirmed
    assert client.session.session_key != session, "the key of the session from before is worth nothing"
    assert opens(client)
    again = client.post(SET_UP, {"code": code(key, ahead=1)}, follow=True)
    assert codes_on(text(again)) == []
    assert KEY not in client.session


@pytest.mark.parametrize("typed", ["000000", "", "12345", "abcdef", "²²²²²²", "a" * 50])
def test_a_wrong_code_sets_nothing_up_and_keeps_the_key(client: Client, operator: User, typed: str) -> None:
    give_password(client)
    client.get(SET_UP)
    key = client.session[KEY]
    if typed == code(key):
        pytest.skip("one time in a million")
    answer = client.post(SET_UP, {"code": typed})
    assert answer.status_code == 400
    assert 'role="alert"' in text(answer)
    assert client.session[KEY] == key
    assert not TOTPDevice.objects.exists()
    assert not opens(client)


def test_a_key_that_another_browser_was_shown_is_worth_nothing(client: Client, operator: User) -> None:
    """Somebody with the password alone must not know the key that its owner sets up."""
    thief = Client()
    for each in (thief, client):
        give_password(each)
        each.get(SET_UP)
    seen = thief.session[KEY]
    assert seen != client.session[KEY]
    client.post(SET_UP, {"code": code(client.session[KEY])})
    late = thief.post(SET_UP, {"code": code(seen)})
    assert late["Location"].startswith(ASK)
    assert TOTPDevice.objects.filter(user=operator).count() == 1
    assert not opens(thief)


def test_of_two_who_set_it_up_at_once_one_is_refused(operator: User) -> None:
    enrolled(operator)
    key = second_factor.new_key()
    with pytest.raises(second_factor.NotPossible, match="has a second factor by now"):
        second_factor.enrol(operator, key=key, code=code(key))


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
    assert "There were 6 wrong codes in a row, so the next one is taken in 32 seconds." in text(refused)
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


# Changing it and taking it away


@pytest.fixture
def inside(client: Client, operator: User) -> Client:
    _, codes = enrolled(operator)
    give_password(client)
    client.post(ASK, {"otp_token": codes[0]})
    return client


@pytest.mark.parametrize("with_code", [True, False])
def test_new_recovery_codes_take_the_password_or_a_code(inside: Client, operator: User, with_code: bool) -> None:
    device = TOTPDevice.objects.get()
    wait(device)
    answer = inside.post(f"{ACCOUNT}recovery-codes/", {"renew-confirmation": code(device.key) if with_code else PASSWORD})
    assert len(codes_on(text(answer))) == 10
    assert second_factor.codes_left(operator) == 10
    assert opens(inside), "who came in with a recovery code stays in"


@pytest.mark.parametrize("typed", ["", "not the password", "000000"])
@pytest.mark.parametrize("step", ["recovery-codes", "replace"])
def test_without_the_password_or_a_code_nothing_changes(inside: Client, operator: User, step: str, typed: str) -> None:
    before = set(StaticToken.objects.values_list("token", flat=True))
    prefix = "renew" if step == "recovery-codes" else "replace"
    answer = inside.post(f"{ACCOUNT}{step}/", {f"{prefix}-confirmation": typed})
    assert (answer.status_code, 'role="alert"' in text(answer), "Sign out" in text(answer)) == (400, True, True)
    assert set(StaticToken.objects.values_list("token", flat=True)) == before
    assert inside.get(SET_UP).status_code == 302
    assert opens(inside)


def test_another_phone_takes_the_place_of_the_first_only_when_it_is_confirmed(inside: Client, operator: User) -> None:
    first = TOTPDevice.objects.get()
    assert inside.post(f"{ACCOUNT}replace/", {"replace-confirmation": PASSWORD})["Location"] == SET_UP
    inside.get(SET_UP)
    assert TOTPDevice.objects.get() == first
    inside.post(SET_UP, {"code": code(inside.session[KEY])})
    assert TOTPDevice.objects.get().pk != first.pk
    assert opens(inside)
    assert inside.get(SET_UP).status_code == 302, "one confirmation is good for one change"


def test_a_confirmation_is_good_for_ten_minutes(inside: Client) -> None:
    inside.post(f"{ACCOUNT}replace/", {"replace-confirmation": PASSWORD})
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=False):
        assert inside.get(SET_UP).status_code == 302


def test_other_browsers_are_asked_again_after_the_phone_was_changed(inside: Client, operator: User) -> None:
    other, device = Client(), TOTPDevice.objects.get()
    wait(device)
    give_password(other)
    other.post(ASK, {"otp_token": code(device.key)})
    assert opens(other)
    inside.post(f"{ACCOUNT}replace/", {"replace-confirmation": PASSWORD})
    inside.get(SET_UP)
    inside.post(SET_UP, {"code": code(inside.session[KEY])})
    assert not opens(other)


def test_the_command_takes_it_away_and_it_stands_in_the_history(operator: User, capsys: pytest.CaptureFixture[str]) -> None:
    enrolled(operator)
    call_command("second_factor", "reset", "asha")
    assert capsys.readouterr().out == "The second factor of asha is gone. They set up a new one at the next sign-in.\n"
    assert not TOTPDevice.objects.exists()
    assert not StaticToken.objects.exists()
    assert LogEntry.objects.first().change_message == "Took the second factor away, by the command on the server."  # type: ignore[union-attr]
    call_command("second_factor", "reset", "asha")
    assert "has no second factor" in capsys.readouterr().out
    with pytest.raises(CommandError, match="No account"):
        call_command("second_factor", "reset", "nobody")


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
