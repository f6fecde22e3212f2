"""The containers run what `make run` runs, carry no secret, and can be started from `.env.example`.

No engine is needed: the files are read, and what they name is looked up in the code.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from jeevo import supervisor
from jeevo.embedded_postgres import SETTINGS
from jeevo.environment import LIVE_WHATSAPP, read

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STORES = {"db", "valkey"}
OURS = sorted(name for name, each in SERVICES.items() if each["image"].startswith("jeevo:"))
# What stands beside Jeevo only where somebody asks for it: its profile.
BESIDE = sorted(set(SERVICES) - STORES - set(OURS))
MONITORING = {"prometheus", "alertmanager", "grafana"}
PROCESSES = sorted(set(OURS) - {"migrate"})
SECRET_NAMES = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY|FIELD_KEYS|INDEX_KEY|AUTH$")
LOGS = {"elasticsearch", "logs-store", "kibana", "logs-view", "filebeat"}
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?:(:?[-?+])([^}]*))?\}")


def filled_in(text: str) -> str:
    """As compose would with only defaults to go by."""
    return VARIABLE.sub(lambda found: found[3] if found[2] in (":-", "-") else "", text)


def command(service: str) -> list[str]:
    return [filled_in(each) for each in SERVICES[service]["command"]]


def flags(service: str) -> dict[str, str]:
    """The settings that a `-c name=value` command gives a PostgreSQL server."""
    return dict(each.split("=", 1) for each in SERVICES[service]["command"] if "=" in each)


@pytest.fixture
def children(tmp_path: Path) -> dict[str, list[str]]:
    """What the supervisor starts for the same settings, by name, without the interpreter's path."""
    environment = read({"JEEVO_DATA_DIR": str(tmp_path / "data"), "JEEVO_KEYS_DIR": str(tmp_path / "keys"), "HOST": "0.0.0.0"})
    return {child.name: ["python", *child.argv[1:]] for child in supervisor.children(environment)}


# ---- the services


def test_there_is_a_service_for_every_process_of_the_supervisor(children: dict[str, list[str]]) -> None:
    assert sorted(children) == PROCESSES


@pytest.mark.parametrize("service", PROCESSES)
def test_a_service_runs_the_command_of_the_supervisor(service: str, children: dict[str, list[str]]) -> None:
    theirs = [each.replace(str(ROOT) + os.sep, "") for each in children[service]]
    # The sandbox listens on every address of its container; on one machine it is for that machine only.
    theirs = [each.replace("127.0.0.1:", "0.0.0.0:") for each in theirs]
    assert sorted(command(service)) == sorted(theirs)


@pytest.mark.parametrize("service", OURS)
def test_every_command_names_a_program_that_exists(service: str) -> None:
    program, first, *rest = command(service)
    assert program == "python"
    if first == "-m":
        assert importlib.util.find_spec(rest[0]) is not None
    else:
        assert first == "manage.py"
        assert rest[0] in get_commands()
    for module in (each.split(":")[0] for each in rest if re.fullmatch(r"[a-z_.]+:[A-Za-z]+", each)):
        assert importlib.util.find_spec(module) is not None
    for path in (each for each in rest if each.endswith(".py")):
        assert (ROOT / path).is_file()


@pytest.mark.parametrize("service", OURS)
def test_a_process_knows_its_name(service: str) -> None:
    assert SERVICES[service]["environment"]["JEEVO_PROCESS"] == service


def test_there_is_a_worker_for_every_queue() -> None:
    queues = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()} | {settings.CELERY_TASK_DEFAULT_QUEUE}
    lanes = {command(each)[command(each).index("-Q") + 1] for each in PROCESSES if each.startswith("worker-")}
    assert lanes == queues
    assert all(command(f"worker-{lane}")[command(f"worker-{lane}").index("-n") + 1] == f"{lane}@%h" for lane in lanes)


# ---- order, restarts, rights


@pytest.mark.parametrize("service", PROCESSES)
def test_a_process_waits_for_the_tables_and_comes_back(service: str) -> None:
    assert SERVICES[service]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES[service]["restart"] == "unless-stopped"


def test_migrate_runs_once_after_both_stores_answer() -> None:
    assert SERVICES["migrate"]["depends_on"] == {name: {"condition": "service_healthy"} for name in sorted(STORES)}
    assert SERVICES["migrate"]["restart"] == "no"


@pytest.mark.parametrize("service", OURS)
def test_a_process_may_do_no_more_than_it_must(service: str) -> None:
    found = SERVICES[service]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["init"] is True
    assert "stop_grace_period" in found


