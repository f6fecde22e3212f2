from typing import Any

from django.core.management.base import BaseCommand

from operations.preflight import report
from operations.preflight.run import run
from operations.preparation import prepare


class Command(BaseCommand):
    help = "Makes the tables, clears the cache, makes the first account and registers the starter articles. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        prepare(say=lambda line: self.stdout.write(line))
        # Said and no more: a start is not stopped by a warning, and what truly stops the service does so itself.
        self.stdout.write(report.text(run(starting=True), every_line=False))
