"""The way out that every mail to a subscriber carries: one click and one confirmation, without an account.

Mail programs post to the same address by themselves when somebody presses their own button (RFC 8058). The signed
link is the proof, so it needs no cookie and no CSRF token; opening it changes nothing, because scanners open links.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from operations import mail, sending


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    subscriber = mail.subscriber_of(token)
    context = {"service": settings.ENVIRONMENT.service_name, "subscriber": subscriber}
    if subscriber is None:
        return render(request, "operations/unsubscribe.html", context, status=404)
    if request.method == "POST":
        sending.stop(subscriber, f"They stopped it themselves, by the link in a mail, on {timezone.now():%d %b %Y}.")
        subscriber.active = False
    return render(request, "operations/unsubscribe.html", context)
