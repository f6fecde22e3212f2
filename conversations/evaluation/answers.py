"""How well it answers, measured: what the check lets through, what is answered and declined, and what comes of bad models."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from conversations import llm
from conversations.evaluation import answers_asked, answers_library, answers_planted, answers_questions
from conversations.evaluation.measured import RELIABILITY, Evaluation, Figure, Mark, Table
from knowledge.evaluation import data_files
from knowledge.evaluation.runs import model_in_use

KIND = "answers"
# What each set is and which files it reads.
SETS = {
    "planted": "errors planted into true sentences, and true sentences in other words: what the check keeps",
    "physicians": "claims that physicians judged: does the check agree?",
    "asking": "questions that the library answers, and questions that it does not",
    "statements": "what physicians say an answer must hold, in the answers given",
    "played": "models that are good, lazy, wrong, obedient, slow or broken",
}
_WITH_LIBRARY = ("asking", "statements", "played")
_FILES = (
    "medquad",
    "medquad_questions_without_answers",
    "liveqa_questions",
    "liveqa_qrels",
    "kqa",
    "kqa_nli",
    "kqa_questions",
)
# Questions of each kind, and how many of them are asked of every played model.
QUESTIONS, OF_PLAYED = 150, 12
Say = Callable[[str], None]


def measure(
    folder: Path, *, sets: Sequence[str], limit: int | None = None, each: int = 400, fresh: bool = False, note: str = "", say: Say
) -> Evaluation:
    """Raises `data_files.BadData`, `data_files.Missing` without MedQuAD, and `scratch.NotPossible`."""
    started = time.monotonic()
    parts = _Parts()
    if "planted" in sets:
        parts.add(marks := answers_planted.measure(folder, each=each, say=say), answers_planted.figures(marks))
        parts.tables["planted"] = answers_planted.table([mark for mark in marks if mark.dataset == answers_planted.PLANTED])
    if "physicians" in sets:
        _physicians(folder, parts)
    if set(sets) & set(_WITH_LIBRARY):
        _over_library(folder, parts, sets, limit=limit, fresh=fresh, say=say)
    return Evaluation(
        kind=KIND,
        data=folder.resolve().name,
        data_hash=data_files.hash_of(folder, names=_FILES),
        marks=tuple(parts.marks),
        figures=tuple(parts.figures),
        tables=parts.tables,
        left_out=tuple(parts.left_out),
        seconds=round(time.monotonic() - started, 1),
        model=f"{model_in_use()}{' and the real language model' if llm.is_on() else ''}",
        note=note,
    )


class _Parts:
    """What has been measured so far."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.figures: list[Figure] = []
        self.tables: dict[str, Table] = {}
        self.left_out: list[str] = []

    def add(self, marks: Sequence[Mark], figures: Sequence[Figure]) -> None:
        self.marks += marks
        self.figures += figures


def _physicians(folder: Path, parts: _Parts) -> None:
    try:
        marks = answers_planted.judged(folder)
    except data_files.Missing as missing:
        parts.left_out.append(f"Physicians' judgements were left out: {missing} is not in the folder.")
        return
    parts.add(marks, answers_planted.judged_figures(marks))
    parts.tables["physicians"] = answers_planted.table(marks)


def _over_library(folder: Path, parts: _Parts, sets: Sequence[str], *, limit: int | None, fresh: bool, say: Say) -> None:
    corpus = answers_library.corpus(folder, limit=limit)
    asked, left_out = answers_questions.questions(folder, corpus, each=QUESTIONS)
    parts.left_out += left_out
    parts.left_out.append(f"The library holds {len(corpus.answers):,} answers of MedQuAD.")
    with answers_library.connected(corpus.answers, model=model_in_use(), say=say, fresh=fresh):
        if "asking" in sets:
            parts.add(marks := answers_asked.measure(asked, say=say), answers_asked.figures(marks))
            parts.tables["asking"] = answers_planted.table(marks)
            parts.tables[RELIABILITY] = answers_asked.reliability(marks)
        if "statements" in sets:
            _statements(folder, parts, say)
        if "played" in sets:
            answerable = [each for each in asked if each.answerable][:OF_PLAYED]
            parts.add(marks := answers_asked.played(answerable, say=say), answers_asked.played_figures(marks))
            parts.tables["played"] = answers_planted.table(marks)


def _statements(folder: Path, parts: _Parts, say: Say) -> None:
    try:
        marks = answers_asked.statements(folder, say=say)
    except data_files.Missing as missing:
        parts.left_out.append(f"K-QA's statements were left out: {missing} is not in the folder.")
        return
    parts.add(marks, answers_asked.statement_figures(marks))
