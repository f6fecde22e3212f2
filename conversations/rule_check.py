"""Is a clinician's rule safe to save? Every example is tried against all the rules as they would be afterwards. Pure.

A rule must fire on its own examples, stay quiet on those that it names, and change nothing that another rule promises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conversations import rulebook, triage
from conversations.rulebook import Added, Book, Files, Level
from conversations.triage import Triage, judge
from conversations.wordforms import tokens

LONGEST_LINE, MOST_LINES = 300, 60
SHORTEST_STEM = 3
LOUD = (Level.EMERGENCY, Level.SELF_HARM, Level.UNSAFE)


@dataclass(frozen=True)
class Problem:
    """`field`: where to say it."""

    field: str
    text: str


@dataclass(frozen=True)
class Example:
    """A sentence that a rule promises something of."""

    text: str
    concept: str
    level: Level
    fires: bool


def problems(
    rule: Added, *, fires: Sequence[str], quiet: Sequence[str], others: Sequence[Added], kept: Sequence[Example]
) -> list[Problem]:
    """What speaks against saving, empty when nothing does. `others`: the rows that hold beside it; `kept`: their examples."""
    files = rulebook.read_files()
    found = [*_format(rule, files), *_missing(rule, fires, quiet)]
    if found:
        return found
    before, after = rulebook.remade(others), rulebook.remade([*others, rule])
    return [*_own(rule, fires, quiet, after), *_broken(rule, [*built_in(files), *kept], before, after)]


def _missing(rule: Added, fires: Sequence[str], quiet: Sequence[str]) -> Iterator[Problem]:
    if not rule.patterns and not rule.switched_off:
        yield Problem("patterns", "Write at least one pattern, or name a rule to switch off.")
    if rule.patterns and len(fires) < 2:
        yield Problem("fires", "Write at least two messages that must be found, in different words.")
    if len(quiet) < 2:
        yield Problem(
            "quiet", "Write at least two messages that must stay quiet: a denied sign and a general question, for instance."
        )


def _format(rule: Added, files: Files) -> Iterator[Problem]:
    if rule.language not in files:
        yield Problem("language", "There are no rules in this language.")
        return
    sets = files[rule.language]["sets"]
    for field, texts in (("patterns", rule.patterns), ("unless", rule.unless)):
        if len(texts) > MOST_LINES:
            yield Problem(field, f"At most {MOST_LINES} lines. Split the rule.")
        for number, text in enumerate(texts, 1):
            why = _misread(text, sets)
            if why:
                yield Problem(field, f"Line {number}: {why}")
    for name in sorted(set(rule.switched_off) - rulebook.names(rule.language, files)):
        yield Problem("switched_off", f"There is no rule {name} in this language. See the page of the built-in rules.")


def _misread(text: str, sets: Mapping[str, Any]) -> str:
    """Why a pattern cannot be read, or empty."""
    if len(text) > LONGEST_LINE:
        return f"it is longer than {LONGEST_LINE} characters."
    for group in text.split("&"):
        for chunk in group.split("+"):
            items = [item for item in chunk.split() if item not in ("..", "...")]
            if not items:
                return "there is nothing on one side of a + or &."
            for part in (part for item in items for part in item.split("|")):
                why = _misread_part(part, sets)
                if why:
                    return why
    return ""


def _misread_part(part: str, sets: Mapping[str, Any]) -> str:
    if not part:
        return "there is nothing on one side of a |."
    if part.startswith("<") or part.endswith(">"):
        return "" if part[1:-1] in sets and part[0] == "<" and part[-1] == ">" else f"there is no set {part} in this language."
    if part.endswith("*") and len(part) <= SHORTEST_STEM:
        return f"{part} would match too many words; write at least {SHORTEST_STEM} letters before the *."
    if part.startswith("#"):
        ends = part[1:].split("_")[0].split("-")
        if len(ends) != 2 or not all(end.replace(".", "", 1).isdigit() for end in ends):
            return f"{part} is no range of numbers; write it as #1-12."
    return ""


def _own(rule: Added, fires: Sequence[str], quiet: Sequence[str], books: Sequence[Book]) -> Iterator[Problem]:
    for text in fires if rule.patterns else ():
        if not _by(rule, judge(text, books=books)):
            yield Problem(
                "fires",
                f"The rule does not find “{text}”. Widen a pattern, or see whether a denial or a general question hides it.",
            )
    for text in quiet:
        found = judge(text, books=books)
        if _by(rule, found) or (found.level in LOUD and rule.switched_off):
            yield Problem("quiet", f"The rule alarms on “{text}”, which must stay quiet: it saw {_words(found)}.")


def _by(rule: Added, found: Triage) -> bool:
    return any(each.startswith(f"{rule.rule}.") for each in found.rules)


def _words(found: Triage) -> str:
    return ", ".join(f"“{words}”" for words in found.words)


def _broken(rule: Added, examples: Sequence[Example], before: Sequence[Book], after: Sequence[Book]) -> Iterator[Problem]:
    """Examples of other rules that held and would not hold any more."""
    old, new = _read_by(rule, before), _read_by(rule, after)
    for each in examples:
        signs = tokens(each.text)
        # Most examples are read as before, and a look at one book says so.
        if [name for _, name, _ in triage.found(signs, old)] == [name for _, name, _ in triage.found(signs, new)]:
            continue
        now = judge(each.text, books=after)
        if _holds(each, now) or not _holds(each, judge(each.text, books=before)):
            continue
        if each.fires:
            yield Problem(
                "switched_off", f"Without these rules “{each.text}” is no longer found, and it must be: {each.concept}."
            )
        else:
            yield Problem("patterns", f"The rule alarms on “{each.text}”, which must stay quiet: it saw {_words(now)}.")


def _read_by(rule: Added, books: Sequence[Book]) -> Book:
    return next(book for book in books if book.name == rulebook.book_of(rule.language))


def _holds(example: Example, found: Triage) -> bool:
    named = any(rule.split(".")[1] == example.concept for rule in found.rules)
    if example.fires:
        return named and found.level.severity >= example.level.severity
    return not named and found.level not in LOUD


def built_in(files: Files) -> list[Example]:
    """The examples of the tree, which its tests run too."""
    return [
        Example(text, row["id"], Level(row["level"]), fires)
        for data in files.values()
        for row in data["concepts"]
        for key, fires in (("fires", True), ("quiet", False))
        for text in row[key]
    ]
