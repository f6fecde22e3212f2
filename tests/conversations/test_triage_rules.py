"""The rule files themselves: every example holds, every concept can be answered and has a source."""

import tomllib
from typing import Any

import pytest

from conversations.replies import TEXTS
from conversations.rulebook import RULES, Book, Level, load
from conversations.triage import Triage, triage

FILES = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(RULES.glob("*.toml"))}
CONCEPTS = [(name, row) for name, data in FILES.items() for row in data["concepts"]]
IDS = [f"{name}-{row['id']}" for name, row in CONCEPTS]
LOUD = (Level.EMERGENCY, Level.SELF_HARM, Level.UNSAFE)
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


def concepts_of(found: Triage) -> set[str]:
    return {rule.split(".")[1] for rule in found.rules}


@pytest.mark.parametrize(("name", "row"), CONCEPTS, ids=IDS)
def test_every_example_that_must_fire_does(name: str, row: dict[str, Any]) -> None:
    found = {text: triage(text) for text in row["fires"]}
    assert [text for text in found if row["id"] not in concepts_of(found[text])] == []
    assert [text for text, said in found.items() if said.level.severity < Level(row["level"]).severity] == []


@pytest.mark.parametrize(("name", "row"), CONCEPTS, ids=IDS)
def test_every_example_that_must_not_fire_stays_quiet(name: str, row: dict[str, Any]) -> None:
    found = {text: triage(text) for text in row["quiet"]}
    assert [text for text in found if row["id"] in concepts_of(found[text])] == []
    assert [text for text, said in found.items() if said.level in LOUD] == []


@pytest.mark.parametrize("name", FILES)
def test_every_language_knows_every_required_concept(name: str) -> None:
    assert REQUIRED - {row["id"] for row in FILES[name]["concepts"]} == set()


@pytest.mark.parametrize("language", sorted(path.stem for path in TEXTS.glob("*.toml")))
def test_every_emergency_has_three_lines_to_say(language: str) -> None:
    said = tomllib.loads((TEXTS / f"{language}.toml").read_text("utf-8"))["emergency"]
    for name, row in CONCEPTS:
        if row["level"] == Level.EMERGENCY:
            assert len(said[row["id"]]) == 3, f"{name}: {row['id']}"


@pytest.mark.parametrize(("name", "row"), CONCEPTS, ids=IDS)
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
