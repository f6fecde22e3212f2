import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.evaluation import answers, catalogue, report, runs
from conversations.evaluation.measured import Evaluation
from conversations.evaluation.runs import Comparison
from knowledge import embeddings
from knowledge.evaluation import scratch
from knowledge.evaluation.data_files import BadData, Missing

# As other programs say that they were called with something they cannot use.
WRONG = 2


class Command(BaseCommand):
    help = (
        "Measures how well it answers: planted errors that the check lets through, true sentences it keeps, questions answered "
        "and declined, and what comes of bad models. The library stands in a database of its own. Nobody is sent anything."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="a folder of public data (docs/evaluation.md)")
        parser.add_argument("--sets", default="", help=f"only these: {','.join(answers.SETS)}")
        parser.add_argument("--limit", type=int, help="load whole pages of MedQuAD up to this many answers; all without it")
        parser.add_argument("--each", type=int, default=400, help="sentences of every kind and half for the planted errors")
        parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
        parser.add_argument("--save", action=argparse.BooleanOptionalAction, default=True, help="keep the run for the console")
        parser.add_argument("--note", default="", help="what was tried; shown beside the run")
        parser.add_argument("--fresh", action="store_true", help="make the scratch database anew")
        parser.add_argument("--write", type=Path, help="also put the tables between the marks of this page")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            evaluation = self.measured(options)
        except (BadData, scratch.NotPossible, embeddings.ModelNotFound) as problem:
            raise CommandError(str(problem), returncode=WRONG) from problem
        except Missing as missing:
            raise CommandError(
                f"{options['data']} lacks {missing}, which everything here stands on.", returncode=WRONG
            ) from missing
        earlier = runs.latest(answers.KIND, data_hash=evaluation.data_hash)
        comparison = runs.compare(evaluation, earlier) if earlier else None
        kept = runs.keep(evaluation) if options["save"] else None
        if options["write"]:
            self.write_page(options["write"], evaluation)
        self.say_result(evaluation, comparison, run=str(kept.pk) if kept else None, as_json=options["json"])

    def measured(self, options: dict[str, Any]) -> Evaluation:
        place: Path = options["data"]
        if not place.is_dir():
            raise CommandError(f"{place} is not a folder.", returncode=WRONG)
        for name in ("limit", "each"):
            if options[name] is not None and options[name] < 1:
                raise CommandError(f"--{name} needs a number of at least 1.", returncode=WRONG)
        sets = self.sets(options["sets"])
        embeddings.use_all_cores()
        return answers.measure(
            place,
            sets=sets,
            limit=options["limit"],
            each=options["each"],
            fresh=options["fresh"],
            note=options["note"],
            say=self.say,
        )

    def sets(self, names: str) -> list[str]:
        wanted = [name.strip() for name in names.split(",") if name.strip()] or list(answers.SETS)
        unknown = [name for name in wanted if name not in answers.SETS]
        if unknown:
            raise CommandError(f"There is no set “{unknown[0]}”. There are: {', '.join(answers.SETS)}.", returncode=WRONG)
        return wanted

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

    def say(self, sentence: str) -> None:
        self.stderr.write(self.style.NOTICE(sentence) if self.stderr.isatty() else sentence)
        self.stderr.flush()
