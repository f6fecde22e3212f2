"""CSV files: a collection of questions and answers row by row, or any other table as one document.

Encoding and delimiter are found out; a row that cannot be used is reported by its line, and the others go on.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

from knowledge.readers import suspicions, text
from knowledge.readers.markdown import Heading, Table, document
from knowledge.readers.suspicions import Traces
from knowledge.readers.values import USUAL, Extracted, Limits, Problem, Record, Refused

# One answer may be long; the module's own limit is 128 kB and would end the whole file.
csv.field_size_limit(2_000_000)
_DELIMITERS = ",\t;|"
_NAMES = {
    "question": {"question", "questions", "q", "query", "prompt"},
    "answer": {"answer", "answers", "a", "response", "reply"},
    "title": {"title", "topic", "focus", "subject", "condition"},
    "section": {"section", "category", "heading", "type", "qtype"},
    "url": {"url", "link", "source_url", "address"},
    "publisher": {"publisher", "source", "author", "organisation", "organization"},
    "language": {"language", "lang"},
}
_MOST_PROBLEMS = 1000
_MOST_ROWS = 500_000


def question_answers(path: Path, *, name: str) -> Iterator[Record | Problem]:
    """The rows of a CSV or TSV file with a question and an answer column. Raises Refused where they are missing."""
    encoding = text.encoding_of(text.parts_of(path))
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        delimiter = _delimiter(file.readline(64 * 1024))
        file.seek(0)
        rows = csv.reader(file, delimiter=delimiter)
        columns = _columns(next(rows, []))
        if not {"question", "answer"} <= columns.keys():
            raise Refused(
                "This table has no columns named “question” and “answer”. Name them in the first row, then upload it again."
            )
        yield from _records(rows, columns, stem=Path(name).stem)


def _records(rows: Iterator[list[str]], columns: dict[str, int], *, stem: str) -> Iterator[Record | Problem]:
    keys: set[str] = set()
    problems = 0
    for _ in range(_MOST_ROWS):
        try:
            row = next(rows, None)
        except csv.Error:
            row = [""]
        if row is None:
            return
        if not any(map(str.strip, row)) and len(row) != 1:
            continue
        found = _record({field: row[place] for field, place in columns.items() if place < len(row)}, stem=stem)
        if isinstance(found, Record) and found.key in keys:
            found = "It repeats an earlier row."
        if isinstance(found, Record):
            keys.add(found.key)
            yield found
        elif row != [""] and (problems := problems + 1) <= _MOST_PROBLEMS:
            # The reader counts lines of the file, so a row over several lines is named by its last.
            yield Problem(f"line {getattr(rows, 'line_num', 0)}", f"{found} It was left out.")
    yield Problem("the end", f"Rows after the first {_MOST_ROWS:,} were left out. Split the file.")


def _record(fields: dict[str, str], *, stem: str) -> Record | str:
    """The record, or a sentence that says what is missing."""
    traces = Traces()
    values = {field: suspicions.clean(value, traces).strip() for field, value in fields.items()}
    for needed in ("question", "answer"):
        if not any(sign.isalnum() for sign in values.get(needed, "")):
            return f"The row has no {needed}."
    question, answer = " ".join(values["question"].split()), values["answer"]
    title = " ".join((values.get("title") or stem.replace("_", " ").replace("-", " ")).split())
    section = " ".join(values.get("section", "").split())
    return record(
        # Of the words: a row's number means another row in the next file.
        key=hashlib.sha256(f"{title}\n{section}\n{question}\n{answer}".encode()).hexdigest()[:24],
        title=title,
        section=section,
        answer=answer,
        question=question,
        url=values.get("url", ""),
        publisher=values.get("publisher", ""),
        language=values.get("language", ""),
        flags=suspicions.said(traces),
    )


def record(
    *, key: str, title: str, section: str, answer: str, question: str, url: str, publisher: str, language: str, flags: list[str]
) -> Record | str:
    """A record whose text is a small document of its own: title, section, answer, and never the question."""
    headings = [Heading(title, 1), *([Heading(section, 2)] if section else [])]
    try:
        found = document([*headings, *text.blocks(answer.splitlines())], limits=USUAL)
    except Refused as error:
        return str(error)
    return Record(
        key=key[:200],
        title=title[:300],
        section=section[:300],
        text=found.markdown,
        url=url if url.startswith(("https://", "http://")) and len(url) < 1000 else "",
        publisher=" ".join(publisher.split())[:300],
        language=language[:20],
        question=question[:2000],
        flags=tuple(dict.fromkeys([*flags, *found.flags])),
    )


def table(path: Path, *, name: str, limits: Limits) -> Extracted:
    """Any CSV file as one Markdown table."""
    source, flags = text.decoded(path, limits=limits)
    lines = source.splitlines(keepends=True)
    try:
        rows = [tuple(row) for row in csv.reader(lines, delimiter=_delimiter(lines[0] if lines else ""))]
    except csv.Error as error:
        raise Refused("This table cannot be read. Save it again as CSV, then upload the new file.") from error
    return document([Table(tuple(row for row in rows if row))], limits=limits, title=Path(name).stem, flags=flags)


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _columns(header: list[str]) -> dict[str, int]:
    """Where each known column stands; the first of two with the same meaning counts."""
    names = [suspicions.clean(name, Traces()).strip().lower().replace(" ", "_") for name in header]
    places = {field: next((place for place, name in enumerate(names) if name in known), -1) for field, known in _NAMES.items()}
    return {field: place for field, place in places.items() if place >= 0}
