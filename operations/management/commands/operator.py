from typing import Any

from django.core.management.base import BaseCommand

from operations.operator import Operator, ready


class Command(BaseCommand):
    help = "Runs the operator: receives the database's log, makes and verifies backups, lets old ones go."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(ready())
        Operator().run()
