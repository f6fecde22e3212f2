"""The containers run what `make run` runs, wait for one another, and may do no more than they must.

No engine is needed: the files are read, and what they name is looked up in the code.
"""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from jeevo import supervisor
from jeevo.embedded_postgres import INITDB, SETTINGS
from jeevo.environment import read
from tests.jeevo.containers import COMPOSE, OURS, ROOT, SERVICES, command, filled_in

STORES = {"db", "valkey"}
# What stands beside Jeevo only where somebody asks for it: its profile.
BESIDE = sorted(set(SERVICES) - STORES - set(OURS))
MONITORING = {"prometheus", "alertmanager", "grafana"}
PROCESSES = sorted(set(OURS) - {"migrate"})
LOGS = {"elasticsearch", "logs-store", "kibana", "logs-view", "filebeat"}


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
    same = (
        "wal_",
        "summarize_",
        "max_slot_",
        "min_wal_",
        "max_wal_size",
        "log_parameter",
        "log_min",
        "log_statement",
        "log_error",
    )
    assert flags("db") == {name: value for name, value in embedded.items() if name.startswith(same)}
    made_with = set(SERVICES["db"]["environment"]["POSTGRES_INITDB_ARGS"].split())
    assert made_with == {each for each in INITDB if not each.startswith(("--username", "--auth", "--no-instructions"))}


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
