"""The timed part of the search benchmark: prepared questions, one after the other, on one connection, caches warm.

Blocks of the systems alternate, so that noise of the machine weighs on all of them. Nothing here embeds: the vectors of
questions and of the sentences of what they find are there beforehand. Prints a row as JSON a line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
import numpy as np

django.setup()

import psutil  # noqa: E402
import psycopg  # noqa: E402
from django.db import connection  # noqa: E402
from pgvector import HalfVector  # noqa: E402
from pgvector.psycopg import register_vector  # noqa: E402
from psycopg.conninfo import make_conninfo  # noqa: E402

from knowledge import condensing, embedding_indexes, retrieval  # noqa: E402
from knowledge.chunk_rows import search_configuration  # noqa: E402
from knowledge.evaluation import scratch  # noqa: E402
from knowledge.models import Chunk, EmbeddingIndex  # noqa: E402
from knowledge.passages import Vectors  # noqa: E402
from knowledge.retrieval import Query  # noqa: E402
from tests.benchmarks import search_library  # noqa: E402
from tests.benchmarks.load import percentile  # noqa: E402

Row = tuple[str, str, str, str]
# Seconds and the distances of what was found; none where a system has no distances.
Answer = tuple[float, list[float]]
Block = Callable[[int, int], list[Answer]]
NEAREST, BLOCK, ROUNDS, EXACT, WIDE = 10, 25, 2, 60, 100
BREADTHS = (20, 30, 40, 50, *range(56, 100, 4), 100, 120, 160, 200, 300, 400)
ENOUGH, SAME = 0.98, 0.005
PARTS = {"words": "_words", "candidates": "_found", "ranking": "_ranked", "filling": "_filled"}
# Distances of one pair by two programs differ by the order of their sums.
ROUNDING = 1e-5
SIDE = Path(__file__).with_name("chroma_side.py")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Nearest:
    """The dense half alone, as a program would ask for it through psycopg: keys, texts and distances of the ten best."""

    def __init__(self, queries: Sequence[Query], *, limit: int = NEAREST, exact: bool = False) -> None:
        index, self.queries = queries[0].index, queries
        size = int(index.dimensions)
        self.connection = driver()
        register_vector(self.connection)
        self.ef = int(self.connection.execute("SELECT current_setting('hnsw.ef_search')").fetchall()[0][0])
        distance = f"embedding::halfvec({size}) <=> %b::halfvec({size})"
        # With a sum around it the order cannot come from the index.
        order = f"({distance}) + 0" if exact else distance
        self.statement = (
            f"SELECT id, text, {order} AS far FROM knowledge_chunk WHERE index_id = '{index.pk}' ORDER BY far LIMIT {limit}"
        )

    def breadth(self, ef: int) -> None:
        self.connection.execute("SELECT set_config('hnsw.ef_search', %s, false)", [str(ef)])

    def ask(self, start: int, end: int) -> list[Answer]:
        return [self._ask(query.vector) for query in self.queries[start:end]]

    def _ask(self, vector: Vectors) -> Answer:
        begun = time.perf_counter()
        found = self.connection.execute(self.statement, [HalfVector(vector)], prepare=True, binary=True).fetchall()
        return time.perf_counter() - begun, [float(row[2]) for row in found[:NEAREST]]


def driver() -> psycopg.Connection[Any]:
    """A connection to the database that Django is connected to, as psycopg makes it: what is asked often is prepared."""
    at = connection.settings_dict
    where = make_conninfo(host=at["HOST"], port=at["PORT"], user=at["USER"], password=at["PASSWORD"], dbname=at["NAME"])
    return psycopg.connect(where, autocommit=True, options=at["OPTIONS"]["options"])


class Words:
    """PostgreSQL's own full text: any of the words, by ts_rank. The tsquery is made beforehand."""

    def __init__(self, queries: Sequence[Query]) -> None:
        self.connection = driver()
        configuration = search_configuration("en")
        made = "SELECT replace(plainto_tsquery(%s::text::regconfig, %s)::text, ' & ', ' | ')"
        self.asked = [self.connection.execute(made, [configuration, each.question]).fetchall()[0][0] for each in queries]

    def ask(self, start: int, end: int) -> list[Answer]:
        return [self._ask(words) for words in self.asked[start:end]]

    def _ask(self, words: str) -> Answer:
        statement = "SELECT id, text, ts_rank(search, %(q)s::tsquery) AS rank FROM knowledge_chunk WHERE search @@ %(q)s::tsquery ORDER BY rank DESC LIMIT 10"
        begun = time.perf_counter()
        self.connection.execute(statement, {"q": words}).fetchall()
        return time.perf_counter() - begun, []


