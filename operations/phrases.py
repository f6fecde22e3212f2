"""Numbers and lengths of time as people say them."""

from __future__ import annotations

from datetime import timedelta

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def count(number: int, one: str, many: str) -> str:
    """ "1 message", "3 messages"."""
    return f"{number:,} {one if number == 1 else many}"


def lasted(length: timedelta) -> str:
    """The largest unit only: "3 hours", "40 seconds"."""
    seconds = max(0, int(length.total_seconds()))
    for size, name in _UNITS:
        if seconds >= size:
            return count(seconds // size, name, f"{name}s")
    return "less than a second"


def the(sentence: str) -> str:
    """A sentence as it reads after a colon: small first letter, unless it is a name, and no full stop."""
    sentence = sentence.strip().rstrip(".")
    keep = sentence.startswith(("WhatsApp", "Groq", "Graph", "Jeevo")) or sentence[1:2].isupper()
    return sentence if keep else sentence[:1].lower() + sentence[1:]
