"""Your account: who the console takes you for, your roles, and your second factor, which is changed only after the
password or a code was given once more.
"""

from __future__ import annotations

import time
from typing import cast

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from operations import second_factor
from operations.pages.second_factor import MAY_REPLACE, REPLACE_SECONDS, show_codes
from operations.second_factor_forms import ConfirmForm


def urls(site: AdminSite) -> list[URLPattern]:
    return [
        path("account/", site.admin_view(account), name="account"),
        path("account/recovery-codes/", site.admin_view(renew), name="account_recovery_codes"),
        path("account/replace/", site.admin_view(replace), name="account_replace"),
    ]


@never_cache
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    return _page(request)


@never_cache
@sensitive_post_parameters()
@require_POST
def renew(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    form = ConfirmForm(request, request.POST, prefix="renew")
    if not second_factor.has_one(user):
        return redirect("admin:account")
    if not form.is_valid():
        return _page(request, renew=form)
    return show_codes(request, second_factor.renew_codes(user, by=user))


@never_cache
@sensitive_post_parameters()
@require_POST
def replace(request: HttpRequest) -> HttpResponse:
    form = ConfirmForm(request, request.POST, prefix="replace")
    if not form.is_valid():
        return _page(request, replace=form)
    request.session[MAY_REPLACE] = time.time() + REPLACE_SECONDS
    return redirect("admin:second_factor_set_up")


def _page(request: HttpRequest, **forms: ConfirmForm) -> HttpResponse:
    user = cast(User, request.user)
    context = {
        **admin.site.each_context(request),
        "title": "Your account",
        "roles": list(user.groups.order_by("name").values_list("name", flat=True)),
        "has_one": second_factor.has_one(user),
        "must_have": second_factor.must_have(user),
        "codes_left": second_factor.codes_left(user),
        "renew": forms.get("renew") or ConfirmForm(request, prefix="renew"),
        "replace": forms.get("replace") or ConfirmForm(request, prefix="replace"),
        "failed": bool(forms),
    }
    return render(request, "admin/account/account.html", context, status=400 if forms else 200)
