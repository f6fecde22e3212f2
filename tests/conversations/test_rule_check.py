"""A clinician's rule is saved only when every example holds, its own and everybody else's."""

from __future__ import annotations

from typing import Any

import pytest

from conversations import rulebook
from conversations.rule_check import Example, Problem, problems
from conversations.rulebook import Added, Level

FIRES = ("the goat rope is round his neck tight", "she has a rope on her neck and turns pale")
QUIET = ("there is no rope round his neck", "what does a rope burn on the neck look like?")


def a_rule(**fields: Any) -> Added:
    usual = {"key": "own-1", "language": "en", "concept": "choking", "level": Level.EMERGENCY, "patterns": ("rope + neck",)}
    return Added(**usual | fields)


def found(rule: Added, *, fires: tuple[str, ...] = FIRES, quiet: tuple[str, ...] = QUIET, **kept: Any) -> list[Problem]:
    return problems(rule, fires=fires, quiet=quiet, others=kept.get("others", ()), kept=kept.get("kept", ()))


def test_a_rule_whose_examples_hold_has_no_problems() -> None:
    assert found(a_rule()) == []


def test_a_message_that_the_rule_does_not_find_is_named() -> None:
    (problem,) = found(a_rule(), fires=(*FIRES, "the cord is tight"))
    assert problem.field == "fires"
    assert "the cord is tight" in problem.text


def test_a_message_that_must_stay_quiet_and_does_not_is_named_with_the_words() -> None:
    (problem,) = found(a_rule(), quiet=(*QUIET, "my neck hurts since I pulled the rope"))
    assert problem.field == "quiet"
    assert "“neck rope”" in problem.text


def test_a_pattern_too_wide_breaks_the_examples_of_the_tree() -> None:
    wide = found(a_rule(patterns=("rope + neck", "fever")))
    assert {each.field for each in wide} == {"patterns"}
    assert any("must stay quiet" in each.text for each in wide)


def test_switching_off_what_another_example_needs_is_refused() -> None:
    rules = tuple(rule for rule in rulebook.names("en", rulebook.read_files()) if rule.startswith("en.drowning."))
    refused = found(a_rule(patterns=(), concept="drowning", switched_off=rules), fires=())
    assert {each.field for each in refused} == {"switched_off"}
    assert any("drowned" in each.text for each in refused)


def test_the_examples_of_other_added_rules_are_kept_too() -> None:
    mine = Example("the neck of the bottle and the rope", "choking", Level.EMERGENCY, fires=False)
    assert [each.field for each in found(a_rule(), kept=[mine])] == ["patterns"]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("<chst> .. <pain>", "no set <chst>"),
        ("<chest", "no set <chest"),
        ("rope +", "nothing on one side"),
        ("& rope", "nothing on one side"),
        ("rope|", "nothing on one side"),
        ("ro*", "too many words"),
        ("#1to5 days", "no range"),
        ("rope " * 70, "longer than"),
    ],
)
def test_a_pattern_that_cannot_be_read_says_why_and_where(pattern: str, why: str) -> None:
    (problem,) = found(a_rule(patterns=("rope + neck", pattern)))
    assert problem.field == "patterns"
    assert problem.text.startswith("Line 2: ")
    assert why in problem.text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"language": "xx"}, "language"),
        ({"switched_off": ("en.stroke.999",)}, "switched_off"),
        ({"patterns": ()}, "patterns"),
        ({"patterns": ("rope + neck",) * 61}, "patterns"),
    ],
)
def test_what_is_missing_or_unknown_is_said_at_its_field(fields: dict[str, Any], field: str) -> None:
    assert field in {each.field for each in found(a_rule(**fields))}


def test_examples_are_asked_for() -> None:
    assert {each.field for each in found(a_rule(), fires=(), quiet=())} == {"fires", "quiet"}
