"""The second factor is set up, renewed, moved to another phone and taken away by whom it belongs to, and by nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from operations import second_factor
from operations.pages.second_factor import KEY
from tests.operations.accounts import PASSWORD, code, enrolled, give_password, wait
from tests.operations.second_factor_pages import ACCOUNT, ASK, SET_UP, codes_on, opens, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("asked_of_operators")]


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
