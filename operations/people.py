"""Staff in the console: who they are, what they may do, whether they have a second factor, and when they last came.

An account is deactivated and never deleted: what its owner did stays told with a name. Whoever is no superuser
neither makes one nor touches the account of one. Failed sign-ins are a list to look at, with one button.
"""

from __future__ import annotations

from typing import Any, cast

from axes.models import AccessAttempt
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST
from django_otp.plugins.otp_totp.models import TOTPDevice

from conversations.readonly import ReadOnly, ago
from operations import lockout, second_factor

_DEVICE = TOTPDevice.objects.filter(user_id=OuterRef("pk"), confirmed=True)


class SecondFactorFilter(admin.SimpleListFilter):
    title = "second factor"
    parameter_name = "second_factor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Set up"), ("no", "Not set up")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() in ("yes", "no"):
            return queryset.filter(Exists(_DEVICE) if self.value() == "yes" else ~Exists(_DEVICE))
        return queryset


class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    change_form_template = "admin/account/person.html"
    show_facets = admin.ShowFacets.ALWAYS
    list_display = ("person", "roles", "active", "second_factor", "last_came")
    list_display_links = ("person",)
    list_filter = ("groups", "is_active", SecondFactorFilter, "is_superuser")
    actions = ("deactivate",)
    readonly_fields = ("last_login", "date_joined")
    list_per_page = 50

    class Media:
        css = {"all": ("jeevo/people.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people: QuerySet[User] = super().get_queryset(request)
        return people.prefetch_related("groups").annotate(_second_factor=Exists(_DEVICE))

    @admin.display(description="name", ordering="username")
    def person(self, user: User) -> str:
        full = user.get_full_name()
        return f"{full} ({user.username})" if full else user.username

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        held = [each.name for each in user.groups.all()]
        return ", ".join([*(["Superuser"] if user.is_superuser else []), *sorted(held)]) or "-"

    @admin.display(description="active", ordering="is_active")
    def active(self, user: User) -> str:
        return "Yes" if user.is_active else "Deactivated"

    @admin.display(description="second factor", ordering="_second_factor")
    def second_factor(self, user: User) -> str:
        if user._second_factor:  # type: ignore[attr-defined]
            return "Yes"
        return "No, asked for at the next sign-in" if second_factor.must_have(user) else "No"

    @admin.display(description="last sign-in", ordering="last_login")
    def last_came(self, user: User) -> str:
        return ago(user.last_login)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or not obj.is_superuser or bool(request.user.is_superuser))

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Who is no superuser gives roles, and no more than roles."""
        sets = super().get_fieldsets(request, obj)
        if obj is None or request.user.is_superuser:
            return sets
        beyond = {"is_superuser", "user_permissions"}
        return [(name, {**each, "fields": tuple(one for one in each["fields"] if one not in beyond)}) for name, each in sets]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Nobody shuts themselves out, and nobody but a superuser gives themselves a role."""
        own = () if obj is None or obj.pk != request.user.pk else ("is_active", "is_staff", "is_superuser")
        roles = ("groups",) if own and not request.user.is_superuser else ()
        return (*self.readonly_fields, *own, *roles)

    def get_urls(self) -> list[URLPattern]:
        view, steps = self.admin_site.admin_view, (self.deactivate_one, self.reset_second_factor)
        own = [path(f"<int:key>/{each.__name__}/", view(require_POST(each)), name=f"auth_user_{each.__name__}") for each in steps]
        return [*own, *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        user = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if user is not None and self.has_change_permission(request, user) and user.pk != request.user.pk:
            context = {"may_deactivate": user.is_active, "may_reset": second_factor.has_one(user)}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    @admin.action(description="Deactivate: end their sessions and let them sign in no more", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        chosen = list(queryset.filter(is_active=True))
        gone = [user for user in chosen if self._may_act_on(request, user)]
        for user in gone:
            self._deactivate(request, user)
        if gone:
            self.message_user(request, f"Deactivated: {', '.join(user.username for user in gone)}.", messages.SUCCESS)
        if left := [user.username for user in chosen if user not in gone]:
            said = f"Left as they are, because you may not deactivate yourself or a superuser: {', '.join(left)}."
            self.message_user(request, said, messages.WARNING)

    def deactivate_one(self, request: HttpRequest, key: int) -> HttpResponse:
        user = self._other(request, key)
        self._deactivate(request, user)
        self.message_user(request, f"Signed out everywhere: {user.username} can sign in no more.", messages.SUCCESS)
        return redirect("admin:auth_user_change", user.pk)

    def reset_second_factor(self, request: HttpRequest, key: int) -> HttpResponse:
        user = self._other(request, key)
        if second_factor.reset(user, by=cast(User, request.user)):
            said = f"The second factor of {user.username} is gone."
            then = " A new one is set up at the next sign-in." if second_factor.must_have(user) else ""
            self.message_user(request, said + then, messages.SUCCESS)
        else:
            self.message_user(request, f"There is no second factor of {user.username} to take away.", messages.INFO)
        return redirect("admin:auth_user_change", user.pk)

    def _other(self, request: HttpRequest, key: int) -> User:
        user = get_object_or_404(User, pk=key)
        if not self._may_act_on(request, user):
            raise PermissionDenied
        return user

    def _may_act_on(self, request: HttpRequest, user: User) -> bool:
        return user.pk != request.user.pk and self.has_change_permission(request, user)

    def _deactivate(self, request: HttpRequest, user: User) -> None:
        User.objects.filter(pk=user.pk).update(is_active=False)
        second_factor.record(user, by=cast(User, request.user), what="Deactivated.")


class FailedSignIns(ReadOnly):
    """Only those that still count: an older one goes when the next sign-in comes."""

    list_display = ("account", "ip_address", "failures_since_start", "last", "state")
    list_display_links = None
    search_fields = ("username", "ip_address")
    actions = ("unlock",)

    class Media:
        css = {"all": ("jeevo/people.css",)}

    empty_state = "Nobody has typed in a wrong password lately."

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("axes.change_accessattempt")

    @admin.display(ordering="username")
    def account(self, attempt: AccessAttempt) -> str:
        known = User.objects.filter(username=attempt.username).exists()
        return str(attempt.username) if known else "a name that no account has"

    @admin.display(description="last try", ordering="attempt_time")
    def last(self, attempt: AccessAttempt) -> str:
        return ago(attempt.attempt_time)

    @admin.display(description="now")
    def state(self, attempt: AccessAttempt) -> str:
        opens = lockout.opens_at(str(attempt.username), attempt.ip_address)
        return f"Locked until {opens:%H:%M} UTC" if opens > timezone.now() else "May try"

    @admin.action(description="Let them try again at once", permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        lockout.forget(queryset)
        self.message_user(request, "Forgotten: whoever was locked out there may try again.", messages.SUCCESS)
