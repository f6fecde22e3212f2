"""What monitoring and the console cost with a million messages and a thousand incidents behind them.

`python -m tests.benchmarks.operations [messages]`. The whole program runs; what is measured is asked over HTTP, one
after the other, as a load balancer, a Prometheus and a person ask.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import psycopg

from jeevo import embedded
from jeevo.environment import ROOT
from tests.benchmarks import load
from tests.benchmarks.load import percentile
from tests.stack import Stack, eventually, running

MESSAGES, INCIDENTS, PEOPLE = 1_000_000, 1_000, 20_000
TIMES, BACKUPS = 60, 5
# What the last one left to the disk is done with.
SETTLING = 8
TOKEN = "benchmark-token"
Row = tuple[str, str, str, str]

_KEY = "md5('{sort}' || n)::uuid"
_STORED: dict[str, str] = {
    "people": f"""
        INSERT INTO conversations_contact (id, phone_key, label, country, language, last_inbound_at, created_at)
        SELECT {_KEY.format(sort="c")}, md5('p' || n), '+91 ······ 01', 'IN', 'en', now() - n * interval '1 minute', now()
        FROM generate_series(0, {PEOPLE - 1}) n""",
    # Spread over a year; three of four messages have an answer, of which nine in ten name a source.
    "answers": f"""
        INSERT INTO conversations_answer (id, contact_id, kind, reason, language, text, confidence, model, prompt_version, passages,
            timings, created_at)
        SELECT {_KEY.format(sort="a")}, md5('c' || n % {PEOPLE})::uuid,
            (ARRAY['extractive', 'extractive', 'generated', 'declined', 'fixed'])[1 + n % 5], '', 'en', repeat('x', 300)::bytea, 0.7, '', '',
            '[]', '{{}}', now() - n * interval '365 days' / %(messages)s
        FROM generate_series(0, %(messages)s * 3 / 4) n""",
    "citations": f"""
        INSERT INTO conversations_citation (answer_id, number, chunk_key, title, publisher, url, heading, quote, score, unreviewed)
        SELECT {_KEY.format(sort="a")}, 1, {_KEY.format(sort="k")}, 'Fever', 'WHO', '', '', 'Drink water.', 0.8, false
        FROM generate_series(0, %(messages)s * 3 / 4) n WHERE n % 5 < 3 AND n % 10 < 9""",
    "messages": f"""
        INSERT INTO conversations_inboundmessage (id, wamid_key, sender_key, kind, status, text, payload, sent_at, received_at, contact_id,
            triage_level, triage_concept, triage_rules, language, attempts, reason, answer_id)
        SELECT {_KEY.format(sort="m")}, md5('w' || n), md5('s' || n % {PEOPLE}), 'text', 'answered', repeat('x', 160)::bytea,
            CASE WHEN at > now() - interval '30 days' THEN repeat('x', 700)::bytea END, at, at, md5('c' || n % {PEOPLE})::uuid, 'routine', '', '[]',
            'en', 1, '', CASE WHEN n <= %(messages)s * 3 / 4 THEN {_KEY.format(sort="a")} END
        FROM (SELECT n, now() - n * interval '365 days' / %(messages)s AS at FROM generate_series(0, %(messages)s - 1) n) AS spread""",
    "sent": f"""
        INSERT INTO conversations_outboundmessage (id, contact_id, answer_id, purpose, urgent, body, status, wamid_key, attempts, resent,
            reason, created_at, handed_at, failed_at)
        SELECT {_KEY.format(sort="o")}, md5('c' || n % {PEOPLE})::uuid, {_KEY.format(sort="a")}, 'extractive', false, repeat('x', 400)::bytea,
            CASE WHEN n % 200 = 0 THEN 'failed' ELSE 'read' END, md5('v' || n), 1, false, '', at, at,
            CASE WHEN n % 200 = 0 THEN at END
        FROM (SELECT n, now() - n * interval '365 days' / %(messages)s AS at FROM generate_series(0, %(messages)s * 3 / 4) n) AS spread""",
    "incidents": f"""
        INSERT INTO operations_incident (id, number, title, kind, scope, source, state, severity, affected, action, eta, public, details,
            runbook, impact_started_at, detected_at, declared_at, resolved_at, closed_at, update_every, escalations, firing, root_cause,
            postmortem)
        SELECT {_KEY.format(sort="i")}, 1000000 + n, 'Slow answers', 'slow_answers', '', 'detector', 'closed', 1 + n % 4, '', '', '', false,
            '', '', at, at, at, at + interval '1 hour', at + interval '1 day', interval '15 minutes', 0, '[]', '', ''
        FROM (SELECT n, now() - n * interval '8 hours' - interval '2 days' AS at FROM generate_series(1, {INCIDENTS}) n) AS spread""",
    # Two days of minutes and sixty of hours, fifty figures each.
    "figures": """
        INSERT INTO operations_rollup (period, name, at, count, total, largest, buckets)
        SELECT period, 'bench_' || figure, date_trunc(period, now()) - n * ('1 ' || period)::interval, 60, 30, 2,
            '{"0.5": 20, "1.0": 30, "2.0": 10}'
        FROM (VALUES ('minute', 2880), ('hour', 1440)) AS kept (period, number), generate_series(1, number) n, generate_series(1, 50) figure
        ON CONFLICT DO NOTHING""",
}


def fill(url: str, *, messages: int) -> float:
    """Everything stored, and known to the planner; the seconds it took."""
    started = time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        for statement in _STORED.values():
            connection.execute(statement.replace("%(messages)s", str(messages)).encode())
        connection.execute("VACUUM ANALYZE")
    return time.monotonic() - started


def milliseconds(ask: Callable[[], httpx.Response]) -> list[float]:
    took = []
    for number in range(TIMES + 5):
        started = time.perf_counter()
        ask().raise_for_status()
        if number >= 5:  # the first warm it up
            took.append(1000 * (time.perf_counter() - started))
    return took


def signed_in(stack: Stack) -> httpx.Client:
    client = httpx.Client(base_url=stack.console, timeout=30, follow_redirects=True)
    page = client.get("login/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    form = {"username": "admin", "password": stack.password, "csrfmiddlewaretoken": token[1], "next": "/admin/"}
    client.post("login/", data=form, headers={"Referer": stack.console}).raise_for_status()
    return client


def measured(stack: Stack) -> list[Row]:
    root = stack.console.replace("/admin/", "")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    client, stranger = signed_in(stack), httpx.Client(base_url=root, timeout=30)
    asked: list[tuple[str, Callable[[], httpx.Response], str]] = [
        ("/health/", lambda: stranger.get("/health/"), "under 50 ms"),
        ("/health/ready", lambda: stranger.get("/health/ready"), "-"),
        ("/metrics, figures of every process", lambda: stranger.get("/metrics", headers=bearer), "under 50 ms"),
        ("Console, home page", lambda: client.get(""), "under 150 ms"),
        ("Console, targets", lambda: client.get("operations/targets/"), "-"),
    ]
    rows = []
    for name, ask, goal in asked:
        before = processor(stack)
        took = milliseconds(ask)
        own = 1000 * (processor(stack) - before) / (TIMES + 5)
        said = f"p50 {percentile(took, 0.5):.0f} ms, p95 {percentile(took, 0.95):.0f} ms"
        rows.append((name, said, f"n = {TIMES}; over HTTP; processor time of the web process {own:.0f} ms", goal))
    return [*rows, *rounds(stack)]


def processor(stack: Stack) -> float:
    """Seconds that the web processes have used: what other work on the machine changes least."""
    used = [psutil.Process(pid).cpu_times() for pid in stack.pid("jeevo.wsgi:application")]
    return sum(each.user + each.system for each in used)


def rounds(stack: Stack) -> list[Row]:
    """What the watcher notes of itself, over more than a minute: one round in each writes the figures."""
    took: dict[object, float] = {}
    until = time.monotonic() + 70
    while time.monotonic() < until:
        ((at, milliseconds),) = stack.rows("SELECT at, round_ms FROM operations_heartbeat WHERE name = 'watcher'")
        took[at] = milliseconds
        time.sleep(2)
    values = list(took.values())
    said = f"p50 {percentile(values, 0.5):.0f} ms, the longest {max(values):.0f} ms"
    return [("Watcher, a round", said, f"n = {len(values)}", "under 200 ms")]


def while_backed_up(stack: Stack) -> list[Row]:
    """WhatsApp's statuses at 100 a second, without and with a full backup that is made and restored to check it. In turn and
    more than once: a disk that other machines use stalls now and then by itself."""
    take = (sys.executable, "manage.py", "backup", "take")
    # Else the service makes its first ones by itself, five minutes after it began, beside those that are measured.
    for kind in ("configuration", "dump", "full"):
        subprocess.run([*take, kind], cwd=ROOT, env=stack.variables, check=True, stdout=subprocess.DEVNULL)
    posts(stack, 5)  # warms it up
    alone, beside = list[list[float]](), list[list[float]]()
    for _ in range(BACKUPS):
        time.sleep(SETTLING)
        alone.append(posts(stack, 10))
        beside.append([])
        with subprocess.Popen(
            [*take, "full"], cwd=ROOT, env=stack.variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as backup:
            while backup.poll() is None:
                beside[-1] += posts(stack, 2)
        assert backup.returncode == 0
    without, with_it = _middle(alone, 0.99), _middle(beside, 0.99)
    every = ", ".join(f"{1000 * percentile(took, 0.99):.0f}" for took in beside)
    quiet = ", ".join(f"{1000 * percentile(took, 0.99):.0f}" for took in alone)
    return [
        (
            "Webhook at 100 requests/s while a full backup is made and checked",
            f"p50 {_middle(beside, 0.5):.1f} ms, p99 {with_it:.1f} ms, the middle of {BACKUPS} (p99 of each {every})",
            f"without it p50 {_middle(alone, 0.5):.1f} ms, p99 {without:.1f} ms ({quiet})",
            f"{with_it / without:.2f} times (goal 1.5)",
        )
    ]


def _middle(rounds: list[list[float]], share: float) -> float:
    """Milliseconds."""
    return 1000 * statistics.median(percentile(took, share) for took in rounds)


def posts(stack: Stack, seconds: int) -> list[float]:
    secret = (stack.keys / "sandbox_secret").read_text().strip()
    requests = [load.status(secret, f"wamid.b{time.time_ns()}{n}") for n in range(100 * seconds)]
    return load.at_a_rate(stack.console.replace("/admin/", "/webhook/whatsapp/"), requests, per_second=100, connections=16)


def rows(messages: int = MESSAGES) -> list[Row]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        if os.getuid() == 0:
            folder.chmod(0o755)
        with running(folder / "operations", WEB_PORT="18330", SANDBOX_PORT="18331", METRICS_TOKEN=TOKEN) as stack:
            services = embedded.find(stack.data, stack.keys)
            assert services is not None
            seconds = fill(services.database_url, messages=messages)
            eventually(lambda: stack.rows("SELECT 1 FROM operations_heartbeat"), seconds=90, what="the watcher")
            stored = f"{messages:,} messages, {INCIDENTS:,} incidents, 216,000 figures"
            return [("Stored for the rows below", f"{seconds:.0f} s", stored, "-"), *measured(stack), *while_backed_up(stack)]


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES):
        print(*row, sep=" | ", flush=True)