def test_the_superuser_of_the_database_is_unknown_to_the_processes() -> None:
    assert {SERVICES[each]["environment"]["POSTGRES_PASSWORD"] for each in OURS} == {""}


def test_ports_are_published_to_this_machine_only() -> None:
    published = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert set(published) == {"web", "sandbox", "kibana", *MONITORING}
    assert all(filled_in(port).startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_the_sandbox_and_what_stands_beside_jeevo_start_only_when_asked_for() -> None:
    profiles = {name: each["profiles"] for name, each in SERVICES.items() if "profiles" in each}
    assert set(profiles) == {"sandbox", *BESIDE}
    assert profiles["sandbox"] == ["sandbox"]
    assert {name for name, each in profiles.items() if each == ["logs"]} == LOGS
    assert {name for name, each in profiles.items() if each == ["monitoring"]} == MONITORING


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_no_container_fills_the_disk_with_its_lines(service: str) -> None:
    found = SERVICES[service]["logging"]
    assert found["driver"] == "json-file"
    assert found["options"]["max-size"] == "5m"
    assert int(found["options"]["max-file"]) <= 5


# ---- the stores


def test_the_database_keeps_its_data_where_postgres_18_puts_it() -> None:
    assert SERVICES["db"]["image"].endswith(":pg18")
    volumes = dict(each.split(":", 1) for each in SERVICES["db"]["volumes"])
    assert volumes["database"] == "/var/lib/postgresql"


def test_the_database_is_ready_for_backups_and_logs_no_words() -> None:
    embedded = dict(re.findall(r"^(\w+) = '?([^'\n]*)'?$", SETTINGS, re.MULTILINE))
    same = ("wal_", "summarize_", "log_parameter", "log_min", "log_statement", "log_error")
    assert flags("db") == {name: value for name, value in embedded.items() if name.startswith(same)}


@pytest.mark.parametrize("store", sorted(STORES))
def test_a_store_says_when_it_is_ready_and_keeps_its_data(store: str) -> None:
    assert SERVICES[store]["healthcheck"]["test"]
    kept = {each.split(":")[0] for each in SERVICES[store]["volumes"]}
    assert kept & set(COMPOSE["volumes"])


def test_valkey_forgets_nothing_and_shows_no_password() -> None:
    script = SERVICES["valkey"]["command"][-1]
    first, rest = script.split("\n", 1)
    assert "--appendonly yes" in first
    assert "--maxmemory-policy noeviction" in first
    assert "requirepass" not in first
    assert "requirepass $$REDISCLI_AUTH" in rest


@pytest.mark.parametrize("service", [*sorted(STORES), *BESIDE])
def test_an_image_is_pinned_by_its_tag(service: str) -> None:
    assert re.fullmatch(r"[\w./-]+:\S*\d\S*", SERVICES[service]["image"])


# ---- the monitoring


@pytest.mark.parametrize("service", sorted(MONITORING))
def test_the_monitoring_reads_files_that_exist_and_keeps_its_data(service: str) -> None:
    volumes = [each.split(":") for each in SERVICES[service]["volumes"]]
    files = [each for each in volumes if each[0].startswith("./")]
    assert files
    assert all((ROOT / each[0]).exists() and each[2:] == ["ro"] for each in files)
    assert {each[0] for each in volumes} & set(COMPOSE["volumes"])


@pytest.mark.parametrize("service", sorted(MONITORING))
def test_the_monitoring_gets_its_secret_as_a_file_and_may_do_no_more_than_it_must(service: str) -> None:
    (secret,) = SERVICES[service]["secrets"]
    assert COMPOSE["secrets"][secret] == {"environment": secret.upper()}
    assert f"/run/secrets/{secret}" in monitoring_text(service)
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]


def monitoring_text(service: str) -> str:
    """What the service is told: its lines here and the files it reads."""
    files = [ROOT / each.split(":")[0] for each in SERVICES[service]["volumes"] if each.startswith("./")]
    return str(SERVICES[service]) + "".join(each.read_text() for each in files if each.is_file())


def test_prometheus_and_alertmanager_reach_jeevo_by_a_name_it_answers_to() -> None:
    alias = SERVICES["web"]["networks"]["default"]["aliases"][0]
    assert SERVICES["web"]["environment"]["ALLOWED_HOSTS"].endswith(f",{alias}")
    assert f'["{alias}:8000"]' in monitoring_text("prometheus")
    assert f"http://{alias}:8000/api/alerts" in monitoring_text("alertmanager")


