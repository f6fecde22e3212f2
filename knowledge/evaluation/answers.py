"""The answers behind the questions, as documents: read the way the importers read them.

Answers of the very same words are one document where a file holds them more than once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from knowledge.evaluation.data_files import BadData, Row
from knowledge.readers import medquad as medquad_reader
from knowledge.readers.pairs import record
from knowledge.readers.values import Problem, Record

# “VDRL test (What Abnormal Results Mean): A positive …”: the candidates of MEDIQA begin with their page's title.
_HEAD = re.compile(r"\s*([^:\n]{1,200}):\s+(?=\S)")
_PART = re.compile(r"(.*?)\s*\(([^()]*)\)\s*$")
_LONGEST_HEAD = 16


@dataclass(frozen=True)
class Answer:
    key: str
    corpus: str
    title: str
    # Markdown, as an importer stores it.
    text: str
    language: str = "en"
    publisher: str = ""
    url: str = ""
    # Kept apart from the text, which never holds it.
    question: str = ""


def medquad(path: Path) -> list[Answer]:
    """Every answer of the collection, with its question beside it."""
    found = list(medquad_reader.medquad(path))
    problems = [each for each in found if isinstance(each, Problem)]
    answers = [_answer(each, corpus="medquad") for each in found if isinstance(each, Record)]
    if not answers:
        raise BadData(f"{path.name} holds no answers. {problems[0].sentence if problems else ''}".strip())
    return list({each.key: each for each in answers}.values())


def candidates(rows: Iterable[Row]) -> tuple[list[Answer], dict[str, dict[str, int]]]:
    """The candidate answers of MEDIQA, and for each question the grades of its own."""
    answers: dict[str, Answer] = {}
    grades: dict[str, dict[str, int]] = {}
    for row in rows:
        own = grades.setdefault(row["qid"], {})
        for each in row["answers"]:
            title, section, body = _headed(each["text"])
            answer = _of_text(body, corpus="mediqa", title=title, section=section, language="en")
            if answer is not None:
                answers[answer.key] = answer
                own[answer.key] = max(own.get(answer.key, 0), int(each["score"]))
    return list(answers.values()), grades


def parallel(rows: Sequence[Row], *, language: str, corpus: str) -> tuple[list[Answer], dict[str, str]]:
    """The answers in one language, and which document each answer of the file became."""
    answers: dict[str, Answer] = {}
    keys: dict[str, str] = {}
    for row in rows:
        answer = _of_text(str(row.get(language) or ""), corpus=corpus, title="", section="", language=language)
        if answer is not None:
            answers[answer.key] = answer
            keys[row["answer_id"]] = answer.key
    return list(answers.values()), keys


def _headed(text: str) -> tuple[str, str, str]:
    """Title, section and body of a text that begins with them; a text without keeps all its words in the body."""
    head = _HEAD.match(text)
    if head is None or len(head[1].split()) > _LONGEST_HEAD:
        return "", "", text
    part = _PART.match(head[1])
    title, section = (part[1], part[2]) if part and part[1] else (head[1], "")
    return title.strip(), section.strip(), text[head.end() :]


def _of_text(body: str, *, corpus: str, title: str, section: str, language: str) -> Answer | None:
    """None for a text without words."""
    if not any(sign.isalnum() for sign in body):
        return None
    found = record(
        key=hashlib.sha256("\0".join((title, section, " ".join(body.split()))).encode()).hexdigest()[:24],
        title=title,
        section=section,
        answer=body,
        question="",
        url="",
        publisher="",
        language=language,
        flags=[],
    )
    return _answer(found, corpus=corpus) if isinstance(found, Record) else None


def _answer(found: Record, *, corpus: str) -> Answer:
    return Answer(
        key=found.key,
        corpus=corpus,
        title=found.title,
        text=found.text,
        language=found.language,
        publisher=found.publisher,
        url=found.url,
        question=found.question,
    )
