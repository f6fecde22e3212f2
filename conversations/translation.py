"""An answer that was checked in English, in the person's language: one call, and what code can check of it."""

from __future__ import annotations

from dataclasses import replace

import structlog

from conversations import prompts, translation_checks
from conversations.budget import Budget
from conversations.draft import Draft
from conversations.models import Answer

log = structlog.get_logger(__name__)


def target(spoken: str) -> str | None:
    """The language to write in; None where we have no texts. Who types Tamil in Latin letters is answered in Tamil letters."""
    if spoken in translation_checks.NAMES:
        return spoken
    base = spoken.split("-")[0]
    return base if base in translation_checks.NAMES else None


def translated(draft: Draft, *, spoken: str, budget: Budget) -> Draft | None:
    """The draft in the person's language with every mark, number and unit; None when there is none that may be sent."""
    language = target(spoken)
    if language is None:
        return None
    lines = [translation_checks.with_digits(line) for line in draft.text.split("\n")]
    code = prompts.new_code()
    user = prompts.translate(lines, translation_checks.NAMES[language], code=code)
    completion = budget.ask("translate", prompts.TRANSLATE, user)
    if completion is None:
        return None
    theirs = [line.strip() for line in completion.text.splitlines() if line.strip() and code not in line]
    why = translation_checks.wrong(lines, theirs, language)
    if why:
        log.info("translation not sent", language=language, why=why)
        return None
    return replace(
        draft,
        kind=Answer.Kind.GENERATED,
        text="\n".join(theirs),
        language=spoken,
        reason="translated",
        model=completion.model,
        prompt_version=prompts.VERSION,
    )
