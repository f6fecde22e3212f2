import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from jeevo.environment import Offsite
from operations import backup_keys, lost_server, offsite, postgres, recovery_kit
from operations.management.commands.recovery_kit import passphrase


class Command(BaseCommand):
    help = "Builds a lost server anew from the copies outside and the recovery kit. Needs no database."
    requires_system_checks: list[str] = []  # some of them ask the database that is to be made

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        when = parser.add_mutually_exclusive_group(required=True)
        when.add_argument("--latest", action="store_true", help="all there is")
        when.add_argument("--to", help="an instant, such as 2026-03-01T09:30:00Z")
        parser.add_argument("--kit", type=Path, required=True, help="the file of the recovery kit")
        parser.add_argument("--from", dest="source", help="s3://bucket/prefix, file:///folder or a folder; else as the kit says")
        parser.add_argument("--replace", action="store_true", help="move a database that is here aside")
        parser.add_argument("--before-hole", action="store_true", help="go without what lies behind a hole of the log")
        parser.add_argument("--without-erasures", action="store_true", help="although it is not known who was erased")
        parser.add_argument("--passphrase-file", type=Path, help="in place of being asked; its first line")

    def handle(self, *args: Any, **options: Any) -> None:
        to = None if options["latest"] else _instant(options["to"])
        try:
            kit = recovery_kit.opened(options["kit"].read_bytes(), passphrase(options["passphrase_file"]))
            source = _source(kit, options["source"])
            flags = (options["replace"], options["before_hole"], options["without_erasures"])
            wanted = lost_server.Wanted(to, source, kit, *flags)
            done = lost_server.recover(wanted, now=timezone.now(), report=self._say)
        except OSError as problem:
            raise CommandError(f"{problem.filename or 'The disk'}: {problem.strerror}.") from problem
        except PROBLEMS as problem:
            raise CommandError(str(problem)) from problem
        self._say(f"Done in {done.seconds:.0f} seconds.")
        if done.last_commit:
            self._say(f"The last change that came back is of {done.last_commit:%Y-%m-%d %H:%M:%S} UTC.")
        for line in done.to_do:
            self._say(line)
        self._say("1. Start Jeevo (`make run`, or your service as usual).")
        self._say("2. Look in the console at the latest conversations: what people wrote after that change is not there.")
        self._say("3. Make a new recovery kit.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


PROBLEMS = (
    lost_server.NotRecovered,
    recovery_kit.KitProblem,
    backup_keys.KeyProblem,
    offsite.NotOffsite,
    postgres.ToolProblem,
)


def _instant(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise CommandError("--to must be an instant with its zone, such as 2026-03-01T09:30:00Z.")
    return found


def _source(kit: recovery_kit.Kit, given: str | None) -> Offsite:
    """The address as given or as the kit says; what the kit does not say of it, this machine's settings do."""
    own, told = settings.ENVIRONMENT.offsite, kit.offsite
    url = given or told.url or own.url
    if not url:
        raise CommandError("Neither the kit nor OFFSITE_URL says where the copies are: name it with --from.")
    if "://" not in url:
        url = Path(url).resolve().as_uri()
    pairs = zip(
        (told.endpoint, told.access_key, told.secret_key, told.region),
        (own.endpoint, own.access_key, own.secret_key, own.region),
        strict=True,
    )
    return Offsite(url.rstrip("/"), *(of_kit or of_own for of_kit, of_own in pairs))
