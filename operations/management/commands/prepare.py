from typing import Any

from django.core.management.base import BaseCommand

from operations.preparation import prepare


class Command(BaseCommand):
    help = "Makes the tables, clears the cache, makes the first account and registers the starter articles. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        prepare(say=lambda line: self.stdout.write(line))