class Hybrid:
    def __init__(self, queries: Sequence[Query]) -> None:
        self.queries = queries

    def ask(self, start: int, end: int) -> list[Answer]:
        return [self._ask(query) for query in self.queries[start:end]]

    def _ask(self, query: Query) -> Answer:
        begun = time.perf_counter()
        retrieval.search(query)
        return time.perf_counter() - begun, []


class Chroma:
    """Chroma in its own process and environment; `version` and `seconds` are of its filling."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.folder = python, folder
        filled = json.loads(subprocess.run(self._argv("fill"), check=True, stdout=subprocess.PIPE, text=True).stdout)
        self.version, self.seconds, self.passages = filled["version"], filled["seconds"], filled["passages"]

    def _argv(self, *words: str) -> list[str]:
        return [str(self.python), str(SIDE), str(self.folder), *words]

    @contextmanager
    def breadth(self, ef: int) -> Iterator[Block]:
        with subprocess.Popen(self._argv("ask", str(ef)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield lambda start, end: self._ask(process, start, end)
            finally:
                process.stdin.close()  # type: ignore[union-attr]
                process.wait(60)

    def _ask(self, process: subprocess.Popen[str], start: int, end: int) -> list[Answer]:
        assert process.stdin is not None
        process.stdin.write(f"{start} {end}\n")
        process.stdin.flush()
        assert process.stdout is not None
        return [(seconds, far) for seconds, far in json.loads(process.stdout.readline())]


def alternately(systems: dict[str, Block], count: int, *, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of every query by every system, block beside block, after one round that is not counted."""
    took: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for start in range(0, count, BLOCK):
            for name, ask in systems.items():
                answers = ask(start, min(start + BLOCK, count))
                took[name] += [seconds for seconds, _ in answers] if number else []
    return took


def recall(answers: Sequence[Answer], tenth: Vectors) -> float:
    """Of the ten that were found, those no farther than the tenth nearest: a passage printed twice may stand for its twin."""
    near = [sum(each <= last + ROUNDING for each in far) / NEAREST for (_, far), last in zip(answers, tenth, strict=True)]
    return statistics.fmean(near)


def milliseconds(took: Sequence[float], *shares: float, digits: int = 1) -> str:
    return (
        ", ".join(f"p{share * 100:.0f} {1000 * percentile(took, share):.{digits}f}" for share in shares or (0.5, 0.95, 0.99))
        + " ms"
    )


def work(queries: Sequence[Query]) -> str:
    """Processor time of a search, which other programs on the machine change less than they change its time."""
    connection.ensure_connection()
    both = psutil.Process(connection.connection.info.backend_pid), psutil.Process()
    before = [sum(each.cpu_times()[:2]) for each in both]
    Hybrid(queries).ask(0, len(queries))
    server, own = (1000 * (sum(each.cpu_times()[:2]) - then) / len(queries) for each, then in zip(both, before, strict=True))
    return f"processor time {server:.1f} ms of the server and {own:.1f} ms of its own; load {os.getloadavg()[0]:.1f}"


