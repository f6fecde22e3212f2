"""Conversations in the console: lists to find a person or a message, all of them read-only.

A patient's row is never edited or deleted by hand. Numbers are masked on every page, and no list shows
what somebody wrote. A contact's own page is the transcript (`desk.py`).
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html

from conversations import desk, lookup, not_helpful
from conversations.evaluation import pages
from conversations.filters import OptedOutFilter, PersonFilter, TriageFilter, WaitingFilter
from conversations.models import (
    Answer,
    Citation,
    Contact,
    DeliveryEvent,
    Handover,
    HoldingNotice,
    InboundMessage,
    OutboundMessage,
    TriageRule,
    UnhandledEvent,
)
from conversations.readonly import OfAPerson, ReadOnly, ReadOnlyRows, ago, to_answer
from conversations.remedies import remedy
from conversations.rule_admin import TriageRuleAdmin
from jeevo.logging import masked

admin.site.register(TriageRule, TriageRuleAdmin)


@admin.register(Contact)
class ContactAdmin(ReadOnly):
    list_display = ("label", "country", "language", "last_message", "open_handover", "stopped")
    list_filter = (PersonFilter, OptedOutFilter, "country", "language")
    search_fields = ("label",)
    search_help_text = "A full phone number in any spelling, a WhatsApp user id, or the last digits that are shown."
    empty_state = "Nobody has written yet. Send a message to the WhatsApp number, or use the chat page of the sandbox."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        waiting = Handover.objects.filter(closed_at__isnull=True).select_related("taken_by")
        shown = super().get_queryset(request).defer("phone", "wa_user_id", "name")
        return shown.prefetch_related(Prefetch("handovers", waiting, to_attr="open_handovers"))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        if not search_term:
            return queryset, False
        key = lookup.as_key(search_term)
        return queryset.filter(Q(pk=key) if key else lookup.people(search_term)), False

    @admin.display(description="last message", ordering="last_inbound_at")
    def last_message(self, contact: Contact) -> str:
        return ago(contact.last_inbound_at)

    @admin.display(description="handover")
    def open_handover(self, contact: Contact) -> str:
        found: list[Handover] = contact.open_handovers  # type: ignore[attr-defined]
        if not found:
            return "-"
        taken = f"with {found[0].taken_by}" if found[0].taken_by else "nobody has it yet"
        return f"{found[0].get_reason_display().capitalize()}: {taken}"

    @admin.display(description="wants answers", ordering="opted_out_at")
    def stopped(self, contact: Contact) -> str:
        return "Wrote STOP" if contact.opted_out_at else "Yes"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        steps = {"take": desk.take, "reply": desk.reply, "close": desk.close}
        own = [path(f"<uuid:key>/{name}/", view(step), name=f"conversations_contact_{name}") for name, step in steps.items()]
        return [*own, *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """A person's page is their transcript."""
        return desk.transcript(request, object_id)


