"""What was said to people outside and to contacts on call, and what became of it for each recipient."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from operations import sending
from operations.delivery_lines import fragment, lines
from operations.models import Delivery, Notice
from operations.phrases import count

# Whoever may tell people outside may tell them again; addresses are for those who may see deliveries.
RESEND, ADDRESSES = "operations.run_incident", "operations.view_delivery"


class FailedFilter(admin.SimpleListFilter):
    title, parameter_name = "failed for somebody", "failed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notice]) -> QuerySet[Notice]:
        failed = Delivery.objects.filter(notice=OuterRef("pk"), status=Delivery.Status.FAILED)
        return queryset.filter(Exists(failed)) if self.value() else queryset


@admin.register(Notice)
class NoticeAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("subject", "event", "said", "became")
    list_filter = (FailedFilter, "about", "event")
    search_fields = ("subject",)
    show_facets = admin.ShowFacets.ALWAYS
    show_full_result_count = False
    list_per_page = 50
    actions = None

    class Media:
        css = {"all": ["jeevo/notices.css"]}

    empty_state = "Nothing has been said to anybody yet. Notices come from incidents, maintenance, and tests of a subscriber."

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.resend))
        return [path("<uuid:key>/resend/", view, name="operations_notice_resend"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        states = Delivery.objects.only("notice_id", "status").order_by()
        rows: QuerySet[Notice] = super().get_queryset(request).prefetch_related(Prefetch("deliveries", queryset=states))
        return rows

    @admin.display(description="Said", ordering="created_at")
    def said(self, notice: Notice) -> str:
        return render_to_string("admin/ago.html", {"at": notice.created_at})

    @admin.display(description="Recipients")
    def became(self, notice: Notice) -> str:
        found = Counter(_WORDS[each.status] for each in notice.deliveries.all())
        return ", ".join(f"{found[word]} {word}" for word in _ORDER if found[word]) or "nobody was to be told"

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        notice = get_object_or_404(Notice, pk=object_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": notice.subject,
            "notice": notice,
            "became": self.became(notice),
            "addresses": request.user.has_perm(ADDRESSES),
            "lines": lines(notice.deliveries.order_by("recipient", "pk"), now=timezone.now()),
            "may": request.user.has_perm(RESEND),
        }
        if request.GET.get("part") == "deliveries":
            return fragment(request, "admin/operations/notices/deliveries.html", context)
        return render(request, "admin/operations/notices/notice.html", context)

    def resend(self, request: HttpRequest, key: UUID) -> HttpResponse:
        notice = get_object_or_404(Notice, pk=key)
        if not request.user.has_perm(RESEND):
            raise PermissionDenied
        failed = notice.deliveries.filter(status=Delivery.Status.FAILED)
        again = sum(sending.send_again(each, now=timezone.now()) for each in failed)
        if again:
            self.message_user(request, f"{count(again, 'recipient is', 'recipients are')} tried again now.", messages.SUCCESS)
        else:
            self.message_user(request, "Nothing of it has failed.", messages.INFO)
        return redirect(reverse("admin:operations_notice_change", args=[key]))


_WORDS = {"failed": "failed", "queued": "under way", "sending": "under way", "sent": "sent"}
_ORDER = ("failed", "under way", "sent")
