import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from knowledge import embeddings
from knowledge.evaluation import catalogue, data_files, datasets, report, runs, scratch
from knowledge.evaluation.runs import Comparison, Evaluation

# As other programs say that they were called with something they cannot use.
WRONG = 2


class Command(BaseCommand):
    help = (
        "Measures how well passages are found, on questions with known answers, in a database of its own. "
        "What answers people is not touched. The first run on a large folder takes minutes, because its answers are embedded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="a folder of public data (docs/evaluation.md)")
        parser.add_argument("--sets", default="", help="only these, such as medquad,liveqa,mediqa,xling,healthsearchqa")
        parser.add_argument("--limit-medquad", type=int, default=datasets.SAMPLE, help="questions drawn from MedQuAD")
        parser.add_argument("--model", help="another embedding model than the one in use: a name or a folder")
        parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
        parser.add_argument("--save", action=argparse.BooleanOptionalAction, default=True, help="keep the run for the console")
        parser.add_argument("--note", default="", help="what was tried; shown beside the run")
        parser.add_argument("--fresh", action="store_true", help="make the scratch database anew")
        parser.add_argument("--write", type=Path, help="also put the table between the marks of this page")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            evaluation = self.measured(options)
        except (data_files.BadData, scratch.NotPossible, embeddings.ModelNotFound) as problem:
            raise CommandError(str(problem), returncode=WRONG) from problem
        earlier = runs.latest(evaluation.data_hash)
        comparison = runs.compare(runs.marks_of(evaluation.asked), earlier) if earlier else None
        kept = runs.keep(evaluation) if options["save"] else None
        if options["write"]:
            self.write_page(options["write"], evaluation)
        self.say_result(evaluation, comparison, run=str(kept.pk) if kept else None, as_json=options["json"])

    def measured(self, options: dict[str, Any]) -> Evaluation:
        folder = self.read(options)
        for sentence in folder.left_out:
            self.say(sentence)
        embeddings.use_all_cores()
        return runs.measure(folder, model=options["model"], fresh=options["fresh"], note=options["note"], say=self.say)

    def read(self, options: dict[str, Any]) -> datasets.Folder:
        place: Path = options["data"]
        if not place.is_dir():
            raise CommandError(f"{place} is not a folder.", returncode=WRONG)
        if options["limit_medquad"] < 1:
            raise CommandError("--limit-medquad needs a number of at least 1.", returncode=WRONG)
        folder = datasets.read(place, sets=self.sets(options["sets"]), sample=options["limit_medquad"])
        if not folder.datasets:
            raise CommandError(
                f"{place} holds none of the data this measures on"
                + (f" for {options['sets']}" if options["sets"] else "")
                + ". docs/evaluation.md names the files.",
                returncode=WRONG,
            )
        return folder

    def sets(self, names: str) -> list[str]:
        if not names:
            return list(catalogue.SETS)
        try:
            return catalogue.chosen([name.strip() for name in names.split(",") if name.strip()])
        except KeyError as unknown:
            known = ", ".join(dict.fromkeys(name.split("_")[0] for name in catalogue.SETS if name != "golden"))
            raise CommandError(f"There is no set {unknown}. There are: {known}.", returncode=WRONG) from unknown

    def write_page(self, page: Path, evaluation: Evaluation) -> None:
        try:
            page.write_text(report.into(page.read_text(encoding="utf-8"), evaluation), encoding="utf-8")
        except (OSError, ValueError) as problem:
            raise CommandError(f"The run was measured, but {page} was not written: {problem}.") from problem

    def say_result(self, evaluation: Evaluation, comparison: Comparison | None, *, run: str | None, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(report.as_json(evaluation, comparison, run=run), ensure_ascii=False, indent=1))
        else:
            self.stdout.write(report.as_text(evaluation, comparison))

    def say(self, sentence: str) -> None:
        self.stderr.write(self.style.NOTICE(sentence) if self.stderr.isatty() else sentence)
        self.stderr.flush()
