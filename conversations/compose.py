"""What to say to a burst of messages: decide, retrieve, write or extract, check. No row is written here.

The same functions answer WhatsApp, the command line and the tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog
from django.conf import settings

from conversations import evidence, extractive, language, llm, prompts, validation, wording
from conversations.draft import Draft
from conversations.models import Answer, Handover, InboundMessage
from conversations.questions import Sort, sort
from conversations.rulebook import Level
from conversations.triage import triage
from conversations.validation import Claim
from knowledge import condensing, embeddings, retrieval, vocabulary
from knowledge.passages import Passage, Vectors

log = structlog.get_logger(__name__)
T = TypeVar("T")
Kind = Answer.Kind
UNDERSTOOD = ("en",)
# Of the model's deadline, for a one-line form of a long message.
CONDENSE_SECONDS = 4.0
# What was written for staff is never quoted to a patient.
FOR_PATIENTS = retrieval.Filters(audience="public")


def for_burst(messages: Sequence[InboundMessage], *, country: str, default_language: str) -> Draft:
    """One reply for everything in the burst. Triage has already run on each message."""
    text = "\n".join(message.text for message in messages if message.text).strip()
    kinds = {message.kind for message in messages if message.kind not in ("text", "button", "interactive")}
    spoken = language.detect(text, default=default_language) if text else default_language
    if kinds and not text:
        return Draft(Kind.FIXED, wording.media(kinds, spoken, country), spoken, reason="media")
    draft = for_text(text, spoken=spoken, country=country, urgent=any(m.triage_level == Level.URGENT for m in messages))
    if kinds:
        draft = replace(draft, preface=" ".join(part for part in (draft.preface, wording.media(kinds, spoken, country)) if part))
    return draft


def for_text(text: str, *, spoken: str, country: str, urgent: bool = False) -> Draft:
    what = sort(text)
    if what is Sort.EMPTY:
        return Draft(Kind.FIXED, wording.say("empty", spoken, country), spoken, reason="empty")
    if what in (Sort.GREETING, Sort.THANKS, Sort.GOODBYE) and not urgent:
        return Draft(Kind.FIXED, wording.say(what.value, spoken, country), spoken, reason=what.value)
    if spoken not in UNDERSTOOD:
        return _not_our_language(spoken, country, urgent=urgent)
    if what is Sort.FOLLOW_UP and not urgent:
        return Draft(Kind.FIXED, wording.say("unclear", spoken, country), spoken, reason="unclear")
    draft = answer_question(text, spoken=spoken, country=country)
    return replace(draft, preface=wording.urgent(spoken, country)) if urgent else draft


def _not_our_language(spoken: str, country: str, *, urgent: bool) -> Draft:
    text = wording.say("language_unsupported", spoken, country)
    if urgent:
        text = wording.urgent(spoken, country) + "\n\n" + text
    return Draft(Kind.FIXED, text, spoken, reason="language", language_certain=spoken != "und", handover=Handover.Reason.LANGUAGE)


def answer_question(question: str, *, country: str, spoken: str = "en") -> Draft:
    """Evidence, then words for it: generated when a model is on and every claim holds, else extracted, else declined."""
    timings: dict[str, int] = {}
    short = _timed(timings, "condense", lambda: _short_form(question)) if _may_condense(question) else None
    query = _timed(timings, "embed", lambda: retrieval.prepare(question, short=short))
    found = _timed(timings, "search", lambda: retrieval.search(query, filters=FOR_PATIENTS))
    confidence = evidence.confidence(query.text, found)
    base = Draft(
        Kind.DECLINED,
        wording.say("unknown", spoken, country),
        spoken,
        passages=tuple(found),
        confidence=confidence,
        question=question,
        vector=query.vector,
        embedding_model=query.index.model,
        timings=timings,
    )
    if confidence < evidence.ENOUGH:
        return replace(base, reason="weak evidence", handover=Handover.Reason.DECLINED, buttons=True)
    written = _generated(base, query, found, timings) if llm.is_on() else None
    return written or _timed(timings, "extract", partial(_extracted, base, query, found))


def _may_condense(question: str) -> bool:
    return len(question.split()) > condensing.SHORT and llm.is_on()


def _short_form(question: str) -> str | None:
    """A long message in one line by the model, for the search alone; None leaves it to the rules."""
    try:
        line = llm.complete(prompts.CONDENSE, prompts.message(question), seconds=CONDENSE_SECONDS).text.strip().splitlines()[0]
    except llm.ModelError as error:
        log.info("condensing by rules", reason=error.reason)
        return None
    return line if 2 <= len(line.split()) <= 40 else None


def _generated(base: Draft, query: retrieval.Query, found: Sequence[Passage], timings: dict[str, int]) -> Draft | None:
    """A validated model answer, or None: then the sources speak for themselves."""
    found = found[:6]
    try:
        completion = llm.complete(prompts.SYSTEM, prompts.user(query.question, found), seconds=_seconds_left(timings))
    except llm.ModelError as error:
        log.info("answering without the model", reason=error.reason)
        return None
    timings["generate"] = completion.milliseconds
    if prompts.NO_ANSWER in completion.text.upper():
        log.info("the model found no answer in the passages")
        return None
    verdict = _timed(timings, "check", lambda: validation.check(completion.text, found, embed=_as(query)))
    if not verdict.kept or verdict.share_kept < 0.5:
        log.info("draft of the model was not supported", removed=len(verdict.removed))
        return None
    return _cited(
        replace(base, kind=Kind.GENERATED, removed=verdict.removed, model=completion.model, prompt_version=prompts.VERSION),
        list(verdict.kept),
        found,
    )


def _seconds_left(timings: dict[str, int]) -> float:
    """What condensing took is no longer there for writing: the person waits for both."""
    return max(1.0, settings.ENVIRONMENT.groq.deadline_seconds - timings.get("condense", 0) / 1000)


def _as(query: retrieval.Query) -> Callable[[list[str]], Vectors]:
    """Embed as the passages were, whichever model answers now."""
    return partial(embeddings.embed, model=query.index.model)


def _extracted(base: Draft, query: retrieval.Query, found: Sequence[Passage]) -> Draft:
    claims = extractive.extract(query.text, query.vector, found)
    if not claims:
        return replace(base, reason="no sentence", handover=Handover.Reason.DECLINED, buttons=True)
    return _cited(replace(base, kind=Kind.EXTRACTIVE), claims, found)


def _cited(base: Draft, claims: Sequence[Claim], found: Sequence[Passage]) -> Draft:
    """Number the passages in the order they are used, and write the number after each sentence."""
    order = list(dict.fromkeys(claim.passage for claim in claims))
    text = "\n".join(f"{claim.text.rstrip()} [{order.index(claim.passage) + 1}]" for claim in claims)
    return replace(base, text=text, cited=tuple(found[each] for each in order), buttons=True)


def holding(text: str, spoken: str) -> Draft:
    return Draft(Kind.HOLDING, text, spoken, reason="notice")


def apology(spoken: str, country: str) -> Draft:
    return Draft(Kind.APOLOGY, wording.say("apology", spoken, country), spoken, reason="failed", handover=Handover.Reason.FAILED)


def warm_up() -> None:
    """Read the texts and word lists once, before a worker forks and before anybody waits for them."""
    for_text("hello", spoken=language.detect("how do I bring down a fever", default="en"), country=settings.ENVIRONMENT.country)
    vocabulary.widened("fever")


def ask(question: str, *, country: str) -> Draft:
    """The whole path for one question typed by staff or a developer: triage first, as for a patient."""
    verdict = triage(question)
    spoken = language.detect(question, default="en")
    if verdict.level in (Level.EMERGENCY, Level.SELF_HARM):
        return red_flag(verdict.level, verdict.concept, spoken, country)
    if verdict.level is Level.UNSAFE:
        return unsafe(spoken, country)
    return for_text(question, spoken=spoken, country=country, urgent=verdict.level is Level.URGENT)


def unsafe(spoken: str, country: str) -> Draft:
    """Declines to help with harm, says what Jeevo can do, and offers a person."""
    return Draft(Kind.FIXED, wording.say("unsafe", spoken, country), spoken, reason="unsafe", buttons=True)


def red_flag(level: str, concept: str, spoken: str, country: str) -> Draft:
    if level == Level.SELF_HARM:
        text = wording.self_harm(spoken, country, concept=concept)
        return Draft(Kind.SELF_HARM, text, spoken, reason=concept, handover=Handover.Reason.RED_FLAG)
    text = wording.emergency(concept, spoken, country)
    return Draft(Kind.EMERGENCY, text, spoken, reason=concept, handover=Handover.Reason.RED_FLAG)


def _timed(timings: dict[str, int], step: str, work: Callable[[], T]) -> T:
    started = time.monotonic()
    try:
        return work()
    finally:
        timings[step] = timings.get(step, 0) + round(1000 * (time.monotonic() - started))