@admin.register(InboundMessage)
class InboundMessageAdmin(OfAPerson):
    list_display = ("received", "kind", "status", "triage_level", "person")
    list_filter = (WaitingFilter, "status", TriageFilter, "kind")
    date_hierarchy = "received_at"
    search_help_text = "A message key, WhatsApp's message id, or a full phone number in any spelling."
    empty_state = "No message has come in yet. Send one to the WhatsApp number, or use the chat page of the sandbox."
    list_select_related = ("contact",)
    fieldsets = (
        (None, {"fields": ("id", "person", "kind", "status", "reason", "text", "its_answer")}),
        ("Triage", {"fields": ("triage_level", "triage_concept", "triage_rules", "language")}),
        ("Times", {"fields": ("sent_at", "received_at", "attempts", "retry_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundMessage]:
        return super().get_queryset(request).defer("payload")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        return (queryset.filter(lookup.messages(search_term)) if search_term else queryset), False

    @admin.display(ordering="received_at")
    def received(self, message: InboundMessage) -> str:
        return ago(message.received_at)

    @admin.display(description="answer")
    def its_answer(self, message: InboundMessage) -> str:
        return to_answer(message.answer)


class DeliveryEvents(ReadOnlyRows, admin.TabularInline):  # type: ignore[type-arg]
    model = DeliveryEvent
    verbose_name_plural = "What WhatsApp reported"
    fields = readonly_fields = ("status", "at", "received_at", "error_code")


@admin.register(OutboundMessage)
class OutboundMessageAdmin(OfAPerson):
    list_display = ("created", "status", "purpose", "why", "what_to_do", "person")
    list_filter = ("status", "purpose", "urgent", "resent")
    date_hierarchy = "created_at"
    search_help_text = "A message key, or a full phone number in any spelling."
    empty_state = "Nothing has been sent yet. The first answer appears here with its delivery ticks."
    list_select_related = ("contact",)
    inlines = (DeliveryEvents,)
    fieldsets = (
        (
            None,
            {"fields": ("id", "person", "purpose", "status", "why", "what_to_do", "its_answer", "author")},
        ),
        ("Sending", {"fields": ("attempts", "retry_at", "resent", "urgent", "error_code")}),
        ("Times", {"fields": ("created_at", "handed_at", "delivered_at", "read_at", "failed_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboundMessage]:
        return super().get_queryset(request).defer("body")

    def get_inlines(self, request: HttpRequest, obj: OutboundMessage | None) -> Any:
        return self.inlines if obj and obj.events.exists() else ()

    @admin.display(ordering="created_at")
    def created(self, message: OutboundMessage) -> str:
        return ago(message.created_at)

    @admin.display(description="why", ordering="reason")
    def why(self, message: OutboundMessage) -> str:
        return message.reason or "-"

    @admin.display(description="what to do")
    def what_to_do(self, message: OutboundMessage) -> str:
        return remedy(message) or "-"

    @admin.display(description="answer")
    def its_answer(self, message: OutboundMessage) -> str:
        return to_answer(message.answer)


class Citations(ReadOnlyRows, admin.StackedInline):  # type: ignore[type-arg]
    model = Citation
    verbose_name_plural = "Sources, as they were when the answer was given"
    fields = readonly_fields = (
        "title",
        "publisher",
        "url",
        "heading",
        "page",
        "quote",
        "score",
        "unreviewed",
    )


@admin.register(Answer)
class AnswerAdmin(OfAPerson):
    list_display = ("created", "kind", "sources", "sureness", "language", "person")
    list_filter = ("kind", "language", "model")
    date_hierarchy = "created_at"
    search_help_text = "The key of an answer, or a full phone number in any spelling."
    empty_state = "No answer has been given yet. The first message brings the first one."
    list_select_related = ("contact",)
    inlines = (Citations,)
    fieldsets = (
        (None, {"fields": ("id", "person", "kind", "reason", "language", "text", "sureness")}),
        (
            "How it was made",
            {"fields": ("model", "prompt_version", "found", "taken_out", "took", "created_at")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Answer]:
        rows: QuerySet[Answer] = super().get_queryset(request)
        return rows.annotate(cited=Count("citations"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(not_helpful.not_helpful)
        own = [path("not-helpful/", view, name="conversations_answer_not_helpful"), *pages.urls()]
        return [*own, *super().get_urls()]

    def get_inlines(self, request: HttpRequest, obj: Answer | None) -> Any:
        return self.inlines if obj and obj.citations.exists() else ()

    @admin.display(ordering="created_at")
    def created(self, answer: Answer) -> str:
        return ago(answer.created_at)

    @admin.display(ordering="cited")
    def sources(self, answer: Answer) -> Any:
        return answer.cited  # type: ignore[attr-defined]

    @admin.display(description="confidence", ordering="confidence")
    def sureness(self, answer: Answer) -> str:
        return "-" if answer.confidence is None else f"{answer.confidence:.2f}"

    @admin.display(description="passages found")
    def found(self, answer: Answer) -> str:
        return render_to_string("desk/passages.html", {"passages": answer.passages}) if answer.passages else "none"

    @admin.display(description="removed by validation")
    def taken_out(self, answer: Answer) -> str:
        return render_to_string("desk/removed.html", {"removed": answer.removed}) if answer.removed else "nothing"

    @admin.display(description="time by step")
    def took(self, answer: Answer) -> str:
        return ", ".join(f"{step} {ms} ms" for step, ms in answer.timings.items()) or "-"


@admin.register(Handover)
class HandoverAdmin(OfAPerson):
    list_display = ("opened", "reason", "person", "taken_by", "closed")
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "reason", "taken_by")
    date_hierarchy = "opened_at"
    ordering = ("-opened_at",)
    search_help_text = "A full phone number in any spelling, or its last digits."
    empty_state = "Nobody has asked for a person yet. Red flags and questions without an answer come here too."
    list_select_related = ("contact", "taken_by")
    fields = (
        "person",
        "reason",
        "opened_at",
        "taken_by",
        "taken_at",
        "last_reply_at",
        "closed_by",
        "closed_at",
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(desk.waiting)
        return [path("waiting/", view, name="conversations_handover_waiting"), *super().get_urls()]

    @admin.display(ordering="opened_at")
    def opened(self, handover: Handover) -> str:
        return ago(handover.opened_at)

    @admin.display(ordering="closed_at")
    def closed(self, handover: Handover) -> str:
        return ago(handover.closed_at) if handover.closed_at else "still open"


@admin.register(UnhandledEvent)
class UnhandledEventAdmin(ReadOnly):
    list_display = ("received", "field", "reason")
    list_filter = ("field", "reason")
    date_hierarchy = "received_at"
    empty_state = "Everything that WhatsApp sent so far was understood."
    fields = ("field", "reason", "received_at", "body")

    @admin.display(ordering="received_at")
    def received(self, event: UnhandledEvent) -> str:
        return ago(event.received_at)

    @admin.display(description="what came, numbers masked")
    def body(self, event: UnhandledEvent) -> str:
        if event.payload is None:
            return "cleared"
        return format_html("<pre>{}</pre>", masked(json.dumps(event.payload, indent=2, ensure_ascii=False)))


@admin.register(HoldingNotice)
class HoldingNoticeAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("said", "starts_at", "ends_at", "holds")
    date_hierarchy = "starts_at"
    fields = ("text", "starts_at", "ends_at", "holds", "announced_from", "line")
    empty_state = (
        "No notice is set. While one is in force people get it once, and their answer afterwards; emergencies never wait."
    )

    @admin.display(description="text", ordering="text")
    def said(self, notice: HoldingNotice) -> str:
        return notice.text or "Jeevo's own words"
