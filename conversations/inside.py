"""What happened to one message inside Jeevo, step by step, in words a newcomer understands.

Built from rows only, so it is as true after a crash as before it. It holds no phone number, and of the patient's
words only how their question was understood: the page of the sandbox and the transcript, which have the words
themselves, may show it to anyone who may see them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.conf.locale import LANG_INFO

from conversations.models import Answer, Citation, DeliveryEvent, InboundMessage, OutboundMessage

State = Literal["done", "now", "waiting", "failed"]
Kind, Inbound, Outbound = Answer.Kind, InboundMessage.Status, OutboundMessage.Status

TRIAGE = {
    "routine": "Checked for an emergency: none found",
    "urgent": "Checked for an emergency: needs care soon",
    "emergency": "Checked for an emergency: found one",
    "self_harm": "Checked for an emergency: signs of self-harm",
    "unsafe": "Checked for an emergency: a request that could hurt somebody",
}
WRITTEN: dict[str, str] = {
    Kind.GENERATED: "Written by a language model from these passages",
    Kind.EXTRACTIVE: "Written with sentences taken from the sources",
    Kind.DECLINED: "Said that it does not know",
    Kind.EMERGENCY: "Emergency reply chosen at once, without a language model",
    Kind.SELF_HARM: "Crisis reply chosen at once, without a language model",
    Kind.URGENT: "Reply chosen that says to get care soon",
    Kind.HOLDING: "Told that answers are delayed",
    Kind.FIXED: "A fixed reply chosen",
    Kind.APOLOGY: "Apologised, and asked a person to help",
}
SEARCHED = (Kind.GENERATED, Kind.EXTRACTIVE, Kind.DECLINED)
QUOTING = (Kind.GENERATED, Kind.EXTRACTIVE)
MOST_PASSAGES = 5
AFTER_SENT = (Outbound.SENT, Outbound.DELIVERED, Outbound.READ)


@dataclass(frozen=True)
class Step:
    name: str
    label: str
    state: State
    at: datetime | None = None
    # Since the message was received; None where no row says when.
    milliseconds: int | None = None
    details: tuple[str, ...] = ()


def steps(message: InboundMessage) -> list[Step]:
    """The steps in their order, those that are still to come included."""
    stored = _step(message, "stored", "Stored before WhatsApp was told it arrived", at=message.received_at)
    if message.status == Inbound.IGNORED:
        return [stored, Step("written", "Needs no reply", "done", details=_said(message.reason))]
    answer = message.answer
    before = [stored, _triage(message)]
    if answer is None:
        return [*before, *_without_answer(message)]
    outgoing = OutboundMessage.objects.filter(answer=answer).first()
    return [
        *before,
        _found(answer),
        _written(message, answer),
        _checked(answer),
        *_delivery(message, outgoing),
    ]


def _step(message: InboundMessage, name: str, label: str, *, at: datetime | None, details: tuple[str, ...] = ()) -> Step:
    """A step that is done. WhatsApp's clock may run behind ours, but no step comes before the first."""
    passed = None if at is None else max(0, round((at - message.received_at).total_seconds() * 1000))
    return Step(name, label, "done", at, passed, details)


def _said(*lines: str) -> tuple[str, ...]:
    return tuple(line for line in lines if line)


def _triage(message: InboundMessage) -> Step:
    if not message.triage_level:
        state: State = "failed" if message.status == Inbound.FAILED else "now"
        return Step("triage", "Checking for an emergency", state, details=_said(message.reason))
    concept = message.triage_concept.replace("_", " ").replace("-", " ")
    rules = ", ".join(str(rule) for rule in message.triage_rules)
    details = _said(concept and f"Sign: {concept}", rules and f"Rules: {rules}")
    label = TRIAGE.get(message.triage_level, "Checked for an emergency")
    return Step("triage", label, "done", details=details)


def _without_answer(message: InboundMessage) -> list[Step]:
    """The rest of the way while there is no answer."""
    if message.status == Inbound.WITH_PERSON:
        return [Step("written", "A person has taken this conversation, so Jeevo is quiet", "done")]
    if message.status == Inbound.ANSWERED:
        return [Step("written", "Answered by a person", "done")]
    if message.status == Inbound.FAILED:
        return [Step("written", "Could not be answered", "failed", details=_said(message.reason))]
    return [
        _looking(message),
        Step("written", "Write a reply", "waiting"),
        Step("checked", "Check every sentence against its source", "waiting"),
        *_delivery(message, None),
    ]


def _looking(message: InboundMessage) -> Step:
    if message.status == Inbound.PROCESSING:
        return Step("found", "Looking for passages in the library", "now")
    if message.status != Inbound.WAITING:
        return Step("found", "Look for passages in the library", "waiting")
    if message.retry_at is None:
        return Step("found", "Waiting for a quiet moment, in case more is coming", "now")
    tried = f"Tried {message.attempts} time{'' if message.attempts == 1 else 's'} so far" if message.attempts else ""
    return Step("found", f"Kept, and tried again at {message.retry_at:%H:%M:%S} UTC", "now", details=_said(tried))


