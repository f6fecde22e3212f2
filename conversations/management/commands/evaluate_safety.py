import argparse
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.evaluation import catalogue, datasets, report, runs, safety
from conversations.evaluation.measured import Evaluation
from conversations.evaluation.runs import Comparison
from knowledge import embeddings
from knowledge.evaluation.data_files import BadData

# As other programs say that they were called with something they cannot use.
WRONG = 2


@contextmanager
def _without_notes() -> Iterator[None]:
    """What the answering path notes of each message would bury the progress; warnings stay."""
    log = logging.getLogger("conversations")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)


class Command(BaseCommand):
    help = (
        "Measures how safe the program is: danger signs found, false emergencies, self-harm, requests to refuse, and orders "
        "hidden in messages. Nothing that people were sent or wrote is read, and nobody is sent anything."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, help="a folder of public data (docs/evaluation.md)")
        parser.add_argument(
            "--check", action="store_true", help="only our own fixed sentences; fails where fewer are right than were"
        )
        parser.add_argument("--sets", default="", help=f"only these: {','.join(catalogue.SETS)}")
        parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
        parser.add_argument("--save", action=argparse.BooleanOptionalAction, default=True, help="keep the run for the console")
        parser.add_argument("--note", default="", help="what was tried; shown beside the run")
        parser.add_argument("--write", type=Path, help="also put the tables between the marks of this page")

    def handle(self, *args: Any, **options: Any) -> None:
        with _without_notes():
            self.check_fixed(as_json=options["json"]) if options["check"] else self.measure(options)

    def measure(self, options: dict[str, Any]) -> None:
        evaluation = self.measured(options)
        earlier = runs.latest(safety.KIND, data_hash=evaluation.data_hash)
        comparison = runs.compare(evaluation, earlier) if earlier else None
        kept = runs.keep(evaluation) if options["save"] else None
        if options["write"]:
            self.write_page(options["write"], evaluation)
        self.say_result(evaluation, comparison, run=str(kept.pk) if kept else None, as_json=options["json"])

    def check_fixed(self, *, as_json: bool) -> None:
        marks, problems = safety.check(say=self.say_progress)
        if as_json:
            self.stdout.write(
                json.dumps({"schema": report.SCHEMA, "lines": len(marks), "below": problems}, ensure_ascii=False, indent=1)
            )
        if problems:
            raise CommandError("Less safe than it was:\n" + "\n".join(problems))
        if not as_json:
            self.stdout.write(f"{len(marks):,} fixed sentences read; everything is at its floor or above it.")

    def measured(self, options: dict[str, Any]) -> Evaluation:
        try:
            folder, sets = self.read(options)
        except BadData as problem:
            raise CommandError(str(problem), returncode=WRONG) from problem
        for sentence in folder.left_out:
            self.say_progress(sentence)
        embeddings.use_all_cores()
        return safety.measure(folder, sets=sets, note=options["note"], say=self.say_progress)

    def read(self, options: dict[str, Any]) -> tuple[datasets.Folder, list[str]]:
        place: Path | None = options["data"]
        if place is None or not place.is_dir():
            said = f"{place} is not a folder." if place else "--data FOLDER or --check is needed."
            raise CommandError(said, returncode=WRONG)
        sets = self.sets(options["sets"])
        folder = datasets.read(place, sets=sets)
        if not folder.lines and sets != ["fixed"]:
            raise CommandError(
                f"{place} holds none of the data this measures on. docs/evaluation.md names the files.", returncode=WRONG
            )
        return folder, sets

    def sets(self, names: str) -> list[str]:
        if not names:
            return list(catalogue.SETS)
        try:
            return catalogue.chosen([name.strip() for name in names.split(",") if name.strip()])
        except KeyError as unknown:
            raise CommandError(
                f"There is no set {unknown}. There are: {', '.join(catalogue.SETS)}.", returncode=WRONG
            ) from unknown

    def write_page(self, page: Path, evaluation: Evaluation) -> None:
        try:
            page.write_text(report.into(page.read_text(encoding="utf-8"), evaluation, title=catalogue.title), encoding="utf-8")
        except (OSError, ValueError) as problem:
            raise CommandError(f"The run was measured, but {page} was not written: {problem}.") from problem

    def say_result(self, evaluation: Evaluation, comparison: Comparison | None, *, run: str | None, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(report.as_json(evaluation, comparison, run=run), ensure_ascii=False, indent=1))
        else:
            self.stdout.write(report.as_text(evaluation, comparison, title=catalogue.title))

    def say_progress(self, sentence: str) -> None:
        self.stderr.write(self.style.NOTICE(sentence) if self.stderr.isatty() else sentence)
        self.stderr.flush()
