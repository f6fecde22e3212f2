import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from operations.preflight import report
from operations.preflight.run import run


class Command(BaseCommand):
    help = "The start-up checklist: what is wrong, and what to do. Exit code 1 when something keeps Jeevo from its work."
    # It must speak when everything else cannot.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object in place of lines")
        parser.add_argument("--outside", action="store_true", help="also call WhatsApp, Groq and the mail server")

    def handle(self, *args: Any, **options: Any) -> None:
        found = run(outside_too=options["outside"])
        self.stdout.write(json.dumps(found.as_json(), indent=2) if options["json"] else report.text(found))
        if found.state == "breached":
            sys.exit(1)
