"""A notice as a person gets it: plain text, a way to stop it in every mail, and what each answer of the mail server means.

One connection carries a batch. Mails that were not tried when the time of the batch is over go back into the queue.
"""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator, Sequence
from uuid import UUID

import structlog
from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.urls import reverse

from operations import site
from operations.models import Delivery, Subscriber
from operations.outcomes import SENT, Outcome

log = structlog.get_logger(__name__)
SALT = "operations.unsubscribe"
# With the slowest last mail it stays below the two minutes for which its rows are ours.
BATCH_SECONDS = 40.0


def send(deliveries: Sequence[Delivery]) -> list[Outcome]:
    """One outcome for each, in their order."""
    if settings.LIVE and not settings.ENVIRONMENT.email_url:
        return [Outcome("failed", "No mail server is set: EMAIL_URL is empty.")] * len(deliveries)
    connection = get_connection()
    try:
        return list(_each(deliveries, connection))
    finally:
        _close(connection)


def _each(deliveries: Sequence[Delivery], connection: BaseEmailBackend) -> Iterator[Outcome]:
    """A server that is away is asked once in a batch, and not once for each mail."""
    until, problem = time.monotonic() + BATCH_SECONDS, None
    for delivery in deliveries:
        if time.monotonic() > until:
            yield Outcome("untried")
            continue
        problem = problem or _open(connection)
        yield problem or _one(delivery, connection)


def _open(connection: BaseEmailBackend) -> Outcome | None:
    """What keeps us from the server; one that is open already stays so."""
    try:
        connection.open()
    except smtplib.SMTPAuthenticationError:
        _close(connection)
        return Outcome("again", "The mail server does not take our name and password.")
    except (smtplib.SMTPException, OSError):
        _close(connection)
        return Outcome("again", "The mail server could not be reached.")
    return None


def _one(delivery: Delivery, connection: BaseEmailBackend) -> Outcome:
    try:
        message(delivery, connection).send()
    except smtplib.SMTPRecipientsRefused as refused:
        return _refused(refused)
    except smtplib.SMTPSenderRefused:
        return Outcome("again", "The mail server does not take mail from EMAIL_FROM.")
    except smtplib.SMTPResponseException as answer:
        _close(connection)
        return Outcome("again" if answer.smtp_code < 500 else "failed", f"The mail server refuses it ({answer.smtp_code}).")
    except (ValueError, smtplib.SMTPNotSupportedError):
        return Outcome("failed", "This address cannot be written in a mail.")
    except (smtplib.SMTPException, OSError):
        _close(connection)
        return Outcome("again", "The mail server broke off, or was too slow.")
    return SENT


def _refused(error: smtplib.SMTPRecipientsRefused) -> Outcome:
    code = next((code for code, _ in error.recipients.values()), 550)
    if code < 500:
        return Outcome("again", f"The mail server does not take mail for this address now ({code}).")
    return Outcome("failed", f"The mail server does not know this address ({code}).")


def _close(connection: BaseEmailBackend) -> None:
    """A connection in doubt is made anew by the next mail."""
    try:
        connection.close()
    except (smtplib.SMTPException, OSError):
        log.info("the mail server went away before goodbye")


def message(delivery: Delivery, connection: BaseEmailBackend | None = None) -> EmailMessage:
    environment, notice = settings.ENVIRONMENT, delivery.notice
    name = environment.service_name
    # A line break in a subject would be a header of its own.
    subject = " ".join(notice.subject.split())
    domain = environment.email_from.rpartition("@")[2].strip("> ") or "localhost"
    headers = {"Message-ID": f"<{delivery.pk}@{domain}>", "Auto-Submitted": "auto-generated"}
    body = notice.body.rstrip() + "\n"
    if delivery.subscriber:
        link = unsubscribe_link(delivery.subscriber)
        headers |= {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        body += f"\n-- \nYou get this because this address is on the list of {name}.\nTo get no more of it: {link}\n"
    return EmailMessage(
        subject=subject if name in subject else f"{name}: {subject}",
        body=body,
        from_email=environment.email_from,
        to=[delivery.address],
        reply_to=[environment.incident_contact] if "@" in environment.incident_contact else None,
        headers=headers,
        connection=connection,
    )


def unsubscribe_link(subscriber: Subscriber) -> str:
    return site.address(reverse("unsubscribe", args=[signing.Signer(salt=SALT).sign(str(subscriber.pk))]))


def subscriber_of(token: str) -> Subscriber | None:
    """Whose link this is. It holds for ever: a mail may be read years later."""
    try:
        return Subscriber.objects.filter(pk=UUID(signing.Signer(salt=SALT).unsign(token))).first()
    except (signing.BadSignature, ValueError):
        return None
