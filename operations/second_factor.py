"""The second factor of an account: who must have one, whether somebody has shown it, and how it is set up and taken away.

The devices are django-otp's: one authenticator app and ten recovery codes. The codes are kept as keyed hashes, so that
a copy of the database opens no account with them. SECOND_FACTOR says of whom one is asked; nothing is asked while it is off.
"""

from __future__ import annotations

import time
from base64 import b32encode
from binascii import unhexlify
from typing import Any

import segno
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice, default_key

from jeevo.fields import keyed_hash

CODES = 10
DIGITS = 6
APP, RECOVERY = "Authenticator app", "Recovery codes"


class NotPossible(Exception):
    """Said to the person who tried."""


def is_off() -> bool:
    return bool(settings.ENVIRONMENT.second_factor == "off")


def must_have(user: Any) -> bool:
    """Everybody, or who may act on the machine or on accounts: superusers and the operators' group do."""
    if is_off() or not user.is_staff:
        return False
    if settings.ENVIRONMENT.second_factor == "everybody" or user.is_superuser:
        return True
    return bool(user.has_perm("operations.act_on_machine") or user.has_perm("auth.change_user"))


def has_one(user: Any) -> bool:
    return bool(TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).exists())


def shown(user: Any) -> bool:
    """Whether this session has shown a code; django-otp's middleware knows."""
    return getattr(user, "otp_device", None) is not None


def satisfied(user: Any) -> bool:
    """Whether nothing more than the password is asked. Who set one up of their own accord is asked for it too."""
    return is_off() or shown(user) or not (must_have(user) or has_one(user))


def new_key() -> str:
    return str(default_key())


def key_in_text(key: str) -> str:
    """As people type it into an app that cannot take a picture."""
    text = b32encode(unhexlify(key)).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def picture(user: User, key: str) -> str:
    """The QR code as a data: address. Black on white in any theme, or a camera does not find it."""
    address = TOTPDevice(user=user, key=key).config_url
    return str(segno.make(address, error="m").svg_data_uri(scale=4, dark="#000", light="#fff"))


def enrol(user: User, *, key: str, code: str, replace: bool = False) -> tuple[TOTPDevice, list[str]]:
    """The app with this key becomes the second factor, and the recovery codes are made anew."""
    clock = TOTP(unhexlify(key))
    clock.time = time.time()
    if not code.isdecimal() or not clock.verify(int(code), tolerance=1):
        raise NotPossible("That code does not belong to this key. Wait for the next one in your app and type it in.")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        old = TOTPDevice.objects.filter(user=user)
        if old.filter(confirmed=True).exists() and not replace:
            raise NotPossible("This account has a second factor by now. Sign in with it.")
        old.delete()
        device = TOTPDevice.objects.create(user=user, name=APP, key=key, last_t=clock.t(), drift=clock.drift)
        record(user, by=user, what="Set up an authenticator app as second factor.")
        return device, renew_codes(user, by=user)


def renew_codes(user: User, *, by: User) -> list[str]:
    """Ten new recovery codes; the old ones are worth nothing from now on. Nobody can read them later."""
    codes = [StaticToken.random_token() for _ in range(CODES)]
    with transaction.atomic():
        device, _ = StaticDevice.objects.get_or_create(user=user, defaults={"name": RECOVERY})
        device.token_set.all().delete()
        StaticToken.objects.bulk_create(StaticToken(device=device, token=hashed(code)) for code in codes)
        record(user, by=by, what="Made new recovery codes.")
    return [f"{code[:4]}-{code[4:]}" for code in codes]


def codes_left(user: Any) -> int:
    return int(StaticToken.objects.filter(device__user_id=user.pk).count())


def reset(user: User, *, by: User, place: str = "in the console") -> bool:
    """Take it away, because the phone is lost. Whoever must have one sets it up at the next sign-in."""
    with transaction.atomic():
        gone = [model.objects.filter(user=user).delete()[0] for model in (TOTPDevice, StaticDevice)]
        if any(gone):
            record(user, by=by, what=f"Took the second factor away, {place}.")
    return any(gone)


def hashed(code: str) -> str:
    """As long as django-otp's column."""
    return keyed_hash(code)[:16]


def record(user: User, *, by: User, what: str) -> None:
    """In the history of the account."""
    LogEntry.objects.log_actions(by.pk, [user], CHANGE, what, single_object=True)
