"""A small folder laid out like the public data: twenty answers, a few questions, everything made up."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]
TOPICS = ("Dengue", "Asthma", "Burns", "Measles", "Scabies", "Malaria", "Anaemia", "Cholera", "Mumps", "Rabies")
_PARTS = {
    "symptoms": "People with {topic} notice {word} spots, tiredness and {word} pain. It may last for days.",
    "treatment": "Care for {topic} means rest, {word} drinks and {word} cream. Ask a nurse when it does not help.",
}
_ASKED = {"symptoms": "What are the symptoms of {topic} ?", "treatment": "What are the treatments for {topic} ?"}
# A word of its own for each topic, so that words and made-up vectors both can tell them apart.
_WORDS = "amber bronze copper dusty ember flint garnet hazel indigo jade".split()


def medquad() -> list[Row]:
    return [
        {
            "id": f"{topic}_{part}",
            "source": "Clinic",
            "url": f"https://example.org/{topic}",
            "focus": topic,
            "qtype": part,
            "question": _ASKED[part].format(topic=topic),
            "answer": text.format(topic=topic, word=word),
        }
        for topic, word in zip(TOPICS, _WORDS, strict=True)
        for part, text in _PARTS.items()
    ]


def liveqa() -> tuple[list[Row], list[Row]]:
    """Questions and grades: two with a right answer, one with wrong ones only."""
    asked = [
        ("1", "dengue", "my son has amber spots what to do", "What are the treatments for dengue?"),
        ("2", "", "asthma and bronze pain since a week", "What are the symptoms of asthma?"),
        ("3", "other", "is this gluten free", "Is it free of gluten?"),
    ]
    grades = [
        ("1", "Dengue_treatment", 4),
        ("1", "Dengue_symptoms", 3),
        ("1", "Burns_symptoms", 1),
        ("2", "Asthma_symptoms", 3),
        ("2", "Asthma_treatment", 2),
        ("3", "Burns_treatment", 1),
    ]
    questions = [{"qid": key, "subject": subject, "message": text, "summary": line} for key, subject, text, line in asked]
    return questions, [{"qid": key, "medquad_id": answer, "grade": grade} for key, answer, grade in grades]


def mediqa() -> list[Row]:
    """The second question has an answer that the first has too."""
    shared = {"aid": "b", "score": 3, "text": "Fever: Drink water and rest. See a nurse after three days."}
    return [
        {
            "qid": "q1",
            "question": "What does a positive test for syphilis mean?",
            "official_split": "test",
            "answers": [
                {"aid": "a", "score": 4, "text": "VDRL test (What Abnormal Results Mean): A positive test may mean syphilis."},
                shared | {"score": 1},
            ],
        },
        {
            "qid": "q2",
            "question": "How do I treat a fever?",
            "official_split": "test",
            "answers": [shared, {"aid": "c", "score": 1, "text": "Nothing here has a title. A cream helps with a rash."}],
        },
    ]


def xling(file: str) -> tuple[list[Row], list[Row]]:
    answers = [
        {"answer_id": f"{file}_a{number}", "en": f"Take {word} tablets with food.", "hi": f"{word} गोली भोजन के साथ लें।"}
        for number, word in enumerate(_WORDS[:4])
    ]
    queries = [
        {"qid": f"{file}_{number}", "answer_id": f"{file}_a{number}", "en": f"how to take {word}", "hi": f"{word} कैसे लें"}
        for number, word in enumerate(_WORDS[:3])
    ]
    return answers, queries


def written(folder: Path, name: str, rows: list[Row], *, packed: bool = False) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if packed:
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


def make(folder: Path) -> Path:
    """The whole folder, with a file in it that is not read."""
    folder.mkdir(parents=True, exist_ok=True)
    questions, grades = liveqa()
    written(folder, "medquad", medquad(), packed=True)
    written(folder, "liveqa_questions", questions)
    written(folder, "liveqa_qrels", grades)
    written(folder, "mediqa2019_qa", mediqa(), packed=True)
    for file in ("liveqa", "medicationqa"):
        answers, queries = xling(file)
        written(folder, f"xlinghealth_{file}_answers", answers)
        written(folder, f"xlinghealth_{file}_queries", queries)
    searches = ["amber spots", "how far is the moon"]
    written(folder, "healthsearchqa", [{"id": f"h{number}", "question": text} for number, text in enumerate(searches)])
    (folder / "sealed.bin").write_bytes(b"\x00\x01")
    return folder
