"""Fixed sentences for one person: their language, and the numbers to call in their country or as the setting says."""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings

from conversations import replies

_SAME_THING = {"voice": "audio"}


def say(key: str, language: str, country: str, **values: str) -> str:
    return replies.text(key, language, numbers=replies.to_call(language, country, _override()), **values)


def emergency(concept: str, language: str, country: str) -> str:
    return replies.emergency(concept, language=language, country=country, override=_override())


def self_harm(language: str, country: str, *, concept: str = "") -> str:
    return replies.self_harm(concept, language=language, country=country, override=_override())


def urgent(language: str, country: str) -> str:
    return say("urgent", language, country)


def media(kinds: Collection[str], language: str, country: str) -> str:
    """What Jeevo says to a voice note, a picture and the like, which it cannot read yet."""
    names = {_SAME_THING.get(kind, kind) for kind in kinds}
    kind = names.pop() if len(names) == 1 else "other"
    try:
        named = replies.text(f"kinds.{kind}", language)
    except KeyError:
        named = replies.text("kinds.other", language)
    return say("media_not_yet", language, country, kind=named)


def handover_waiting(language: str, country: str) -> str:
    return say("handover_waiting", language, country, hours=str(settings.ENVIRONMENT.handover_hours))


def _override() -> str:
    numbers: str = settings.ENVIRONMENT.emergency_numbers
    return numbers