def parts(queries: Sequence[Query]) -> str:
    """Where a search spends its time: its own steps, with a watch around each."""
    took: dict[str, list[float]] = defaultdict(list)
    steps = {name: getattr(retrieval, name) for name in PARTS.values()}
    for part, name in PARTS.items():
        setattr(retrieval, name, _watched(steps[name], took[part]))
    try:
        Hybrid(queries).ask(0, len(queries))
    finally:
        for name, step in steps.items():
            setattr(retrieval, name, step)
    return ", ".join(
        f"{part} {1000 * percentile(each, 0.5):.1f} / {1000 * percentile(each, 0.95):.1f}" for part, each in took.items()
    )


def _watched(step: Callable[..., Any], took: list[float]) -> Callable[..., Any]:
    def watched(*values: Any) -> Any:
        begun = time.perf_counter()
        found = step(*values)
        took.append(time.perf_counter() - begun)
        return found

    return watched


def rounded(queries: Sequence[Query]) -> Vectors:
    """The questions' vectors with the precision in which vectors are stored."""
    return search_library.unit(np.stack([each.vector for each in queries]).astype(np.float16).astype(np.float32))


def is_long(query: Query) -> bool:
    return len(query.question.split()) > condensing.SHORT


def recalls(queries: Sequence[Query], tenth: Vectors) -> tuple[str, str]:
    """As it is set, and beside it at other breadths."""
    nearest = Nearest(queries, limit=retrieval.CANDIDATES)
    found = {}
    for ef in (nearest.ef, *(each for each in BREADTHS if each >= WIDE)):
        nearest.breadth(ef)
        found[ef] = recall(nearest.ask(0, len(queries)), tenth)
    others = ", ".join(f"{ef}: {share:.3f}" for ef, share in sorted(found.items()))
    return f"{found[nearest.ef]:.3f} (ef_search {nearest.ef})", f"by ef_search {others}"


def own_rows(queries: Sequence[Query], tenth: Vectors, *, name: str, goal: str) -> list[Row]:
    """The search alone, its recall, and what PostgreSQL does without it."""
    took = alternately({"search": Hybrid(queries).ask}, len(queries))["search"]
    # Fewer, and apart: among half a million passages each takes a second, and leaves nothing in memory for the next.
    some = min(EXACT, len(queries))
    words, scan = ([seconds for seconds, _ in each.ask(0, some)] for each in (Words(queries), Nearest(queries, exact=True)))
    long = [seconds for seconds, query in zip(took, list(queries) * ROUNDS, strict=True) if is_long(query)]
    share = (
        f"n = {len(queries)}, the {len(long) // ROUNDS} of more than {condensing.SHORT} words: {milliseconds(long, 0.5, 0.95)}"
    )
    return [
        (f"Hybrid search among {name}, embedding apart", milliseconds(took), share, goal),
        (f"Its parts among {name}, p50 / p95 ms", parts(queries), work(queries), "-"),
        (f"recall@10 of the vectors' index among {name}, as search asks it", *recalls(queries, tenth), f"at least {ENOUGH}"),
        (f"PostgreSQL alone among {name}, ten best", f"full text by ts_rank: {milliseconds(words, 0.5, 0.95)}", f"exact scan of the vectors: {milliseconds(scan, 0.5, 0.95)}; n = {some}", "-"),
    ]  # fmt: skip


