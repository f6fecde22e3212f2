"""What `manage.py` says when the settings are wrong and nothing of Django can start: plain lines, or JSON for preflight."""

from __future__ import annotations

import json
from collections.abc import Sequence

from jeevo.environment import EnvironmentProblem

SAID = "Jeevo cannot start with these settings."


def told(problem: EnvironmentProblem, arguments: Sequence[str]) -> str:
    """`preflight --json` is read by programs, which find the same form here as when everything starts."""
    if "preflight" in arguments and "--json" in arguments:
        lines = [
            {"name": f"Setting {name}", "state": "breached", "said": f"It {remedy}.", "remedy": "Set it in .env."}
            for name, remedy in problem.problems
        ]
        return json.dumps({"state": "breached", "said": SAID, "lines": lines}, indent=2)
    return str(problem)
