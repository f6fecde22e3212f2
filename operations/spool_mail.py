"""E-mail without the database: to the first contacts of the copy beside the files, directly and with a short patience."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from operations import spool

FIRST = 3
PATIENCE = 5


@dataclass(frozen=True)
class Mailed:
    """Who was told, and why others were not, as a sentence."""

    names: tuple[str, ...] = ()
    problem: str = ""

    @property
    def said(self) -> str:
        told = f"Told by e-mail: {', '.join(self.names)}." if self.names else ""
        return " ".join(part for part in (told, self.problem) if part)


def tell_first(subject: str, body: str) -> Mailed:
    contacts = [each for each in spool.kept_contacts() if each.email][:FIRST]
    if not contacts:
        return Mailed(problem="Nobody was told: no contact on call with an e-mail address is known here. Call somebody.")
    if not settings.ENVIRONMENT.email_url:
        names = ", ".join(each.name for each in contacts)
        return Mailed(problem=f"Nobody was told: no mail server is set (EMAIL_URL). Call {names}.")
    told: list[str] = []
    for each in contacts:
        try:
            with get_connection(timeout=PATIENCE) as connection:
                sender = settings.ENVIRONMENT.email_from
                told += [each.name] * EmailMessage(subject, body, sender, [each.email], connection=connection).send()
        except (OSError, smtplib.SMTPException):
            continue
    missed = [each.name for each in contacts if each.name not in told]
    return Mailed(tuple(told), f"The mail server did not take the e-mail to {', '.join(missed)}. Call them." if missed else "")
