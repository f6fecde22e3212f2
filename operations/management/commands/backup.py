import argparse
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from operations import backups, low_priority, offsite, offsite_backups, retention, verification
from operations.models import Backup
from operations.offsite_standing import standing
from operations.phrases import count


class Command(BaseCommand):
    help = "Takes a backup, verifies it by restoring it into a scratch server, and lists what there is."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True)
        take = steps.add_parser("take", help="take one and verify it")
        take.add_argument("kind", choices=Backup.Kind.values)
        take.add_argument("--no-verify", action="store_true", help="leave it taken and not verified")
        verify = steps.add_parser("verify", help="restore one into scratch and compare")
        verify.add_argument("key", help="as `backup list` shows it")
        steps.add_parser("list", help="the latest fifty")
        expire = steps.add_parser("expire", help="let go of older ones before their time; newer verified ones stay")
        expire.add_argument("--keep-days", type=int, required=True, help="0: all but the last verified ones")

    def run_from_argv(self, argv: list[str]) -> None:
        low_priority.stand_back()  # in the process that runs nothing else
        super().run_from_argv(argv)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["step"] == "list":
            self._list()
        elif options["step"] == "expire":
            self._expire(timedelta(days=max(0, options["keep_days"])))
        elif options["step"] == "take":
            self._take(options["kind"], verified=not options["no_verify"])
        else:
            self._verify(_known(options["key"]))

    def _expire(self, keep: timedelta) -> None:
        now = timezone.now()
        gone = retention.expire(now=now, keep=keep)
        self.stdout.write(f"{count(len(gone), 'backup', 'backups')} went here.")
        if offsite.configured():
            try:
                outside = offsite_backups.expire(offsite.ours(), now=now, keep=keep)
            except offsite.NotOffsite as problem:
                raise CommandError(str(problem)) from problem
            self.stdout.write(f"{count(len(outside), 'backup', 'backups')} went outside.")

    def _take(self, kind: str, *, verified: bool) -> None:
        self.stdout.write(f"Taking a {Backup.Kind(kind).label} ...")
        try:
            backup = backups.take(kind, now=timezone.now())
        except backups.NotTaken as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(f"Taken: {backup.pk}, {backup.bytes / 1_000_000:,.1f} MB.")
        if verified:
            self._verify(backup)

    def _verify(self, backup: Backup) -> None:
        self.stdout.write("Restoring it into a scratch server and comparing ...")
        try:
            done = verification.verify(backup, now=timezone.now())
        except verification.NotGood as problem:
            raise CommandError(str(problem)) from problem
        rows = sum(table["rows"] for table in done.tables.values())
        self.stdout.write(f"Verified in {done.seconds:.0f} s: {len(done.tables)} tables, {rows:,} rows.")

    def _list(self) -> None:
        for each in Backup.objects.all()[:50]:
            where = "outside" if each.offsite_at else ""
            line = f"{each.pk}  {each.requested_at:%Y-%m-%d %H:%M}  {each.kind:<13} {each.status:<9} {where:<7} {each.reason}"
            self.stdout.write(line.rstrip())
        if not Backup.objects.exists():
            self.stdout.write("There is no backup yet: `manage.py backup take full` makes one.")
        self.stdout.write(standing(now=timezone.now()).said)


def _known(key: str) -> Backup:
    try:
        return Backup.objects.kept().get(pk=key)
    except (Backup.DoesNotExist, ValidationError) as error:
        raise CommandError("No kept backup has this key: `manage.py backup list` shows them.") from error
