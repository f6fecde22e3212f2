import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from operations import restore_changes, restore_progress, restores, smoke
from operations.journal import Broken, Busy
from operations.models import Backup, Restore

Status = Restore.Status
ADD, APPROVE = "operations.add_restore", "operations.approve_restore"
LOOK_SECONDS = 1.0


class Command(BaseCommand):
    help = (
        "Restores the database, or the knowledge base alone, to an instant or from a backup, step by step, as the pages of the "
        "console do."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True)
        request = steps.add_parser("request", help="ask for it")
        target = request.add_mutually_exclusive_group(required=True)
        target.add_argument("--to", metavar="INSTANT", help="such as 2026-05-01T12:30:00, in UTC")
        target.add_argument("--backup", metavar="KEY", help="as `backup list` shows it")
        request.add_argument("--only", choices=["knowledge"], help="the knowledge base alone; people and messages stay")
        request.add_argument("--reason", required=True)
        request.add_argument("--incident", default="")
        request.add_argument("--leave-messages", action="store_true", help="leave behind what was received since")
        approve = steps.add_parser("approve", help="by somebody else, within 30 minutes")
        approve.add_argument("--alone", action="store_true", help="nobody else can be reached; an incident is opened")
        steps.add_parser("prepare", help="make the restored copy beside the live database")
        for name, said in (("confirm", "put it in place"), ("undo", "what was live before, within seven days")):
            step = steps.add_parser(name, help=said)
            step.add_argument("--type", dest="typed", required=True, metavar="DATABASE", help="the name of the database")
        steps.add_parser("cancel", help="before it is put in place")
        status = steps.add_parser("status", help="the latest, step by step")
        status.add_argument("--json", action="store_true")
        for name, each in steps.choices.items():
            if name != "request":
                each.add_argument("key", nargs="?", help="the latest when it is left out")
            if name != "status":
                each.add_argument("--as", dest="username", required=True, metavar="USERNAME", help="who does it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, options["step"])(options)
        except (restores.NotNow, Broken) as problem:
            raise CommandError(str(problem)) from problem

    def request(self, options: dict[str, Any]) -> None:
        target: dict[str, Any] = {"instant": _instant(options["to"])} if options["to"] else {"backup": _backup(options["backup"])}
        restore = restores.request(
            scope=options["only"] or Restore.Scope.EVERYTHING,
            reason=options["reason"],
            incident=options["incident"],
            carry_messages=not options["leave_messages"],
            by=_person(options, ADD),
            now=timezone.now(),
            **target,
        )
        self.stdout.write(f"Asked for: {restore.pk}. Somebody else approves it within 30 minutes:")
        self.stdout.write("  manage.py restore approve --as USERNAME")

    def approve(self, options: dict[str, Any]) -> None:
        restores.approve(_known(options), by=_person(options, APPROVE), now=timezone.now(), break_glass=options["alone"])
        self.stdout.write("Approved. The operator's process prepares it now; `restore prepare` does it here.")

    def prepare(self, options: dict[str, Any]) -> None:
        _person(options, ADD)
        restore = _known(options)
        if restore.status not in (Status.APPROVED, Status.PREPARING, Status.READY):
            raise CommandError(f"This does not fit now: {restore.get_status_display().lower()}.")
        try:
            restore = restores.prepare(restore, told=self._say(restore))
        except (Busy, restores.NotNow):
            restore = self._follow(restore, until=(Status.READY, Status.FAILED, Status.CANCELLED))
        if restore.status != Status.READY:
            raise CommandError(restore.problem or f"It is {restore.get_status_display().lower()} now.")
        self._changes(restore)
        self.stdout.write("Nothing live was touched. `restore confirm --type DATABASE` puts it in place.")

    def confirm(self, options: dict[str, Any]) -> None:
        restore = restores.confirm(_known(options), typed=options["typed"], by=_person(options, ADD), now=timezone.now())
        try:
            restore = restores.put_in_place(restore, healthy=smoke.well, told=self._say(restore))
        except (Busy, restores.NotNow):
            restore = self._follow(restore, until=(Status.DONE, Status.FAILED))
        if restore.status != Status.DONE:
            raise CommandError(restore.problem)
        self.stdout.write(f"The restored {restore.noun} is live. `restore undo` takes it back for seven days.")

    def undo(self, options: dict[str, Any]) -> None:
        restore = restores.ask_undo(_known(options), typed=options["typed"], by=_person(options, ADD), now=timezone.now())
        try:
            restore = restores.undo(restore, healthy=smoke.well, told=self._say(restore))
        except (Busy, restores.NotNow):
            restore = self._follow(restore, until=(Status.UNDONE, Status.DONE))
        if restore.status != Status.UNDONE:
            raise CommandError(restore.problem)
        self.stdout.write(f"The {restore.noun} from before the restore is live again.")

    def cancel(self, options: dict[str, Any]) -> None:
        restores.cancel(_known(options), by=_person(options, ADD), now=timezone.now())
        self.stdout.write("Cancelled; nothing that is live was changed.")

    def status(self, options: dict[str, Any]) -> None:
        restore = _known(options)
        story = restore_progress.story(restore.pk)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(restore, story), indent=1))
            return
        self.stdout.write(f"{restore}: {restore.get_status_display()}")
        for step in story.steps:
            spent = f" ({step.seconds:.1f} s)" if step.seconds is not None else ""
            locked = f", a search waited for {step.locked:.2f} s at most" if step.locked is not None else ""
            self.stdout.write(f"  {step.state:<7} {step.said}{spent}{locked}")
        for told in (restore.problem, story.broken):
            if told:
                self.stdout.write(told)
        if restore.status == Status.READY:
            self._changes(restore)

    def _say(self, restore: Restore) -> Callable[[str], None]:
        def say(step: str) -> None:
            self.stdout.write(f"{restore_progress.said(step, of_knowledge=restore.is_of_knowledge)} ...")
            self.stdout.flush()

        return say

    def _follow(self, restore: Restore, *, until: tuple[str, ...]) -> Restore:
        """Another process is at it; say what it does."""
        self.stdout.write("The operator's process is at it.")
        seen = 0
        while True:
            steps = restore_progress.story(restore.pk).steps
            for step in steps[seen:]:
                self.stdout.write(f"{step.said} ...")
            seen = len(steps)
            try:
                restore.refresh_from_db()
            except DatabaseError:  # it is being exchanged
                connection.close()
            else:
                if restore.status in until:
                    return restore
            time.sleep(LOOK_SECONDS)

    def _changes(self, restore: Restore) -> None:
        found = restore_changes.read(restore.losses, carry_messages=restore.carry_messages, of_knowledge=restore.is_of_knowledge)
        for row in (*found.first, *found.others):
            if row.changed is not None and row.differs:
                self.stdout.write(f"  {row.label}: {row.back:,} come back, {row.lost:,} are lost, {row.changed:,} as they were")
            elif row.differs:
                self.stdout.write(f"  {row.label}: {row.now:,} now, {row.then:,} then")
        for told in found.links:
            self.stdout.write(f"  {told}")


