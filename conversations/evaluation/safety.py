"""How safe the program is on public data and on our own fixed sentences: what it says to each line, and the figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from conversations import llm, own_rules, second_look
from conversations.evaluation import fixed, injection
from conversations.evaluation.catalogue import FIXED_INJECTION, FOUND, RIGHT, SETS, Measure, title
from conversations.evaluation.datasets import Folder, Line
from conversations.evaluation.measured import Evaluation, Figure, Mark, Table, confusion, figure
from conversations.evaluation.played_model import silent
from conversations.triage import triage
from knowledge.evaluation.runs import model_in_use

Say = Callable[[str], None]
KIND = "safety"
_EVERY = 10.0


def level(text: str, language: str = "en") -> str:
    """What a person would get, as a word: by the rules that hold, and by the second look where they saw nothing."""
    return str(second_look.again(text, triage(text, books=own_rules.books()), spoken=language).level.value)


def measure(folder: Folder, *, sets: Sequence[str] = tuple(SETS), note: str = "", say: Say) -> Evaluation:
    """Every line of the folder's sets, and the fixed sentences. Nothing is written."""
    started = time.monotonic()
    lines = [*folder.lines, *(fixed.read().lines if "fixed" in sets else ())]
    marks: list[Mark] = []
    for dataset in dict.fromkeys(each.dataset for each in lines):
        own = [each for each in lines if each.dataset == dataset]
        say(f"{title(dataset)}: {len(own):,} lines")
        marks += mark(dataset, own, say=say)
    return Evaluation(
        kind=KIND,
        data=folder.name,
        data_hash=folder.hash,
        marks=tuple(marks),
        figures=tuple(figures(marks)),
        tables=tables(marks),
        left_out=folder.left_out,
        seconds=round(time.monotonic() - started, 1),
        model=model_in_use(),
        note=note,
    )


def mark(dataset: str, lines: Sequence[Line], *, say: Say) -> list[Mark]:
    if dataset in ("injection", FIXED_INJECTION):
        return injection.measure(lines, ways=_ways(), say=say)
    if dataset == "parallel":
        english = {each: level(each) for each in {line.english for line in lines}}
        lines = [each for each in lines if english[each.english] in FOUND]
    said = answered(lines, say=say) if dataset == "requests" else [level(each.text, each.language) for each in lines]
    return [
        Mark(dataset, each.key[:200], each.text, float(RIGHT[each.wanted].counts(words)), each.wanted, words, each.language)
        for each, words in zip(lines, said, strict=True)
    ]


def _ways() -> tuple[str, ...]:
    return (*injection.WITHOUT_MODEL, *injection.PLAYED, *(["real"] if llm.is_on() else []))


def answered(lines: Sequence[Line], *, say: Say) -> list[str]:
    """The level where triage finds something, else the kind of the answer that would be sent without a model."""
    found, said = [], time.monotonic()
    with silent():
        for number, line in enumerate(lines, 1):
            words = level(line.text, line.language)
            found.append(words if words != "routine" else str(injection.ask(line.text).kind))
            if time.monotonic() - said > _EVERY:
                said = time.monotonic()
                say(f"{title(line.dataset)}: {number:,} of {len(lines):,} messages sent")
    return found


def figures(marks: Sequence[Mark]) -> list[Figure]:
    """In the order of the catalogue, the figures of single languages last."""
    found: list[Figure] = []
    alone: list[Figure] = []
    for dataset in (*SETS, FIXED_INJECTION):
        own = [each for each in marks if each.dataset == dataset]
        if dataset in ("injection", FIXED_INJECTION):
            found += injection.figures(dataset, own)
            continue
        for measured in SETS[dataset].measures:
            asked = [each for each in own if each.wanted == measured.wanted]
            if asked:
                found.append(_figure(dataset, measured, asked))
            if measured.by_language:
                alone += _by_language(dataset, measured, asked)
    return [*found, *alone]


def _by_language(dataset: str, measured: Measure, marks: Sequence[Mark]) -> list[Figure]:
    languages = sorted({each.language for each in marks})
    own = {language: [each for each in marks if each.language == language] for language in languages}
    return [_figure(dataset, measured, own[language], language=language) for language in languages]


def _figure(dataset: str, measured: Measure, marks: Iterable[Mark], *, language: str = "") -> Figure:
    values = [float(measured.said.counts(each.said)) for each in marks]
    goal = None if language else measured.goal
    return figure(dataset, measured.metric, values, goal=goal, at_most=measured.at_most, language=language)


def tables(marks: Sequence[Mark]) -> dict[str, Table]:
    """What was said for what was wanted, by set; the ways of injection; and for sets in several languages, each of them."""
    found: dict[str, Table] = {}
    for dataset in dict.fromkeys(each.dataset for each in marks):
        own = [each for each in marks if each.dataset == dataset]
        if dataset in ("injection", FIXED_INJECTION):
            found[dataset] = injection.table(own)
            continue
        found[dataset] = confusion(own)
        languages = sorted({each.language for each in own})
        if len(languages) > 1:
            found[f"{dataset} by language"] = {
                language: _counts(each.said for each in own if each.language == language) for language in languages
            }
    return found


def _counts(said: Iterable[str]) -> dict[str, float]:
    found: dict[str, float] = {"n": 0}
    for word in said:
        found["n"] += 1
        found[word] = found.get(word, 0) + 1
    return found


def check(*, say: Say, file: Path = fixed.FILE) -> tuple[list[Mark], list[str]]:
    """The fixed sentences alone, and a sentence for each floor that is not reached."""
    kept = fixed.read(file)
    marks: list[Mark] = []
    for dataset in dict.fromkeys(each.dataset for each in kept.lines):
        marks += mark(dataset, [each for each in kept.lines if each.dataset == dataset], say=say)
    return marks, fixed.below(marks, kept.floors)
