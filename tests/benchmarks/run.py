"""`make bench`: the figures of docs/benchmarks.md, each beside a named baseline measured in the same run."""

from __future__ import annotations

import itertools
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg

from jeevo import embedded
from jeevo.environment import ROOT
from tests.benchmarks import backups, embedding, load, operations, search, triage
from tests.stack import Stack, eventually, running

QUESTIONS = (
    "How do I bring down a fever in a two-year-old?",
    "What are the signs of dengue?",
    "How to treat a burn on the hand?",
    "What foods are good for type 2 diabetes?",
    "How can I stop a nosebleed?",
    "When should I start giving solid food to my baby?",
)
EMERGENCY = "My father's face is drooping and he can't lift his arm"
BURST = 0.5
_serial = itertools.count()
Row = tuple[str, str, str, str]


def phone() -> str:
    return f"9190{next(_serial):08d}"


def question() -> load.Request:
    return load.spoken(phone(), QUESTIONS[next(_serial) % len(QUESTIONS)])


def mouth(stack: Stack) -> str:
    """Where people speak: the sandbox, which signs and posts the webhook as WhatsApp does."""
    return f"{stack.chat}sandbox/inbound"


def webhook(stack: Stack) -> str:
    return stack.console.replace("/admin/", "/webhook/whatsapp/")


def secret(stack: Stack) -> str:
    return (stack.keys / "sandbox_secret").read_text().strip()


def intake_against_a_bare_insert(folder: Path) -> list[Row]:
    """The same gunicorn serves both, and nothing works on what is stored; rounds alternate, and the medians count."""
    stack = Stack(folder)
    services = embedded.start(stack.data, stack.keys, report=lambda line: None)
    subprocess.run([sys.executable, "manage.py", "prepare"], cwd=ROOT, env=stack.variables, check=True, capture_output=True)
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_bare (id bigint generated always as identity primary key, body text)")
    base, key = "http://127.0.0.1:18390", secret(stack)
    argv = [sys.executable, "-m", "gunicorn", "tests.benchmarks.bare:application", "-c", "jeevo/gunicorn.py", "--bind", base[7:]]
    server = subprocess.Popen(argv, cwd=ROOT, env=stack.variables | {"JEEVO_PROCESS": "web"})
    try:
        time.sleep(8)
        rounds = []
        for _ in range(6):  # the first warms both up
            ours = load.as_fast_as_possible(f"{base}/webhook/whatsapp/", hellos(key), connections=8)
            bare = load.as_fast_as_possible(f"{base}/bench/bare", hellos(key), connections=8)
            rounds.append((ours, bare))
    finally:
        server.terminate()
        server.wait(30)
        embedded.stop(stack.data)
    ours, bare = (sorted(each)[2] for each in zip(*rounds[1:], strict=True))
    return [
        (
            "Webhook: signed POST to durable 200",
            f"{ours:.0f}/s",
            f"bare view, one insert: {bare:.0f}/s",
            f"{ours / bare:.2f} (goal .60)",
        )
    ]


def hellos(key: str) -> list[load.Request]:
    return [load.message(key, phone(), f"wamid.intake{time.time_ns()}{n}", "hello") for n in range(800)]


def webhook_latency_while_answering(stack: Stack) -> list[Row]:
    """100 statuses a second for 20 s, while people ask 5 questions a second and are answered."""
    key = secret(stack)
    requests = [load.status(key, f"wamid.s{time.time_ns()}{n}") for n in range(2000)]
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(load.at_a_rate, mouth(stack), [question() for _ in range(100)], per_second=5, connections=4)
        took = load.at_a_rate(webhook(stack), requests, per_second=100, connections=16)
        asking.result()
    p50, p99 = 1000 * load.percentile(took, 0.5), 1000 * load.percentile(took, 0.99)
    settle(stack)
    return [
        (
            "Webhook at 100 requests/s, while 5 questions/s are answered",
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms",
            "-",
            "p99 under 100 ms",
        )
    ]


