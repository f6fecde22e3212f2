import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from operations import reach
from operations.findings import Finding, as_json, as_text
from operations.periods import DAY, PERIODS, Period, named
from operations.troubleshooting import BY_NAME, GROUPS, TOPICS


class Command(BaseCommand):
    help = "Looks at one part of the service, as the pages of troubleshooting do; without a name, one line about each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("topic", nargs="?", choices=[*GROUPS, *BY_NAME], help="What to look at.")
        parser.add_argument("--json", action="store_true", help="For programs.")
        parser.add_argument("--over", default=DAY.key, choices=[each.key for each in PERIODS], help="For memory and errors.")
        parser.add_argument("--ask", action="store_true", help="With reach: ask WhatsApp and Groq now.")

    def handle(self, *args: Any, **options: Any) -> None:
        now, period = timezone.now(), named(options["over"])
        if options["topic"] is None:
            findings = [topic.brief(now) for topic in TOPICS]
            lines = [f"{each.name:<12} {each.state.replace('_', ' '):<9} {each.answer}" for each in findings]
        else:
            findings = [
                self._find(name, period, ask=options["ask"]) for name in GROUPS.get(options["topic"], (options["topic"],))
            ]
            lines = [line for finding in findings for line in (*as_text(finding), "")]
        one = len(findings) == 1
        said = json.dumps(as_json(findings[0]) if one else [as_json(each) for each in findings], indent=2)
        self.stdout.write(said if options["json"] else "\n".join(lines))

    def _find(self, name: str, period: Period, *, ask: bool) -> Finding:
        now = timezone.now()
        return reach.look(now, reach.ask(now)) if ask and name == "reach" else BY_NAME[name].find(now, period)
