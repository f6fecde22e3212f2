"""What a backup and a restore take with a million messages and 33,000 passages, beside PostgreSQL's own programs alone.

`python -m tests.benchmarks.backups [messages]`. A cluster of its own; the timed part runs in a process that knows only it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from jeevo import embedded
from jeevo.environment import ROOT
from tests.benchmarks import operations
from tests.stack import Stack

MESSAGES = 1_000_000
COPIES = 79  # of the starter passages, which makes 33,000
Row = tuple[str, str, str, str]

# The same vectors again, a little moved, so that the index has something to build.
_PASSAGES = f"""
    INSERT INTO knowledge_chunk
    SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(), 'position', c.position + 1000 * n))).*
    FROM knowledge_chunk c, generate_series(1, {COPIES}) n"""


def rows(folder: Path, *, messages: int = MESSAGES) -> list[Row]:
    stack = Stack(folder)
    services = embedded.start(stack.data, stack.keys, report=lambda line: None)
    try:
        for command in (["prepare"], ["reindex", "--rebuild"]):
            subprocess.run(
                [sys.executable, "manage.py", *command], cwd=ROOT, env=stack.variables, check=True, capture_output=True
            )
        operations.fill(services.database_url, messages=messages)
        with psycopg.connect(services.database_url, autocommit=True) as connection:
            connection.execute(_PASSAGES.encode())
            connection.execute("VACUUM ANALYZE")
        argv = [sys.executable, "-m", "tests.benchmarks.backup_timing"]
        done = subprocess.run(argv, cwd=ROOT, env=stack.variables, check=True, stdout=subprocess.PIPE, text=True)
    finally:
        embedded.stop(stack.data)
    return [(found[0], found[1], found[2], found[3]) for found in map(json.loads, done.stdout.splitlines())]


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    with tempfile.TemporaryDirectory() as place:
        for row in rows(Path(place), messages=wanted):
            print("| " + " | ".join(row) + " |")