HANDED = """
    SELECT extract(epoch FROM o.handed_at - m.received_at) FROM conversations_inboundmessage m
    JOIN conversations_outboundmessage o ON o.answer_id = m.answer_id
    WHERE m.received_at >= to_timestamp(%s) AND o.urgent = %s AND o.handed_at IS NOT NULL
"""


def handed(stack: Stack, since: float, *, urgent: bool = False) -> list[float]:
    """Seconds from received to handed to Graph, the burst wait taken off for what waits for it."""
    wait = 0 if urgent else BURST
    return [float(row[0]) - wait for row in stack.rows(HANDED, since, urgent)]


def settle(stack: Stack, seconds: float = 120) -> None:
    open_rows = "SELECT count(*) FROM conversations_inboundmessage WHERE status IN ('received', 'waiting', 'processing')"
    eventually(lambda: stack.rows(open_rows)[0][0] == 0, seconds=seconds, what="every message to be answered")
    time.sleep(1)


def answers_at(
    stack: Stack, per_second: float, seconds: int, *, emergencies: bool = False
) -> tuple[list[float], list[float], float]:
    """Latencies of answers and of emergencies, and how long the backlog took to clear after the load."""
    since = time.time()
    requests = [question() for _ in range(int(per_second * seconds))]
    if emergencies:
        requests[::10] = [load.spoken(phone(), EMERGENCY) for _ in requests[::10]]
    load.at_a_rate(mouth(stack), requests, per_second=per_second, connections=16)
    ended = time.monotonic()
    settle(stack)
    return handed(stack, since), handed(stack, since, urgent=True), time.monotonic() - ended - 1


def answer_latency(stack: Stack) -> list[Row]:
    took, urgent, _ = answers_at(stack, 5, 30, emergencies=True)
    p50, p95 = (1000 * load.percentile(took, share) for share in (0.5, 0.95))
    p99 = 1000 * load.percentile(urgent, 0.99)
    return [
        (
            "Received to handed to Graph at 5 messages/s, burst wait apart",
            f"p50 {p50:.0f} ms, p95 {p95:.0f} ms",
            f"n = {len(took)}",
            "200 / 500 ms",
        ),
        ("Emergency handed to Graph under that load", f"p99 {p99:.0f} ms", f"n = {len(urgent)}", "under 1,000 ms"),
    ]


def highest_rate(stack: Stack) -> list[Row]:
    """The highest rate whose backlog clears within three seconds after 15 seconds of load."""
    best, rows = 0, []
    for rate in (10, 15, 20, 25, 30, 40):
        took, _, backlog = answers_at(stack, rate, 15)
        p95 = load.percentile(took, 0.95)
        rows.append(f"{rate}/s p95 {p95:.1f} s")
        if backlog > BURST + 3:
            break
        best = rate
    return [("Sustained answers on this machine, all parts on it", f"{best}/s", "; ".join(rows), "at least 10/s")]


