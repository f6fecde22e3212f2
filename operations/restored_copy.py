"""The copy that a restore puts beside what is live, made in steps that may be repeated. Nothing live is changed by any."""

from __future__ import annotations

from typing import Any

from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from operations import (
    backups,
    contents,
    databases,
    erasures,
    knowledge_copy,
    lifting,
    postgres,
    recovery,
    sealed,
    verification,
    wal,
)
from operations.models import Backup, Restore


def preflight(restore: Restore) -> dict[str, Any]:
    """What can be known beforehand, with nothing changed."""
    erasures.check()
    base = base_of(restore)
    manifest = backups.read_manifest(base.pk)
    loader = MigrationLoader(None, ignore_no_migrations=True)
    known = {(app, name) for app, name in loader.disk_migrations}
    newer = [
        f"{app} {name}"
        for app, name in manifest["migrations"].items()
        if app in loader.migrated_apps and (app, name) not in known
    ]
    if newer:
        raise recovery.NotRestorable(f"It was made by a newer release ({newer[0]}): install that release first.")
    for each in backups.chain(base):
        for entry in backups.read_manifest(each.pk)["files"]:
            sealed.check(backups.place(each) / entry["name"], expected=sealed.Sealed(**entry))
    if restore.instant is not None:
        wal.unbroken_from(manifest["started_from"])
    backups.check_room(factor=3)
    return {"base": str(base.pk)}


def base_of(restore: Restore) -> Backup:
    if restore.backup is not None:
        return restore.backup
    assert restore.instant is not None
    return recovery.base_for(restore.instant)


def safety() -> dict[str, Any]:
    """The live database as it is now, restored and compared, before anything is put in its place."""
    backup = backups.take(Backup.Kind.DUMP, now=timezone.now())
    verification.verify(backup, now=timezone.now())
    return {"backup": str(backup.pk)}


def lift(restore: Restore, name: str) -> dict[str, Any]:
    base = base_of(restore)
    manifest = backups.read_manifest(base.pk)
    if base.kind == Backup.Kind.DUMP:
        databases.drop(name)
        databases.create(name)
        verification.load_dump(base, manifest, server=beside(name))
        with databases.connect(name) as one:
            told = contents.differences(manifest["contents"], contents.counted(one, deep=True))
        if told:
            raise lifting.NotTheSame(f"The restored copy differs: {'; '.join(told[:3])}.")
        return {"rows": sum(table["rows"] for table in manifest["contents"].values())}
    instant = restore.instant or base.taken_at
    assert instant is not None
    # A name of its own, so that a half-made one of a process that died is not in the way.
    with recovery.at(instant, name=f"restore-{restore.pk.hex[-12:]}", now=timezone.now()) as server:
        lifting.lift(server, manifest["database"], into=name, place=server.folder, major=manifest["major"])
        found = lifting.compare(server, manifest["database"], into=name)
    return {"rows": sum(table["rows"] for table in found.values())}


def beside(name: str) -> postgres.Server:
    live = postgres.live()
    return postgres.Server(live.host, live.port, live.user, live.password, name)


def migrate(name: str) -> dict[str, Any]:
    """To what this release expects. In a process of its own, so that no migration can reach the live database."""
    postgres.manage("migrate", "--noinput", "--verbosity=0", database=name)
    return {}


def what_would_change(restore: Restore, name: str) -> dict[str, dict[str, int]]:
    """Rows by table, live and in what is called so, where they differ: what the person who confirms is shown."""
    if restore.is_of_knowledge:
        return knowledge_copy.what_would_change(name)
    with databases.connect(postgres.live().database) as one, databases.connect(name) as other:
        return contents.changes(one, other)
