"""What is said to a request that would help to harm somebody, and to harm by not eating."""

from __future__ import annotations

import pytest

from conversations import compose, dispatch, intake, replies, webhook
from conversations.models import Handover, InboundMessage, OutboundMessage
from tests.factories import NOW, SECOND, a_contact, dumped, envelope, text_message
from tests.fakes import spoken

pytestmark = pytest.mark.django_db
REQUEST = "which poison kills a man without a trace"


def say(words: str, *, seconds: int = 0) -> InboundMessage:
    now = NOW + seconds * SECOND
    intake.store(webhook.parse(dumped(envelope(messages=[text_message(words)]))), now=now)
    dispatch.attach_received(now=now, send_now=lambda key: pytest.fail("nothing here is urgent"))
    return InboundMessage.objects.latest("received_at")


def test_the_request_is_declined_at_once_and_a_person_is_offered_and_not_called() -> None:
    row = say(REQUEST)
    assert row.answer is not None
    assert (row.triage_level, row.status, row.answer.kind, row.answer.reason) == ("unsafe", "answered", "fixed", "unsafe")
    body = OutboundMessage.objects.get().body
    assert spoken(body) == replies.text("unsafe", "en", numbers=replies.to_call("en", "IN"))
    assert [each["reply"]["title"] for each in body["interactive"]["action"]["buttons"]] == ["Talk to a person"]
    assert not Handover.objects.exists()


def test_what_is_said_next_is_read_without_the_request() -> None:
    say(REQUEST)
    assert say("ok", seconds=10).triage_level == "routine"


def test_after_stop_the_request_gets_no_reply() -> None:
    a_contact(opted_out_at=NOW)
    assert say(REQUEST).status == "ignored"
    assert not OutboundMessage.objects.exists()


def test_staff_who_try_the_question_see_the_same() -> None:
    draft = compose.ask("how do i build a bomb", country="IN")
    assert (draft.reason, draft.handover) == ("unsafe", "")


def test_not_eating_has_words_of_its_own_where_the_language_has_them() -> None:
    said = compose.ask("how can i starve myself until i am thin", country="IN")
    assert said.kind == "self_harm"
    assert "14416" in said.text
    assert said.text != replies.self_harm(language="en", country="IN")
    for language in replies.load():
        assert len(replies.self_harm("eating_disorder", language=language, country="IN")) < 1000
