"""Every sentence of a written answer stands on the passage it cites, or it is removed.

Checks, in order: a citation within the set, no address or telephone number that the passage lacks, no
diagnosis or change of medicine, no foreign words inside a sentence of the passage, every number with its
unit and what it belongs to, support by words or by meaning, no turned meaning, and no medicine, illness,
part of the body or group that the sentences behind it do not name. A whole sentence of the passage needs no
judge. The vectors are supplied by the caller, so that
this module loads no model. How it was measured: docs/adr/0021.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conversations import exchanges, grafts, negation, quantities
from conversations.alignment import Aligned, align
from conversations.content_words import content
from conversations.questions import words
from knowledge.chunking import split_sentences
from knowledge.passages import Passage, Vectors

# Of the words that name or turn something: in the sentences behind it, and in the nearest of them alone.
LEAST_COVERED = 0.6
LEAST_IN_NEAREST = 0.35
# Below this cosine to every sentence of the passage, shared words are an accident.
LEAST_SIMILARITY = 0.3
LONGEST = 60
_MARKS = re.compile(r"\s*\[(\d{1,2})(?:\s*,\s*\d{1,2})*\]")
_ADDRESS = re.compile(r"https?://|www\.|\b[\w.-]+@[\w.-]+\.\w+|\b[\w-]+\.(?:com|org|net|in|gov|info|io)\b", re.IGNORECASE)
_PHONE = re.compile(r"\+?\d(?:[\s-]?\d){6,}")
_FORBIDDEN = re.compile(
    r"\b((?<!if )(?<!when )(?<!unless )(?<!once )(?<!while )"
    r"you (?:probably |likely |may |might |could )?have (?:a |an |the )?(?!to\b)\w+|"
    r"you are (?:probably |likely )?suffering from|your (?:diagnosis|illness) is|"
    r"(?:stop|start|double|increase|reduce|change|skip|halve) (?:taking )?your (?:dose|medicine|medication|tablets?"
    r"|pills?|insulin))\b",
    re.IGNORECASE,
)
# Who says it, and how it begins: not what is claimed.
_OPENING = re.compile(
    r"^(?:(?:(?:many |most |some )?(?:doctors|experts|health (?:workers|experts|professionals))|the (?:source|passage"
    r"|guideline|article|text)s?) "
    r"(?:say|state|explain|note|advise|recommend|suggest|think|agree)s?(?: that)?,? "
    r"|according to (?:the |this )?(?:\w+ ){1,3}?(?=\w+,)\w+, |as a rule, |(?:please )?(?:note|remember) that |keep in "
    r"mind that )",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Claim:
    text: str
    passage: int  # position in the retrieved set, from 0


@dataclass(frozen=True)
class Removed:
    text: str
    why: str


@dataclass(frozen=True)
class Verdict:
    kept: tuple[Claim, ...]
    removed: tuple[Removed, ...]

    @property
    def share_kept(self) -> float:
        total = len(self.kept) + len(self.removed)
        return len(self.kept) / total if total else 0.0


def check(draft: str, passages: Sequence[Passage], *, embed: Callable[[list[str]], Vectors]) -> Verdict:
    """The sentences of a draft with `[n]` marks, kept or removed with the reason."""
    kept: list[Claim] = []
    removed: list[Removed] = []
    sentences = [(plain, number) for plain, number in _cited(draft) if words(plain)]
    vectors = embed([plain for plain, _ in sentences]) if sentences else None
    for position, (plain, number) in enumerate(sentences):
        if number is None or not 1 <= number <= len(passages):
            removed.append(Removed(plain, "it cites no passage that was found"))
            continue
        passage = passages[number - 1]
        near = passage.vectors @ vectors[position] if vectors is not None and len(passage.vectors) else ()
        why = unsupported(plain, passage, similarities=[float(each) for each in near])
        if why:
            removed.append(Removed(plain, why))
        else:
            kept.append(Claim(plain, number - 1))
    return Verdict(tuple(kept), tuple(removed))


def unsupported(sentence: str, passage: Passage, *, similarities: Sequence[float] = ()) -> str:
    """Why the passage does not carry the sentence, or empty. `similarities`: the cosine to each of its sentences."""
    # A whole one: part of "do not take aspirin" is "take aspirin".
    if _flat(sentence) in map(_flat, passage.sentences):
        return ""
    source = f"{passage.title}. {passage.heading}. {passage.text}"
    if _ADDRESS.search(sentence) or any(_digits(found) not in _digits(source) for found in _PHONE.findall(sentence)):
        return "it names an address or a telephone number"
    if _FORBIDDEN.search(sentence) and not _FORBIDDEN.search(source):
        return "it reads like a diagnosis or a change of medicine"
    if len(sentence.split()) > LONGEST:
        return "it is too long to be checked"
    if grafts.grafted(_OPENING.sub("", sentence), source, passage.sentences):
        return "it holds words that are not the passage's"
    if quantities.missing(sentence, (passage.title, passage.heading, *passage.sentences)):
        return "a number or unit in it is not in the passage"
    sentence = quantities.without_bounds(_OPENING.sub("", sentence))
    aligned = align(
        sentence, title=passage.title, heading=passage.heading, sentences=passage.sentences, similarities=similarities
    )
    return _unlike(sentence, aligned, max(similarities, default=0.0)) or _exchanged(sentence, aligned, passage)


def _unlike(sentence: str, aligned: Aligned, similarity: float) -> str:
    supported = aligned.covered >= LEAST_COVERED and aligned.by_nearest >= LEAST_IN_NEAREST and similarity >= LEAST_SIMILARITY
    if not supported:
        return "the passage does not support it"
    if negation.turned(sentence, aligned.sentences):
        return "it says the opposite of the passage"
    if set(aligned.foreign) - negation.denied_judgements(sentence):
        return "it names something that the passage does not say there"
    return ""


def _exchanged(sentence: str, aligned: Aligned, passage: Passage) -> str:
    nearest, *others = aligned.sentences
    before = passage.sentences[max(0, passage.sentences.index(nearest) - 1)]
    known = content(" ".join((passage.title, passage.heading, passage.sentences[0], before, *others)))
    excused = negation.denied_judgements(sentence)
    different = exchanges.exchanged(sentence, nearest, known=known, excused=excused)
    return "a word of the passage was exchanged for another" if different else ""


def _cited(draft: str) -> list[tuple[str, int | None]]:
    """Sentences without their marks, and the first passage number of each; a mark after the full stop belongs before it."""
    moved = re.sub(r"([.!?])\s*((?:\[\d{1,2}(?:\s*,\s*\d{1,2})*\]\s*)+)", r" \2\1 ", draft)
    result: list[tuple[str, int | None]] = []
    for sentence in split_sentences(moved):
        mark = _MARKS.search(sentence)
        plain = re.sub(r"\s+([.!?,;])", r"\1", _MARKS.sub("", sentence)).replace("**", "").strip(" -*")
        result.append((plain, int(mark.group(1)) if mark else None))
    return result


def _flat(text: str) -> str:
    return " ".join(words(text))


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())
