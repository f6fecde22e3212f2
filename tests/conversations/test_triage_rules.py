"""The rule files themselves: every example holds, every concept can be answered and has a source."""

import tomllib
from typing import Any

import pytest

from conversations.replies import TEXTS
from conversations.rulebook import RULES, Book, Level, load
from conversations.triage import triage

FILES = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(RULES.glob("*.toml"))}
CONCEPTS = [(name, row) for name, data in FILES.items() for row in data["concepts"]]
FIRES = [(row["id"], row["level"], text) for _, row in CONCEPTS for text in row["fires"]]
QUIET = [(row["id"], text) for _, row in CONCEPTS for text in row["quiet"]]
REQUIRED = {
    "heart_attack",
    "stroke",
    "breathing",
    "choking",
    "bleeding",
    "anaphylaxis",
    "poisoning",
    "seizure",
    "meningitis",
    "sepsis",
    "pregnancy_danger",
    "newborn_danger",
    "dehydration",
    "snake_bite",
    "burns",
    "head_injury",
    "young_baby_fever",
    "diabetic",
    "unconscious",
    "electric_shock",
    "drowning",
    "blue_lips",
    "self_harm",
}


def concepts_of(text: str) -> set[str]:
    return {rule.split(".")[1] for rule in triage(text).rules}


@pytest.mark.parametrize(("concept", "level", "text"), FIRES)
def test_every_example_that_must_fire_does(concept: str, level: str, text: str) -> None:
    assert concept in concepts_of(text)
    assert triage(text).level.severity >= Level(level).severity


@pytest.mark.parametrize(("concept", "text"), QUIET)
def test_every_example_that_must_not_fire_stays_quiet(concept: str, text: str) -> None:
    assert concept not in concepts_of(text)
    assert triage(text).level not in (Level.EMERGENCY, Level.SELF_HARM)


@pytest.mark.parametrize("name", FILES)
def test_every_language_knows_every_required_concept(name: str) -> None:
    assert REQUIRED - {row["id"] for row in FILES[name]["concepts"]} == set()


@pytest.mark.parametrize("language", ["en", "hi", "hi_latn"])
def test_every_emergency_has_three_lines_to_say(language: str) -> None:
    said = tomllib.loads((TEXTS / f"{language}.toml").read_text("utf-8"))["emergency"]
    for name, row in CONCEPTS:
        if row["level"] == Level.EMERGENCY:
            assert len(said[row["id"]]) == 3, f"{name}: {row['id']}"


@pytest.mark.parametrize(("name", "row"), CONCEPTS)
def test_every_concept_has_a_source_and_examples_of_both_kinds(name: str, row: dict[str, Any]) -> None:
    assert row["source"].startswith("https://")
    assert all(row[key] for key in ("patterns", "fires", "quiet"))


@pytest.mark.parametrize("book", load(), ids=lambda book: book.name)
def test_every_pattern_names_only_elements_that_can_match(book: Book) -> None:
    lexicon = book.lexicon
    reachable = set().union(*lexicon.exact.values())
    reachable |= {element for rows in lexicon.prefixes.values() for _, element in rows}
    reachable |= {element for rows in lexicon.phrases.values() for _, element, _ in rows}
    reachable |= {element for *_, element in lexicon.ranges}
    for concept in book.concepts:
        for pattern in (*concept.patterns, *concept.unless):
            assert pattern.needed <= reachable, pattern.rule


def test_rule_ids_are_unique_and_every_file_says_that_it_is_unreviewed() -> None:
    rules = [pattern.rule for book in load() for concept in book.concepts for pattern in concept.patterns]
    assert len(rules) == len(set(rules))
    assert {data["status"] for data in FILES.values()} == {"unreviewed"}
