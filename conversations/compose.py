"""What to say to a burst of messages: decide, understand, find and word, translate. No row is written here.

The same functions answer WhatsApp, the command line and the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.conf import settings

from conversations import grounded, language, llm, own_rules, prompts, second_look, translation, understanding, wording
from conversations.budget import Budget
from conversations.draft import Draft
from conversations.models import Answer, Handover, InboundMessage
from conversations.prompts import Earlier
from conversations.questions import Sort, sort
from conversations.rulebook import Level
from conversations.triage import Triage, triage
from conversations.understanding import Understood
from knowledge import embedding_indexes, embeddings, vocabulary

Kind = Answer.Kind
# What the person asked before, oldest first; asked for only when the message leans on it.
Recall = Callable[[], Sequence[Earlier]]
_PLEASANTRIES = (Sort.GREETING, Sort.THANKS, Sort.GOODBYE)
_LONGEST_QUOTE = 80


def nothing_before() -> Sequence[Earlier]:
    return ()


def for_burst(
    messages: Sequence[InboundMessage], *, country: str, default_language: str, recall: Recall = nothing_before
) -> Draft:
    """One reply for everything in the burst. Triage has already run on each message."""
    text = "\n".join(message.text for message in messages if message.text).strip()
    kinds = {message.kind for message in messages if message.kind not in ("text", "button", "interactive")}
    spoken = language.detect(text, default=default_language) if text else default_language
    if kinds and not text:
        return Draft(Kind.FIXED, wording.media(kinds, spoken, country), spoken, reason="media")
    urgent = any(m.triage_level == Level.URGENT for m in messages)
    draft = for_text(text, spoken=spoken, country=country, urgent=urgent, recall=recall)
    draft = replace(draft, language_certain=language.is_certain(text, spoken))
    if kinds and draft.raised is None:
        draft = replace(draft, preface=" ".join(part for part in (draft.preface, wording.media(kinds, spoken, country)) if part))
    return draft


def for_text(text: str, *, spoken: str, country: str, urgent: bool = False, recall: Recall = nothing_before) -> Draft:
    what = sort(text)
    if what is Sort.EMPTY:
        return _fixed("empty", spoken, country)
    if what in (*_PLEASANTRIES, Sort.GIBBERISH) and not urgent:
        return _fixed(what.value, spoken, country)
    earlier = tuple(recall()) if what is Sort.FOLLOW_UP else ()
    if what is Sort.FOLLOW_UP and not earlier and not urgent and _is_understood(spoken):
        return _fixed("unclear", spoken, country)
    budget = Budget()
    understood = understanding.of(text, spoken=spoken, earlier=earlier, budget=budget)
    typed = text if spoken == "en" else ""
    verdict = understanding.raised(understood, typed=typed, above=Level.URGENT if urgent else Level.ROUTINE)
    if verdict is not None and verdict.level is not Level.URGENT:
        return replace(at_once(verdict, spoken, country), raised=verdict, understood_as=understood.as_, timings=budget.timings)
    urgent = urgent or verdict is not None
    draft = _reply(understood, spoken=spoken, country=country, budget=budget, urgent=urgent)
    return replace(draft, raised=verdict)


def _is_understood(spoken: str) -> bool:
    return spoken == "en" or (translation.target(spoken) is not None and (llm.is_on() or _reads(spoken)))


def _fixed(key: str, spoken: str, country: str) -> Draft:
    return Draft(Kind.FIXED, wording.say(key, spoken, country), spoken, reason=key)


def _reply(understood: Understood, *, spoken: str, country: str, budget: Budget, urgent: bool) -> Draft:
    """In the person's language: from sources in it, by translation, or honestly none."""
    draft = _in_their_language(understood, spoken=spoken, country=country, budget=budget)
    if draft is None:
        return replace(_not_our_language(spoken, country, urgent=urgent), understood_as=understood.as_, timings=budget.timings)
    if draft.left_out:
        draft = replace(draft, text=f"{draft.text}\n{_not_known(draft.left_out, spoken, country)}")
    return replace(draft, preface=wording.urgent(spoken, country)) if urgent else draft


def _in_their_language(understood: Understood, *, spoken: str, country: str, budget: Budget) -> Draft | None:
    if spoken == "en" or (spoken == "und" and understood.language == "en" and not understood.rewritten):
        return grounded.answer(understood, spoken="en", country=country, budget=budget)
    if _reads(spoken) and translation.target(spoken):
        own = replace(understood, questions=(understood.own,), language=spoken)
        draft = grounded.answer(own, spoken=spoken, country=country, budget=budget)
        if draft.kind == Kind.EXTRACTIVE or understood.language != "en":
            return draft
    if understood.language != "en" or translation.target(spoken) is None:
        return None
    draft = grounded.answer(understood, spoken=spoken, country=country, budget=budget)
    if draft.kind not in (Kind.GENERATED, Kind.EXTRACTIVE):
        return draft
    return translation.translated(draft, spoken=spoken, budget=budget)


