from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.evaluation import answers
from conversations.evaluation.command import WRONG, EvaluationCommand
from conversations.evaluation.measured import Evaluation
from knowledge import embeddings
from knowledge.evaluation import scratch
from knowledge.evaluation.data_files import BadData, Missing


class Command(EvaluationCommand):
    help = (
        "Measures how well it answers: planted errors that the check lets through, true sentences it keeps, questions answered "
        "and declined, and what comes of bad models. The library stands in a database of its own. Nobody is sent anything."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="a folder of public data (docs/evaluation.md)")
        parser.add_argument("--sets", default="", help=f"only these: {','.join(answers.SETS)}")
        parser.add_argument("--limit", type=int, help="load whole pages of MedQuAD up to this many answers; all without it")
        parser.add_argument("--each", type=int, default=400, help="sentences of every kind and half for the planted errors")
        self.add_common_arguments(parser)
        parser.add_argument("--fresh", action="store_true", help="make the scratch database anew")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            evaluation = self.measured(options)
        except (BadData, scratch.NotPossible, embeddings.ModelNotFound) as problem:
            raise CommandError(str(problem), returncode=WRONG) from problem
        except Missing as missing:
            raise CommandError(
                f"{options['data']} lacks {missing}, which everything here stands on.", returncode=WRONG
            ) from missing
        self.finish(evaluation, options)

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
