"""Who outside is told of incidents and maintenance: added by staff, tried with one button, paused and never lost.

The secret of a webhook is shown once, in the answer that made it, and lies nowhere else in clear.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from operations import notifications, outbound
from operations.delivery_lines import fragment, lines
from operations.models import Delivery, Subscriber
from operations.models.notices import Channel, new_secret
from operations.notifications import Recipient
from operations.phrases import the

SHOWN = 10
SEVERITIES = (
    (1, "Only severity 1, critical"),
    (2, "Severity 1 and 2"),
    (3, "Severity 1 to 3"),
    (4, "All of them"),
)


class SubscriberForm(forms.ModelForm):  # type: ignore[type-arg]
    least_severity = forms.TypedChoiceField(label="Which incidents", choices=SEVERITIES, coerce=int, initial=2)

    class Meta:
        model = Subscriber
        fields = ("name", "channel", "address", "incidents", "least_severity", "maintenance")
        labels = {"channel": "How", "incidents": "Told of incidents", "maintenance": "Told of maintenance"}
        help_texts = {"name": "A team, an office or a program; people outside do not see it."}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        channel = cleaned.get("channel") or self.instance.channel
        address = str(cleaned.get("address", "")).strip()
        if channel and address:
            cleaned["address"] = address
            if problem := problem_with(channel, address):
                self.add_error("address", problem)
        return cleaned


def problem_with(channel: str, address: str) -> str:
    """A sentence; empty when notices may go there."""
    if channel == Channel.WEBHOOK:
        return outbound.problem_with(address)
    try:
        validate_email(address)
    except ValidationError:
        return "This is not an e-mail address, such as name@example.org."
    return ""


class NotPossible(Exception):
    """The step does not fit what the subscriber is now; the message says why."""


@admin.register(Subscriber)
class SubscriberAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = SubscriberForm
    fields = SubscriberForm.Meta.fields
    list_display = ("name", "goes_to", "told_of", "standing")
    list_filter = ("active", "channel")
    search_fields = ("name", "address")
    show_facets = admin.ShowFacets.ALWAYS
    actions = None
    change_form_template = "admin/operations/notices/subscriber.html"
    add_form_template = "admin/change_form.html"
    empty_state = "Nobody outside is told yet. Add an e-mail address, or a webhook of a program."

    class Media:
        css = {"all": ["jeevo/notices.css"]}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.step))
        return [path("<uuid:key>/step/", view, name="operations_subscriber_step"), *super().get_urls()]

    def get_readonly_fields(self, request: HttpRequest, obj: Subscriber | None = None) -> tuple[str, ...]:
        return ("channel",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Subscriber | None = None) -> bool:
        """What was sent to somebody stays explained: from then on it is paused, not deleted."""
        used = obj is not None and Delivery.objects.filter(subscriber=obj).exists()
        return super().has_delete_permission(request, obj) and not used

    @admin.display(description="Goes to", ordering="address")
    def goes_to(self, subscriber: Subscriber) -> str:
        return subscriber.address

    @admin.display(description="Told of")
    def told_of(self, subscriber: Subscriber) -> str:
        return told_of(subscriber)

    @admin.display(description="Now", ordering="active")
    def standing(self, subscriber: Subscriber) -> SafeString:
        word = "Told" if subscriber.active else "Paused"
        return format_html('{}<br><span class="quiet">{}</span>', word, "" if subscriber.active else subscriber.stopped_because)

    def save_model(self, request: HttpRequest, obj: Subscriber, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"channel": Channel.EMAIL, **super().get_changeform_initial_data(request)}

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """One button: what comes after saving is the page that shows whether a notice arrives."""
        one = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().changeform_view(request, object_id, form_url, {**one, **(extra_context or {})})

    def response_change(self, request: HttpRequest, obj: Subscriber) -> HttpResponse:
        self.message_user(request, "Saved.", messages.SUCCESS)
        return redirect(address(obj.pk))

    def response_add(self, request: HttpRequest, obj: Subscriber, post_url_continue: Any = None) -> HttpResponse:
        if obj.channel == Channel.WEBHOOK:
            return self.show_secret(request, obj)
        self.message_user(request, f"{obj.name} is told from now on. Send a test to see that it arrives.", messages.SUCCESS)
        return redirect(address(obj.pk))

    def show_secret(self, request: HttpRequest, subscriber: Subscriber) -> HttpResponse:
        """In the answer itself: a redirect would have to keep the secret somewhere on the way."""
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": "The secret of this webhook"}
        return render(request, "admin/operations/notices/secret.html", {**context, "subscriber": subscriber})

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if request.GET.get("part") == "deliveries":
            return self.deliveries(request, object_id)
        subscriber = self.get_object(request, object_id)
        extra = {**latest(subscriber), "may": self.has_change_permission(request, subscriber)} if subscriber else {}
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    def deliveries(self, request: HttpRequest, object_id: str) -> HttpResponse:
        subscriber = self.get_object(request, object_id)
        if not self.has_view_permission(request, subscriber):
            raise PermissionDenied
        return fragment(request, "admin/operations/notices/subscriber_deliveries.html", latest(subscriber) if subscriber else {})

    def step(self, request: HttpRequest, key: UUID) -> HttpResponse:
        subscriber = get_object_or_404(Subscriber, pk=key)
        if not self.has_change_permission(request, subscriber):
            raise PermissionDenied
        step = request.POST.get("step", "")
        if step == "secret" and subscriber.channel == Channel.WEBHOOK:
            subscriber.secret = new_secret()
            subscriber.save(update_fields=["secret"])
            self.log_change(request, subscriber, "Made a new secret.")
            return self.show_secret(request, subscriber)
        try:
            said = take(subscriber, step, by=request.user)
            self.log_change(request, subscriber, said)
            self.message_user(request, said, messages.SUCCESS)
        except NotPossible as problem:
            self.message_user(request, str(problem), messages.ERROR)
        return redirect(address(key))


def told_of(subscriber: Subscriber) -> str:
    incidents = f"incidents: {the(dict(SEVERITIES)[subscriber.least_severity])}" if subscriber.incidents else ""
    said = ", ".join(each for each in (incidents, "maintenance" if subscriber.maintenance else "") if each)
    return (said[:1].upper() + said[1:]) or "Nothing"


def latest(subscriber: Subscriber) -> dict[str, Any]:
    rows = Delivery.objects.filter(subscriber=subscriber).select_related("notice").order_by("-notice__created_at", "-pk")
    return {"subscriber": subscriber, "told_of": told_of(subscriber), "lines": lines(rows[:SHOWN], now=timezone.now())}


def address(key: UUID) -> str:
    return reverse("admin:operations_subscriber_change", args=[key])


def take(subscriber: Subscriber, step: str, *, by: Any) -> str:
    """What was done, as a sentence."""
    now = timezone.now()
    if step == "pause" and subscriber.active:
        subscriber.active, subscriber.stopped_because = False, f"Paused by {by.get_username()} on {now:%d %b %Y}."
        subscriber.save(update_fields=["active", "stopped_because"])
        return f"{subscriber.name} is told nothing until somebody resumes it."
    if step == "resume" and not subscriber.active:
        subscriber.active, subscriber.stopped_because = True, ""
        subscriber.save(update_fields=["active", "stopped_because"])
        return f"{subscriber.name} is told again from now on. What was said meanwhile is not sent."
    if step == "test":
        return send_test(subscriber, by=by)
    raise NotPossible("Somebody else was quicker. Load the page again.")


def send_test(subscriber: Subscriber, *, by: Any) -> str:
    if not subscriber.active:
        raise NotPossible("It is paused. Resume it first.")
    under_way = Delivery.objects.filter(subscriber=subscriber, notice__event="test", status__in=["queued", "sending"])
    if under_way.exists():
        raise NotPossible("A test is under way already. What became of it stands below.")
    service = settings.ENVIRONMENT.service_name
    notifications.tell(
        [Recipient(subscriber.name, subscriber.channel, subscriber.address, subscriber)],
        about="watch",
        about_key=None,
        event="test",
        subject=f"A test from {service}",
        body=f"This is a test. Notices about incidents and maintenance of {service} arrive here from now on.",
        now=timezone.now(),
        by=by,
    )
    return "The test goes out now. What became of it stands below."
