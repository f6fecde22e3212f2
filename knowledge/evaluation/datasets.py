"""Questions with known answers, read from a folder of public data. Nothing of it is kept in this repository.

A folder that lacks some files gives the sets it has and says what it lacks; the numbers of questions and
answers may be any. A file that cannot be read ends the reading with its name and line.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from knowledge.evaluation import data_files
from knowledge.evaluation.answers import Answer, candidates, medquad, parallel
from knowledge.evaluation.catalogue import LANGUAGES, SETS, Set
from knowledge.evaluation.data_files import BadData, Missing, Row
from knowledge.evaluation.metrics import Judged

# Grades run from 1 (wrong) to 4 (complete); from 3 on an answer is right.
RIGHT = 3
SAMPLE = 1_500
_SEED = 7
XLING = ("liveqa", "medicationqa")


@dataclass(frozen=True)
class Question:
    key: str
    text: str
    judged: Judged
    # The only answers to put in order; None: all of the corpus.
    among: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Dataset:
    about: Set
    # The documents that take part, by the name they are loaded under, and their language.
    corpus: str
    language: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Folder:
    """What a folder holds: the sets, the answers behind them, and a sentence for each thing that is left out."""

    name: str
    hash: str
    datasets: tuple[Dataset, ...]
    answers: tuple[Answer, ...]
    left_out: tuple[str, ...]


def read(folder: Path, *, sets: Iterable[str] = SETS, sample: int = SAMPLE) -> Folder:
    """Everything the folder has for these sets. Raises `data_files.BadData` for a file that cannot be read."""
    reading = _Reading(folder, sample=sample)
    wanted = set(sets)
    datasets = [each for each in reading.datasets() if each.about.name in wanted and each.questions]
    return Folder(
        name=folder.resolve().name,
        hash=data_files.hash_of(folder),
        datasets=tuple(datasets),
        # Also those behind sets that were not asked for: how rare a word is depends on every answer that is loaded.
        answers=tuple(answer for part in reading.corpora.values() for answer in part),
        left_out=tuple(reading.left_out),
    )


class _Reading:
    """One pass over a folder: each corpus is read once, and what is missing is noted."""

    def __init__(self, folder: Path, *, sample: int) -> None:
        self.folder, self.sample = folder, sample
        self.corpora: dict[str, list[Answer]] = {}
        self.left_out: list[str] = []

    def datasets(self) -> list[Dataset]:
        found: list[Dataset] = []
        for name, part in (("MedQuAD", self._medquad), ("LiveQA", self._liveqa), ("MEDIQA", self._mediqa)):
            found += self._unless_missing(name, part)
        for file in XLING:
            found += self._unless_missing(f"XLingHealth ({file})", partial(self._xling, file))
        return found + self._unless_missing("HealthSearchQA", self._healthsearchqa)

    def _unless_missing(self, name: str, part: data_files.Part[Dataset]) -> list[Dataset]:
        try:
            return part()
        except Missing as missing:
            self.left_out.append(f"{name} was left out: {missing} is not in the folder.")
            return []
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadData(f"The files of {name} are not laid out as expected ({type(error).__name__}).") from error

    def _corpus(self, name: str) -> list[Answer]:
        if name not in self.corpora:
            raise Missing("medquad.jsonl.gz")
        return self.corpora[name]

    def _medquad(self) -> list[Dataset]:
        answers = self.corpora["medquad"] = medquad(data_files.path(self.folder, "medquad"))
        places = random.Random(_SEED).sample(range(len(answers)), min(self.sample, len(answers)))  # noqa: S311
        asked = [answers[place] for place in sorted(places) if answers[place].question]
        return [_dataset("medquad", "medquad", [Question(each.key, each.question, _own(each.key)) for each in asked])]

    def _liveqa(self) -> list[Dataset]:
        known = {each.key for each in self._corpus("medquad")}
        grades = _grades(data_files.rows(self.folder, "liveqa_qrels", needs=("qid", "medquad_id", "grade")))
        rows = data_files.rows(self.folder, "liveqa_questions", needs=("qid", "message", "summary"))
        gone = sum(key not in known for each in grades.values() for key in each)
        if gone:
            self.left_out.append(f"LiveQA: {gone} judged answers are not in this MedQuAD, so nothing could find them.")
        judged = {qid: _graded({key: grade for key, grade in each.items() if key in known}) for qid, each in grades.items()}
        asked = [(row, judged[row["qid"]]) for row in rows if row["qid"] in judged and judged[row["qid"]].relevant]
        texts: dict[str, Callable[[Row], str]] = {
            "liveqa_message": lambda row: row["message"],
            "liveqa_subject": lambda row: f"{row.get('subject') or ''}. {row['message']}".lstrip(". "),
            "liveqa_summary": lambda row: row["summary"],
        }
        return [
            _dataset(name, "medquad", [Question(row["qid"], text(row), known_of) for row, known_of in asked])
            for name, text in texts.items()
        ]

    def _mediqa(self) -> list[Dataset]:
        rows = data_files.rows(self.folder, "mediqa2019_qa", needs=("qid", "question", "answers"))
        answers, grades = candidates(rows)
        self.corpora["mediqa"] = answers
        pooled = [Question(row["qid"], row["question"], _graded(grades[row["qid"]])) for row in rows]
        pooled = [each for each in pooled if any(each.judged.gains.values())]
        parts: dict[str, set[str]] = {}
        part_of = {row["qid"]: str(row.get("official_split") or "") for row in rows}
        for each in pooled:
            parts.setdefault(part_of[each.key], set()).update(each.judged.gains)
        split = [replace(each, among=tuple(sorted(parts[part_of[each.key]]))) for each in pooled]
        own = [replace(each, among=tuple(sorted(each.judged.gains))) for each in pooled]
        named = {"mediqa_pooled": pooled, "mediqa_split": split, "mediqa_own": own}
        return [_dataset(name, "mediqa", questions) for name, questions in named.items()]

    def _xling(self, file: str) -> list[Dataset]:
        answers = data_files.rows(self.folder, f"xlinghealth_{file}_answers", needs=("answer_id",))
        queries = data_files.rows(self.folder, f"xlinghealth_{file}_queries", needs=("qid", "answer_id"))
        found = []
        for language in LANGUAGES:
            name = f"xling_{file}_{language}"
            self.corpora[name], keys = parallel(answers, language=language, corpus=name)
            if not keys:
                self.left_out.append(f"XLingHealth ({file}) has no answers in {LANGUAGES[language]}.")
            asked = [row for row in queries if row.get(language) and row["answer_id"] in keys]
            questions = [Question(row["qid"], row[language], _own(keys[row["answer_id"]])) for row in asked]
            found.append(_dataset(name, name, questions, language=language))
        return found

    def _healthsearchqa(self) -> list[Dataset]:
        self._corpus("medquad")
        rows = data_files.rows(self.folder, "healthsearchqa", needs=("id", "question"))
        return [_dataset("healthsearchqa", "medquad", [Question(row["id"], row["question"], Judged({})) for row in rows])]


def _dataset(name: str, corpus: str, questions: list[Question], *, language: str = "en") -> Dataset:
    return Dataset(SETS[name], corpus, language, tuple(questions))


def _own(key: str) -> Judged:
    return Judged({key: 1.0}, frozenset([key]))


def _grades(rows: list[Row]) -> dict[str, dict[str, int]]:
    grades: dict[str, dict[str, int]] = {}
    for row in rows:
        grades.setdefault(row["qid"], {})[row["medquad_id"]] = int(row["grade"])
    return grades


def _graded(grades: Mapping[str, int]) -> Judged:
    gains = {key: float(max(grade - 1, 0)) for key, grade in grades.items()}
    return Judged(gains, frozenset(key for key, grade in grades.items() if grade >= RIGHT))


def fingerprint(answers: Iterable[Answer]) -> str:
    """A hash of every answer as it will be stored: another reading of the same files is another corpus."""
    found = hashlib.sha256()
    for each in answers:
        found.update("\0".join((each.corpus, each.key, each.title, each.language, each.text, "")).encode())
    return found.hexdigest()