def test_grafana_s_password_is_unknown_to_the_processes() -> None:
    assert {SERVICES[each]["environment"]["GRAFANA_PASSWORD"] for each in OURS} == {""}


# ---- secrets and variables


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


# ---- the image


def stages() -> list[list[str]]:
    """The instructions of each stage, continuation lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    instructions = re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()
    found: list[list[str]] = []
    for each in instructions:
        if each.startswith("FROM "):
            found.append([])
        found[-1].append(each)
    return found


def test_every_base_image_is_pinned_to_python_3_11() -> None:
    assert [stage[0].split()[1] for stage in stages()] == ["python:3.11-slim-bookworm"] * len(stages())
    assert len(stages()) > 1


def test_the_image_ends_as_an_account_without_rights() -> None:
    last = stages()[-1]
    users = [each.split()[1] for each in last if each.startswith("USER ")]
    assert users
    assert users[-1].split(":")[0] not in ("root", "0")
    after = last[last.index(f"USER {users[-1]}") + 1 :]
    assert not [each for each in after if each.startswith(("RUN", "COPY", "ADD"))]
    assert "--shell /usr/sbin/nologin" in "\n".join(last)


def test_the_image_has_a_health_check_and_starts_without_a_shell() -> None:
    last = stages()[-1]
    assert any(each.startswith("HEALTHCHECK ") for each in last)
    assert [each for each in last if re.match(r"(CMD|ENTRYPOINT) (?!\[)", each)] == []
    assert last[-1] == "CMD " + re.sub(r"'", '"', str(command("web")))


def test_torch_is_installed_by_its_own_step_from_an_index_that_can_be_chosen() -> None:
    build = stages()[0]
    assert "ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu" in build
    version = re.search(r'"(torch==[\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert version is not None
    step = next(each for each in build if "install torch" in each)
    assert version[1] in step
    assert "${TORCH_INDEX:+--index-url" in step
    assert SERVICES["web"]["build"]["args"]["TORCH_INDEX"] == "${TORCH_INDEX-https://download.pytorch.org/whl/cpu}"


def test_the_lock_is_installed_as_make_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    uv = re.search(r"^UV_VERSION := (.+)$", makefile, re.MULTILINE)
    assert uv is not None
    assert f"ARG UV_VERSION={uv[1]}" in DOCKERFILE
    assert all("--no-deps --require-hashes" in text for text in (makefile, DOCKERFILE))


@pytest.mark.parametrize("path", [".env", ".git", ".venv", ".jeevo", "tests"])
def test_what_is_private_or_idle_stays_out_of_the_image(path: str) -> None:
    assert path in (ROOT / ".dockerignore").read_text().splitlines()


def test_what_the_program_reads_gets_into_the_image() -> None:
    rules = {line.strip() for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")}
    needed = {"pyproject.toml", "requirements.txt", "manage.py", "static", "templates", "deploy", "jeevo", "knowledge"}
    assert not rules & (needed | {"*.md", "**/*.md"})


# ---- the probe


class Web(BaseHTTPRequestHandler):
    """Answers /health/live to the one host name it is served under, like Django."""

    def do_GET(self) -> None:
        good = self.headers["Host"] == "helpline.example.org" and self.path == "/health/live"
        self.send_response(200 if good else 400)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def web() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield str(server.server_port)
        server.shutdown()
        thread.join()


def probe(port: str, hosts: str) -> int:
    variables = {"WEB_PORT": port, "ALLOWED_HOSTS": hosts, "http_proxy": "http://127.0.0.1:1"}
    return subprocess.run([sys.executable, "deploy/docker/healthcheck.py"], cwd=ROOT, env=variables, timeout=30).returncode


def test_the_probe_asks_under_the_name_the_service_has(web: str) -> None:
    assert probe(web, "helpline.example.org, other.example.org") == 0


def test_the_probe_fails_where_the_answer_is_not_200(web: str) -> None:
    assert probe(web, "other.example.org") == 1


def test_the_probe_fails_where_nobody_listens() -> None:
    assert probe("1", "helpline.example.org") == 1


def test_the_health_check_of_the_service_is_the_image_s() -> None:
    program = SERVICES["web"]["healthcheck"]["test"][1:]
    assert (ROOT / program[1]).is_file()
    assert all(each in DOCKERFILE for each in program)
    others = [each for each in OURS if each != "web"]
    assert all(SERVICES[each]["healthcheck"] == {"disable": True} for each in others)
