"""Contacts on call: who is told, one after the other, of an incident that nobody acknowledges."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.http import HttpRequest

from operations.models import OnCallContact


class ContactForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if not said.get("email") and not said.get("webhook") and not self.errors:
            self.add_error("email", "Give an e-mail address or a webhook, or nobody can be told.")
        return said


@admin.register(OnCallContact)
class OnCallContactAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "position", "ways", "active")
    list_filter = ("active",)
    show_facets = admin.ShowFacets.ALWAYS
    show_full_result_count = False
    actions = None
    form = ContactForm
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    fields = ("position", "name", "user", "email", "webhook", "active")
    empty_state = "Nobody is on call. Add at least one contact, so that somebody is told when an incident waits."
    change_list_template = "admin/operations/incident/contacts.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        own = {"nobody_on_call": not OnCallContact.objects.filter(active=True).exists()}
        return super().changelist_view(request, {**own, **(extra_context or {})})

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        staff = User.objects.filter(is_active=True, is_staff=True).order_by("username")
        return super().formfield_for_foreignkey(db_field, request, queryset=staff, **kwargs)

    @admin.display(description="told by")
    def ways(self, contact: OnCallContact) -> str:
        return " and ".join(way for way, has in (("e-mail", contact.email), ("webhook", contact.webhook)) if has)
