"""An answer from the sources' own sentences, for when no model writes: chosen, ordered, never reworded. Pure.

The sentences nearest the question are taken from the best documents, near-repeats are dropped, and a
sentence that says when to get help is added where the best document has one. A sentence that cannot be read
alone (conversations/readable.py) is quoted behind the one it leans on, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conversations import readable
from conversations.questions import words
from conversations.validation import Claim
from knowledge.passages import Passage, Vectors

MOST_SENTENCES = 4
REPEATED = 0.86
# A sentence so far below the best fills the answer and does not answer.
FAR_BELOW = 0.6
# How far below the best passage another document may lie and still be quoted: advice for an adult must not
# slip into an answer about a child.
OTHER_DOCUMENTS = 0.08
# What is asked, and the headings where guidelines answer it.
_INTENTS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(asked, re.IGNORECASE), re.compile(heading, re.IGNORECASE))
    for asked, heading in (
        (r"\b(symptoms?|signs?|know if|tell if|look like|recogni[sz]e)\b", r"\b(signs?|symptoms?)\b"),
        (r"\b(prevent|avoid getting|protect|stop .* spread)", r"\b(prevent|prevention)\b"),
        (r"\b(spread|catch|contagious|infectious|transmit)", r"\b(spreads?|transmission|causes?)\b"),
        (r"\b(what is|what are|what does .* mean|explain|causes?)\b", r"\b(what it is|overview|causes?)\b"),
        (
            r"\b(treat|treatment|cure|bring down|get rid|relieve|reduce|what (?:should|can|do) (?:i|we|you)|"
            r"how (?:do|can|should) (?:i|we)|what to do|help with|manage|home|remed)",
            r"\b(do at home|what to do|treated|treatment|what you can do|first aid)\b",
        ),
        (r"\b(should i|can i|safe to|allowed|not do|avoid)\b", r"\b(not to do|what you can do|safe)\b"),
        (r"\b(when (?:should|do|to)|doctor|hospital|worried|serious|dangerous|emergency)\b", r"\b(see a doctor|get help)\b"),
    )
)
_CHILD = re.compile(
    r"\b(child|children|kids?|bab(?:y|ies)|infant|newborn|toddler|son|daughter|(?:year|month|week|day)s?[- ]old)\b", re.IGNORECASE
)
_ADULT = re.compile(r"\badults?\b", re.IGNORECASE)
_HELP_NOW = re.compile(r"get help now|see a doctor|when to", re.IGNORECASE)


@dataclass(frozen=True)
class _Candidate:
    passage: int
    sentence: int
    text: str
    score: float
    vector: Vectors


def extract(question: str, vector: Vectors, passages: Sequence[Passage]) -> list[Claim]:
    """Cited sentences in reading order; empty when there are no passages. `vector`: the question's, shape (dimensions,)."""
    candidates = sorted(_candidates(question, vector, passages), key=lambda each: (-each.score, each.passage, each.sentence))
    chosen = _chosen(candidates, passages, help_asked=_wants_help(question))
    help_now = next((each for each in candidates if _tells_when_to_get_help(each, passages, chosen)), None)
    if help_now is not None:
        chosen.append(help_now)
    # Steps stay in the order of their source; when to get help comes last.
    chosen.sort(key=lambda each: (each is help_now, _is_about_help(passages[each.passage]), *_place(each, passages)))
    return [Claim(each.text, each.passage) for each in chosen]


def _chosen(candidates: Sequence[_Candidate], passages: Sequence[Passage], *, help_asked: bool) -> list[_Candidate]:
    at = {(each.passage, each.sentence): each for each in candidates}
    chosen: list[_Candidate] = []
    for each in candidates:
        # When to get help has a place of its own at the end; it fills the answer only where that was the question.
        if each in chosen or not (help_asked or not _is_about_help(passages[each.passage])) or _repeats(each, chosen):
            continue
        if chosen and each.score < chosen[0].score - FAR_BELOW:
            break
        before = at.get((each.passage, each.sentence - 1)) if readable.leans(each.text) else None
        needed = [each] if not readable.leans(each.text) or before in chosen else [before, each]
        if None not in needed and len(chosen) + len(needed) < MOST_SENTENCES:
            chosen += [one for one in needed if one is not None]
    return chosen


def _is_about_help(passage: Passage) -> bool:
    return bool(_HELP_NOW.search(passage.heading))


def _wants_help(question: str) -> bool:
    return bool(_INTENTS[-1][0].search(question))


def _place(each: _Candidate, passages: Sequence[Passage]) -> tuple[int, int, int]:
    documents = list(dict.fromkeys(passage.document for passage in passages))
    passage = passages[each.passage]
    return documents.index(passage.document), passage.position, each.sentence


def _candidates(question: str, vector: Vectors, passages: Sequence[Passage]) -> list[_Candidate]:
    asked = {word for word in words(question) if len(word) > 3}
    wanted = [heading for pattern, heading in _INTENTS if pattern.search(question)][:2]
    best = passages[0].score if passages else 0.0
    # A document's first sentence answers the commonest question on it, unless something narrower was asked.
    lead = 0.16 if any(pattern.search(question) for pattern, _ in _INTENTS[:3]) else 0.3
    about_a_child, found = bool(_CHILD.search(question)), []
    for number, passage in enumerate(passages):
        if passage.document != passages[0].document and passage.score < best - OTHER_DOCUMENTS:
            continue
        section = 0.12 if any(heading.search(passage.heading) for heading in wanted) else 0.0
        nearness = passage.vectors @ vector
        for position, sentence in enumerate(passage.sentences):
            if not readable.whole(sentence):
                continue
            if passage.document != passages[0].document and not asked & set(words(f"{passage.title} {sentence}")):
                continue
            if about_a_child and _ADULT.search(f"{passage.title} {sentence}") and not _CHILD.search(sentence):
                continue
            shared = len(asked & set(words(sentence))) / (len(asked) or 1)
            # Guidelines put the most important step first, in a document and in a section.
            early = (lead if passage.position == 0 else 0.16 if section else 0.08) / (1 + position)
            distance = 0.0 if passage.document == passages[0].document else passage.score - best
            score = float(nearness[position]) + section + early + 0.1 * shared + distance - readable.heaviness(sentence, asked)
            found.append(_Candidate(number, position, sentence, score, passage.vectors[position]))
    return found


def _repeats(candidate: _Candidate, chosen: Sequence[_Candidate]) -> bool:
    return any(float(np.dot(candidate.vector, each.vector)) > REPEATED for each in chosen)


def _tells_when_to_get_help(each: _Candidate, passages: Sequence[Passage], chosen: Sequence[_Candidate]) -> bool:
    same = bool(chosen) and passages[each.passage].document == passages[chosen[0].passage].document
    alone = not readable.leans(each.text)
    return same and alone and _is_about_help(passages[each.passage]) and not _repeats(each, chosen) and each not in chosen
