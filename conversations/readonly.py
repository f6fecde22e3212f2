"""What the read-only lists of the console share: no adding, changing or deleting, and a search that repeats no number."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.timesince import timesince

from conversations import lookup
from conversations.models import Answer, Contact


def ago(at: Any) -> str:
    return render_to_string("admin/ago.html", {"at": at, "short": timesince(at, depth=1) if at else ""})


def to_transcript(contact: Contact | None) -> str:
    if contact is None:
        return format_html('<span class="quiet">{}</span>', "no person yet")
    return format_html('<a href="{}">{}</a>', reverse("admin:conversations_contact_change", args=[contact.pk]), contact.label)


def to_answer(answer: Answer | None) -> str:
    if answer is None:
        return "-"
    return format_html(
        '<a href="{}">{}</a>',
        reverse("admin:conversations_answer_change", args=[answer.pk]),
        answer.get_kind_display(),
    )


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at. Searching goes by POST, so that a phone number never stands in an address."""

    show_facets = admin.ShowFacets.ALWAYS
    show_full_result_count = False
    empty_state = "Nothing is here yet."
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        typed = request.POST.get("find") if request.method == "POST" else request.GET.get("q", "")
        if typed is not None and (request.method == "POST" or lookup.safe(typed) != typed.strip()):
            asked = "?" + urlencode({"q": lookup.safe(typed)}) if typed.strip() else ""
            return HttpResponseRedirect(request.path + asked)
        return super().changelist_view(request, extra_context)


class OfAPerson(ReadOnly):
    """Rows found by their own key, by the person's key or by the person's number."""

    search_fields = ("pk",)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        if not search_term:
            return queryset, False
        key = lookup.as_key(search_term)
        people = Contact.objects.filter(lookup.people(search_term))
        return queryset.filter(Q(pk=key) | Q(contact=key) if key else Q(contact__in=people)), False

    @admin.display(description="person")
    def person(self, row: Any) -> str:
        return to_transcript(row.contact)


class ReadOnlyRows:
    """For inlines: whoever may see the row may see what belongs to it."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True
