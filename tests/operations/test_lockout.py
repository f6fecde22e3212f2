"""Five wrong passwords: who is kept out, for how long, what they read, and what is kept of what they typed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from operations import lockout, preparation, roles
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import PASSWORD, person

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"


def sign_in(client: Client, name: str = "asha", password: str = "wrong", **from_where: str) -> HttpResponse:
    answer: HttpResponse = client.post(LOGIN, {"username": name, "password": password, "next": "/admin/"}, **from_where)  # type: ignore[assignment, arg-type]
    return answer


def fail(client: Client, times: int, name: str = "asha", **from_where: str) -> list[int]:
    return [sign_in(client, name, **from_where).status_code for _ in range(times)]


def test_the_fifth_wrong_password_closes_the_account_for_a_quarter_of_an_hour(client: Client) -> None:
    person("asha")
    with time_machine.travel("2026-03-01 09:00:00+00:00", tick=False) as clock:
        assert fail(client, 5) == [200, 200, 200, 200, 429]
        clock.shift(timedelta(minutes=14, seconds=50))
        assert sign_in(client, password=PASSWORD).status_code == 429, "the right one neither"
        clock.shift(timedelta(seconds=11))
        assert sign_in(client, password=PASSWORD)["Location"] == "/admin/"


def test_trying_on_does_not_keep_it_closed_for_longer(client: Client) -> None:
    person("asha")
    with time_machine.travel("2026-03-01 09:00:00+00:00", tick=False) as clock:
        fail(client, 5)
        clock.shift(timedelta(minutes=10))
        answer = sign_in(client)
        assert (answer.status_code, answer["Retry-After"]) == (429, "300")
        clock.shift(timedelta(minutes=5, seconds=1))
        assert sign_in(client, password=PASSWORD).status_code == 302


def test_the_page_says_what_happened_what_is_safe_and_when_to_come_back(client: Client) -> None:
    person("asha")
    with time_machine.travel("2026-03-01 09:00:00+00:00", tick=False):
        fail(client, 4)
        answer = sign_in(client)
    said = answer.content.decode()
    assert answer["Retry-After"] == "900"
    assert "You can try again in 15 minutes, at" in said
    assert "09:15 UTC" in said
    assert "nobody came in" in said
    assert "ask an operator" in said
    assert 'class="sign-in"' not in said
    assert "default-src 'none'" in answer["Content-Security-Policy"]


def test_a_right_password_starts_the_count_anew(client: Client) -> None:
    person("asha")
    fail(client, 4)
    assert sign_in(client, password=PASSWORD).status_code == 302
    assert fail(client, 4) == [200] * 4


def test_one_address_keeps_no_other_out_and_one_account_no_other(client: Client) -> None:
    for name in ("asha", "ravi"):
        person(name)
    fail(client, 5, REMOTE_ADDR="10.0.0.9")
    assert sign_in(client, password=PASSWORD, REMOTE_ADDR="10.0.0.8").status_code == 302
    assert sign_in(client, "ravi", PASSWORD, REMOTE_ADDR="10.0.0.9").status_code == 302


def test_another_browser_at_the_same_address_is_no_way_round(client: Client) -> None:
    person("asha")
    assert [sign_in(client, HTTP_USER_AGENT=f"browser {number}").status_code for number in range(5)][-1] == 429


def test_a_wrong_password_on_the_own_account_counts_as_one_at_the_sign_in_page(client: Client) -> None:
    client.force_login(person("asha"))
    answers = [client.post("/admin/account/replace/", {"replace-confirmation": "wrong"}).status_code for _ in range(5)]
    assert answers == [400, 400, 400, 400, 429]
    assert sign_in(Client()).status_code == 429


def test_a_name_without_an_account_is_counted_alike_and_not_kept(client: Client) -> None:
    """What stands there by mistake is often the password."""
    assert fail(client, 5, "my secret sentence") == [200, 200, 200, 200, 429]
    kept = str(AccessAttempt.objects.values().get())
    assert "secret" not in kept
    assert "wrong" not in kept


def test_no_password_and_no_form_is_kept(client: Client) -> None:
    person("asha")
    sign_in(client, password="a secret sentence")
    row = AccessAttempt.objects.get()
    assert "secret" not in str(vars(row))
    assert row.username == "asha"


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "found"),
    [
        (False, "203.0.113.7", "10.0.0.1"),
        (True, "203.0.113.7", "203.0.113.7"),
        (True, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (True, "", "10.0.0.1"),
        (True, "198.51.100.1, nonsense", None),
        (True, "2001:DB8::7", "2001:db8::7"),
    ],
)
def test_nobody_is_believed_about_their_own_address(
    rf: RequestFactory, environment: ChangeEnvironment, behind_proxy: bool, forwarded: str, found: str | None
) -> None:
    environment(behind_proxy=behind_proxy)
    request = rf.get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert lockout.client_address(request) == found


def test_a_made_up_header_does_not_open_what_is_closed(client: Client, environment: ChangeEnvironment) -> None:
    person("asha")
    environment(behind_proxy=True)
    tried = [
        sign_in(client, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}, 203.0.113.7").status_code for number in range(5)
    ]  # the proxy puts the last one there
    assert tried[-1] == 429


def test_the_command_lets_somebody_try_again_at_once(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    person("asha")
    fail(client, 5)
    call_command("axes_reset_username", "asha")
    assert "1 attempts removed" in capsys.readouterr().out
    assert sign_in(client, password=PASSWORD).status_code == 302


# The list in the console


@pytest.fixture
def operator(client: Client) -> Client:
    preparation.make_roles()
    client.force_login(person("meera", roles.OPERATOR))
    return client


ATTEMPTS = "/admin/axes/accessattempt/"


def test_an_operator_sees_who_is_locked_out_and_lets_them_try_again(operator: Client) -> None:
    person("asha")
    for agent in ("one", "two"):
        fail(Client(), 3, HTTP_USER_AGENT=agent)
    page = operator.get(ATTEMPTS).content.decode()
    assert page.count("Locked until") == 2
    first = AccessAttempt.objects.first()
    assert first is not None
    told = operator.post(ATTEMPTS, {"action": "unlock", "_selected_action": [first.pk]}, follow=True).content.decode()
    assert "may try again" in told
    assert not AccessAttempt.objects.exists()
    assert sign_in(Client(), password=PASSWORD).status_code == 302


def test_the_list_names_no_account_that_is_none_and_shows_no_form(operator: Client) -> None:
    sign_in(Client(), "my secret sentence")
    page = operator.get(ATTEMPTS).content.decode()
    assert "a name that no account has" in page
    assert "secret" not in page
    assert "May try" in page


def test_nobody_adds_or_deletes_a_failed_sign_in(client: Client) -> None:
    person("asha")
    sign_in(client)
    client.force_login(person("root", is_superuser=True))
    row = AccessAttempt.objects.get()
    assert client.get(f"{ATTEMPTS}add/").status_code == 403
    assert client.get(f"{ATTEMPTS}{row.pk}/delete/").status_code == 403
    assert "delete_selected" not in client.get(ATTEMPTS).content.decode()


def test_what_is_too_old_to_count_is_gone_with_the_next_sign_in(client: Client) -> None:
    person("asha")
    fail(client, 2)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(hours=1))
    person("ravi")
    assert sign_in(client, "ravi", PASSWORD).status_code == 302
    assert not AccessAttempt.objects.exists()
