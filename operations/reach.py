"""Can this server reach WhatsApp's Graph API and Groq? Name, connection, encryption and answer of each, with their times.

Asked only when somebody presses the button: each step has three seconds, both places are asked side by side, and the
result is kept for a minute so that ten people asking cost one look.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from conversations import delivery, llm, whatsapp
from operations.figures import State
from operations.findings import Cell, Finding, Judged, Step, Table
from operations.phrases import lasted

SECONDS = 3.0
KEPT, KEY = 60, "reach:last"
_QUESTION = "Can this server reach WhatsApp and Groq?"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Tried:
    """One step towards a place: `milliseconds` is None where it was not tried, `problem` says in words what failed."""

    name: str
    milliseconds: float | None
    said: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Place:
    name: str
    host: str
    steps: tuple[Tried, ...]

    @property
    def problem(self) -> str:
        return next((step.problem for step in self.steps if step.problem), "")


def ask(now: datetime) -> list[Place]:
    """Try both places and keep what was found for a minute."""
    wanted: list[tuple[str, str, Callable[..., int | None]]] = [
        ("WhatsApp", settings.ENVIRONMENT.whatsapp.graph_url, whatsapp.reach)
    ]
    if settings.ENVIRONMENT.groq.api_key:
        wanted.append(("Groq", settings.ENVIRONMENT.groq.base_url, llm.reach))
    with ThreadPoolExecutor(max_workers=2) as pool:
        places = list(pool.map(lambda each: try_place(*each), wanted))
    cache.set(KEY, {"at": now.isoformat(), "places": [asdict(place) for place in places]}, timeout=KEPT)
    return places


def try_place(name: str, url: str, call: Callable[..., int | None]) -> Place:
    """Step by step; what follows a failure is not tried."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    steps = [_timed("Name", lambda: _resolve(host, port))]
    if not steps[-1].problem:
        steps.append(_timed("Connection", lambda: _connect(host, port)))
    if not steps[-1].problem and parts.scheme == "https":
        steps.append(_timed("Encryption", lambda: _encrypt(host, port)))
    if not steps[-1].problem:
        steps.append(_timed("Answer", lambda: _answered(name, call)))
    return Place(name, host, tuple(steps))


def _timed(name: str, step: Callable[[], tuple[str, str]]) -> Tried:
    started = time.monotonic()
    said, problem = step()
    return Tried(name, round(1000 * (time.monotonic() - started), 1), said, problem)


def _resolve(host: str, port: int) -> tuple[str, str]:
    # The system's resolver takes no time limit of ours, so it is given up on and left to end by itself.
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        found = pool.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM).result(timeout=SECONDS)
    except TimeoutError:
        return "", f"The name {host} was not resolved within {SECONDS:.0f} s. Look at the name server of this machine."
    except OSError:
        return "", f"The name {host} cannot be resolved. Look at the name server of this machine and at the spelling."
    finally:
        pool.shutdown(wait=False)
    return f"{len(found)} {'address' if len(found) == 1 else 'addresses'}", ""


def _connect(host: str, port: int) -> tuple[str, str]:
    try:
        socket.create_connection((host, port), timeout=SECONDS).close()
    except TimeoutError:
        return "", f"Port {port} of {host} does not answer. A firewall may be in between."
    except OSError:
        return "", f"Port {port} of {host} refuses a connection, or there is no way to it from here."
    return f"port {port}", ""


def _encrypt(host: str, port: int) -> tuple[str, str]:
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), timeout=SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            return str(encrypted.version()), ""
    except ssl.SSLCertVerificationError:
        return (
            "",
            "Its certificate is not accepted here: look at this machine's clock, its certificates and any proxy in between.",
        )
    except (OSError, ssl.SSLError):
        return "", "No encrypted connection came about. A proxy in between may be the reason."


