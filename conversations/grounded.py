"""Evidence, then words for it: written by the model when every claim holds, else taken from the sources, else none.

One or two questions; what the library cannot answer is said, never guessed. The words are in the language of the passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from conversations import evidence, extractive, off_topic, prompts, validation, wording
from conversations.budget import Budget
from conversations.draft import Draft
from conversations.models import Answer, Handover
from conversations.understanding import Understood
from conversations.validation import Claim
from jeevo import measures
from knowledge import embeddings, retrieval
from knowledge.passages import Passage

log = structlog.get_logger(__name__)
Kind = Answer.Kind
# What was written for staff is never quoted to a patient.
FOR_PATIENTS = retrieval.Filters(audience="public")
# How many passages the model reads, and of how many claims an answer to each of two questions is made.
MOST_PASSAGES, MOST_CLAIMS_OF_TWO = 6, 2
# A model that reads many languages finds everything near to everything: there the words must agree as well.
LEAST_COVERAGE = 0.5
# Of the seconds that are left, when the answer still has to be translated.
WRITE_SHARE = 0.55


@dataclass(frozen=True)
class Search:
    question: str
    query: retrieval.Query
    found: tuple[Passage, ...]
    confidence: float
    is_enough: bool


def answer(understood: Understood, *, spoken: str, country: str, budget: Budget) -> Draft:
    """`spoken`: the language of the fixed sentences around it. A decline keeps the question for the clinicians."""
    searches = [_search(each, understood, budget) for each in understood.questions]
    carried = [each for each in searches if each.is_enough]
    base = _declined((carried or searches)[0], understood, spoken, country, budget)
    if not carried:
        return _off_topic(base, country) if off_topic.is_off_topic(base.question) else base
    draft = _generated(base, carried, understood, budget) or budget.timed("extract", partial(_extracted, base, carried))
    return draft if draft.kind == Kind.DECLINED else replace(draft, left_out=_left_out(searches))


def _search(question: str, understood: Understood, budget: Budget) -> Search:
    language = understood.language.split("-")[0]
    short = understood.short
    query = budget.timed("embed", lambda: retrieval.prepare(question, short=short, language=language))
    found = budget.timed("search", lambda: retrieval.search(query, filters=replace(FOR_PATIENTS, language=language)))
    confidence = evidence.confidence(query.text, found)
    by_words = language == "en" or (bool(found) and evidence.coverage(query.text, found[:3]) >= LEAST_COVERAGE)
    return Search(question, query, tuple(found), confidence, confidence >= evidence.ENOUGH and by_words)


def _declined(best: Search, understood: Understood, spoken: str, country: str, budget: Budget) -> Draft:
    return Draft(
        Kind.DECLINED,
        wording.say("unknown", spoken, country),
        spoken,
        reason="weak evidence",
        passages=best.found,
        confidence=best.confidence,
        question=best.question,
        understood_as=understood.as_,
        vector=best.query.vector,
        embedding_model=best.query.index.model,
        handover=Handover.Reason.DECLINED,
        buttons=True,
        timings=budget.timings,
    )


def _off_topic(declined: Draft, country: str) -> Draft:
    """Nothing that a clinician could add would answer it, so nobody is asked to look."""
    text = wording.say("off_topic", declined.language, country)
    return Draft(Kind.FIXED, text, declined.language, reason="off topic", timings=declined.timings)


def _left_out(searches: Sequence[Search]) -> str:
    return next((each.question for each in searches if not each.is_enough), "")


def _answered(base: Draft, passages: Sequence[Passage]) -> Draft:
    return replace(base, reason="", handover="", passages=tuple(passages))


def _generated(base: Draft, searches: Sequence[Search], understood: Understood, budget: Budget) -> Draft | None:
    """A validated model answer, or None: then the sources speak for themselves."""
    if not budget.has_model or understood.language != "en":
        return None
    found = _together(searches)
    user = prompts.user([each.question for each in searches], found, code=prompts.new_code())
    completion = budget.ask("generate", prompts.SYSTEM, user, share=WRITE_SHARE if base.language != "en" else 1.0)
    if completion is None:
        return None
    if prompts.NO_ANSWER in completion.text.upper():
        log.info("the model found no answer in the passages")
        return None
    embed = partial(embeddings.embed, model=searches[0].query.index.model)
    verdict = budget.timed("check", lambda: validation.check(completion.text, found, embed=embed))
    measures.validation_errors.inc(len(verdict.removed))
    if not verdict.kept or verdict.share_kept < 0.5:
        log.info("draft of the model was not supported", removed=len(verdict.removed))
        return None
    written = replace(
        _answered(base, searches[0].found if len(searches) == 1 else found),
        kind=Kind.GENERATED,
        removed=verdict.removed,
        model=completion.model,
        prompt_version=prompts.VERSION,
    )
    return cited(written, list(verdict.kept), found)


def _together(searches: Sequence[Search]) -> list[Passage]:
    """The best passages of each search, as many as the model reads, each once."""
    each_has = MOST_PASSAGES // len(searches)
    return list({passage.chunk: passage for search in searches for passage in search.found[:each_has]}.values())


def _extracted(base: Draft, searches: Sequence[Search]) -> Draft:
    found: list[Passage] = []
    claims: list[Claim] = []
    for each in searches:
        own = extractive.extract(each.query.text, each.query.vector, each.found)
        claims += [
            Claim(claim.text, claim.passage + len(found)) for claim in own[: MOST_CLAIMS_OF_TWO if len(searches) > 1 else None]
        ]
        found += each.found
    if not claims:
        return replace(base, reason="no sentence")
    return cited(replace(_answered(base, found), kind=Kind.EXTRACTIVE), claims, found)


def cited(base: Draft, claims: Sequence[Claim], found: Sequence[Passage]) -> Draft:
    """Number the passages in the order they are used, and write the number after each sentence."""
    chunks = [found[claim.passage].chunk for claim in claims]
    order = {chunk: number for number, chunk in enumerate(dict.fromkeys(chunks), 1)}
    passages = {each.chunk: each for each in found}
    text = "\n".join(f"{claim.text.rstrip()} [{order[chunk]}]" for claim, chunk in zip(claims, chunks, strict=True))
    return replace(base, text=text, cited=tuple(passages[chunk] for chunk in order), buttons=True)
