from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime, parse_time

from operations import pauses


class Command(BaseCommand):
    help = "Maintenance mode: answers wait, emergencies never do. People get a notice once and their answer afterwards."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("step", choices=["on", "off", "status"])
        parser.add_argument("--until", default="", help="UTC, such as 04:30 or 2027-01-17T04:30; two hours if not said.")
        parser.add_argument("--reason", default="", help="Why; shown in the console.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["step"] == "on":
            self._on(options, now)
        elif options["step"] == "off":
            row = pauses.end(now=now)
            self.stdout.write("Maintenance mode is off." if row else "Maintenance mode was off.")
        else:
            self._status()

    def _on(self, options: dict[str, Any], now: datetime) -> None:
        until = moment(options["until"], now) if options["until"] else None
        try:
            row = pauses.begin(now=now, until=until, reason=options["reason"])
        except pauses.NotPossible as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(f"Maintenance mode is on until {row.until:%Y-%m-%d %H:%M} UTC. It ends by itself.")

    def _status(self) -> None:
        row = pauses.current()
        if row is None:
            self.stdout.write("Maintenance mode is off.")
            return
        why = f" ({row.reason})" if row.reason else ""
        self.stdout.write(f"Maintenance mode is on since {row.started_at:%H:%M} until {row.until:%Y-%m-%d %H:%M} UTC{why}.")


def moment(text: str, now: datetime) -> datetime:
    """A time of day is the next one of that name."""
    try:
        at, time = parse_datetime(text), parse_time(text)
    except ValueError as problem:
        raise CommandError("That moment does not exist.") from problem
    if at is not None:
        return at if timezone.is_aware(at) else at.replace(tzinfo=now.tzinfo)
    if time is None:
        raise CommandError("Say --until as 04:30 or 2027-01-17T04:30, in UTC.")
    found = now.replace(hour=time.hour, minute=time.minute, second=0, microsecond=0)
    return found if found > now else found + timedelta(days=1)
