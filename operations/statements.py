"""The text of a statement without its values, so that it may be kept and shown, and its plan without running it.

Values travel beside the statement ($1), so the text holds none; a literal that does stand in one is replaced all the
same. A plan is made for a SELECT only, by EXPLAIN without ANALYZE, on a connection of its own that may only read.
"""

from __future__ import annotations

import hashlib
import re

import psycopg
from django.db import connection

LONGEST = 500
PLAN_TIMEOUT = "2s"
# Strings of every kind, names in quotes (kept), parameters (kept), comments, then numbers that are no part of a name.
_PART = re.compile(
    r"""(?P<string>(?:\b[EeBbXxNn]|\b[Uu]&)?'(?:[^']|'')*(?:'|$)|\$(?P<tag>[A-Za-z_]*)\$.*?(?:\$(?P=tag)\$|$))"""
    r"""|(?P<name>"(?:[^"]|"")*"?)|(?P<parameter>\$\d+)|(?P<comment>--[^\n]*|/\*.*?(?:\*/|$))"""
    r"""|(?P<number>(?<![\w.$])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)""",
    re.DOTALL,
)
_COLUMN = r'"[^"]+"(?:\."[^"]+")?(?:::\w+)?(?: AS "[^"]+")?'
_COLUMNS = re.compile(rf"^SELECT ((?:DISTINCT )?){_COLUMN}(?:, {_COLUMN})* FROM ")  # noqa: S608  (a pattern, not a statement)


class NoPlan(Exception):
    """No plan can be shown; the message says why."""


def normalised(text: str) -> str:
    """The statement on one line with `$n` for every literal, counted on from its own parameters."""
    used = max((int(number) for number in re.findall(r"\$(\d+)", text)), default=0)

    def replace(found: re.Match[str]) -> str:
        nonlocal used
        if found["comment"] is not None:
            return " "
        if found["string"] is None and found["number"] is None:
            return found[0]
        used += 1
        return f"${used}"

    return " ".join(_PART.sub(replace, text).split())


def shortened(text: str) -> str:
    """At most 500 characters. A long list of columns goes first: the rest of the statement says what is slow."""
    if len(text) > LONGEST:
        text = _COLUMNS.sub(r"SELECT \1NULL FROM ", text, count=1)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def plan(text: str) -> list[str]:
    """The plan for whatever values may come. Raises NoPlan."""
    if not text.upper().startswith("SELECT ") or ";" in text:
        raise NoPlan("Only a single SELECT has its plan shown here.")
    if text.endswith("…"):
        raise NoPlan("The statement is too long to be kept whole, and a part of it has no plan.")
    given = connection.get_connection_params()
    given |= {"connect_timeout": 2, "application_name": "plan"}
    given["options"] = f"{given.get('options', '')} -c default_transaction_read_only=on -c statement_timeout={PLAN_TIMEOUT}"
    given.pop("cursor_factory", None)
    try:
        with psycopg.connect(**given) as fresh:
            rows = fresh.execute(f"EXPLAIN (GENERIC_PLAN) {text}".encode()).fetchall()
            fresh.rollback()
    except psycopg.Error as error:
        # The message could quote the statement; its class is enough to tell a time limit from a wrong text.
        raise NoPlan(f"The database makes no plan for this statement ({type(error).__name__}).") from error
    # What stands in the conditions of a plan may hold a literal of an index.
    return [str(row[0]) for row in rows]
