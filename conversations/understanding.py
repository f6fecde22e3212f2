"""What a message asks, as it is searched: in English, complete in itself, at most two questions.

A model translates and rewrites in one call; without one the rules complete a question in English, and a message in
another language stays as it is, for an embedding model that reads it. What was rewritten goes through triage again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from conversations import follow_ups, own_rules, prompts, second_look
from conversations.budget import Budget
from conversations.language import detect
from conversations.prompts import Earlier
from conversations.questions import several
from conversations.rulebook import Level
from conversations.triage import Triage, triage
from knowledge import condensing

# Of the seconds that are left.
READ_SHARE = 0.35
_LINE = re.compile(r"^\W*(ENGLISH|QUESTION)\s*\d?\s*[:：]\s*(.+)$", re.IGNORECASE)
_SHORTEST, _LONGEST, _MOST = 2, 40, 2


@dataclass(frozen=True)
class Understood:
    # What is searched, in `language`.
    questions: tuple[str, ...]
    language: str = "en"
    # A one-line form of a long message, for the search alone.
    short: str | None = None
    # The person's own words, with what they lean on.
    own: str = ""
    # The message in English, or the question as it was rewritten; empty where the person's own words are searched.
    rewritten: str = ""

    @property
    def as_(self) -> str:
        return " / ".join(self.questions) if self.rewritten else ""


@dataclass(frozen=True)
class Reading:
    english: str
    questions: tuple[str, ...]


def of(text: str, *, spoken: str, earlier: Sequence[Earlier] = (), budget: Budget) -> Understood:
    """`earlier`: what was asked before, when the message leans on it, oldest first."""
    if spoken == "en" and not earlier:
        return _in_english(text, budget)
    complete = _complete(text, spoken, earlier)
    reading = read(text, earlier, budget=budget)
    if reading is None:
        return Understood((complete,), language=spoken, own=complete, rewritten=complete if earlier else "")
    if spoken == "und" and not reading.english and not earlier:
        # The model says that it is English: the words were only unusual.
        return Understood((text,), short=reading.questions[0])
    return Understood(reading.questions, own=complete, rewritten=reading.english or " ".join(reading.questions))


def _complete(text: str, spoken: str, earlier: Sequence[Earlier]) -> str:
    if not earlier:
        return text
    return follow_ups.standalone(text, earlier[-1]) if spoken == "en" else f"{earlier[-1].question} {text}"


def _in_english(text: str, budget: Budget) -> Understood:
    if len(text.split()) <= condensing.SHORT:
        return Understood(several(text))
    reading = read(text, (), budget=budget)
    return Understood((text,), short=reading.questions[0] if reading else None)


def read(text: str, earlier: Sequence[Earlier], *, budget: Budget) -> Reading | None:
    """What the model makes of it; None without a usable answer."""
    if not budget.has_model:
        return None
    code = prompts.new_code()
    completion = budget.ask("read", prompts.READ, prompts.read(text, earlier, code=code), share=READ_SHARE)
    return parsed(completion.text) if completion else None


def parsed(answer: str) -> Reading | None:
    """Lines in another form are left out: a question is short, in English, and holds no address."""
    found = [match.groups() for line in answer.splitlines() if (match := _LINE.match(line.strip()))]
    questions = [text.strip() for name, text in found if name.upper() == "QUESTION" and _is_a_question(text)]
    english = next((text.strip() for name, text in found if name.upper() == "ENGLISH"), "")
    return Reading(english, tuple(dict.fromkeys(questions))[:_MOST]) if questions else None


def _is_a_question(text: str) -> bool:
    in_english = detect(text, default="en") == "en"
    return _SHORTEST <= len(text.split()) <= _LONGEST and in_english and not prompts.has_address(text)


def raised(understood: Understood, *, typed: str = "", above: Level) -> Triage | None:
    """What triage finds once the message is in English, or by a second look at what was `typed` in English, where that is
    worse than what is known."""
    english = understood.rewritten or typed
    verdict = triage(understood.rewritten, books=own_rules.books()) if understood.rewritten else Triage()
    if english and above is Level.ROUTINE:
        verdict = second_look.again(english, verdict)
    return verdict if verdict.level.severity > above.severity else None