def _found(answer: Answer) -> Step:
    if answer.kind not in SEARCHED:
        return Step("found", "No search needed for this reply", "done", details=_said(_understood(answer)))
    passages = [each for each in answer.passages if isinstance(each, dict)]
    label = f"Found {len(passages)} passage{'' if len(passages) == 1 else 's'} in the library"
    if answer.kind == Kind.DECLINED:
        label = "Searched the library: nothing close enough"
    lines = [_understood(answer), *(_passage(each) for each in passages[:MOST_PASSAGES])]
    more = f"and {len(passages) - MOST_PASSAGES} more" if len(passages) > MOST_PASSAGES else ""
    return Step("found", label, "done", details=_said(*lines, more, _took(answer, "read", "embed", "search")))


def _understood(answer: Answer) -> str:
    return f"Understood as: {answer.understood_as}" if answer.understood_as else ""


def _passage(passage: dict[str, object]) -> str:
    title, heading, score = passage.get("title", ""), passage.get("heading", ""), passage.get("score")
    where = f"{title} / {heading}" if heading and heading != title else str(title)
    return f"{where} (score {score:.2f})" if isinstance(score, int | float) else where


def _took(answer: Answer, *names: str) -> str:
    known = [answer.timings[name] for name in names if isinstance(answer.timings.get(name), int | float)]
    return f"Took {round(sum(known)):,} ms" if known else ""


def _written(message: InboundMessage, answer: Answer) -> Step:
    together = answer.questions.count()
    details = _said(
        answer.model and f"Model: {answer.model}",
        answer.reason and f"Reason: {answer.reason.replace('_', ' ')}",
        f"Language: {_language(answer.language)}",
        "" if answer.confidence is None else f"Confidence: {answer.confidence:.0%}",
        f"One reply to {together} messages" if together > 1 else "",
        _took(answer, "generate", "extract", "translate"),
    )
    return _step(message, "written", WRITTEN.get(answer.kind, "Written"), at=answer.created_at, details=details)


def _language(code: str) -> str:
    name = LANG_INFO.get(code, {}).get("name", code)
    return "not recognised" if code == "und" else str(name)


def _checked(answer: Answer) -> Step:
    if answer.kind == Kind.DECLINED:
        return Step("checked", "Nothing to check: nothing was claimed", "done")
    if answer.kind not in QUOTING:
        return Step("checked", "Nothing to check: the text is fixed", "done")
    cited = [_cited(each) for each in answer.citations.all()]
    if answer.kind == Kind.EXTRACTIVE:
        return Step("checked", "Every sentence is its source's own", "done", details=_said(*cited))
    removed = len(answer.removed) if isinstance(answer.removed, list) else 0
    gone = f"{removed} sentence{' was' if removed == 1 else 's were'} removed: no passage supported it"
    details = _said(gone if removed else "No sentence had to be removed", *cited, _took(answer, "check"))
    return Step("checked", "Every sentence checked against its source", "done", details=details)


def _cited(citation: Citation) -> str:
    where = " / ".join(dict.fromkeys(part for part in (citation.title, citation.heading) if part))
    return f"[{citation.number}] {where}" + (f", {citation.publisher}" if citation.publisher else "")


def _delivery(message: InboundMessage, outgoing: OutboundMessage | None) -> list[Step]:
    if outgoing is None:
        return [
            Step("sent", "Hand the reply to WhatsApp", "waiting"),
            Step("delivered", "Arrive on the phone", "waiting"),
            Step("read", "Be read", "waiting"),
        ]
    reported = _reports(outgoing)
    arrived = outgoing.delivered_at or outgoing.status in (Outbound.DELIVERED, Outbound.READ)
    was_read = outgoing.read_at or outgoing.status == Outbound.READ
    return [
        _sent(message, outgoing),
        _step(message, "delivered", "Arrived on the phone", at=reported.get("delivered", outgoing.delivered_at))
        if arrived
        else Step("delivered", "Arrive on the phone", "waiting"),
        _step(message, "read", "Read", at=reported.get("read", outgoing.read_at))
        if was_read
        else Step("read", "Be read", "waiting"),
    ]


def _reports(outgoing: OutboundMessage) -> dict[str, datetime]:
    """When each report reached us: WhatsApp's own times are whole seconds, too coarse for this."""
    rows = DeliveryEvent.objects.filter(outbound=outgoing).order_by("-received_at", "-id")
    return dict(rows.values_list("status", "received_at"))


def _sent(message: InboundMessage, outgoing: OutboundMessage) -> Step:
    details = _said(
        outgoing.reason,
        f"WhatsApp's error {outgoing.error_code}" if outgoing.error_code else "",
        f"Tried {outgoing.attempts} times" if outgoing.attempts > 1 else "",
        "Sent once more after an unclear try" if outgoing.resent else "",
    )
    if outgoing.status in AFTER_SENT:
        return _step(message, "sent", "Handed to WhatsApp", at=outgoing.handed_at, details=details)
    if outgoing.status == Outbound.FAILED:
        return Step("sent", "WhatsApp did not take the reply", "failed", outgoing.failed_at, None, details)
    if outgoing.status == Outbound.UNCERTAIN:
        return Step("sent", "WhatsApp has not said whether it took the reply", "now", details=details)
    label = "Being handed to WhatsApp" if outgoing.status == Outbound.SENDING else "Waiting to be handed to WhatsApp"
    return Step("sent", label, "now", details=details)
