"""Trials in the answers lane, which has the model: a question answered as Jeevo would, and what knowledge does itself.

Nothing is sent and no conversation is written; triage comes first, as for a patient.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from conversations import compose, evidence, own_rules
from conversations.draft import Draft
from conversations.triage import triage
from knowledge import trials
from knowledge.models import Trial


def run(key: UUID, *, now: datetime) -> None:
    """Do the trial, unless another worker has it."""
    trial = trials.claim(key, now=now)
    if trial is None:
        return
    if trial.kind == Trial.Kind.ASK:
        trials.perform(trial, _ask, now=now)
    else:
        trials.run(trial, now=now)


def _ask(trial: Trial) -> dict[str, Any]:
    asked = trial.asked
    draft = compose.ask(asked["question"], country=asked.get("country") or settings.ENVIRONMENT.country)
    return answer_json(asked["question"], draft)


def answer_json(question: str, draft: Draft) -> dict[str, Any]:
    return {
        "question": question,
        "kind": str(draft.kind),
        "reason": draft.reason,
        "preface": draft.preface,
        "text": draft.text,
        "language": draft.language,
        "citations": [
            {
                "number": number,
                "document": str(each.document),
                "title": each.title,
                "publisher": each.publisher,
                "url": each.url,
                "page": each.page,
                "quote": each.text,
                "unreviewed": each.unreviewed,
            }
            for number, each in enumerate(draft.cited, 1)
        ],
        "confidence": draft.confidence,
        "enough": evidence.ENOUGH,
        "triage_level": str(triage(question, books=own_rules.books()).level.value),
        "handover": bool(draft.handover),
        "timings": draft.timings,
    }
