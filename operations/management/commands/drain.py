from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from operations import drains


class Command(BaseCommand):
    help = "Stops the service as the operations guide says: no new work, wait for what is in flight, and with --stop the rest."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--timeout", type=float, default=30, help="Seconds to wait for what is in flight; 30 if not said.")
        parser.add_argument("--stop", action="store_true", help="Then stop the processes and services of this machine.")
        parser.add_argument("--reason", default="", help="Why; shown in the console.")
        parser.add_argument("--undo", action="store_true", help="Work again.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["undo"]:
            held = [self._report(drains.undo())]
        else:
            patience = min(max(options["timeout"], 0), 600)
            steps = drains.drain(patience=patience, stop=options["stop"], reason=options["reason"])
            held = [self._report(step) for step in steps]
        if not all(held):
            sys.exit(1)

    def _report(self, step: drains.Step) -> bool:
        mark = "✓" if step.held else "✗"
        self.stdout.write(f"{mark} {step.name:<18} {step.seconds:5.1f} s  {step.said}")
        self.stdout.flush()
        return step.held
