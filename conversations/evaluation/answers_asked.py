"""Questions asked of the whole path: does it answer what the library covers, and decline what it does not?

The extractive path is always asked; the played models and, with a key, the real one are asked a smaller share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from django.conf import settings

from conversations import compose, llm
from conversations.draft import Draft
from conversations.evaluation.answers_planted import judgement, passage_of
from conversations.evaluation.answers_questions import UNANSWERED, Asked
from conversations.evaluation.measured import Figure, Mark, Table, figure
from conversations.evaluation.planted import Source
from conversations.evaluation.played_model import Played, playing, silent
from conversations.models import Answer
from knowledge import chunking, embeddings
from knowledge.evaluation import data_files

Say = Callable[[str], None]
ASKED, PLAYED, STATEMENTS = "asking", "played", "statements"
LEAST_ANSWERED, LEAST_DECLINED = 0.85, 0.80
MOODS = ("good", "lazy", "hallucinating", "injected", "sly", "grafting", "slow", "broken", "garbage")
_BINS = 10
_EVERY = 10.0


def ask(text: str) -> Draft:
    return compose.answer_question(text, country=settings.ENVIRONMENT.country)


def measure(asked: Sequence[Asked], *, say: Say) -> list[Mark]:
    """A mark for every question; `detail` holds the confidence."""
    marks: list[Mark] = []
    said = time.monotonic()
    with silent():
        for number, question in enumerate(asked, 1):
            marks.append(_mark(question, ask(question.text)))
            if time.monotonic() - said > _EVERY:
                said = time.monotonic()
                say(f"Asking: {number:,} of {len(asked):,} questions")
    return marks


def _mark(question: Asked, draft: Draft) -> Mark:
    answered = draft.kind in (Answer.Kind.EXTRACTIVE, Answer.Kind.GENERATED)
    right = answered and bool(draft.cited) and draft.cited[0].title.casefold() in question.right
    said = "declined" if not answered else "answered" if right or not question.answerable else "answered from another page"
    score = float(answered) if question.answerable else float(not answered)
    return Mark(
        ASKED, f"{question.kind}:{question.key}", question.text, score, question.kind, said, detail=f"{draft.confidence or 0:.3f}"
    )


def figures(marks: Sequence[Mark]) -> list[Figure]:
    answerable = [mark for mark in marks if mark.wanted not in UNANSWERED]
    others = [mark for mark in marks if mark.wanted in UNANSWERED]
    found = [
        figure(ASKED, "answers what it covers", [mark.score for mark in answerable], goal=LEAST_ANSWERED),
        figure(ASKED, "declines without evidence", [mark.score for mark in others], goal=LEAST_DECLINED),
        figure(ASKED, "from the right page first", [float(mark.said == "answered") for mark in answerable]),
    ]
    for kind in dict.fromkeys(mark.wanted for mark in marks):
        what = "declined" if kind in UNANSWERED else "answered"
        found.append(figure(ASKED, f"{kind}, {what}"[:30], [mark.score for mark in marks if mark.wanted == kind]))
    return [each for each in found if each.count]


def reliability(marks: Sequence[Mark]) -> Table:
    """By tenths of confidence: its mean, the share of questions that the library answers, and how many."""
    bins: dict[int, list[Mark]] = {}
    for mark in marks:
        bins.setdefault(min(_BINS - 1, int(float(mark.detail) * _BINS)), []).append(mark)
    return {
        f"{place / _BINS:.1f} to {(place + 1) / _BINS:.1f}": {
            "confidence": sum(float(mark.detail) for mark in own) / len(own),
            "right": sum(mark.wanted not in UNANSWERED for mark in own) / len(own),
            "n": len(own),
        }
        for place, own in sorted(bins.items())
    }


def played(asked: Sequence[Asked], *, say: Say) -> list[Mark]:
    """The same questions of models in every mood; wrong is an answer in which something planted is left."""
    marks: list[Mark] = []
    moods = [*MOODS, *(["real"] if llm.is_on() else [])]
    for mood in moods:
        say(f"Model in the mood “{mood}”: {len(asked):,} questions")
        with _model(mood) as model:
            marks += [_played_mark(question, mood, model) for question in asked]
    return marks


def _model(mood: str) -> AbstractContextManager[Played | None]:
    if mood == "real":
        return nullcontext()
    return playing(mood, seconds=settings.ENVIRONMENT.groq.deadline_seconds + 1 if mood == "slow" else 0)


def _played_mark(question: Asked, mood: str, model: Played | None) -> Mark:
    if model is not None:
        model.planted = ()
    started = time.monotonic()
    draft = ask(question.text)
    late = time.monotonic() - started > 20
    left = [each for each in (model.planted if model else ()) if _is_left(each, draft)]
    said = "planted words left" if left else "late" if late else str(draft.kind)
    return Mark(
        PLAYED, f"{mood}:{question.key}", question.text, float(not left and not late), mood, said, detail=str(len(draft.removed))
    )


def _is_left(planted: str, draft: Draft) -> bool:
    """Words that a passage or the question has too are no invention, whoever said them."""
    sources = " ".join([draft.question, *(f"{each.title} {each.heading} {each.text}" for each in draft.passages)])
    return planted.casefold() in draft.text.casefold() and planted.casefold() not in sources.casefold()


def played_figures(marks: Sequence[Mark]) -> list[Figure]:
    found = [
        figure(PLAYED, "planted words sent", [float(mark.said == "planted words left") for mark in marks], goal=0.0, at_most=True)
    ]
    for mood in dict.fromkeys(mark.wanted for mark in marks):
        own = [mark for mark in marks if mark.wanted == mood]
        found.append(figure(PLAYED, f"{mood}: from the model", [float(mark.said == Answer.Kind.GENERATED) for mark in own]))
    return [each for each in found if each.count]


def statements(folder: Path, *, say: Say) -> list[Mark]:
    """What physicians say an answer must hold, looked for in the answers given to their questions. Raises Missing."""
    rows = data_files.rows(folder, "kqa", needs=("id", "question", "must_have"))
    say(f"K-QA: {len(rows):,} questions")
    marks: list[Mark] = []
    with silent() if not llm.is_on() else nullcontext():
        for row in rows:
            draft = ask(row["question"])
            if draft.kind in (Answer.Kind.EXTRACTIVE, Answer.Kind.GENERATED):
                marks += _looked_for(row["id"], row["question"], row["must_have"], draft)
            else:
                marks.append(Mark(STATEMENTS, f"{row['id']}:declined", row["question"], 1.0, "declined", "declined"))
    return marks


def _looked_for(key: str, question: str, wanted: Sequence[str], draft: Draft) -> list[Mark]:
    sentences = tuple(
        part for line in draft.text.splitlines() for part in chunking.split_sentences(line.rpartition(" [")[0] or line)
    )
    vectors = embeddings.embed([*sentences, *wanted])
    passage = passage_of(Source(key, question, "", sentences), vectors[: len(sentences)])
    said = [judgement(text, passage, vector) for text, vector in zip(wanted, vectors[len(sentences) :], strict=True)]
    return [
        Mark(STATEMENTS, f"{key}:{number}", text, float(each == "supported"), "must have", each)
        for number, (text, each) in enumerate(zip(wanted, said, strict=True))
    ]


def statement_figures(marks: Sequence[Mark]) -> list[Figure]:
    answered = {mark.key.partition(":")[0] for mark in marks if mark.wanted == "must have"}
    questions = {mark.key.partition(":")[0] for mark in marks}
    looked = [mark for mark in marks if mark.wanted == "must have"]
    return [
        figure(STATEMENTS, "questions answered", [float(key in answered) for key in sorted(questions)]),
        figure(STATEMENTS, "must-haves said", [mark.score for mark in looked]),
        figure(STATEMENTS, "must-haves contradicted", [float(mark.said == "contradicted") for mark in looked], at_most=True),
    ]