def _answered(name: str, call: Callable[..., int | None]) -> tuple[str, str]:
    status = call(seconds=SECONDS)
    if status is None:
        return "", f"{name} did not answer within {SECONDS:.0f} s. Its status page says whether others see the same."
    if status in (401, 403):
        return f"HTTP {status}", f"{name} refuses our key. Make a new one and set it in the environment."
    if status == 429:
        return f"HTTP {status}", f"{name}'s limit was reached. It passes by itself; lower the load or raise the limit."
    if status >= 500:
        return f"HTTP {status}", f"{name} has a fault of its own. Wait, and look at its status page."
    if status >= 400:
        return (
            f"HTTP {status}",
            f"{name} does not know what we asked for: look at the id of the number and the version of its API.",
        )
    return f"HTTP {status}", ""


def last() -> tuple[datetime, list[Place]] | None:
    """What was found within the last minute."""
    kept: Any = cache.get(KEY)
    at = parse_datetime(kept["at"]) if isinstance(kept, dict) else None
    if at is None:
        return None
    places = [Place(each["name"], each["host"], tuple(Tried(**step) for step in each["steps"])) for each in kept["places"]]
    return at, places


def look(now: datetime, asked_now: list[Place] | None = None) -> Finding:
    """What was found just now or within the last minute, which needs the cache."""
    kept = (now, asked_now) if asked_now is not None else last()
    answer, state = _answer(kept[1] if kept else None)
    said = [place.problem for place in kept[1] if place.problem] if kept else []
    if not settings.ENVIRONMENT.groq.api_key:
        said.append("No Groq key is set, so answers come straight from the sources and Groq is not asked.")
    if not settings.LIVE:
        said.append("In the sandbox WhatsApp is played by a process of this machine.")
    asked = f"{lasted(max(now - kept[0], timedelta(0)))} ago" if kept else "not within the last minute"
    return Finding(
        "reach",
        _QUESTION,
        answer,
        state,
        tuple(said),
        (("Asked", asked),),
        (_problems(now), *([_steps(kept[1])] if kept else [])),
        steps=(
            Step("Runbook: send failures", reverse("admin:troubleshooting_runbook", args=["send-failures"])),
            Step("Runbook: provider limits", reverse("admin:troubleshooting_runbook", args=["provider-limits"])),
        ),
    )


def _answer(places: list[Place] | None) -> tuple[str, State]:
    """What was tried just now; without that, what the last calls ran into."""
    failing = [name for name, key in _PROBLEMS if isinstance(cache.get(key), dict)]
    if places is None:
        return (
            (f"Trouble with {' and '.join(failing)}", "at_risk")
            if failing
            else ("Not asked yet, and no call has failed", "unknown")
        )
    broken = [place.name for place in places if place.problem]
    if broken:
        return f"{' and '.join(broken)} cannot be used from here", "breached"
    return f"{' and '.join(place.name for place in places)} can be reached", "good"


_PROBLEMS = (("WhatsApp", delivery.PROBLEM), ("Groq", llm.PROBLEM))
_REMEDIES = {
    "WhatsApp": "Messages wait and go out when it is put right. The runbook says how to renew the token.",
    "Groq": "Answers come straight from the sources meanwhile, which is safe.",
}


def _problems(now: datetime) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, key in _PROBLEMS:
        problem: Any = cache.get(key)
        if isinstance(problem, dict):
            since = parse_datetime(str(problem.get("since", "")))
            ago = f"{lasted(max(now - since, timedelta(0)))} ago" if since else "unknown"
            rows.append((name, str(problem.get("reason", "unknown")), str(problem.get("code") or "-"), ago, _REMEDIES[name]))
    columns = ("Place", "Last failure", "Code", "Since", "What it means")
    return Table("What the last calls ran into", columns, tuple(rows), "No call to either has failed lately.")


def _steps(places: list[Place]) -> Table:
    rows = tuple(
        (
            place.name,
            step.name,
            Judged("failed", "breached") if step.problem else Judged("good", "good"),
            f"{step.milliseconds:,.0f} ms" if step.milliseconds is not None else "-",
            step.problem or step.said,
        )
        for place in places
        for step in place.steps
    )
    return Table("Step by step", ("Place", "Step", "State", "Took", "Found"), rows, numbers=(3,))
