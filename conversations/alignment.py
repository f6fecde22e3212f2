"""Where in a passage a sentence comes from, and which of its words do not stand there. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from conversations.content_words import content, matches, weighs

# A sentence may draw on a second one of the passage where that gives it at least so many words more.
_WORTH_A_SECOND = 2
_LEANS = re.compile(
    r"^\W*(?:it|its|this|that|these|those|they|their|he|she|such|both|other|another|also|the (?:disease|condition"
    r"|disorder|syndrome|drug|medicine|test|virus|symptoms?|infection|treatment))\b|\b(?:it|its|they|them|their|this|these)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Aligned:
    # The sentences of the passage, the nearest first, and the words they are read with: title, heading, what a pronoun means.
    sentences: tuple[str, ...]
    # The sentence's content words, those that stand in none of them, and those that stand nowhere in the passage.
    words: tuple[str, ...]
    foreign: tuple[str, ...]
    unknown: tuple[str, ...]
    # Shares of the content words: in the aligned sentences, in the nearest alone, and of the nearest in the sentence.
    covered: float
    by_nearest: float


def align(sentence: str, *, title: str, heading: str, sentences: Sequence[str], similarities: Sequence[float] = ()) -> Aligned:
    """`similarities`: the cosine of the sentence with each of the passage's; decides among those that share as many words."""
    said = tuple(dict.fromkeys(content(sentence)))
    there = [content(each) for each in sentences]
    found = [{word for word in said if matches(word, each)} for each in there]
    order = sorted(range(len(sentences)), key=lambda n: (-len(found[n]) - (similarities[n] if len(similarities) else 0.0), n))
    if not said or not order:
        return Aligned((), said, said, said, 0.0, 0.0)
    nearest = order[0]
    chosen, known = [nearest], set(found[nearest])
    rest = max(order[1:], key=lambda n: (len(found[n] - known), -n), default=None)
    if rest is not None and len(found[rest] - known) >= _WORTH_A_SECOND:
        chosen.append(rest)
        known |= found[rest]
    around = [*content(title), *content(heading)]
    for place in chosen:
        # What "it" means stands in the sentence before, or where the passage begins.
        if place and _LEANS.search(sentences[place]):
            around += [*there[place - 1], *there[0]]
    known |= {word for word in said if word not in known and matches(word, around)}
    heavy = [word for word in said if weighs(word)]
    foreign = tuple(word for word in heavy if word not in known)
    anywhere = set().union(*found)
    unknown = tuple(word for word in foreign if word not in anywhere)
    weighed = heavy or list(said)
    return Aligned(
        tuple(sentences[n] for n in chosen),
        said,
        foreign,
        unknown,
        sum(word in known for word in weighed) / len(weighed),
        sum(word in found[nearest] for word in weighed) / len(weighed),
    )
