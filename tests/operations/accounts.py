"""Accounts of the staff with a password and, where asked, a second factor whose codes a test can make."""

from __future__ import annotations

import time
from binascii import unhexlify

from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from operations import second_factor

PASSWORD = "a long sentence of nobody"


def person(name: str = "asha", *roles: str, **fields: bool) -> User:
    """An account that can sign in with PASSWORD, in roles that exist."""
    user = User(username=name, is_staff=True, **fields)
    user.set_password(PASSWORD)
    user.save()
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def code(key: str, *, ahead: int = 0) -> str:
    """What an app with this key shows now, or `ahead` half-minutes later."""
    return f"{totp(unhexlify(key), drift=ahead):06d}"


def enrolled(user: User) -> tuple[TOTPDevice, list[str]]:
    """The account with an app and recovery codes; the code of this half-minute is spent."""
    key = second_factor.new_key()
    return second_factor.enrol(user, key=key, code=code(key))


def give_password(client: Client, name: str = "asha", *, then: str = "", password: str = PASSWORD) -> str:
    """Where the browser stands after the sign-in form and what it was led on to."""
    given = {"username": name, "password": password, "next": then or reverse("admin:index")}
    answer = client.post(reverse("admin:login"), given, follow=True)
    return str(answer.redirect_chain[-1][0]) if answer.redirect_chain else ""


def wait(device: TOTPDevice) -> None:
    """As if the half-minute of the last code were over, and every wrong one long ago."""
    TOTPDevice.objects.filter(pk=device.pk).update(last_t=int(time.time()) // 30 - 2, throttling_failure_timestamp=None)
