"""The three things a person is asked for: a code to come in, a code that shows the app was set up, and a confirmation
before the second factor is changed.

One field takes the app's code and a recovery code alike; which of them it is shows in its length. Wrong codes are slowed
down by django-otp, one second after the first, twice as long after each further one.
"""

from __future__ import annotations

from math import ceil
from typing import Any, cast

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django_otp.forms import OTPAuthenticationFormMixin
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from operations.second_factor import DIGITS, hashed

WRONG = "That code is not right, or it was used before. Wait for the next one in your app, or type in another recovery code."
# What a recovery code never holds, and what was meant.
_MISREAD = str.maketrans("018", "olb")


def tidy(typed: str) -> str:
    """As the app shows it or as the code was printed, without spaces and dashes."""
    code = "".join(letter for letter in typed.lower() if letter.isalnum())
    return code if is_of_app(code) else code.translate(_MISREAD)


def is_of_app(code: str) -> bool:
    return len(code) == DIGITS and code.isdecimal()


def seconds(wait: float) -> str:
    whole = max(1, ceil(wait))
    if whole < 90:
        return f"{whole} {'second' if whole == 1 else 'seconds'}"
    return f"{ceil(whole / 60)} minutes"


class Verifying(OTPAuthenticationFormMixin):
    """django-otp's checks, on the device that the code belongs to and in our words."""

    cleaned_data: dict[str, Any]
    otp_error_messages: dict[str, Any] = OTPAuthenticationFormMixin.otp_error_messages | {
        "token_required": "Type in the code.",
        "invalid_token": WRONG,
    }

    def check(self, user: Any) -> None:
        """`cleaned_data["otp_token"]` lets this person in, or a ValidationError says why not."""
        OTPAuthenticationFormMixin.clean_otp(self, user)

    def _chosen_device(self, user: Any) -> Device | None:
        model = TOTPDevice if is_of_app(self.cleaned_data.get("otp_token", "")) else StaticDevice
        # Locked, so that one code cannot let two people in.
        found = model.objects.select_for_update().filter(user_id=user.pk, confirmed=True).first()
        return found if isinstance(found, Device) else None

    def _verify_token(self, user: Any, token: str, device: Device | None = None) -> Device:
        if device is None:
            raise ValidationError(WRONG, code="invalid_token")
        allowed, why = device.verify_is_allowed()
        if not allowed:
            raise ValidationError(_too_soon(why), code="n_failed_attempts")
        kept = hashed(token) if isinstance(device, StaticDevice) else token
        return cast(Device, OTPAuthenticationFormMixin._verify_token(self, user, kept, device))


def _too_soon(why: dict[str, Any]) -> str:
    wait = seconds((why["locked_until"] - timezone.now()).total_seconds())
    wrong: int = why["failure_count"]
    if wrong == 1:
        return f"The last code was wrong. The next one is taken in {wait}."
    return f"There were {wrong} wrong codes in a row, so the next one is taken in {wait}."


class Spent(forms.TextInput):
    """A code that was refused does not stand in the field again: the next one is another."""

    def format_value(self, value: Any) -> str:
        return ""


def code_field(label: str) -> forms.CharField:
    attrs = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
    return forms.CharField(label=label, max_length=40, widget=Spent(attrs=attrs))


class CodeForm(Verifying, forms.Form):
    """Who has given the password and has a second factor."""

    otp_token = code_field("Code")

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_otp_token(self) -> str:
        return tidy(self.cleaned_data["otp_token"])

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("otp_token"):
            self.check(self.user)
        return self.cleaned_data


class SetUpForm(forms.Form):
    """The first code of an app that was just set up."""

    code = code_field("The code that your app shows")

    def clean_code(self) -> str:
        return tidy(self.cleaned_data["code"])


class ConfirmForm(Verifying, forms.Form):
    """The password or a code, before somebody's second factor is changed."""

    confirmation = forms.CharField(
        label="Your password, or the code that your app shows",
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data.get("confirmation", "")
        # A copy: a wrong code must not take the factor from the session that is already open.
        user = User.objects.get(username=self.request.user.get_username())
        self.cleaned_data["otp_token"] = tidy(given)
        if is_of_app(self.cleaned_data["otp_token"]):
            self.check(user)
        # By the way of a sign-in, so that wrong passwords are counted as there.
        elif given and authenticate(self.request, username=user.get_username(), password=given) is None:
            raise ValidationError("That is neither your password nor a code that your app shows now.", code="wrong")
        return self.cleaned_data
