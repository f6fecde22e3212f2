"""The image carries what the program reads and no more, and its probe asks as the service is asked."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.jeevo.containers import DOCKERFILE, OURS, ROOT, SERVICES, command

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
