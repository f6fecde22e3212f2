"""Which release runs, since when, what was there before, and how to go back.

The commit is read from the files of .git where there is one; no program is started. A row is written when a release is
prepared that differs from the one before, so going back leaves its trace as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.urls import reverse
from django.utils import timezone

from operations.figures import State
from operations.findings import Code, Finding, Step, Table
from operations.health import version
from operations.models import Release
from operations.phrases import count, lasted

SHOWN = 20
OURS = ("knowledge", "conversations", "operations")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Running:
    version: str
    release: str
    commit: str
    migrations: dict[str, str]


def running() -> Running:
    """What this process was started from, and what the tables were last brought to."""
    return Running(version(), str(settings.ENVIRONMENT.release), commit(Path(settings.BASE_DIR)), applied())


def commit(root: Path) -> str:
    """The commit that is checked out, or an empty text. A worktree's .git is a file that names a folder."""
    folder = root / ".git"
    try:
        if folder.is_file():
            folder = (root / folder.read_text().removeprefix("gitdir:").strip()).resolve()
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head if _COMMIT.fullmatch(head) else ""
        reference = head.removeprefix("ref:").strip()
        return next((found for found in _places(folder, reference) if _COMMIT.fullmatch(found)), "")
    except OSError:
        return ""


def _places(folder: Path, reference: str) -> Iterator[str]:
    """Where a branch may stand: loose here, loose or packed in the folder that worktrees share."""
    shared = folder / "commondir"
    homes = [folder, *([(folder / shared.read_text().strip()).resolve()] if shared.is_file() else [])]
    for home in homes:
        if (home / reference).is_file():
            yield (home / reference).read_text().strip()
    for home in homes:
        packed = home / "packed-refs"
        lines = packed.read_text().splitlines() if packed.is_file() else []
        yield from (line.split(" ")[0] for line in lines if line.endswith(f" {reference}"))


def applied() -> dict[str, str]:
    """The last applied migration of each of our apps."""
    return {app: name for app, name in sorted(MigrationRecorder(connection).applied_migrations()) if app in OURS}


def note(*, now: datetime) -> Release | None:
    """Write down what was prepared when it is not what was prepared last."""
    here = running()
    last = Release.objects.first()
    if last and (last.version, last.release, last.commit, last.migrations) == (
        here.version,
        here.release,
        here.commit,
        here.migrations,
    ):
        return None
    return Release.objects.create(
        version=here.version[:40], release=here.release[:120], commit=here.commit, migrations=here.migrations, first_seen=now
    )


def look(now: datetime) -> Finding:
    here, rows = running(), list(Release.objects.all()[:SHOWN])
    waiting = not_applied()
    since = f", for {lasted(now - rows[0].first_seen)}" if rows else ""
    answer, state = f"{_name(here.release, here.version)} runs{since}", _state(waiting)
    behind = count(len(waiting), "change of the tables is", "changes of the tables are")
    said = [f"{behind} not applied: run manage.py prepare."] if waiting else []
    return Finding(
        "releases",
        "Which release runs, and how do we go back?",
        answer,
        state,
        tuple(said),
        (
            ("Version", here.version),
            ("Release", here.release or "not named (JEEVO_RELEASE)"),
            ("Commit", here.commit[:12] or "no .git here"),
            *((f"Last migration of {app}", name) for app, name in here.migrations.items()),
        ),
        (_seen(rows), _back(rows)),
        steps=(Step("Runbook: high error rate", reverse("admin:troubleshooting_runbook", args=["high-error-rate"])),),
    )


def _state(waiting: list[str]) -> State:
    return "breached" if waiting else "good"


def _name(release: str, number: str) -> str:
    return release or f"Version {number}"


def not_applied() -> list[str]:
    loader = MigrationLoader(connection)
    return sorted(
        f"{app}.{name}" for app, name in loader.disk_migrations if app in OURS and (app, name) not in loader.applied_migrations
    )


def between(older: dict[str, str], newer: dict[str, str]) -> list[str]:
    """Migrations that came with the newer one, in words: "knowledge 0003 to 0005"."""
    changed = [app for app in OURS if older.get(app) != newer.get(app)]
    return [f"{app} {_number(older.get(app))} to {_number(newer.get(app))}" for app in changed]


def _number(name: str | None) -> str:
    return name.split("_")[0] if name else "none"


def _seen(rows: list[Release]) -> Table:
    shown = []
    for row, before in zip_longest(rows, rows[1:]):
        changes = ", ".join(between(before.migrations, row.migrations)) or "none" if before else "-"
        at = timezone.localtime(row.first_seen).strftime("%d %b %Y, %H:%M %Z")
        shown.append((_name(row.release, row.version), row.version, Code(row.commit[:12] or "-"), at, changes))
    columns = ("Release", "Version", "Commit", "First seen", "Changes of the tables that came with it")
    return Table(
        "Releases seen here, latest first", columns, tuple(shown), "None has been written down yet: manage.py prepare does."
    )


def _back(rows: list[Release]) -> Table:
    """Plain steps to the release before. Without a change of the tables going back is only a change of the program."""
    if len(rows) < 2:
        return Table("How to go back", ("Step", "What to do"), (), "No earlier release is known here.")
    now, before = rows[0], rows[1]
    changes = _undo(before, now)
    earlier = before.release or before.commit[:12] or before.version
    steps = [
        "Take a backup, which is verified at once: manage.py backup take full.",
        f"Containers: set the image of docker-compose.yml to the tag of {earlier}, and JEEVO_RELEASE with it.",
        f"From source: git checkout {before.commit[:12] or earlier}, then install the locked requirements again.",
    ]
    if changes:
        steps.insert(1, f"While this release is still there: {', then '.join(changes)}. What the new columns hold is lost.")
        steps.insert(
            2,
            "If a migration cannot be reversed, restore the backup from before the release; what came in since is lost.",
        )
    steps.append("Start it and look at this page: it names the release that runs.")
    rows_shown = tuple((str(number), words) for number, words in enumerate(steps, 1))
    note = (
        "The tables changed between the two, so the older program may not fit the newer tables: migrate back first."
        if changes
        else "The tables did not change between the two: going back is safe at any time and loses nothing."
    )
    return Table("How to go back", ("Step", "What to do"), rows_shown, note=note)


def _undo(before: Release, now: Release) -> list[str]:
    """Tables that the older release does not know stay as they are: it does not touch them, and they hold people's work."""
    apps = [app for app in reversed(OURS) if before.migrations.get(app) not in (None, now.migrations.get(app))]
    return [f"manage.py migrate {app} {before.migrations[app]}" for app in apps]
