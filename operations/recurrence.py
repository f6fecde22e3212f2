"""When maintenance comes again: a recurrence rule of RFC 5545, checked before it is kept. Pure.

Everything is in UTC, so that no hour is missing or comes twice. A rule is only ever looked at up to a horizon: one
that never matches ends there, and one that matches all the time is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise

from dateutil.rrule import rrulestr

# Beyond the eight years without a 29 February around the year 2100.
HORIZON = timedelta(days=366 * 12)
# The library looks for a date up to the year 9999, seconds for a rule without one. The calendar repeats itself every
# 400 years to the weekday, so it is asked about the same days shortly before its end.
SHIFT = timedelta(days=146_097) * 19
# Dates whose distance is looked at.
LOOKED_AT = 60
LONGEST_WINDOW = timedelta(hours=24)
LONGEST_COUNT_YEARS = 20
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
PARTS = {
    *("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"),
    *("BYYEARDAY", "BYWEEKNO", "BYHOUR", "BYMINUTE", "BYSECOND"),
}


class BadRule(ValueError):
    """The rule cannot be kept; the message says why, for whoever wrote it."""


def cleaned(text: str) -> str:
    """The rule as it is kept: one line, large letters, without the name of the property."""
    return "".join(text.upper().split()).removeprefix("RRULE:").rstrip(";")


def checked(text: str, *, counted_from: date, at: time, lasts: timedelta, now: datetime) -> list[datetime]:
    """The next starts of a rule that may be kept, the first first; BadRule for one that may not."""
    if lasts <= timedelta(0) or lasts > LONGEST_WINDOW:
        raise BadRule("A window lasts more than nothing and at most 24 hours.")
    if abs(counted_from.year - now.year) > LONGEST_COUNT_YEARS:
        raise BadRule("Count the rule from a day of these twenty years.")
    parts = _parts(text)
    found = list(islice(_starts(parts, counted_from, at, after=now), LOOKED_AT))
    if not found:
        raise BadRule(_nothing_left(parts, now))
    for earlier, later in pairwise(found):
        if later < earlier + lasts:
            raise BadRule(
                f"The windows would run into each other: {said(earlier)} and {said(later)} are closer than one window lasts."
            )
    return found


def between(text: str, *, counted_from: date, at: time, after: datetime, until: datetime) -> list[datetime]:
    """The starts after one moment and up to another."""
    starts = _starts(_parts(text), counted_from, at, after=after)
    found: list[datetime] = []
    for start in islice(starts, LOOKED_AT * 10):
        if start > until:
            break
        found.append(start)
    return found


def said(start: datetime, lasts: timedelta | None = None) -> str:
    """ "Sunday 17 January 2027, 02:00 to 04:00 UTC"."""
    words = f"{start:%A} {start.day} {start:%B %Y}, {start:%H:%M}"
    if lasts is None:
        return f"{words} UTC"
    end = start + lasts
    on = "" if end.date() == start.date() else f"{end:%A} "
    return f"{words} to {on}{end:%H:%M} UTC"


def _parts(text: str) -> dict[str, str]:
    text = cleaned(text)
    if not text or len(text) > 300:
        raise BadRule("Write one rule, such as FREQ=MONTHLY;BYDAY=+3SU for the third Sunday of each month.")
    pairs = [part.partition("=") for part in text.split(";")]
    parts = {name: value for name, _, value in pairs}
    if len(parts) < len(pairs) or not all(equals and value for _, equals, value in pairs):
        raise BadRule("Each part of the rule is a name and a value, such as FREQ=MONTHLY, and comes once.")
    if unknown := sorted(parts.keys() - PARTS):
        raise BadRule(f"{unknown[0][:20]} is no part of a recurrence rule.")
    if parts.get("FREQ") not in FREQUENCIES:
        raise BadRule("A window comes at most daily: FREQ is DAILY, WEEKLY, MONTHLY or YEARLY.")
    for name in ("INTERVAL", "COUNT"):
        if name in parts and not (parts[name].isascii() and parts[name].isdigit() and 0 < int(parts[name]) < 1000):
            raise BadRule(f"{name} is a number from 1 to 999.")
    return parts


def _starts(parts: dict[str, str], counted_from: date, at: time, *, after: datetime) -> Iterator[datetime]:
    """COUNT and UNTIL are kept here: the library would look for the counted ones up to the year 9999."""
    first = datetime.combine(counted_from, at.replace(tzinfo=None))
    after = after.astimezone(UTC).replace(tzinfo=None)
    limit = max(after, first) + HORIZON
    until = min(limit, _until(parts["UNTIL"])) if "UNTIL" in parts else limit
    rest = ";".join(f"{name}={value}" for name, value in parts.items() if name not in ("COUNT", "UNTIL"))
    try:
        rule = rrulestr(f"{rest};UNTIL={until + SHIFT:%Y%m%dT%H%M%S}", dtstart=first + SHIFT)
    except (ValueError, TypeError, IndexError, AttributeError, KeyError) as error:
        raise BadRule("This rule cannot be read. An example: FREQ=MONTHLY;BYDAY=+3SU, the third Sunday of each month.") from error
    found = islice(rule, int(parts["COUNT"])) if "COUNT" in parts else rule.xafter(after + SHIFT)
    for start in found:
        if start - SHIFT > after:
            yield (start - SHIFT).replace(tzinfo=UTC)


def _until(value: str) -> datetime:
    for shape in ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S"):
        try:
            return datetime.strptime(value, shape)
        except ValueError:
            continue
    try:
        day = datetime.strptime(value, "%Y%m%d")
    except ValueError as error:
        raise BadRule("UNTIL is a day, such as 20271231, or a moment, such as 20271231T040000Z.") from error
    return day + timedelta(days=1, seconds=-1)


def _nothing_left(parts: dict[str, str], now: datetime) -> str:
    if "UNTIL" in parts and _until(parts["UNTIL"]).replace(tzinfo=UTC) <= now:
        return f"This rule ended on {_until(parts['UNTIL']):%d %B %Y}: no date is left."
    if "COUNT" in parts:
        return "All dates that this rule counts are over, or it never matches."
    return "This rule has no date in the next twelve years: it never matches."
