"""What the commands that measure share: options, keeping a run, writing the page, and saying what came out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.evaluation import catalogue, report, runs
from conversations.evaluation.measured import Evaluation

# As other programs say that they were called with something they cannot use.
WRONG = 2


class EvaluationCommand(BaseCommand):
    def add_common_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
        parser.add_argument("--save", action=argparse.BooleanOptionalAction, default=True, help="keep the run for the console")
        parser.add_argument("--note", default="", help="what was tried; shown beside the run")
        parser.add_argument("--write", type=Path, help="also put the tables between the marks of this page")

    def finish(self, evaluation: Evaluation, options: dict[str, Any]) -> None:
        """Compare with the run before on the same data, keep, write and say."""
        earlier = runs.latest(evaluation.kind, data_hash=evaluation.data_hash)
        comparison = runs.compare(evaluation, earlier) if earlier else None
        kept = runs.keep(evaluation) if options["save"] else None
        if options["write"]:
            self.write_page(options["write"], evaluation)
        if options["json"]:
            run = str(kept.pk) if kept else None
            self.stdout.write(json.dumps(report.as_json(evaluation, comparison, run=run), ensure_ascii=False, indent=1))
        else:
            self.stdout.write(report.as_text(evaluation, comparison, title=catalogue.title))

    def write_page(self, page: Path, evaluation: Evaluation) -> None:
        try:
            page.write_text(report.into(page.read_text(encoding="utf-8"), evaluation, title=catalogue.title), encoding="utf-8")
        except (OSError, ValueError) as problem:
            raise CommandError(f"The run was measured, but {page} was not written: {problem}.") from problem

    def say(self, sentence: str) -> None:
        self.stderr.write(self.style.NOTICE(sentence) if self.stderr.isatty() else sentence)
        self.stderr.flush()
