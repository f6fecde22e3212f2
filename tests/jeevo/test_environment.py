"""A wrong setting stops the start with the variable's name and the remedy, and never shows the value."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jeevo import environment
from jeevo.environment import ROOT, Environment, EnvironmentProblem, Offsite, read

FIELD_KEY = "A" * 43 + "="
LIVE = {
    "JEEVO_MODE": "live",
    "SECRET_KEY": "s" * 60,
    "FIELD_KEYS": FIELD_KEY,
    "INDEX_KEY": "i" * 64,
    "DATABASE_URL": "postgres://jeevo:secret@db/jeevo",
    "REDIS_URL": "redis://cache:6379",
    "ALLOWED_HOSTS": "jeevo.example",
    "PUBLIC_URL": "https://jeevo.example",
    "WHATSAPP_TOKEN": "EAAG-token",
    "WHATSAPP_PHONE_NUMBER_ID": "1234567890",
    "WHATSAPP_APP_SECRET": "app-secret",
    "WHATSAPP_VERIFY_TOKEN": "verify-me",
}


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    return {"JEEVO_DATA_DIR": str(tmp_path / "data"), "JEEVO_KEYS_DIR": str(tmp_path / "keys")}


def problem(source: Mapping[str, str]) -> str:
    with pytest.raises(EnvironmentProblem) as raised:
        read(source)
    return str(raised.value)


def test_nothing_set_is_a_working_sandbox(folders: dict[str, str]) -> None:
    found = read(folders)
    assert found.mode == "sandbox"
    assert (found.database_url, found.redis_url) == (None, None)
    assert (found.second_factor, found.status_page) == ("off", found.data / "status")
    assert (found.web_port, found.sandbox_port) == (8000, 8001)
    assert found.whatsapp.graph_url == "http://127.0.0.1:8001"
    assert found.groq.api_key == ""
    assert found.serve_starter_content is True
    assert found.behind_proxy is False
    assert found.country == "IN"
    assert found.allowed_hosts == ("127.0.0.1", "localhost", "[::1]")


def test_a_full_live_environment_is_read(folders: dict[str, str]) -> None:
    found = read({**LIVE, **folders})
    assert found.mode == "live"
    assert found.whatsapp.token == "EAAG-token"
    assert found.whatsapp.graph_url == "https://graph.facebook.com"
    assert found.second_factor == "operators"
    assert found.allowed_hosts == ("jeevo.example",)
    assert found.serve_starter_content is False
    assert found.behind_proxy is True


GOOD: list[tuple[str, str, str, Any]] = [
    ("WEB_PORT", " 9000 ", "web_port", 9000),
    ("SANDBOX_PORT", "65535", "sandbox_port", 65535),
    ("WEB_THREADS", "64", "web_threads", 64),
    ("ANSWER_WORKERS", "1", "answer_workers", 1),
    ("EMBEDDING_THREADS", "2", "embedding_threads", 2),
    ("BURST_SECONDS", "0.5", "burst_seconds", 0.5),
    ("RAW_PAYLOAD_DAYS", "365", "raw_payload_days", 365),
    ("LOG_LEVEL", "WARNING", "log_level", "WARNING"),
    ("DEFAULT_COUNTRY", "ke", "country", "KE"),
    ("SERVE_STARTER_CONTENT", "no", "serve_starter_content", False),
    ("SERVE_STARTER_CONTENT", "1", "serve_starter_content", True),
    ("BEHIND_PROXY", "yes", "behind_proxy", True),
    ("HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("ALLOWED_HOSTS", "a.example, b.example,", "allowed_hosts", ("a.example", "b.example")),
    ("PUBLIC_URL", "https://jeevo.example/", "public_url", "https://jeevo.example"),
    ("EMBEDDING_MODEL", "/models/e5", "embedding_model", "/models/e5"),
    ("EMERGENCY_NUMBERS", "999", "emergency_numbers", "999"),
    ("HANDOVER_HOURS", "4", "handover_hours", 4),
    ("HEALTH_TOKEN", "letmein", "health_token", "letmein"),
    ("METRICS_TOKEN", "letmein", "metrics_token", "letmein"),
    ("ALERTS_TOKEN", "letmein", "alerts_token", "letmein"),
    ("SECOND_FACTOR", "everybody", "second_factor", "everybody"),
    ("EMAIL_URL", "smtp+tls://a:b@mail.example:587", "email_url", "smtp+tls://a:b@mail.example:587"),
    ("EMAIL_FROM", "help@jeevo.example", "email_from", "help@jeevo.example"),
    ("SERVICE_NAME", "Helpline", "service_name", "Helpline"),
    ("INCIDENT_CONTACT", "incidents@jeevo.example", "incident_contact", "incidents@jeevo.example"),
    ("SUBSCRIBER_NETWORKS", "10.0.0.0/8, 127.0.0.0/8", "subscriber_networks", ("10.0.0.0/8", "127.0.0.0/8")),
    ("OUTSIDE_PING_URL", "https://ping.example/1", "outside_ping_url", "https://ping.example/1"),
    ("OFFSITE_URL", "s3://backups/jeevo/", "offsite", Offsite("s3://backups/jeevo")),
    ("OFFSITE_URL", "file:///mnt/backups", "offsite", Offsite("file:///mnt/backups")),
    ("OFFSITE_ENDPOINT", "https://s3.example/", "offsite", Offsite("", "https://s3.example")),
    ("OFFSITE_REGION", "ap-south-1", "offsite", Offsite("", region="ap-south-1")),
    ("JEEVO_RELEASE", "1.4.2", "release", "1.4.2"),
    ("FIELD_KEYS", f"{FIELD_KEY},{'B' * 43}=", "field_keys", (FIELD_KEY, "B" * 43 + "=")),
]


@pytest.mark.parametrize(("name", "value", "attribute", "expected"), GOOD)
def test_a_good_value_is_taken(folders: dict[str, str], name: str, value: str, attribute: str, expected: object) -> None:
    assert getattr(read({**folders, name: value}), attribute) == expected


def test_groq_is_read_whole(folders: dict[str, str]) -> None:
    groq = read(
        {
            **folders,
            "GROQ_API_KEY": "gsk_1",
            "GROQ_BASE_URL": "http://127.0.0.1:9/",
            "GROQ_MODEL": "llama",
            "GROQ_DEADLINE_SECONDS": "3",
        }
    ).groq
    assert (groq.api_key, groq.base_url, groq.model, groq.deadline_seconds) == ("gsk_1", "http://127.0.0.1:9", "llama", 3)


def test_own_servers_are_taken_as_a_pair(folders: dict[str, str]) -> None:
    found = read({**folders, "DATABASE_URL": "postgresql://u:p@db/jeevo", "REDIS_URL": "rediss://cache:6380/"})
    assert (found.database_url, found.redis_url) == ("postgresql://u:p@db/jeevo", "rediss://cache:6380")


def test_the_key_of_the_storage_and_its_secret_belong_together(folders: dict[str, str]) -> None:
    pair = {"OFFSITE_ACCESS_KEY": "asha", "OFFSITE_SECRET_KEY": "shown-to-nobody"}
    assert read({**folders, **pair}).offsite == Offsite("", "", "asha", "shown-to-nobody")
    for missing in pair:
        said = problem({**folders, **pair, missing: ""})
        assert f"{missing}: must be set too" in said
        assert "shown-to-nobody" not in said


BAD: list[tuple[str, str, str]] = [
    ("JEEVO_MODE", "production-xyz", "sandbox, live"),
    ("WEB_PORT", "80O0xyz", "number from 1 to 65535"),
    ("SECOND_FACTOR", "sometimes-xyz", "off, operators, everybody"),
    ("EMAIL_URL", "mail-xyz.example", "smtp://"),
    ("SUBSCRIBER_NETWORKS", "10.0.0.0/99xyz", "10.20.0.0/16"),
    ("OUTSIDE_PING_URL", "ftp-xyz", "http://"),
    ("OFFSITE_URL", "/mnt/xyz", "s3://bucket/prefix"),
    ("OFFSITE_ENDPOINT", "s3-xyz", "http://"),
    ("WEB_PORT", "70000", "lie from 1 to 65535"),
    ("SANDBOX_PORT", "-41", "lie from 1"),
    ("WEB_THREADS", "2.75", "whole number"),
    ("WEB_THREADS", "0", "lie from 1 to 64"),
    ("ANSWER_WORKERS", "many-xyz", "number from 1 to 64"),
    ("EMBEDDING_THREADS", "999", "lie from 1 to 64"),
    ("BURST_SECONDS", "11.25", "lie from 0 to 10"),
    ("BURST_SECONDS", "nan", "from 0 to 10"),
    ("RAW_PAYLOAD_DAYS", "366", "lie from 1 to 365"),
    ("GROQ_DEADLINE_SECONDS", "60", "lie from 1 to 18"),
    ("GROQ_BASE_URL", "api.groq-xyz.com", "http:// or https://"),
    ("WHATSAPP_GRAPH_URL", "graph-xyz", "http:// or https://"),
    ("LOG_LEVEL", "LOUD-xyz", "DEBUG, INFO"),
    ("SERVE_STARTER_CONTENT", "maybe-xyz", "true, false"),
    ("BEHIND_PROXY", "TRUE-xyz", "true, false"),
    ("DEFAULT_COUNTRY", "India-xyz", "two-letter"),
    ("FIELD_KEYS", "short-xyz", "32 bytes in URL-safe base64"),
    ("PUBLIC_URL", "jeevo-xyz.example", "http:// or https://"),
    ("DATABASE_URL", "mysql://xyz@db/jeevo", "postgres://"),
    ("REDIS_URL", "http://xyz", "redis://"),
    ("WHATSAPP_TOKEN", "EAAG-xyz", "JEEVO_MODE=live"),
]


@pytest.mark.parametrize(("name", "value", "remedy"), BAD)
def test_a_bad_value_is_refused_by_name_with_a_remedy_and_unseen(
    folders: dict[str, str], name: str, value: str, remedy: str
) -> None:
    message = problem({**folders, name: value})
    line = next(line for line in message.splitlines() if line.strip().startswith(f"{name}:"))
    assert remedy in line
    assert not re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", message)


def test_every_problem_is_told_at_once(folders: dict[str, str]) -> None:
    message = problem({**folders, "WEB_PORT": "x", "LOG_LEVEL": "x", "DEFAULT_COUNTRY": "xyz"})
    assert {line.split(":")[0].strip() for line in message.splitlines()[1:]} == {"DEFAULT_COUNTRY", "WEB_PORT", "LOG_LEVEL"}


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "FIELD_KEYS", "INDEX_KEY", *environment.LIVE_WHATSAPP, "ALLOWED_HOSTS", "PUBLIC_URL"]
)
def test_live_refuses_to_start_without(folders: dict[str, str], name: str) -> None:
    message = problem({**LIVE, **folders, name: ""})
    assert f"{name}: must" in message
    assert "s" * 60 not in message
    assert "app-secret" not in message


def test_live_makes_no_secret_of_its_own(folders: dict[str, str]) -> None:
    read({**LIVE, **folders})
    problem({**LIVE, **folders, "SECRET_KEY": ""})
    assert not Path(folders["JEEVO_KEYS_DIR"]).exists()


def test_live_wants_an_encrypted_public_address(folders: dict[str, str]) -> None:
    assert "PUBLIC_URL: must be the https:// address" in problem({**LIVE, **folders, "PUBLIC_URL": "http://jeevo.example"})


@pytest.mark.parametrize(("given", "missing"), [("DATABASE_URL", "REDIS_URL"), ("REDIS_URL", "DATABASE_URL")])
def test_one_server_of_the_pair_asks_for_the_other(folders: dict[str, str], given: str, missing: str) -> None:
    assert f"{missing}: must be set too" in problem({**folders, given: LIVE[given]})


def test_a_database_number_in_the_redis_address_is_refused(folders: dict[str, str]) -> None:
    message = problem({**folders, "DATABASE_URL": LIVE["DATABASE_URL"], "REDIS_URL": "redis://cache:6379/3"})
    assert "REDIS_URL: must not name a database number" in message


@pytest.mark.parametrize("keys", ["data", "data/keys", "data/deep/er"])
def test_keys_may_not_lie_inside_the_data(tmp_path: Path, keys: str) -> None:
    message = problem({"JEEVO_DATA_DIR": str(tmp_path / "data"), "JEEVO_KEYS_DIR": str(tmp_path / keys)})
    assert "JEEVO_KEYS_DIR: must lie outside JEEVO_DATA_DIR" in message


def test_generated_secrets_are_kept_and_for_the_owner_only(folders: dict[str, str]) -> None:
    first, second = read(folders), read(folders)
    keys = Path(folders["JEEVO_KEYS_DIR"])
    assert secrets(first) == secrets(second)
    assert len(set(secrets(first))) == 4
    assert {path.name for path in keys.iterdir()} == {"secret_key", "field_keys", "index_key", "sandbox_secret"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()} == {0o600}
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700


def secrets(found: Environment) -> tuple[str, ...]:
    return (found.secret_key, found.field_keys[0], found.index_key, found.whatsapp.app_secrets[0])


def test_two_installations_do_not_share_a_secret(tmp_path: Path) -> None:
    def made(name: str) -> tuple[str, ...]:
        return secrets(read({"JEEVO_DATA_DIR": str(tmp_path / name / "data"), "JEEVO_KEYS_DIR": str(tmp_path / name / "keys")}))

    assert not set(made("one")) & set(made("two"))


def test_the_token_of_the_sandbox_cannot_be_taken_for_a_real_one(folders: dict[str, str]) -> None:
    found = read(folders).whatsapp
    assert found.token.startswith("sandbox-")
    assert found.app_secrets[0] not in found.token


def test_several_app_secrets_allow_a_rotation(folders: dict[str, str]) -> None:
    found = read({**LIVE, **folders, "WHATSAPP_APP_SECRET": "new-one, old-one"})
    assert found.whatsapp.app_secrets == ("new-one", "old-one")


def test_the_module_prints_secrets_that_live_accepts(folders: dict[str, str]) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "jeevo.environment"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    fresh = dict(line.split("=", 1) for line in printed.split())
    assert set(fresh) == {"SECRET_KEY", "FIELD_KEYS", "INDEX_KEY"}
    assert read({**LIVE, **folders, **fresh}).index_key == fresh["INDEX_KEY"]


def test_a_variable_that_is_set_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("HANDOVER_HOURS=1\nEMERGENCY_NUMBERS=999\n")
    monkeypatch.setenv("HANDOVER_HOURS", "3")
    monkeypatch.setenv("EMERGENCY_NUMBERS", "")
    monkeypatch.delenv("EMERGENCY_NUMBERS")
    environment.load_dotenv(tmp_path / ".env")
    try:
        assert os.environ["HANDOVER_HOURS"] == "3"
        assert os.environ["EMERGENCY_NUMBERS"] == "999"
    finally:
        monkeypatch.delenv("EMERGENCY_NUMBERS", raising=False)


def names_read() -> set[str]:
    """The literals in capitals that environment.py hands to its reader."""
    tree = ast.parse((ROOT / "jeevo" / "environment.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    literals = {arg.value for call in calls for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return {name for name in literals if re.fullmatch(r"[A-Z]{2,}(?:_[A-Z]+)*", name)} - {"INFO", "IN"}


def test_the_example_names_every_variable_and_no_other() -> None:
    example = ROOT / ".env.example"
    if not example.is_file():
        pytest.skip(".env.example is not written yet")
    named = set(re.findall(r"^#?\s?([A-Z][A-Z_]+)=", example.read_text(), re.MULTILINE))
    assert named == names_read()


def test_the_reader_of_names_finds_what_the_program_reads() -> None:
    assert names_read() >= {name for name, *_ in GOOD} | {name for name, *_ in BAD} | set(LIVE)
