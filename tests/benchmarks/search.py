"""How fast passages are found, beside Chroma, PostgreSQL's own full text and an exact scan, over the whole of MedQuAD.

`python -m tests.benchmarks.search` measures 33,000 passages; `--large` also 500,000, made of neighbours of the real ones,
which takes a quarter of an hour more, once. The database stays in .jeevo/bench, because embedding takes minutes. This is only the
door: what is timed runs in a process of its own (`search_timing`), which needs Django's settings.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jeevo import embedded
from jeevo.environment import ROOT

Row = tuple[str, str, str, str]
DATA = Path(os.environ.get("JEEVO_DATA", ROOT.parent / "shared" / "data"))
HOME = Path(os.environ.get("JEEVO_BENCH_HOME", ROOT / ".jeevo" / "bench"))
CHROMA = Path(os.environ.get("JEEVO_CHROMA_PYTHON") or HOME / "chroma" / "bin" / "python")
NEEDED = ("medquad.jsonl.gz", "liveqa_questions.jsonl", "healthsearchqa.jsonl")
LARGE = 500_000


def rows(*, answers: int | None = None, large: int | None = None) -> list[Row]:
    """`answers`: only the first so many, for a quick look. `large`: the number of passages of the second measurement."""
    if lacking := [name for name in NEEDED if not (DATA / name).is_file()]:
        return [("Search", "not measured", f"{', '.join(lacking)} not in JEEVO_DATA", "-")]
    asked = (f"--answers={answers or 0}", f"--large={large or _large()}", f"--chroma={CHROMA if CHROMA.is_file() else ''}")
    argv = [sys.executable, "-m", "tests.benchmarks.search_timing", str(DATA), str(HOME), *asked]
    with _database() as url:
        found = subprocess.run(argv, cwd=ROOT, env=_variables(url), check=True, stdout=subprocess.PIPE, text=True)
    return [(what, measured, beside, goal) for what, measured, beside, goal in map(json.loads, found.stdout.splitlines())]


def _large() -> int:
    return LARGE if os.environ.get("JEEVO_BENCH_LARGE") == "1" else 0


@contextmanager
def _database() -> Iterator[str]:
    """PostgreSQL as Jeevo brings it, with its settings."""
    data = HOME / "data"
    try:
        yield embedded.start_postgres(data, HOME / "keys", report=lambda line: print(line, file=sys.stderr))
    finally:
        embedded.stop_postgres(data)


def _variables(url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JEEVO_", "WHATSAPP_", "GROQ_"))}
    return kept | {
        "DATABASE_URL": url,
        "REDIS_URL": "redis://127.0.0.1:1",
        "EMBEDDING_MODEL": "",
        "JEEVO_MODE": "sandbox",
        "JEEVO_DATA_DIR": str(HOME / "data"),
        "JEEVO_KEYS_DIR": str(HOME / "keys"),
        "DJANGO_SETTINGS_MODULE": "jeevo.settings",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--answers", type=int, help="only the first so many answers of MedQuAD")
    parser.add_argument("--large", type=int, nargs="?", const=LARGE, help="also this many passages (500,000)")
    asked = parser.parse_args()
    for row in rows(answers=asked.answers, large=asked.large):
        print(" | ".join(row))


if __name__ == "__main__":
    main()