def _reads(spoken: str) -> bool:
    """Whether passages in this language can be found by meaning: by the model that is wished for and the one that answers."""
    if spoken == "und" or not embeddings.reads(spoken, model=settings.ENVIRONMENT.embedding_model):
        return False
    return embeddings.reads(spoken, model=embedding_indexes.current_model())


def _not_our_language(spoken: str, country: str, *, urgent: bool) -> Draft:
    text = wording.say("language_unsupported", spoken, country)
    if urgent:
        text = wording.urgent(spoken, country) + "\n\n" + text
    return Draft(Kind.FIXED, text, spoken, reason="language", language_certain=spoken != "und", handover=Handover.Reason.LANGUAGE)


def _not_known(question: str, spoken: str, country: str) -> str:
    """Their own words, so that it is clear which of two questions is meant."""
    unknown = wording.say("unknown", spoken, country)
    quote = " ".join(question.split())
    if spoken != "en" or len(quote) > _LONGEST_QUOTE or prompts.has_address(quote):
        return unknown
    return f"“{quote}” {unknown}"


def answer_question(question: str, *, country: str, spoken: str = "en") -> Draft:
    """An English question that stands alone, answered in English: evidence, then words for it, else declined."""
    budget = Budget()
    understood = understanding.of(question, spoken="en", budget=budget)
    return grounded.answer(understood, spoken=spoken, country=country, budget=budget)


def danger_in_translation(messages: Sequence[InboundMessage], *, country: str, default_language: str) -> Draft | None:
    """The emergency reply, where only the English translation shows that one is due; for when nothing else may be said."""
    text = "\n".join(message.text for message in messages if message.text).strip()
    spoken = language.detect(text, default=default_language) if text else "en"
    if spoken == "en" or sort(text) is not Sort.QUESTION:
        return None
    budget = Budget()
    understood = understanding.of(text, spoken=spoken, budget=budget)
    verdict = understanding.raised(understood, above=Level.UNSAFE)
    return replace(at_once(verdict, spoken, country), raised=verdict, understood_as=understood.as_) if verdict else None


def holding(text: str, spoken: str, country: str, *, urgent: bool = False) -> Draft:
    """The notice's own text, or ours in the person's language. Who should see a doctor today is told so at once."""
    said = text or wording.say("holding", spoken, country)
    if urgent:
        return Draft(Kind.HOLDING, said, spoken, reason="urgent notice", preface=wording.urgent(spoken, country))
    return Draft(Kind.HOLDING, said, spoken, reason="notice")


def apology(spoken: str, country: str) -> Draft:
    return Draft(Kind.APOLOGY, wording.say("apology", spoken, country), spoken, reason="failed", handover=Handover.Reason.FAILED)


def warm_up() -> None:
    """Read the texts and word lists once, before a worker forks and before anybody waits for them."""
    for_text("hello", spoken=language.detect("how do I bring down a fever", default="en"), country=settings.ENVIRONMENT.country)
    vocabulary.widened("fever")
    second_look.warm_up()


def spoken_in(text: str, verdict: Triage, *, default: str) -> str:
    """The language to answer in. A message too short to tell is in that of the rules that found a sign in it."""
    spoken = language.detect(text, default=default)
    return verdict.language if verdict.language and not language.is_certain(text, spoken) else spoken


def ask(question: str, *, country: str) -> Draft:
    """The whole path for one question typed by staff or a developer: triage first, as for a patient."""
    verdict = triage(question, books=own_rules.books())
    spoken = spoken_in(question, verdict, default="en")
    if verdict.level in (Level.EMERGENCY, Level.SELF_HARM, Level.UNSAFE):
        return at_once(verdict, spoken, country)
    return for_text(question, spoken=spoken, country=country, urgent=verdict.level is Level.URGENT)


def at_once(verdict: Triage, spoken: str, country: str) -> Draft:
    """What is said without a search to what triage stops."""
    if verdict.level is Level.UNSAFE:
        return unsafe(spoken, country)
    return red_flag(verdict.level, verdict.concept, spoken, country)


def unsafe(spoken: str, country: str) -> Draft:
    """Declines to help with harm, says what Jeevo can do, and offers a person."""
    return Draft(Kind.FIXED, wording.say("unsafe", spoken, country), spoken, reason="unsafe", buttons=True)


def red_flag(level: str, concept: str, spoken: str, country: str) -> Draft:
    if level == Level.SELF_HARM:
        text = wording.self_harm(spoken, country, concept=concept)
        return Draft(Kind.SELF_HARM, text, spoken, reason=concept, handover=Handover.Reason.RED_FLAG)
    text = wording.emergency(concept, spoken, country)
    return Draft(Kind.EMERGENCY, text, spoken, reason=concept, handover=Handover.Reason.RED_FLAG)
