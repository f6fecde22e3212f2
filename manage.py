#!/usr/bin/env python
"""Jeevo's command line. Without services it says how to start them instead of a traceback."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jeevo.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    from jeevo import refusal
    from jeevo.environment import EnvironmentProblem

    try:
        execute_from_command_line(sys.argv)
    except EnvironmentProblem as problem:
        said = refusal.told(problem, sys.argv)
        print(said, file=sys.stdout if said.startswith("{") else sys.stderr)
        sys.exit(1)
    except OperationalError as error:
        from django.conf import settings

        if settings.SERVICES_FOUND:
            sys.exit(f"The database did not answer: {error}\nNothing was lost. Check DATABASE_URL and that the server runs.")
        sys.exit("Jeevo's database is not running here. Start it with `make run` in another window, then try again.")


if __name__ == "__main__":
    main()
