"""The house rules of the architecture page, read from the source with `ast`: direction, purity, doors and size."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("knowledge", "conversations", "operations")
PROJECT = ("jeevo", *APPS)
# What each package may import of the others. The composition root is not here: it is wired by the files below.
BELOW = {"knowledge": set[str](), "conversations": {"knowledge"}, "operations": {"conversations", "knowledge"}}
LEAVES = {"jeevo.environment", "jeevo.fields", "jeevo.logging", "jeevo.ids", "jeevo.measures"}
# Backups and standbys need the programs and the account of the embedded server; its two doors take them from here.
_SERVERS = {"jeevo.embedded", "jeevo.embedded_host", "jeevo.embedded_postgres", "jeevo.embedded_programs"}
ALSO = {"operations.postgres": _SERVERS, "operations.servers": _SERVERS}
PURE = {
    *(f"conversations.{name}" for name in ["triage", "rulebook", "rule_check", "phrasing", "lexicon", "wordforms", "language"]),
    *(f"conversations.{name}" for name in ["webhook", "questions", "extractive", "validation", "evidence"]),
    *(f"conversations.{name}" for name in ["draft", "reply_text", "replies", "prompts"]),
    *(f"conversations.{name}" for name in ["gibberish", "off_topic", "follow_ups", "translation_checks"]),
    *(
        f"conversations.{name}"
        for name in ["alignment", "content_words", "exchanges", "grafts", "negation", "quantities", "readable"]
    ),
    *(f"knowledge.{name}" for name in ["chunking", "vocabulary", "passages", "intents", "condensing", "spelling", "ranking"]),
    *(f"knowledge.{name}" for name in ["grouping", "reasons", "leaves"]),
}
HTTP_CLIENTS = {"httpx", "httpcore", "groq", "requests", "urllib3", "aiohttp"}
MAY_CALL_OUT = {"conversations.whatsapp", "conversations.llm", "operations.outbound"}
MAY_START_PROCESSES = {"jeevo.processes", "jeevo.supervisor", "operations.postgres", "knowledge.extraction"}
LONGEST_FUNCTION, LONGEST_FILE = 60, 400
EMPTY_NAMES = {"services", "utils", "helpers", "core", "managers", "handlers"}


@dataclass(frozen=True)
class Import:
    module: str
    line: int
    inside_function: bool


@dataclass(frozen=True)
class Source:
    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def package(self) -> str:
        return self.name.split(".")[0]

    @property
    def imports(self) -> list[Import]:
        return list(_imports(self.tree, self.name, self.path.name == "__init__.py"))


@lru_cache(maxsize=1)
def sources() -> tuple[Source, ...]:
    paths = [path for package in PROJECT for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts]
    return tuple(_source(path) for path in [*paths, ROOT / "manage.py"])


def _source(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return Source(name, path, ast.parse(text), text.count("\n"))


def _imports(tree: ast.Module, name: str, is_package: bool) -> Iterator[Import]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) in inside)
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".") if is_package else name.split(".")[:-1]
            above = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            # `from conversations import llm` names the module conversations.llm; a name that is no module is its package's.
            for alias in node.names:
                yield Import(_module(f"{module}.{alias.name}") or module, node.lineno, id(node) in inside)


def _module(dotted: str) -> str | None:
    place = ROOT.joinpath(*dotted.split("."))
    return dotted if place.with_suffix(".py").is_file() or (place / "__init__.py").is_file() else None


def where(source: Source, each: Import) -> str:
    return f"{source.path.relative_to(ROOT)}:{each.line} imports {each.module}"


def belongs(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_the_reader_of_imports_sees_every_form() -> None:
    tree = ast.parse(
        "import httpx\nfrom conversations import llm, Nothing\nfrom . import intake\n"
        "def late():\n    from knowledge import models\n"
    )
    assert [(each.module, each.inside_function) for each in _imports(tree, "conversations.answering", False)] == [
        ("httpx", False),
        ("conversations.llm", False),
        ("conversations", False),
        ("conversations.intake", False),
        ("knowledge.models", True),
    ]


def test_every_package_of_the_project_is_read() -> None:
    names = {source.name for source in sources()}
    assert names > {"manage", "jeevo.settings", "knowledge.indexing", "conversations.compose", "operations.health"}


@pytest.mark.parametrize("app", APPS)
def test_an_app_imports_only_the_apps_below_it(app: str) -> None:
    forbidden = set(APPS) - BELOW[app] - {app}
    assert [
        where(source, each)
        for source in sources()
        if source.package == app
        for each in source.imports
        if each.module.split(".")[0] in forbidden
    ] == []


def test_nothing_imports_operations() -> None:
    """`jeevo.urls` includes it and `jeevo.apps` names it, both by a string."""
    assert [
        where(source, each)
        for source in sources()
        if source.package != "operations"
        for each in source.imports
        if belongs(each.module, "operations")
    ] == []


def test_an_app_takes_only_the_leaves_of_the_composition_root() -> None:
    assert [
        where(source, each)
        for source in sources()
        if source.package in APPS
        for each in source.imports
        if belongs(each.module, "jeevo") and each.module not in LEAVES | ALSO.get(source.name, set())
    ] == []


@pytest.mark.parametrize("leaf", sorted(LEAVES))
def test_a_leaf_imports_no_app(leaf: str) -> None:
    source = next(source for source in sources() if source.name == leaf)
    assert [where(source, each) for each in source.imports if each.module.split(".")[0] in PROJECT] == []


def test_no_import_of_the_project_hides_in_a_function() -> None:
    assert [
        where(source, each)
        for source in sources()
        if source.name != "manage"  # Django's settings must be named before anything of it is imported
        for each in source.imports
        if each.inside_function and each.module.split(".")[0] in PROJECT
    ] == []


def test_only_the_embedding_model_is_loaded_late() -> None:
    late = {
        (source.name, each.module.split(".")[0])
        for source in sources()
        if source.name != "manage"
        for each in source.imports
        if each.inside_function
    }
    assert late <= {("knowledge.embeddings", "torch"), ("knowledge.embeddings", "sentence_transformers")}


@pytest.mark.parametrize("name", sorted(PURE))
def test_a_pure_module_imports_no_django_and_only_pure_modules(name: str) -> None:
    source = next((source for source in sources() if source.name == name), None)
    assert source is not None, f"{name} is gone; take it off the list"
    foreign = {"django", "rest_framework", "celery", *HTTP_CLIENTS}
    assert [
        where(source, each)
        for each in source.imports
        if each.module.split(".")[0] in foreign or (each.module.split(".")[0] in PROJECT and each.module not in PURE)
    ] == []


def test_http_clients_are_used_only_by_the_modules_that_own_them() -> None:
    assert [
        where(source, each)
        for source in sources()
        if source.name not in MAY_CALL_OUT and not belongs(source.name, "conversations.sandbox")
        for each in source.imports
        if each.module.split(".")[0] in HTTP_CLIENTS
    ] == []


def test_processes_are_started_only_by_the_modules_that_own_them() -> None:
    assert [
        where(source, each)
        for source in sources()
        if source.name not in MAY_START_PROCESSES and not source.name.startswith("jeevo.embedded")
        for each in source.imports
        if each.module.split(".")[0] in {"subprocess", "multiprocessing", "pty"}
    ] == []


def test_no_function_is_longer_than_a_screen() -> None:
    assert [
        f"{source.path.relative_to(ROOT)}:{node.lineno} {node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ] == []


def test_no_file_is_too_long_to_hold_in_mind() -> None:
    assert [f"{source.path.relative_to(ROOT)}: {source.lines} lines" for source in sources() if source.lines > LONGEST_FILE] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [source.name for source in sources() if set(source.name.split(".")) & EMPTY_NAMES] == []


def test_every_module_says_what_it_promises() -> None:
    """Commands, applications and package markers speak through their names."""
    assert [
        source.name
        for source in sources()
        if source.path.stem not in ("apps", "__init__", "manage") and "management" not in source.path.parts
        if source.lines > 12 and not ast.get_docstring(source.tree)
    ] == []