def emergency_while_indexing(stack: Stack) -> list[Row]:
    """A text as long as a 300-page book is indexed while people write at 5 a second."""
    article = (ROOT / "knowledge/starter/dengue.md").read_text().split("---\n", 2)[2]
    pages = "\n\n".join(f"## Part {n}\n\n" + article.replace("dengue", f"illness {n}") for n in range(300))
    services = embedded.find(stack.data, stack.keys)
    assert services is not None
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO knowledge_document (id, title, publisher, url, licence, language, audience, topic, origin, slug, sources, status,
               reason, text, content_hash, created_at, updated_at) VALUES (gen_random_uuid(), 'A long book', '', '', '', 'xx', 'public', '',
               'upload', '', '[]', 'uploaded', '', %s, '', now(), now())""",
            [pages],
        )
    eventually(
        lambda: stack.rows("SELECT 1 FROM knowledge_document WHERE status = 'indexing'"), seconds=40, what="indexing to begin"
    )
    _, urgent, _ = answers_at(stack, 5, 20, emergencies=True)
    still = bool(stack.rows("SELECT 1 FROM knowledge_document WHERE status = 'indexing'"))
    p99 = 1000 * load.percentile(urgent, 0.99)
    note = "indexing ran all the while" if still else "indexing ended before the load"
    return [
        (
            "Emergency handed to Graph while a 300-page text is indexed",
            f"p99 {p99:.0f} ms",
            f"n = {len(urgent)}; {note}",
            "under 1,000 ms",
        )
    ]


def memory(stack: Stack) -> list[Row]:
    largest = max(psutil.Process(pid).memory_info().rss for pid in stack.pid("jeevo.wsgi:application")) / 2**20
    return [("Web process, resident, after the load", f"{largest:.0f} MB", "-", "under 150 MB")]


def first_answer(folder: Path) -> list[Row]:
    """From `make run` on an empty data folder, packages installed, to the first cited answer on the phone."""
    with running(folder, WEB_PORT="18310", SANDBOX_PORT="18311") as stack:
        started = stack.process and psutil.Process(stack.process.pid).create_time() or time.time()
        sent = stack.answers(ask_until_cited(stack), seconds=60)
        assert "[1]" in sent[-1]["text"]
        return [("Installed to first cited answer by `make run`", f"{time.time() - started:.1f} s", "-", "under 25 s")]


def ask_until_cited(stack: Stack) -> str:
    asked = phone()
    eventually(lambda: stack.rows("SELECT 1 FROM knowledge_chunk LIMIT 1"), seconds=60, what="the first passages")
    eventually(
        lambda: stack.rows("SELECT 1 FROM knowledge_document WHERE slug = 'fever-in-children' AND indexed_at IS NOT NULL"),
        seconds=60,
        what="the article on fever",
    )
    stack.says(asked, QUESTIONS[0])
    return asked


def main() -> None:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        if os.getuid() == 0:
            folder.chmod(0o755)
        report(rows, lambda: first_answer(folder / "first"))
        report(rows, lambda: intake_against_a_bare_insert(folder / "intake"))
        ports = {"WEB_PORT": "18320", "SANDBOX_PORT": "18321", "BURST_SECONDS": str(BURST)}
        with running(folder / "load", **ports) as stack:
            warm_up(stack)
            for measure in (answer_latency, webhook_latency_while_answering, highest_rate, emergency_while_indexing, memory):
                report(rows, lambda measure=measure: measure(stack))  # type: ignore[misc]
        report(rows, lambda: backups.rows(folder / "backups"))
    report(rows, operations.rows)
    report(rows, triage.rows)
    # Last, because the models stay in this process's memory.
    report(rows, search.rows)
    report(rows, embedding.rows)
    write(rows)


def warm_up(stack: Stack) -> None:
    """Past the start: the library is there, the model has answered, and the processes that start late are up."""
    waiting = "SELECT count(*) FROM knowledge_document WHERE status IN ('uploaded', 'indexing')"
    eventually(lambda: stack.rows(waiting)[0][0] == 0, seconds=120, what="the articles")
    for _ in range(6):
        stack.answers(ask_until_cited(stack), seconds=60)
    eventually(lambda: stack.pid("jeevo beat"), seconds=60, what="the processes that start late")
    time.sleep(15)


def report(rows: list[Row], measure: Callable[[], list[Row]]) -> None:
    for row in measure():
        print(" | ".join(row), flush=True)
        rows.append(row)


def write(rows: list[Row]) -> None:
    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    lines = [
        f"`make bench` on {machine}; {datetime.now(UTC):%Y-%m-%d}. Postgres, Valkey, the sandbox and the load generator",
        "share the machine with the program. No language model.",
        "",
        "| what | measured | beside it | goal |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    page = ROOT / "docs" / "benchmarks.md"
    # What was measured apart, and what it means, stays below.
    rest = page.read_text().partition("\n## ") if page.exists() else ("", "", "")
    page.write_text("# Benchmarks\n\n" + "\n".join(lines) + "\n" + rest[1] + rest[2])


if __name__ == "__main__":
    main()
