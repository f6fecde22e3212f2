"""The library that answers are measured over: MedQuAD, or whole pages of it up to a number of answers.

Loaded into a scratch database of its own by `knowledge.evaluation.library`; kept there for the next run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from knowledge.evaluation import data_files, library, scratch
from knowledge.evaluation.answers import Answer, medquad
from knowledge.evaluation.datasets import fingerprint

# As a patient's question is searched, so that the whole path can be asked here.
AUDIENCE = "public"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Corpus:
    answers: tuple[Answer, ...]

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(each.key for each in self.answers)

    @property
    def topics(self) -> frozenset[str]:
        """Titles without case."""
        return frozenset(each.title.casefold() for each in self.answers)


def corpus(folder: Path, *, limit: int | None = None) -> Corpus:
    """All answers, or the pages that come first by the hash of their title. Raises Missing or BadData."""
    answers = [replace(each, corpus=AUDIENCE) for each in medquad(data_files.path(folder, "medquad"))]
    return Corpus(tuple(answers) if limit is None else _first(answers, limit))


def _first(answers: Sequence[Answer], limit: int) -> tuple[Answer, ...]:
    def place(answer: Answer) -> str:
        return hashlib.sha256(answer.title.casefold().encode()).hexdigest()

    in_order = sorted(answers, key=lambda each: (place(each), each.key))
    last = place(in_order[min(limit, len(in_order)) - 1]) if in_order else ""
    # A page is never cut: its other sections would be questions without an answer.
    return tuple(each for each in in_order if place(each) <= last)


@contextmanager
def connected(answers: Sequence[Answer], *, model: str, say: Say, fresh: bool = False) -> Iterator[int]:
    """Work on the scratch database that holds these answers; gives the number of passages. Raises `scratch.NotPossible`."""
    name = scratch.name_for(corpus=fingerprint(answers), model=model)
    if fresh and not scratch.drop(name):
        raise scratch.NotPossible("The scratch database is in use, so it cannot be made anew. Wait for the other evaluation.")
    scratch.make(name)
    scratch.drop_outdated(name)
    with scratch.connected(name):
        yield library.fill(answers, model=model, say=say)
