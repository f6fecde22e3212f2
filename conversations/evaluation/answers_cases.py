"""True and false sentences about real passages, drawn the same way for the same folder and seed.

Passages are those of MedQuAD and LiveQA; the statements of K-QA's physicians stand beside their own answers. Half of the
documents, by the hash of their name, was there to choose the rules on; figures that are quoted come from the other half.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conversations.evaluation import planted
from conversations.evaluation.planted import Inventory, Source
from knowledge import chunking
from knowledge.evaluation import answers, data_files

SEED = 20_261
CHOSEN, HELD_OUT = "chosen on", "held out"
TRUE = ("word for word", "in other words", "two in one", "physicians' statements")
ERRORS = ("number", "dose", "negation", "entity", "swapped source", "entity of the passage")
# Sentences of each kind and half.
EACH = 400
_MOST_OF_A_DOCUMENT = 3


@dataclass(frozen=True)
class Case:
    """One sentence and the passage that it cites. `kind`: of TRUE or ERRORS; `ways`: how it was said differently."""

    key: str
    kind: str
    half: str
    text: str
    source: Source
    ways: tuple[str, ...] = ()
    # What the sentence was before an error was planted, or before it was said differently.
    before: str = ""

    @property
    def true(self) -> bool:
        return self.kind in TRUE


def half_of(document: str) -> str:
    return HELD_OUT if hashlib.sha256(document.encode()).digest()[0] % 2 else CHOSEN


def sources(folder: Path) -> list[Source]:
    """The passages of MedQuAD and LiveQA's reference answers. Raises Missing without MedQuAD."""
    found: list[Source] = []
    for each in answers.medquad(data_files.path(folder, "medquad")):
        # The sections of one page are one document: what is chosen on one must not stand in the other half.
        document = f"{each.corpus}:{each.title}"
        found += [
            Source(document, each.title, part.heading, part.sentences) for part in chunking.passages(each.text, title=each.title)
        ]
    try:
        rows = data_files.rows(folder, "liveqa_questions", needs=("qid", "reference_answers"))
    except data_files.Missing:
        return found
    for row in rows:
        for answer in row["reference_answers"]:
            parts = chunking.passages(answer["answer"])
            found += [Source(f"liveqa:{row['qid']}", "", "", part.sentences) for part in parts]
    return found


def cases(folder: Path, *, each: int = EACH, seed: int = SEED) -> list[Case]:
    """Up to `each` sentences of every kind in either half."""
    found = sources(folder)
    names = planted.inventory(found)
    by_half: dict[str, list[Source]] = defaultdict(list)
    for source in found:
        if sum(map(planted.whole, source.sentences)) and len(source.sentences) > 1:
            by_half[half_of(source.document)].append(source)
    drawn: list[Case] = []
    for half, own in by_half.items():
        drawing = _Drawing(half, own, names, seed)
        for kind in (*TRUE[:3], *ERRORS):
            drawn += drawing.some(kind, each)
    return [*drawn, *_statements(folder)]


class _Drawing:
    """Draws from the passages of one half, each kind with a random order of its own."""

    def __init__(self, half: str, own: Sequence[Source], names: Inventory, seed: int) -> None:
        self.half, self.own, self.names, self.seed = half, own, names, seed
        self.same_title: Mapping[str, list[Source]] = _by_title(own)

    def some(self, kind: str, most: int) -> list[Case]:
        draw = random.Random(f"{self.seed} {self.half} {kind}")  # noqa: S311
        found: list[Case] = []
        used: dict[str, int] = defaultdict(int)
        said: set[str] = set()
        for source in draw.sample(self.own, len(self.own)):
            if len(found) == most:
                break
            case = self._case(kind, source, draw) if used[source.document] < _MOST_OF_A_DOCUMENT else None
            # The same stock sentence stands on hundreds of pages.
            if case is not None and case.before not in said:
                said.add(case.before)
                used[source.document] += 1
                found.append(case)
        return found

    def _case(self, kind: str, source: Source, draw: random.Random) -> Case | None:
        places = [place for place, each in enumerate(source.sentences) if planted.whole(each)]
        # A kind of error may fit few sentences of a passage: look at all of them before going on.
        for place in draw.sample(places, len(places)):
            sentence = source.sentences[place]
            made = self._true(kind, source, place, draw) if kind in TRUE else self._error(kind, source, sentence, draw)
            if made is not None:
                text, cited, ways = made
                key = hashlib.sha256("\0".join((kind, text, cited.document, cited.text)).encode()).hexdigest()[:16]
                return Case(key, kind, self.half, text, cited, ways, sentence)
        return None

    def _true(self, kind: str, source: Source, place: int, draw: random.Random) -> tuple[str, Source, tuple[str, ...]] | None:
        sentence = source.sentences[place]
        if kind == "word for word":
            return sentence, source, ()
        if kind == "two in one":
            after = source.sentences[place + 1] if place + 1 < len(source.sentences) else ""
            fits = planted.whole(after) and len(f"{sentence} {after}".split()) <= 36
            return (planted.merged(sentence, after), source, ("two in one",)) if fits else None
        text, ways = planted.said_differently(sentence, draw)
        return (text, source, ways) if ways and text != sentence else None

    def _error(self, kind: str, source: Source, sentence: str, draw: random.Random) -> tuple[str, Source, tuple[str, ...]] | None:
        # Half of the errors stand in sentences that are said differently besides.
        text, ways = planted.said_differently(sentence, draw, most=2) if draw.random() < 0.5 else (sentence, ())
        if kind == "swapped source":
            other = self._other(source, sentence, draw)
            return (text, other, ways) if other else None
        changed = self._planted(kind, text, source, draw)
        if changed is None or changed in (text, sentence):
            return None
        return changed, source, ways

    def _planted(self, kind: str, text: str, source: Source, draw: random.Random) -> str | None:
        if kind == "number":
            return planted.wrong_number(text, draw)
        if kind == "dose":
            return planted.wrong_dose(text, draw)
        if kind == "negation":
            return planted.turned(text, draw)
        if kind == "entity":
            return planted.wrong_name(text, draw, names=self.names, title=source.title)
        return planted.wrong_name_of_the_passage(text, draw, names=self.names, source=source)

    def _other(self, source: Source, sentence: str, draw: random.Random) -> Source | None:
        """Another passage, of the same topic where there is one, that does not say the same."""
        same = [each for each in self.same_title[source.title] if each.text != source.text] if source.title else []
        among = same if same and draw.random() < 0.5 else self.own
        for _ in range(5):
            other = draw.choice(among)
            if other.text != source.text and not planted.shares_most(sentence, other.sentences):
                return other
        return None


def _by_title(found: Sequence[Source]) -> dict[str, list[Source]]:
    by_title: dict[str, list[Source]] = defaultdict(list)
    for source in found:
        by_title[source.title].append(source)
    return by_title


def _statements(folder: Path) -> Iterator[Case]:
    """What physicians wrote that an answer must say, beside their own answer: true sentences that no rule made."""
    try:
        rows = data_files.rows(folder, "kqa", needs=("id", "answer", "must_have"))
    except data_files.Missing:
        return
    for row in rows:
        document = f"kqa:{row['id']}"
        parts = [part for each in row["answer"].splitlines() for part in chunking.split_sentences(each)]
        source = Source(document, row["question"], "", tuple(parts))
        for number, text in enumerate([*row["must_have"], *(row.get("nice_to_have") or ())]):
            yield Case(f"{row['id']}:{number}", TRUE[3], half_of(document), text, source)