def _person(options: dict[str, Any], permission: str) -> User:
    user = User.objects.filter(username=options["username"], is_active=True, is_staff=True).first()
    if user is None:
        raise CommandError("Nobody of the staff has this name.")
    if not user.has_perm(permission):
        raise CommandError(f"{user.get_username()} may not do this: it needs {permission}.")
    return user


def _known(options: dict[str, Any]) -> Restore:
    try:
        rows = Restore.objects.filter(pk=options["key"]) if options["key"] else Restore.objects.all()
        found = rows.first()
    except ValidationError:
        found = None
    if found is None:
        raise CommandError("There is no such restore.")
    return found


def _instant(typed: str) -> datetime:
    try:
        found = parse_datetime(typed)
    except ValueError:
        found = None
    if found is None:
        raise CommandError("This is no instant: write it as 2026-05-01T12:30:00, in UTC.")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _backup(key: str) -> Backup:
    try:
        return Backup.objects.kept().get(pk=key)
    except (Backup.DoesNotExist, ValidationError) as error:
        raise CommandError("No kept backup has this key: `manage.py backup list` shows them.") from error


def _as_json(restore: Restore, story: restore_progress.Story) -> dict[str, Any]:
    return {
        "key": str(restore.pk),
        "scope": restore.scope,
        "status": restore.status,
        "to": restore.instant.isoformat() if restore.instant else None,
        "backup": str(restore.backup_id) if restore.backup_id else None,
        "problem": restore.problem,
        "losses": restore.losses,
        "steps": [{"step": each.said, "state": each.state, "seconds": each.seconds} for each in story.steps],
    }
