"""Chroma's part of the search benchmark, run by the Python of Chroma's own environment: it imports nothing of the project.

    chroma_side.py FOLDER fill       the collection, from FOLDER/vectors.npy and FOLDER/passages.jsonl
    chroma_side.py FOLDER ask EF     answers a line "START END" with the seconds and distances of those of FOLDER/queries.npy

A process for each `ef_search`: a collection that has answered once does not read a changed one any more.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import chromadb  # type: ignore[import-not-found]  # of another environment
import numpy as np
from chromadb.config import Settings  # type: ignore[import-not-found]

NAME, NEAREST = "passages", 10
# The links and the care of pgvector's index beside it.
GRAPH = {"space": "cosine", "max_neighbors": 16, "ef_construction": 256}


def client(folder: Path) -> Any:
    return chromadb.PersistentClient(str(folder / "chroma"), settings=Settings(anonymized_telemetry=False))


def fill(folder: Path) -> None:
    vectors = np.load(folder / "vectors.npy")
    with (folder / "passages.jsonl").open(encoding="utf-8") as lines:
        passages = [json.loads(line) for line in lines]
    chroma, begun = client(folder), time.perf_counter()
    collection = chroma.create_collection(NAME, embedding_function=None, configuration={"hnsw": GRAPH})
    batch = min(5_000, chroma.get_max_batch_size())
    for start in range(0, len(passages), batch):
        part = passages[start : start + batch]
        collection.add(
            ids=[key for key, _ in part], documents=[text for _, text in part], embeddings=vectors[start : start + batch]
        )
    say({"seconds": time.perf_counter() - begun, "passages": collection.count(), "version": chromadb.__version__})


def answer(folder: Path, ef: int) -> None:
    queries = np.load(folder / "queries.npy")
    collection = client(folder).get_collection(NAME, embedding_function=None)
    collection.modify(configuration={"hnsw": {"ef_search": ef}})
    for line in sys.stdin:
        start, end = map(int, line.split())
        say([ask(collection, vector) for vector in queries[start:end]])


def ask(collection: Any, vector: Any) -> tuple[float, list[float]]:
    begun = time.perf_counter()
    found = collection.query(query_embeddings=[vector], n_results=NEAREST, include=["documents", "distances"])
    return time.perf_counter() - begun, [float(each) for each in found["distances"][0]]


def say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[2] == "fill":
        fill(Path(sys.argv[1]))
    else:
        answer(Path(sys.argv[1]), int(sys.argv[3]))
