"""deploy/prometheus and deploy/grafana: valid, complete, about figures that exist, and firing when they should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.http import HttpResponse
from prometheus_client import CollectorRegistry, Metric
from pytest_django import Settings

from jeevo import http_measures, measures
from jeevo.environment import ROOT, Offsite
from operations import merged, metrics, target_list
from operations.target_kinds import Target
from tests.operations.test_merged import work

Middleware: Any = http_measures.HttpMeasures
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
BOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
WORDS = {"by", "on", "or", "and", "unless", "without", "ignoring", "bool"}
# The recording rule that holds the figure of each target.
RECORDED = {
    "webhook": "jeevo:webhook_seconds:median5m",
    "answers": "jeevo:answer_seconds:median10m",
    "search": "jeevo:search_seconds:median10m",
    "database": "jeevo:database_query_seconds:median5m",
    "errors": "jeevo:errors:ratio30m",
    "database_errors": "jeevo:database_errors:ratio30m",
    "timeouts": "jeevo:timeouts:ratio30m",
    "limits": "jeevo:limits:ratio30m",
    "memory": "jeevo:memory:ratio15m",
    "processor": "jeevo:processor:ratio15m",
    "disk": "jeevo:disk:ratio",
    "connections": "jeevo:database_connections:ratio5m",
    "vector_db": "jeevo:vector_db_seconds:median10m",
    "confidence": "jeevo:confidence:median1h",
    "citations": "jeevo:citations:ratio1h",
    "freshness": "jeevo:knowledge_age_days",
}


def rules(kind: str) -> list[dict[str, Any]]:
    found = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in found for rule in group["rules"] if kind in rule]


def panels() -> list[dict[str, Any]]:
    return [panel for path in BOARDS for panel in json.loads(path.read_text())["panels"]]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: rules and alerts were NOT checked (Debian's package prometheus has it)")
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120, check=False)


def named(expression: str) -> set[str]:
    """The metrics that an expression reads."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)", " ", bare)
    found = re.findall(r"(?<![\w.:])([A-Za-z_:][\w:]*)(?!\w*\s*\()", bare)
    return {name for name in found if name not in WORDS}


def test_the_reader_of_expressions_finds_metrics_and_nothing_else() -> None:
    expression = (
        'histogram_quantile(0.5, sum by (le, task) (rate(a_bucket{x="up"}[5m]))) > 1e3 or absent(b) unless on (c) jeevo:d:e5m'
    )
    assert named(expression) == {"a_bucket", "b", "jeevo:d:e5m"}


# Promtool's word


def test_the_rules_are_valid() -> None:
    told = promtool("check", "rules", *map(str, RULES))
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_configuration_is_valid_with_a_token_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token")
    text = (PROMETHEUS / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/metrics_token", "token"))
    shutil.copytree(PROMETHEUS / "rules", tmp_path / "rules")
    told = promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_alert_fires_beyond_its_limit_and_is_quiet_on_this_side_of_it() -> None:
    told = promtool("test", "rules", str(PROMETHEUS / "tests" / "alerts.yml"))
    assert told.returncode == 0, told.stdout + told.stderr


def test_each_alert_is_tested_both_ways() -> None:
    tests = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text())["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    assert {check["alertname"] for check in checks if check["exp_alerts"]} == {rule["alert"] for rule in rules("alert")}
    assert {check["alertname"] for check in checks if not check["exp_alerts"]} == {rule["alert"] for rule in rules("alert")}


@pytest.mark.parametrize("value", ["jeevo.localhost:8000", "alertmanager:9093", "/run/secrets/metrics_token"])
def test_what_differs_elsewhere_stands_in_the_configuration_once(value: str) -> None:
    assert (PROMETHEUS / "prometheus.yml").read_text().count(value) == 1


# Nothing is missing


@pytest.mark.parametrize("target", target_list.ALL, ids=lambda target: target.key)
def test_a_target_has_a_recording_rule_an_alert_with_its_limit_and_a_panel_with_it(target: Target) -> None:
    recorded = RECORDED[target.key]
    assert recorded in {rule["record"] for rule in rules("record")}
    (alert,) = [rule for rule in rules("alert") if recorded in named(rule["expr"])]
    limit = float(re.split(r"[<>]", alert["expr"])[1].split()[0])
    assert limit == pytest.approx(target.limit, abs=0.0011 if target.comparison == "whole" else 0)
    assert ("<" in alert["expr"]) is (target.comparison != "below")
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{target.runbook}.md"
    drawn = [each for each in panels() if any(recorded in named(query["expr"]) for query in each["targets"])]
    steps = [step["value"] for panel in drawn for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    assert target.limit in steps


def test_every_alert_has_a_severity_of_the_guide_and_says_what_is_wrong() -> None:
    for rule in rules("alert"):
        assert rule["labels"]["severity"] in ("1", "2", "3", "4"), rule["alert"]
        assert rule["labels"]["service"] == "jeevo"
        assert re.fullmatch(r"docs/runbooks/[a-z-]+\.md", rule["annotations"]["runbook_url"])
        assert rule["annotations"]["summary"].endswith(".")
        assert "!" not in rule["annotations"]["summary"]


def test_dashboards_are_provisioned_and_read_the_one_data_source() -> None:
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/jeevo.yml").read_text())["providers"][0]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    assert {path.stem for path in BOARDS} == {"service", "answers", "knowledge", "operations"}
    assert {panel["datasource"]["uid"] for panel in panels()} == {source["uid"]}


# Nothing is invented


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metrics")
    work(folder, "web", 1)
    return folder


def names_of(found: Iterator[Metric]) -> set[str]:
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    return {metric.name + ending for metric in found for ending in endings[metric.type]}


@pytest.mark.django_db
def test_every_figure_that_a_rule_or_a_panel_reads_is_there_in_a_scrape(
    processes: Path, settings: Settings, tmp_path: Path
) -> None:
    settings.STORAGES = settings.STORAGES | {"offsite": Offsite(tmp_path.as_uri()).storage}
    CollectorRegistry(auto_describe=True).register(metrics.Everything())  # refuses a name that comes twice
    there = names_of(metrics.Everything().collect()) | names_of(iter(merged.merge(processes, now=0)))
    Middleware(lambda request: HttpResponse())
    there |= names_of(metric for metric in measures.REGISTRY.collect() if metric.name.startswith("django_http_"))
    there |= {"up"} | {rule["record"] for rule in rules("record")}
    asked = {name for rule in (*rules("record"), *rules("alert")) for name in named(rule["expr"])}
    asked |= {name for panel in panels() for query in panel["targets"] for name in named(query["expr"])}
    assert asked - there == set()
    assert len(asked) > 40
