import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.evaluation import catalogue, datasets, report, safety
from conversations.evaluation.command import WRONG, EvaluationCommand
from conversations.evaluation.measured import Evaluation
from knowledge import embeddings
from knowledge.evaluation.data_files import BadData


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


class Command(EvaluationCommand):
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
        self.add_common_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with _without_notes():
            self.check_fixed(as_json=options["json"]) if options["check"] else self.measure(options)

    def measure(self, options: dict[str, Any]) -> None:
        evaluation = self.measured(options)
        self.finish(evaluation, options)

    def check_fixed(self, *, as_json: bool) -> None:
        marks, problems = safety.check(say=self.say)
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
            self.say(sentence)
        embeddings.use_all_cores()
        return safety.measure(folder, sets=sets, note=options["note"], say=self.say)

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
