"""Tokens for the API, made and taken away on the command line."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from rest_framework.authtoken.models import Token

if TYPE_CHECKING:
    from tests.callers import MakeCaller

pytest_plugins = ("tests.callers",)
pytestmark = pytest.mark.django_db
READS = ("view_document",)
DOCUMENTS = "/api/v1/documents/"


def run(*words: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("api_token", *words, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue().strip()


def test_the_command_prints_one_token_an_account(a_caller: MakeCaller) -> None:
    user = a_caller("meera", may=READS).user
    key = Token.objects.get(user=user).key
    assert run("meera") == run("meera") == (key, "meera may read documents and search.")
    new, _ = run("meera", "--new")
    assert new != key
    assert list(Token.objects.values_list("key", flat=True)) == [new]


def test_the_command_takes_a_token_away_even_of_an_account_that_is_switched_off(a_caller: MakeCaller) -> None:
    caller = a_caller("meera")
    assert caller.get(DOCUMENTS).status_code == 200
    User.objects.update(is_active=False)
    assert run("meera", "--revoke") == ("The token works no more.", "")
    assert run("meera", "--revoke") == ("meera had no token.", "")
    User.objects.update(is_active=True)
    assert caller.get(DOCUMENTS).status_code == 401


def test_the_command_refuses_an_account_that_is_not_there_or_switched_off(db: None) -> None:
    User.objects.create(username="ravi", is_active=False)
    for name, words in (("nobody", "There is no account nobody"), ("ravi", "is switched off")):
        with pytest.raises(CommandError, match=words):
            run(name)


def test_the_command_says_when_a_token_opens_nothing_yet(a_caller: MakeCaller) -> None:
    a_caller("meera", may=())
    assert run("meera")[1] == "meera may do nothing here yet: give the account a role in the console."
