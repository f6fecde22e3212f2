"""What the check of drafts lets through, and what it removes: planted errors, true sentences, physicians' judgements."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from conversations import validation
from conversations.evaluation.answers_cases import ERRORS, HELD_OUT, TRUE, Case, cases
from conversations.evaluation.measured import Figure, Mark, Table, confusion, figure
from conversations.evaluation.planted import Source
from knowledge import chunking, embeddings
from knowledge.evaluation import data_files
from knowledge.passages import Passage, Vectors

Say = Callable[[str], None]
PLANTED, CHOSEN_ON, JUDGED = "planted", "planted_chosen_on", "physicians"
MOST_THROUGH, LEAST_KEPT = 0.02, 0.90
# Of these the goal speaks. A name of the same passage may still be true, so it is counted apart.
COUNTED = ERRORS[:5]
_LABELS = {"Entailment": "supported", "Neutral": "not said", "Contradiction": "contradicted"}


def measure(folder: Path, *, each: int, say: Say) -> list[Mark]:
    """A mark for every sentence: kept or removed, and why."""
    drawn = cases(folder, each=each)
    say(f"Planted errors: embedding the sentences of {len(drawn):,} drafts")
    known = _Vectors(sorted({text for case in drawn for text in (*case.source.sentences, *_sentences(case.text))}))
    say("Planted errors: checking")
    started = time.monotonic()
    marks = [_mark(case, known) for case in drawn]
    say(f"Planted errors: {1000 * (time.monotonic() - started) / max(1, len(drawn)):.1f} ms a sentence, without its vector")
    return marks


class _Vectors:
    """Vectors by text, embedded together: one by one would take twenty times as long."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.places = {text: place for place, text in enumerate(texts)}
        self.all = embeddings.embed(list(texts)).astype(np.float16)

    def of(self, texts: Sequence[str]) -> Vectors:
        missing = [text for text in texts if text not in self.places]
        fresh = dict(zip(missing, embeddings.embed(missing), strict=True)) if missing else {}
        rows = [fresh[text] if text in fresh else self.all[self.places[text]] for text in texts]
        return np.asarray(rows, dtype=np.float32)


def _sentences(text: str) -> list[str]:
    return [each if each.endswith((".", "!", "?")) else f"{each}." for each in chunking.split_sentences(text)]


def passage_of(source: Source, vectors: Vectors) -> Passage:
    """A passage as retrieval would give it."""
    return Passage(
        chunk=uuid5(NAMESPACE_URL, source.text),
        document=uuid5(NAMESPACE_URL, source.document),
        title=source.title,
        publisher="",
        url="",
        heading=source.heading,
        position=0,
        page=None,
        unreviewed=False,
        score=1.0,
        cosine=1.0,
        text=source.text,
        sentences=source.sentences,
        vectors=vectors,
    )


def _mark(case: Case, known: _Vectors) -> Mark:
    cited = " ".join(f"{each[:-1].rstrip()} [1]{each[-1]}" for each in _sentences(case.text))
    verdict = validation.check(cited, [passage_of(case.source, known.of(case.source.sentences))], embed=known.of)
    kept = bool(verdict.kept) and not verdict.removed
    return Mark(
        PLANTED if case.half == HELD_OUT else CHOSEN_ON,
        f"{case.kind}:{case.key}",
        case.text,
        float(kept == case.true),
        case.kind,
        "kept" if kept else "removed",
        detail=verdict.removed[0].why if verdict.removed else ", ".join(case.ways),
    )


def figures(marks: Sequence[Mark]) -> list[Figure]:
    """Shares let through and kept, of the half that no rule was chosen on first."""
    found: list[Figure] = []
    for dataset in (PLANTED, CHOSEN_ON):
        own = [mark for mark in marks if mark.dataset == dataset]
        goal, kept = (MOST_THROUGH, LEAST_KEPT) if dataset == PLANTED else (None, None)
        through = [_kept(mark) for mark in own if mark.wanted in COUNTED]
        found.append(figure(dataset, "errors let through", through, goal=goal, at_most=True))
        found.append(figure(dataset, "true sentences kept", [_kept(mark) for mark in own if mark.wanted in TRUE], goal=kept))
        for kind in (*ERRORS, *TRUE):
            values = [_kept(mark) for mark in own if mark.wanted == kind]
            if values and kind in ERRORS:
                found.append(figure(dataset, f"{kind} through", values, goal=goal if kind in COUNTED else None, at_most=True))
            elif values:
                found.append(figure(dataset, f"{kind}, kept"[:30], values))
    return [each for each in found if each.count]


def _kept(mark: Mark) -> float:
    return float(mark.said == "kept")


def judged(folder: Path) -> list[Mark]:
    """Claims that physicians judged against answers of models: is the check of their opinion? Raises Missing."""
    rows = data_files.rows(folder, "kqa_nli", needs=("id", "question", "llm_answer", "claim", "label"))
    marks = []
    for row in rows:
        sentences = tuple(chunking.split_sentences(row["llm_answer"]))
        vectors = embeddings.embed([*sentences, row["claim"]])
        source = Source(row["id"], row["question"], "", sentences)
        said = judgement(row["claim"], passage_of(source, vectors[:-1]), vectors[-1])
        wanted = _LABELS.get(row["label"], "not said")
        right = (wanted == "supported") == (said == "supported")
        marks.append(Mark(JUDGED, row["id"], row["claim"], float(right), wanted, said))
    return marks


def judgement(claim: str, passage: Passage, vector: Vectors) -> str:
    """Supported, contradicted or not said."""
    similarities = [float(each) for each in passage.vectors @ vector] if len(passage.vectors) else []
    why = validation.unsupported(claim, passage, similarities=similarities)
    return "supported" if not why else "contradicted" if "opposite" in why or "exchanged" in why else "not said"


def judged_figures(marks: Sequence[Mark]) -> list[Figure]:
    supported = [float(mark.wanted == "supported") for mark in marks]
    usual = max(sum(supported), len(supported) - sum(supported)) / max(1, len(supported))
    return [
        figure(JUDGED, "agrees with physicians", [mark.score for mark in marks]),
        figure(JUDGED, "right when it says supported", [mark.score for mark in marks if mark.said == "supported"]),
        Figure(JUDGED, "always the commoner", usual, usual, usual, len(marks)),
    ]


def table(marks: Sequence[Mark]) -> Table:
    return confusion(marks)
