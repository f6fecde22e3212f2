import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from operations import erasure_record, erasures
from operations.models import Erasure
from operations.phrases import count


class Command(BaseCommand):
    help = "Looks at the record of erasures, which keeps people who were erased from coming back with a restore."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True)
        steps.add_parser("check", help="whether the file and the database say the same")
        steps.add_parser("list", help="when and why, the latest fifty")
        steps.add_parser("mend", help="the file anew from the database; the damaged one is kept beside it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['step']}")()
        except erasure_record.Damaged as problem:
            raise CommandError(str(problem)) from problem

    def _check(self) -> None:
        erasures.check()
        self.stdout.write(f"The record is whole: {count(len(erasure_record.read()), 'line', 'lines')}.")

    def _list(self) -> None:
        for row in Erasure.objects.select_related("by")[:50]:
            self.stdout.write(f"{row.number:>5}  {row.at:%Y-%m-%d %H:%M} UTC  {row.by or 'a terminal'}  {row.reason}")

    def _mend(self) -> None:
        number = erasures.mend()
        self.stdout.write(f"The file holds the {count(number, 'line', 'lines')} of the database again.")
