"""Who is told next while nobody has an incident: the contacts one after the other, then all of them again, never silence.

The first is told at once, the next after each interval. One interval after the last, all are told together: every half
hour at first and every four hours in the end, for as long as nobody acknowledges. Which step is due follows from the time
that has passed alone, so a watcher that was away takes one step and not all it missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User

from operations import notifications
from operations.models import OnCallContact
from operations.models.notices import Channel
from operations.notifications import Recipient

AGAIN, AGAIN_TIMES, RARELY = timedelta(minutes=30), 6, timedelta(hours=4)


@dataclass(frozen=True)
class Contact:
    name: str
    recipients: tuple[Recipient, ...]
    user: int | None = None


def contacts() -> list[Contact]:
    """Those on call, in order. Where nobody is on call, whoever runs the system and has an e-mail address is."""
    on_call = OnCallContact.objects.filter(active=True)
    found = [Contact(each.name, tuple(notifications.on_call(each)), each.user_id) for each in on_call]
    return found or [
        Contact(user.get_username(), _by_email(user), user.pk)
        for user in User.objects.filter(is_superuser=True, is_active=True).exclude(email="").order_by("pk")
    ]


def steps_due(elapsed: timedelta, people: int, interval: timedelta) -> int:
    """How many steps should have been taken by now; 0 before the start, where a clock was put back."""
    if elapsed < timedelta(0):
        return 0
    people = max(people, 1)
    beyond = elapsed - people * interval
    if beyond < timedelta(0):
        return 1 + elapsed // interval
    rare = max(beyond - AGAIN_TIMES * AGAIN, timedelta(0)) // RARELY
    return people + 1 + min(beyond // AGAIN, AGAIN_TIMES) + rare


def between(done: int, due: int, people: Sequence[Contact]) -> list[Contact]:
    """Who is told when steps `done` + 1 to `due` are taken together."""
    return list(people) if due > len(people) else list(people[done:due])


def reached(done: int, people: Sequence[Contact]) -> list[Contact]:
    """Who has it on their desk while nobody has acknowledged: the contact told last."""
    return list(people[: done or 1][-1:])


def ways_to(user: User, people: Iterable[Contact]) -> list[Recipient]:
    """A colleague by the ways they have as a contact, else by the e-mail of their account."""
    own = [recipient for each in people if each.user == user.pk for recipient in each.recipients]
    return own or list(_by_email(user))


def _by_email(user: User) -> tuple[Recipient, ...]:
    name = user.get_full_name() or user.get_username()
    return (Recipient(name, Channel.EMAIL, user.email),) if user.email else ()
