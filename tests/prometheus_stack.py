"""A real Prometheus and a real Alertmanager on this machine, in a folder of their own, with intervals of a second."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from tests.stack import eventually

PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
READY_SECONDS = 60


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Figures:
    """One figure at an address that Prometheus reads."""

    def __init__(self, name: str, value: float) -> None:
        self.name, self.value = name, value
        figures = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"{figures.name} {figures.value}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.address = f"127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Figures:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def alerting(folder: Path, *, rules: str, scrape: Mapping[str, object], post_to: str, token: str) -> Iterator[str]:
    """Both, running; gives the address of Prometheus. Configurations are JSON, which is YAML."""
    assert PROMETHEUS
    assert ALERTMANAGER
    folder.mkdir(parents=True, exist_ok=True)
    manager, prometheus = free_port(), free_port()
    webhook = {
        "url": post_to,
        "send_resolved": True,
        "http_config": {"authorization": {"type": "Bearer", "credentials": token}},
    }
    route = {"receiver": "jeevo", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "1s", "repeat_interval": "2s"}
    _write(folder / "alertmanager.yml", {"route": route, "receivers": [{"name": "jeevo", "webhook_configs": [webhook]}]})
    (folder / "rules.yml").write_text(rules)
    _write(
        folder / "prometheus.yml",
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(folder / "rules.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager}"]}]}]},
            "scrape_configs": [scrape],
        },
    )
    own = [f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alertmanager"]
    with (
        _running([ALERTMANAGER, *own, f"--web.listen-address=127.0.0.1:{manager}", "--cluster.listen-address="], folder),
        _running(
            [
                PROMETHEUS,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/prometheus",
                f"--web.listen-address=127.0.0.1:{prometheus}",
            ],
            folder,
        ),
    ):
        for port in (manager, prometheus):
            eventually(lambda at=port: _ready(at), seconds=READY_SECONDS, what="monitoring to be ready")  # type: ignore[misc]
        yield f"http://127.0.0.1:{prometheus}"


def _write(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=1))


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)
