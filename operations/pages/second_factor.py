"""Between the password and the console: the page that asks for a code, and the one that sets the second factor up.

They stand outside the console's own check, which has not let the reader in yet, and ask for the password's session
themselves. Where to go next is only ever an address of this host.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

import django_otp
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from operations import second_factor
from operations.second_factor_forms import CodeForm, SetUpForm

# In the session: the key that was shown and not confirmed yet, and until when the second factor may be replaced.
KEY, MAY_REPLACE = "second_factor_key", "second_factor_may_replace"
REPLACE_SECONDS = 600
View = Callable[[HttpRequest], HttpResponse]


def urls() -> list[URLPattern]:
    return [
        path("second-factor/", ask, name="second_factor"),
        path("second-factor/set-up/", set_up, name="second_factor_set_up"),
    ]


def after_password(view: View) -> View:
    """For whoever has given the password of an account of the staff."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        user = request.user
        if not (user.is_active and user.is_staff):
            return to("admin:login", request)
        return view(request)

    return never_cache(sensitive_post_parameters()(require_http_methods(["GET", "HEAD", "POST"])(guarded)))


def onward(request: HttpRequest) -> str:
    """Where the reader wanted to go, if that is a page of this host."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    own = {reverse("admin:login"), reverse("admin:second_factor"), reverse("admin:second_factor_set_up")}
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe and wanted.partition("?")[0] not in own else reverse("admin:index")


def to(name: str, request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse(name)}?{urlencode({'next': onward(request)})}")


@after_password
def ask(request: HttpRequest) -> HttpResponse:
    """The code of the app, or a recovery code."""
    user = cast(User, request.user)
    if second_factor.satisfied(user):
        return redirect(onward(request))
    if not second_factor.has_one(user):
        return to("admin:second_factor_set_up", request)
    form = CodeForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _in(request, user.otp_device)  # type: ignore[attr-defined]
    return card(request, "ask.html", {"title": "Your code", "form": form}, status=400 if form.errors else 200)


@after_password
def set_up(request: HttpRequest) -> HttpResponse:
    """A key to put into an app, and the code that shows that it is there."""
    user = cast(User, request.user)
    replace = may_replace(request)
    if second_factor.is_off():
        return redirect("admin:account")
    if second_factor.has_one(user) and not replace:
        return to("admin:second_factor" if not second_factor.satisfied(user) else "admin:account", request)
    form = SetUpForm(request.POST or None)
    if request.method == "POST" and KEY in request.session and form.is_valid():
        try:
            device, codes = second_factor.enrol(user, key=request.session[KEY], code=form.cleaned_data["code"], replace=replace)
        except second_factor.NotPossible as problem:
            form.add_error("code", str(problem))
        else:
            _in(request, device)
            return show_codes(request, codes)
    key = request.session.setdefault(KEY, second_factor.new_key())
    context = {
        "title": "Set up the second factor",
        "form": form,
        "picture": second_factor.picture(user, key),
        "key": second_factor.key_in_text(key),
        "replaces": replace,
    }
    return card(request, "set_up.html", context, status=400 if form.errors else 200)


def may_replace(request: HttpRequest) -> bool:
    """For some minutes after it was confirmed on the account's page, in a session that is fully signed in."""
    return second_factor.satisfied(request.user) and request.session.get(MAY_REPLACE, 0.0) > time.time()


def _in(request: HttpRequest, device: Any) -> HttpResponse:
    """The session has shown the second factor. It gets a new key, so that one known from before is worth nothing."""
    django_otp.login(request, device)
    request.session.cycle_key()
    request.session.pop(KEY, None)
    request.session.pop(MAY_REPLACE, None)
    return redirect(onward(request))


def show_codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """Once: the answer to the form, which no address shows again."""
    return card(request, "codes.html", {"title": "Your recovery codes", "codes": codes})


def card(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    shared = {**admin.site.each_context(request), "next": onward(request)}
    return render(request, f"admin/account/{template}", {**shared, **context}, status=status)
