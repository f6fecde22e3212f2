import argparse
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from operations import drills
from operations.models import Drill


class Command(BaseCommand):
    help = "Restores the service into scratch as it was at an instant, compares, and measures. The live database is only read."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--at", type=_instant, help="such as 2026-11-27T10:30:00, in UTC; without it one at random")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        drills.fail_silent()
        drill = drills.request(Drill.Cause.PERSON, now=now, instant=options["at"])
        self.stdout.write("Restoring into scratch ...")
        try:
            drill = drills.run(drill, now=now)
        except (drills.NoDrill, drills.Failed) as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(
            f"Good: {drill.instant:%Y-%m-%d %H:%M:%S} UTC, {drill.tables} tables compared. "
            f"A database that answers took {drill.rto_seconds:.1f} s."
        )


def _instant(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise argparse.ArgumentTypeError("not an instant: write it as 2026-11-27T10:30:00")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
