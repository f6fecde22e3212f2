"""The optional search over all logs: its files are whole, agree with each other and with the lines, and are loaded as they lie.

No engine and no Elasticsearch is needed: the files are read, and the script talks to a server of this test.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from jeevo.logging import _KEPT_KEYS

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
FILEBEAT: dict[str, Any] = yaml.safe_load((DEPLOY / "filebeat/filebeat.yml").read_text())
TEMPLATE: dict[str, Any] = json.loads((DEPLOY / "elasticsearch/template.json").read_text())
POLICY: dict[str, Any] = json.loads((DEPLOY / "elasticsearch/policy.json").read_text())
SAVED: list[dict[str, Any]] = [json.loads(line) for line in (DEPLOY / "kibana/saved-view.ndjson").read_text().splitlines()]
FIELDS: dict[str, Any] = TEMPLATE["template"]["mappings"]["properties"]["jeevo"]["properties"]
INPUT: dict[str, Any] = FILEBEAT["filebeat.inputs"][0]
PASSWORD = "example7secret"


def processor(name: str) -> list[dict[str, Any]]:
    return [each[name] for each in INPUT["processors"] if name in each]


# ---- the lines


def test_only_containers_of_jeevo_are_read_and_the_search_does_not_read_itself() -> None:
    wanted = processor("drop_event")[0]["when"]["not"]["regexp"]["docker.attrs.tag"]
    tagged = {name for name, each in SERVICES.items() if "tag" in each["logging"]["options"]}
    assert {SERVICES[name]["logging"]["options"]["tag"] for name in tagged} == {"{{.Name}}"}
    assert all(re.search(wanted, f"jeevo-{name}-1") for name in tagged)
    assert not re.search(wanted, "shop-web-1")
    assert {"web", "dispatcher", "watcher", "worker-answers", "beat", "db", "valkey"} <= tagged
    assert not tagged & {"elasticsearch", "kibana", "filebeat", "logs-store", "logs-view"}


def test_a_line_of_ours_is_taken_apart_and_another_stays_as_it_is() -> None:
    (decoded,) = processor("decode_json_fields")
    begins = decoded["when"]["regexp"]["message"]
    assert re.search(begins, '{"event": "message stored"}')
    assert not re.search(begins, "2026-11-27 10:00:00 UTC LOG:  checkpoint starting")
    assert decoded["target"] == "jeevo"
    assert {"fields": ["message"], "when": {"has_fields": ["jeevo.event"]}} in processor("drop_fields")


def test_the_time_of_a_line_is_read_as_it_is_written() -> None:
    (time,) = processor("timestamp")
    assert time["field"] == "jeevo.timestamp"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time["test"][0])
    assert time["layouts"] == ["2006-01-02T15:04:05.999999Z"]


def test_every_key_that_lines_are_found_by_has_its_place_in_the_template() -> None:
    assert set(FIELDS) >= _KEPT_KEYS | {"event", "error", "at", "level"}
    assert FIELDS["request_id"] == {"type": "keyword"}
    assert FIELDS["timestamp"] == {"type": "date"}
    assert FIELDS["event"]["fields"]["keyword"]["type"] == "keyword"


# ---- where they go


def test_names_agree_from_the_reader_to_the_view() -> None:
    index = FILEBEAT["output.elasticsearch"]["index"]
    (pattern,) = TEMPLATE["index_patterns"]
    role = json.loads((DEPLOY / "elasticsearch/role.json").read_text())
    view = next(each for each in SAVED if each["type"] == "index-pattern")
    assert index.startswith(pattern.rstrip("*"))
    assert role["indices"][0]["names"] == [pattern] == [view["attributes"]["title"]]
    assert "data_stream" in TEMPLATE
    assert TEMPLATE["template"]["settings"]["index.lifecycle.name"] == index
    assert view["attributes"]["timeFieldName"] == "@timestamp"


def test_lines_are_gone_after_thirty_days() -> None:
    phases = POLICY["policy"]["phases"]
    assert phases["delete"] == {"min_age": "30d", "actions": {"delete": {}}}
    assert phases["hot"]["actions"]["rollover"]["max_age"] == "1d"


def test_the_reader_may_add_lines_and_nothing_else() -> None:
    role = json.loads((DEPLOY / "elasticsearch/role.json").read_text())
    assert set(role["indices"][0]["privileges"]) == {"auto_configure", "create_doc", "view_index_metadata"}
    assert FILEBEAT["setup.template.enabled"] is False
    assert FILEBEAT["setup.ilm.enabled"] is False


def test_a_saved_search_shows_columns_that_exist_and_stands_on_the_view() -> None:
    searches = [each for each in SAVED if each["type"] == "search"]
    assert len(searches) == 2
    for each in searches:
        assert {column.removeprefix("jeevo.") for column in each["attributes"]["columns"]} <= set(FIELDS)
        source = json.loads(each["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        (found,) = each["references"]
        assert source["indexRefName"] == found["name"]
        assert found["id"] in {one["id"] for one in SAVED if one["type"] == "index-pattern"}
        assert set(re.findall(r"jeevo\.(\w+)", source["query"]["query"])) <= set(FIELDS)


# ---- the containers


def test_the_search_is_for_this_machine_and_asks_for_a_password() -> None:
    elasticsearch, kibana = SERVICES["elasticsearch"], SERVICES["kibana"]
    assert elasticsearch["environment"]["xpack.security.enabled"] == "true"
    assert "ports" not in elasticsearch
    assert all(port.startswith("127.0.0.1:") for port in kibana["ports"])
    assert SERVICES["filebeat"]["depends_on"]["logs-store"] == {"condition": "service_completed_successfully"}


def test_the_parts_are_of_one_version() -> None:
    parts = [SERVICES[name]["image"] for name in ("elasticsearch", "logs-store", "kibana", "logs-view", "filebeat")]
    assert len({image.rsplit(":", 1)[1] for image in parts}) == 1


def test_the_reader_reads_only() -> None:
    filebeat = SERVICES["filebeat"]
    assert filebeat["read_only"] is True
    assert filebeat["cap_drop"] == ["ALL"]
    mounts = dict(reversed(each.removesuffix(":ro").split(":")) for each in filebeat["volumes"])
    assert [each for each in filebeat["volumes"] if not each.endswith(":ro")] == ["log-reader:/usr/share/filebeat/data"]
    assert INPUT["paths"][0].startswith(mounts["/var/lib/docker/containers"])
    assert "docker.sock" not in " ".join(filebeat["volumes"])


# ---- the script


class Asked(BaseHTTPRequestHandler):
    asked: list[tuple[str, str, str, bytes]] = []

    def take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, self.headers.get("Authorization", ""), body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    do_PUT = do_POST = take

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    Asked.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Asked) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def load(what: str, url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ["PATH"], "LOGS_FOLDER": str(DEPLOY), "ELASTICSEARCH_URL": url, "KIBANA_URL": url, **variables}
    script = ["sh", str(DEPLOY / "elasticsearch/load"), what]
    return subprocess.run(script, env=given, capture_output=True, text=True, timeout=60, check=False)


def test_the_script_loads_accounts_policy_and_template_as_the_superuser(server: str) -> None:
    done = load("store", server, LOGS_PASSWORD=PASSWORD)
    assert (done.returncode, done.stderr) == (0, "")
    asked = {(method, path): json.loads(body) for method, path, _, body in Asked.asked}
    assert asked["POST", "/_security/user/kibana_system/_password"] == {"password": PASSWORD}
    assert asked["PUT", "/_security/user/jeevo_filebeat"] == {"password": PASSWORD, "roles": ["jeevo_filebeat"]}
    assert asked["PUT", "/_ilm/policy/jeevo-logs"] == POLICY
    assert asked["PUT", "/_index_template/jeevo-logs"] == TEMPLATE
    assert ("PUT", "/_security/role/jeevo_filebeat") in asked
    basic = "Basic " + base64.b64encode(f"elastic:{PASSWORD}".encode()).decode()
    assert {who for _, _, who, _ in Asked.asked} == {basic}
    assert PASSWORD not in done.stdout


def test_the_script_loads_the_view_into_kibana(server: str) -> None:
    assert load("view", server, LOGS_PASSWORD=PASSWORD).returncode == 0
    ((method, path, _, body),) = Asked.asked
    assert (method, path) == ("POST", "/api/saved_objects/_import?overwrite=true")
    assert (DEPLOY / "kibana/saved-view.ndjson").read_bytes() in body


def test_without_a_password_it_says_which_one_is_missing(server: str) -> None:
    done = load("store", server)
    assert done.returncode != 0
    assert "set LOGS_PASSWORD in .env" in done.stderr
    assert Asked.asked == []
