"""No secret is written in the containers' files, and the variables of `.env.example` start what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jeevo.environment import LIVE_WHATSAPP, read
from tests.jeevo.containers import COMPOSE, COMPOSE_TEXT, ROOT, SERVICES, VARIABLE, filled_in

SECRET_NAMES = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY|FIELD_KEYS|INDEX_KEY|AUTH$")


def named_values(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from named_values(value, str(key))
    elif isinstance(node, list):
        for value in node:
            yield from named_values(value, name)
    else:
        yield name, str(node)


def test_no_secret_is_written_in_the_file() -> None:
    literal = [name for name, value in named_values(COMPOSE) if SECRET_NAMES.search(name) and VARIABLE.sub("", value)]
    # The path of a file that holds one.
    assert [name for name in literal if not name.endswith("__FILE")] == []
    in_addresses = re.findall(r"://[\w$]*:([^@\s]+)@", VARIABLE.sub("", COMPOSE_TEXT.replace("$$", "")))
    assert in_addresses == []


def test_passwords_and_hosts_are_required() -> None:
    required = {found[1] for found in VARIABLE.finditer(COMPOSE_TEXT) if found[2] == ":?"}
    assert required == {"POSTGRES_PASSWORD", "DATABASE_PASSWORD", "VALKEY_PASSWORD", "ALLOWED_HOSTS"}


def test_every_variable_of_the_file_is_in_the_example() -> None:
    used = {found[1] for found in VARIABLE.finditer(COMPOSE_TEXT)}
    named = set(re.findall(r"^#?\s*([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used <= named


def assignments(text: str) -> dict[str, str]:
    return {name: value.strip() for name, value in re.findall(r"^([A-Z][A-Z_]+)=(.*)$", text, re.MULTILINE)}


def test_the_example_is_a_live_service_once_its_empty_lines_are_filled(tmp_path: Path) -> None:
    example = assignments((ROOT / ".env.example").read_text())
    assert [name for name, value in example.items() if value and SECRET_NAMES.search(name)] == []
    fresh = subprocess.run([sys.executable, "-m", "jeevo.environment"], cwd=ROOT, capture_output=True, text=True, check=True)
    empty = {name: "filled-in" for name, value in example.items() if not value and name not in ("DATABASE_URL", "REDIS_URL")}
    folders = {"JEEVO_DATA_DIR": str(tmp_path / "data"), "JEEVO_KEYS_DIR": str(tmp_path / "keys")}
    environment = read({**example, **empty, **assignments(fresh.stdout), **folders})
    assert environment.mode == "live"


def test_the_defaults_in_the_example_are_the_defaults(tmp_path: Path) -> None:
    shown = dict(re.findall(r"^# ([A-Z][A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    examples_only = {"EMERGENCY_NUMBERS", "JEEVO_DATA_DIR", "JEEVO_KEYS_DIR", "STATUS_PAGE_DIR", "JEEVO_RELEASE"}
    examples_only |= {"EMAIL_URL", "INCIDENT_CONTACT", "SUBSCRIBER_NETWORKS", "OUTSIDE_PING_URL"}
    examples_only |= {"OFFSITE_URL", "OFFSITE_ENDPOINT", "OFFSITE_REGION"}
    live = assignments((ROOT / ".env.example").read_text()) | dict.fromkeys(LIVE_WHATSAPP, "x")
    live |= {"SECRET_KEY": "x", "INDEX_KEY": "x", "FIELD_KEYS": "A" * 43 + "="}
    live |= {"JEEVO_DATA_DIR": str(tmp_path / "data"), "JEEVO_KEYS_DIR": str(tmp_path / "keys")}
    explicit = {name: value for name, value in shown.items() if name not in examples_only}
    assert read({**live, **explicit}) == read(live)


def test_the_sandbox_s_variables_start_a_sandbox(tmp_path: Path) -> None:
    script = ["sh", str(ROOT / "deploy/docker/sandbox-env")]
    printed = [assignments(subprocess.run(script, capture_output=True, text=True, check=True).stdout) for _ in range(2)]
    assert all(len(printed[0][name]) == 48 for name in ("POSTGRES_PASSWORD", "DATABASE_PASSWORD", "VALKEY_PASSWORD"))
    assert all(printed[0][name] != printed[1][name] for name in printed[0] if name.endswith("PASSWORD"))
    folders = {"JEEVO_DATA_DIR": str(tmp_path / "data"), "JEEVO_KEYS_DIR": str(tmp_path / "keys")}
    environment = read({**printed[0], **folders})
    port = filled_in(SERVICES["sandbox"]["environment"]["SANDBOX_PORT"])
    assert environment.mode == "sandbox"
    assert environment.whatsapp.graph_url == f"http://sandbox:{port}"
    # The workers call `sandbox`, the sandbox calls the alias of `web`.
    alias = SERVICES["web"]["networks"]["default"]["aliases"][0]
    assert {"sandbox", alias} <= set(environment.allowed_hosts)
    assert filled_in(SERVICES["sandbox"]["environment"]["PUBLIC_URL"]) == f"http://{alias}:8000"