def beside_chroma(queries: Sequence[Query], tenth: Vectors, chroma: Chroma) -> list[Row]:
    nearest, asked = Nearest(queries), len(queries)
    ours, theirs = {}, {}
    for ef in BREADTHS:
        nearest.breadth(ef)
        ours[ef] = recall(nearest.ask(0, asked), tenth)
        with chroma.breadth(ef) as ask:
            theirs[ef] = recall(ask(0, asked), tenth)
        say(f"ef_search {ef}: recall {ours[ef]:.4f}, Chroma {theirs[ef]:.4f}")
        if pair := matched(ours, theirs):
            break
    else:
        return [("Nearest ten beside Chroma", "not measured", f"no two ef_search of one recall of {ENOUGH} or more", "-")]
    nearest.breadth(pair[0])
    with chroma.breadth(pair[1]) as ask:
        took = alternately({"nearest": nearest.ask, "chroma": ask, "search": Hybrid(queries).ask}, asked)
    mine, other, whole = (percentile(took[each], 0.5) for each in ("nearest", "chroma", "search"))
    beside = f"Chroma {chroma.version}: {milliseconds(took['chroma'], 0.5, 0.95, digits=2)} (ef_search {pair[1]}, recall {theirs[pair[1]]:.3f})"
    measured = f"{milliseconds(took['nearest'], 0.5, 0.95, digits=2)} (ef_search {pair[0]}, recall {ours[pair[0]]:.3f})"
    return [
        (f"Nearest ten of {chroma.passages:,} passages, vectors alone", measured, beside, f"{other / mine:.1f} times (goal 2)"),
        ("Hybrid search in the same run", milliseconds(took["search"], 0.5, 0.95), f"Chroma, which has no words: {milliseconds(took['chroma'], 0.5, 0.95)}", f"{other / whole:.1f} times"),
    ]  # fmt: skip


def matched(ours: dict[int, float], theirs: dict[int, float]) -> tuple[int, int] | None:
    """The least work by which both find enough, and as much as each other."""
    pairs = [
        (mine, other)
        for mine, found in ours.items()
        for other, found_there in theirs.items()
        if min(found, found_there) >= ENOUGH and abs(found - found_there) <= SAME
    ]
    return min(pairs, key=sum, default=None)


def hand_over(folder: Path, queries: Sequence[Query]) -> None:
    """What Chroma reads: the same passages, vectors and questions in files."""
    batches = list(search_library.stored(queries[0].index))
    np.save(folder / "vectors.npy", np.concatenate([vectors for _, vectors in batches]))
    np.save(folder / "queries.npy", rounded(queries))
    texts = dict(Chunk.objects.filter(index=queries[0].index).values_list("pk", "text"))
    with (folder / "passages.jsonl").open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps([str(key), texts[key]]) + "\n" for keys, _ in batches for key in keys)


def measure(name: str, questions: Sequence[str], *, goal: str, chroma: Path | None = None, note: str = "") -> Iterator[Row]:
    with scratch.connected(name):
        queries = search_library.prepared(questions)
        search_library.settled(queries)
        index = embedding_indexes.active()
        tenth = search_library.tenth(search_library.stored(index), rounded(queries))
        count = f"{index.counted:,} passages"
        yield from own_rows(queries, tenth, name=count, goal=goal)
        yield (f"The vectors' index of {count}", sizes(index) + note, "-", "-")
        if chroma is not None:
            with tempfile.TemporaryDirectory() as folder:
                hand_over(Path(folder), queries)
                say("Filling Chroma ...")
                yield from beside_chroma(queries, tenth, Chroma(chroma, Path(folder)))


def sizes(index: EmbeddingIndex) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_relation_size(%s::regclass), pg_total_relation_size('knowledge_chunk')",
            [embedding_indexes.vector_index_name(index)],
        )
        of_index, of_all = cursor.fetchone()
    return f"{of_index / 2**20:.0f} MB of the {of_all / 2**20:.0f} MB of passages"


def rows(asked: argparse.Namespace) -> Iterator[Row]:
    answers, questions = search_library.read(asked.data, first=asked.answers or None)
    name = search_library.load(answers, say=say)
    yield from measure(name, questions, goal="p95 under 25 ms", chroma=asked.chroma)
    if asked.chroma is None:
        yield ("Nearest ten beside Chroma", "not measured", "Chroma is not installed: `make bench` does it", "-")
    if asked.large:
        large, seconds = search_library.multiply(name, asked.large, say=say)
        note = f", made in {seconds:.0f} s" if seconds else ""
        yield from measure(large, questions, goal="p95 under 150 ms", note=note)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("--answers", type=int, default=0)
    parser.add_argument("--large", type=int, default=0)
    parser.add_argument("--chroma", type=lambda value: Path(value) if value else None)
    for row in rows(parser.parse_args()):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
