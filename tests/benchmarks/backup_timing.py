"""The timed part of the benchmark of backups: every step beside the bare programs, rows as JSON a line."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jeevo.settings")

import django

django.setup()

import psycopg  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from operations import backups, databases, low_priority, postgres, recovery, restores, verification, wal  # noqa: E402


def told(name: str, measured: str, beside: str, goal: str) -> None:
    print(json.dumps([name, measured, beside, goal]), flush=True)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def bare_copy(place: Path) -> float:
    """pg_basebackup alone, into a file on the same disk."""
    arguments = ("--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--manifest-checksums=SHA256")

    def take(pipe: IO[bytes]) -> None:
        with (place / "bare.tar").open("wb") as file:
            while block := pipe.read(1 << 20):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())

    major, server = postgres.server_major(), postgres.live()
    took = seconds(lambda: postgres.stream("pg_basebackup", *arguments, server=server, major=major, take=take))
    (place / "bare.tar").unlink()
    return took


class Watch:
    """Asks the live database every 20 ms, as the webhook would, and keeps how long it was turned away."""

    def __init__(self) -> None:
        self.refused: list[float] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        server = postgres.live()
        while not self.stopping.is_set():
            try:
                with psycopg.connect(
                    host=server.host, port=server.port, user=server.user, password=server.password, dbname=server.database
                ) as one:
                    one.execute("SELECT 1")
            except psycopg.OperationalError:
                self.refused.append(time.monotonic())
            self.stopping.wait(0.02)

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join()

    @property
    def longest(self) -> float:
        return self.refused[-1] - self.refused[0] if self.refused else 0.0


def a_full_backup() -> None:
    backups.take("full", now=timezone.now())


def main() -> None:
    size = databases.connect(postgres.live().database).execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
    big = str((size.fetchone() or [""])[0])
    place = backups.folder()
    place.mkdir(parents=True, exist_ok=True)
    bare = min(bare_copy(place) for _ in range(2))
    ours = min(seconds(lambda: low_priority.in_a_thread(a_full_backup)) for _ in range(2))
    told(
        f"Full base backup of {big}, sealed, with its manifest",
        f"{ours:.1f} s",
        f"pg_basebackup alone {bare:.1f} s",
        f"{ours / bare:.2f} times (goal 1.3)",
    )
    took = seconds(lambda: backups.take("incremental", now=timezone.now()))
    told("Incremental base backup, nothing changed", f"{took:.1f} s", "-", "-")
    dump = backups.take("dump", now=timezone.now())
    took = seconds(lambda: verification.verify(dump, now=timezone.now()))
    told("A dump restored into a new cluster and every row compared", f"{took:.1f} s", "-", "-")
    restore()


def restore() -> None:
    now = timezone.now()
    asking, other = (User.objects.create(username=name, is_staff=True) for name in ("bench-one", "bench-two"))
    made = restores.request(instant=now, reason="A benchmark.", by=asking, now=timezone.now())
    restores.approve(made, by=other, now=timezone.now())
    # The bare way to the same instant: recovery, then one dump and one restore, nothing compared.
    base = recovery.base_for(now)
    started = time.perf_counter()
    with recovery.at(now, name="bench-bare", now=timezone.now()) as server:
        recovered = time.perf_counter() - started
        databases.create("jeevo_bench")
        major = postgres.server_major()
        target = server.folder / "bare.dump"
        at = (f"--host={server.folder}", f"--port={server.port}", "--username=postgres")
        plain = ("--format=custom", "--compress=none", "--no-owner", "--no-privileges", f"--file={target}")
        postgres.run_as_server("pg_dump", *at, *plain, postgres.live().database, major=major)
        variables = postgres.live().variables
        load = ("--no-owner", "--no-privileges", "--dbname=jeevo_bench", str(target))
        postgres.run("pg_restore", *load, major=major, variables=variables)
    bare = time.perf_counter() - started
    databases.drop("jeevo_bench")
    safety = seconds(lambda: verification.verify(backups.take("dump", now=timezone.now()), now=timezone.now()))
    prepared = seconds(lambda: restores.prepare(made)) - safety
    made.refresh_from_db()
    if made.status != "ready":
        sys.exit(f"not prepared: {made.problem}")
    restores.confirm(made, typed=postgres.live().database, by=asking, now=timezone.now())
    with Watch() as watch:
        swapped = seconds(lambda: restores.put_in_place(made, healthy=lambda: User.objects.exists()))
    connection.close()
    told(
        "Restore to an instant, compared row by row, migrated, beside the live database",
        f"{prepared:.1f} s",
        f"recovery and pg_restore alone {bare:.1f} s, of which recovery {recovered:.1f} s; from {base.kind}; the safety backup apart ({safety:.1f} s)",
        f"{prepared / bare:.2f} times (goal 1.5)",
    )
    told(
        "The same with carrying over and the exchange of names",
        f"{prepared + swapped:.1f} s",
        f"carrying and exchange {swapped:.1f} s",
        "under 120 s",
    )
    told("How long the database let nobody in", f"{watch.longest:.2f} s", "asked every 20 ms", "under 5 s")


if __name__ == "__main__":
    # As it is in a running service: the log is received all the while.
    with wal.received():
        time.sleep(3)
        main()
