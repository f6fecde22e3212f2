"""The line that answers carry in the days before a notice: when this helpline will be slow, in the person's words and time.

Local time is said where the country of the phone has one zone; elsewhere, and where it is not known, UTC is.
An emergency never carries it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from conversations import replies
from conversations.draft import Draft
from conversations.models import Answer, Contact, HoldingNotice

# What people asked for and got; a fixed reply or an emergency says its own thing only.
WITH_LINE = (Answer.Kind.GENERATED, Answer.Kind.EXTRACTIVE, Answer.Kind.DECLINED)


def added(draft: Draft, contact: Contact, *, now: datetime) -> Draft:
    """The draft with the line at its end, where one is due."""
    if draft.kind not in WITH_LINE:
        return draft
    notice = coming(now=now)
    return replace(draft, postscript=line(notice, draft.language, contact.country)) if notice else draft


def coming(*, now: datetime) -> HoldingNotice | None:
    """The next notice that is announced and has not begun."""
    rows = HoldingNotice.objects.filter(announced_from__lte=now, starts_at__gt=now, ends_at__gt=now)
    return rows.order_by("starts_at").first()


def line(notice: HoldingNotice, language: str, country: str) -> str:
    return notice.line or when(notice.starts_at, notice.ends_at, language, country)


def when(starts_at: datetime, ends_at: datetime, language: str, country: str) -> str:
    zone = zone_of(country)
    start, end = starts_at.astimezone(zone), ends_at.astimezone(zone)
    return replies.text(
        "announced.line",
        language,
        weekday=_nth("weekdays", start.weekday(), language),
        number=str(start.day),
        month=_nth("months", start.month - 1, language),
        start=f"{start:%H:%M}",
        end=f"{end:%H:%M}",
        zone=_offset(start),
    )


def _nth(names: str, place: int, language: str) -> str:
    return replies.text(f"announced.{names}", language).split("\n")[place]


def _offset(at: datetime) -> str:
    """ "UTC+05:30": short, the same everywhere, and true on that day."""
    if not at.utcoffset():
        return "UTC"
    hours = f"{at:%z}"
    return f"UTC{hours[:3]}:{hours[3:5]}"


def zone_of(country: str) -> tzinfo:
    zones = _zones().get(country.upper(), ())
    return ZoneInfo(zones[0]) if len(zones) == 1 else UTC


@cache
def _zones() -> dict[str, tuple[str, ...]]:
    """Country to its zones, from the list that comes with the time zones themselves."""
    table = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text("utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for row in table.splitlines():
        if row and not row.startswith("#"):
            country, _, zone = row.split("\t")[:3]
            found[country] = (*found.get(country, ()), zone)
    return found
