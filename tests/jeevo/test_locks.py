"""The locks install on a machine without a GPU, and nothing in them is left to chance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
_PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,-]+\])?==(?P<version>[^\s;]+)(?: ; [^\\]+)? \\$")
ASKED_FOR = {
    "django",
    "djangorestframework",
    "django-celery-beat",
    "celery",
    "psycopg",
    "django-redis",
    "pgvector",
    "sentence-transformers",
    "groq",
    "django-prometheus",
    "django-health-check",
    "gunicorn",
}


def entries(lock: str) -> list[str]:
    """One text a requirement, with its continuation lines; comments left out."""
    lines = [line for line in (ROOT / lock).read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: list[str] = []
    for line in lines:
        if line[0].isspace():
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def pins(lock: str) -> dict[str, str]:
    matches = [_PINNED.match(entry.split("\n")[0]) for entry in entries(lock)]
    return {match["name"]: match["version"] for match in matches if match}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_a_hash(lock: str) -> None:
    loose = [
        entry.split("\n")[0]
        for entry in entries(lock)
        if not _PINNED.match(entry.split("\n")[0]) or not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)
    ]
    assert entries(lock)
    assert loose == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_requirement_needs_a_gpu_or_a_special_index(lock: str) -> None:
    """torch has a step of its own in the Makefile: a lock would pin its CUDA packages on every machine."""
    wrong = [
        entry.split("\n")[0]
        for entry in entries(lock)
        if re.search(r"nvidia|cuda|\+cpu|\+cu\d", entry, re.IGNORECASE) or re.match(r"(torch|triton)\b(?!-)", entry)
    ]
    assert wrong == []
    assert not re.search(r"^--(?:extra-)?(?:index-url|find-links)", (ROOT / lock).read_text(), re.MULTILINE)


def test_the_packages_the_project_stands_on_are_all_locked() -> None:
    assert ASKED_FOR - set(pins("requirements.txt")) == set()


def test_the_test_tools_are_locked_for_developers_only() -> None:
    assert {"pytest", "pytest-django", "mypy", "ruff"} <= set(pins("requirements-dev.txt"))
    assert not {"pytest", "pytest-django", "mypy", "ruff"} & set(pins("requirements.txt"))


def test_both_locks_agree_on_every_version() -> None:
    plain, dev = pins("requirements.txt"), pins("requirements-dev.txt")
    assert {name for name in plain if dev.get(name) != plain[name]} == set()


def test_django_is_the_long_supported_one() -> None:
    assert pins("requirements.txt")["django"].startswith("5.2.")
