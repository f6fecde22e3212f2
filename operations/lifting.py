"""From a scratch server into a new database beside the live one, in PostgreSQL's own directory format, two jobs at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from operations import contents, databases, postgres

JOBS = 2


class NotTheSame(Exception):
    """One sentence: how the lifted copy differs from where it came from."""


def lift(source: postgres.Scratch, database: str, *, into: str, place: Path, major: int) -> None:
    """A new database named `into` with all that `database` of the scratch server holds. One of that name is made anew."""
    databases.drop(into)
    databases.create(into)
    folder = place / "lifted"
    at = (f"--host={source.folder}", f"--port={source.port}", "--username=postgres")
    dump = ("--format=directory", f"--jobs={JOBS}", "--compress=none", "--no-sync", "--no-owner", "--no-privileges")
    postgres.run_as_server("pg_dump", *at, *dump, *contents.WITHOUT_BESIDE, f"--file={folder}", database, major=major)
    load = ("--format=directory", f"--jobs={JOBS}", "--no-owner", "--no-privileges", "--exit-on-error", f"--dbname={into}")
    # What the dump would say of the extension is there already.
    listing = _without_extension(folder, major=major)
    postgres.run("pg_restore", *load, f"--use-list={listing}", str(folder), major=major, variables=postgres.live().variables)


def _without_extension(folder: Path, *, major: int) -> Path:
    lines = postgres.read("pg_restore", "--list", str(folder), major=major).splitlines()
    listing = folder.with_suffix(".list")
    listing.write_text(
        "\n".join(line for line in lines if " EXTENSION " not in line and " COMMENT - EXTENSION" not in line) + "\n"
    )
    return listing


def compare(source: postgres.Scratch, database: str, *, into: str) -> contents.Counts:
    """Every row of every table, by hash. Raises NotTheSame."""
    # Two servers do the work, so neither waits for the other.
    with source.connect(database) as one, databases.connect(into) as other, ThreadPoolExecutor(2) as threads:
        sides = [threads.submit(contents.counted, each, deep=True) for each in (one, other)]
        expected, found = (each.result() for each in sides)
    told = contents.differences(expected, found)
    if told:
        raise NotTheSame(f"The lifted copy differs: {'; '.join(told[:3])}.")
    return found
