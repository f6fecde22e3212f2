"""The sixteen targets of the operations guide."""

from __future__ import annotations

from functools import partial

from jeevo.measures import FEW_SECONDS, MILLISECONDS, SHARES
from operations.target_kinds import Latest, Mean, Median, Share, Target

RESPONSE, ERRORS, RESOURCES, KNOWLEDGE = GROUPS = ("Response times", "Errors", "Resources", "Knowledge")
_SOURCED = tuple(f"answers{{kind={kind},cited={cited}}}" for kind in ("generated", "extractive") for cited in ("yes", "no"))
_CITED = tuple(name for name in _SOURCED if "cited=yes" in name)

_timed = partial(Target, group=RESPONSE, unit="seconds")
_failed = partial(Target, group=ERRORS, unit="share", budgeted=True)
_used = partial(Target, group=RESOURCES, unit="share")
_known = partial(Target, group=KNOWLEDGE)

ALL: tuple[Target, ...] = (
    _timed(
        key="webhook",
        title="Webhook",
        limit=1,
        figure=Median("webhook_duration_seconds", FEW_SECONDS),
        about="Until WhatsApp hears that its message is stored; the middle one.",
        runbook="slow-webhook",
        paged=True,
    ),
    _timed(
        key="answers",
        title="Answer to a question",
        limit=3,
        figure=Median("query_duration_seconds", FEW_SECONDS),
        about="From a person's messages being due until their reply is stored; the middle one.",
        runbook="slow-answers",
        paged=True,
    ),
    _timed(
        key="search",
        title="Search of the knowledge base",
        limit=0.5,
        figure=Median("vector_search_duration_seconds", FEW_SECONDS),
        about="One search, the reading of the question apart; the middle one.",
        runbook="slow-search",
    ),
    _timed(
        key="database",
        title="Database query",
        limit=0.1,
        figure=Median("database_query_duration_seconds", MILLISECONDS),
        about="One query of any process; the middle one.",
        runbook="slow-database",
    ),
    _failed(
        key="errors",
        title="All errors",
        limit=0.001,
        figure=Share(("failures",), ("operations",)),
        about="Of the requests, tasks and calls to other services, those that failed.",
        runbook="high-error-rate",
        paged=True,
    ),
    _failed(
        key="database_errors",
        title="Database errors",
        limit=0.0005,
        figure=Share(("failures{kind=database}",), ("database_query_duration_seconds",)),
        about="Of the queries, those that failed.",
        runbook="database-errors",
        paged=True,
    ),
    _failed(
        key="timeouts",
        title="Timeouts",
        limit=0.0001,
        figure=Share(("failures{kind=timeout}",), ("operations",)),
        about="Of the requests, tasks and calls, those in which Groq, WhatsApp or the database did not answer in time.",
        runbook="timeouts",
    ),
    _failed(
        key="limits",
        title="Limits of Groq and WhatsApp",
        limit=0.0002,
        figure=Share(("failures{kind=limit}",), ("operations{kind=call}",)),
        about="Of the calls to Groq and WhatsApp, those that were refused as too many.",
        runbook="provider-limits",
    ),
    _used(
        key="memory",
        title="Memory",
        limit=0.8,
        figure=Mean("machine_memory_used_ratio"),
        about="Of the machine, on average.",
        runbook="memory",
    ),
    _used(
        key="processor",
        title="Processor",
        limit=0.7,
        figure=Mean("machine_cpu_used_ratio"),
        about="Of the machine, on average.",
        runbook="processor",
    ),
    _used(
        key="disk",
        title="Disk",
        limit=0.8,
        figure=Latest("machine_disk_used_ratio"),
        about="Of the disk that holds the data; when it is full no message can be stored.",
        runbook="disk",
        paged=True,
    ),
    _used(
        key="connections",
        title="Database connections",
        limit=0.8,
        figure=Mean("database_connections_used_ratio"),
        about="Of those that the server allows, on average.",
        runbook="connections",
    ),
    _known(
        key="vector_db",
        title="Vector database",
        limit=0.5,
        unit="seconds",
        figure=Median("vector_db_duration_seconds", FEW_SECONDS),
        about="The statement that finds the candidates of a search; the middle one.",
        runbook="slow-search",
    ),
    _known(
        key="confidence",
        title="Confidence",
        limit=0.6,
        unit="score",
        figure=Median("answer_confidence", SHARES),
        about="How sure Jeevo is that what it found answers the question, from 0 to 1; the middle one.",
        runbook="low-confidence",
        comparison="above",
    ),
    _known(
        key="citations",
        title="Answers that name a source",
        limit=1,
        unit="share",
        figure=Share(_CITED, _SOURCED),
        about="Of the answers to questions about health.",
        runbook="missing-citations",
        comparison="whole",
    ),
    _known(
        key="freshness",
        title="Age of the knowledge base",
        limit=7,
        unit="days",
        figure=Latest("knowledge_age_seconds", divisor=86_400),
        about="Since a document was last reviewed, confirmed, retired or indexed.",
        runbook="stale-knowledge",
    ),
)
