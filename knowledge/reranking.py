"""The best passages read once more, together with the question, by a cross-encoder: an option, off by default.

It reads each pair anew, so it costs as much as embedding every passage again. A model that cannot be
loaded or fails leaves the order as it was: an answer a little less well ordered is better than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog
from django.conf import settings

from knowledge import embeddings
from knowledge.passages import Passage

log = structlog.get_logger(__name__)
# Passages it reads; what comes later keeps its place behind them.
READ = 24


def reranked(question: str, passages: Sequence[Passage]) -> list[Passage]:
    """In the cross-encoder's order where RERANKER_MODEL names one; equal scores keep the order they came in."""
    model = settings.ENVIRONMENT.reranker_model
    if not model or not passages:
        return list(passages)
    head, rest = passages[:READ], passages[READ:]
    try:
        scores = embeddings.pair_scores(question, [f"{each.title}. {each.text}" for each in head], model=model)
    except (embeddings.ModelNotFound, RuntimeError, ValueError) as problem:
        # The class alone: a message may repeat the question.
        log.warning("passages were not reranked", reason=type(problem).__name__)
        return list(passages)
    order = sorted(range(len(head)), key=lambda place: (-scores[place], place))
    read = [replace(head[place], parts=(*head[place].parts, ("reread", scores[place]))) for place in order]
    return [*read, *rest]
