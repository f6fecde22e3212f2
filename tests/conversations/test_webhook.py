"""Reading WhatsApp's bodies: signatures, every kind of event, and whatever else may stand in one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from conversations import webhook
from conversations.webhook import Inbound, NotAnEnvelope, Status, Unhandled
from tests.factories import ASHA, dumped, envelope, message, press, signature, status, text_message

BODY = b'{"entry": []}'


def read(**parts: Any) -> list[webhook.Event]:
    return webhook.parse(dumped(envelope(**parts)))


def read_one(body: Any, **value: Any) -> Inbound:
    (event,) = read(messages=[body], **value)
    assert isinstance(event, Inbound)
    return event


def test_a_right_signature_is_taken() -> None:
    assert webhook.verify_signature(BODY, signature(BODY, "one"), ["one"])


def test_either_secret_signs_while_they_are_rotated() -> None:
    secrets = ["new", "old"]
    assert [webhook.verify_signature(BODY, signature(BODY, each), secrets) for each in ("new", "old", "older")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("header", ["", "sha256=", "sha256=00", "é", "sha256=é\ud800", "sha256=" + "0" * 64])
def test_a_wrong_signature_is_refused(header: str) -> None:
    assert not webhook.verify_signature(BODY, header, ["one"])


def test_a_bare_digest_without_its_prefix_is_refused() -> None:
    assert not webhook.verify_signature(BODY, signature(BODY, "one").removeprefix("sha256="), ["one"])


def test_a_signature_says_nothing_of_another_body() -> None:
    assert not webhook.verify_signature(BODY + b" ", signature(BODY, "one"), ["one"])


def test_an_empty_secret_signs_nothing() -> None:
    import hashlib
    import hmac

    forged = "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    assert not webhook.verify_signature(BODY, forged, ["", "one"])


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"7", b'"text"', b"{}", b'{"entry": {}}', b'{"entry": null}', b"\xff\xfe\x00", b"[" * 100_000],
)
def test_a_body_that_is_no_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(NotAnEnvelope):
        webhook.parse(body)


def test_numbers_of_five_thousand_digits_are_refused_and_not_computed() -> None:
    with pytest.raises(NotAnEnvelope):
        webhook.parse(b'{"entry": [' + b"9" * 5_000 + b"]}")


@pytest.mark.parametrize("depth", [120, 500, 900, 950, 980])
def test_a_body_that_nests_too_deep_is_refused_however_deep_it_just_parses(depth: int) -> None:
    with pytest.raises(NotAnEnvelope):
        webhook.parse(b'{"entry": [' + b'{"a":' * depth + b"1" + b"}" * depth + b"]}")


def test_a_full_batch_is_not_mistaken_for_a_deep_one() -> None:
    assert len(read(messages=[text_message("hello") for _ in range(300)])) == 300


def test_a_text_message_is_read() -> None:
    event = read_one(text_message("How do I treat a fever?", wamid="wamid.1"))
    assert (event.wamid, event.phone, event.kind, event.text) == ("wamid.1", ASHA, "text", "How do I treat a fever?")
    assert (event.sent_at, event.ignored) == (datetime(2026, 3, 1, 9, tzinfo=UTC), "")


def test_every_message_and_status_of_every_change_and_entry_is_read() -> None:
    body = envelope(messages=[text_message("one"), text_message("two")], statuses=[status("sent"), status("read")])
    body["entry"] += envelope(messages=[text_message("three")])["entry"]
    body["entry"][0]["changes"] += envelope(statuses=[status("delivered")])["entry"][0]["changes"]
    events = webhook.parse(dumped(body))
    assert [each.text for each in events if isinstance(each, Inbound)] == ["one", "two", "three"]
    assert [each.status for each in events if isinstance(each, Status)] == ["sent", "read", "delivered"]


def test_one_odd_part_does_not_cost_the_others() -> None:
    body = envelope(
        messages=[text_message("one"), 7, None, {"id": "wamid.x"}, text_message("two")], statuses=["odd", status("sent")]
    )
    body["entry"] = [None, *body["entry"], {"changes": 3}, {"changes": [None, {"field": "messages"}]}]
    events = webhook.parse(dumped(body))
    assert [each.text for each in events if isinstance(each, Inbound)] == ["one", "two"]
    assert [each.reason for each in events if isinstance(each, Unhandled)] == [
        "an entry without a list of changes",
        "a message that is not an object",
        "a message that is not an object",
        "a message without a sender",
        "a status that is not an object",
        "an entry without a list of changes",
        "a change without a value",
        "a change without a value",
    ]


def test_another_field_is_kept_with_its_name() -> None:
    body = envelope()
    body["entry"][0]["changes"][0]["field"] = "account_update"
    (event,) = webhook.parse(dumped(body))
    assert isinstance(event, Unhandled)
    assert (event.field, event.reason) == ("account_update", "not about messages")


def test_a_sender_may_be_known_by_user_id_alone() -> None:
    event = read_one(text_message("hello", sender=None, from_user_id="IN.123"), contacts=[{"user_id": "IN.123"}])
    assert (event.phone, event.user_id, event.sender) == ("", "IN.123", "IN.123")


def test_the_user_id_is_taken_from_the_contact_beside_the_message() -> None:
    contacts = [{"wa_id": "911", "user_id": "IN.1"}, {"wa_id": ASHA, "user_id": "IN.2"}]
    assert read_one(text_message("hello"), contacts=contacts).user_id == "IN.2"


def test_a_contact_of_somebody_else_is_not_taken() -> None:
    event = read_one(text_message("hello"), contacts=[{"wa_id": "911", "user_id": "IN.1", "profile": {"name": "Ravi"}}])
    assert (event.user_id, webhook.profile_name(event.payload)) == ("", "")


@pytest.mark.parametrize("kind", ["image", "audio", "video", "document", "sticker", "location", "contacts"])
def test_media_is_stored_with_its_caption_and_gets_a_reply(kind: str) -> None:
    event = read_one(message(kind) | {kind: {"id": "1", "caption": "is this measles?"}})
    assert (event.kind, event.text, event.ignored) == (kind, "is this measles?", "")


@pytest.mark.parametrize(
    "kind", ["reaction", "order", "system", "unsupported", "request_welcome", "edit", "revoke", "never_seen"]
)
def test_kinds_without_words_are_ignored_with_the_reason(kind: str) -> None:
    assert read_one(message(kind) | {kind: {"emoji": "x"}}).ignored == f"a kind that needs no reply: {kind}"


def test_a_message_without_a_kind_is_ignored() -> None:
    assert read_one(message(kind="")).ignored == "a kind that needs no reply: unknown"


def test_a_kind_that_grows_when_it_is_folded_stays_within_its_column() -> None:
    assert len(read_one(message(kind="İ" * 40)).kind) <= 24


def test_a_message_to_a_group_is_ignored() -> None:
    assert read_one(text_message("hello", group_id="7")).ignored == "a message to a group"


def test_a_pressed_button_is_read_with_its_id() -> None:
    event = read_one(press("helpful:42", title="Helpful"))
    assert (event.text, webhook.button_id(event.payload)) == ("Helpful", "helpful:42")


def test_a_chosen_row_of_a_list_is_read_as_its_title() -> None:
    reply = {"type": "list_reply", "list_reply": {"id": "1", "title": "Fever"}}
    assert read_one(message("interactive", interactive=reply)).text == "Fever"


def test_a_form_that_we_did_not_ask_for_is_ignored() -> None:
    event = read_one(message("interactive", interactive={"type": "nfm_reply", "nfm_reply": {"response_json": "{}"}}))
    assert event.ignored == "an interactive reply that Jeevo did not ask for"


def test_a_status_is_read_with_our_id_and_its_error() -> None:
    (event,) = read(statuses=[status("failed", wamid="wamid.2", callback="our-id", code=131047)])
    assert event == Status("wamid.2", "failed", datetime.fromtimestamp(1772355700, UTC), "our-id", 131047)


@pytest.mark.parametrize("code", ["131047", 2**31, -(2**40), True, 1.5, None, {}, [1]])
def test_an_error_code_that_is_no_small_integer_is_left_out(code: Any) -> None:
    (event,) = read(statuses=[status("failed") | {"errors": [{"code": code}]}])
    assert isinstance(event, Status)
    assert event.error_code is None


@pytest.mark.parametrize("odd", [{"status": "warned"}, {"timestamp": "soon"}, {"timestamp": None}, {"id": ""}])
def test_a_status_of_an_unknown_kind_or_without_id_or_time_is_kept_aside(odd: dict[str, Any]) -> None:
    """Without its time it could not be told from itself when it comes again."""
    (event,) = read(statuses=[status("sent") | odd])
    assert isinstance(event, Unhandled)


def test_an_error_report_is_kept_beside_the_message() -> None:
    events = read(messages=[text_message("hello")], errors=[{"code": 131051}])
    assert [type(each) for each in events] == [Inbound, Unhandled]


@pytest.mark.parametrize("time", ["", "soon", None, [], {}, 10**20, -(10**20), "9" * 5_000, float("inf"), float("nan")])
def test_a_time_that_is_none_does_not_cost_the_message(time: Any) -> None:
    raw = json.dumps(envelope(messages=[text_message("hello", timestamp=time)])).encode()
    (event,) = webhook.parse(raw)
    assert isinstance(event, Inbound)
    assert event.sent_at is None


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("fe\x00ver", "fe ver"),
        ("a\x07b\x1b[31m", "a b [31m"),
        ("one\ntwo\tthree", "one\ntwo\tthree"),
        ("half \ud83d an emoji", "half   an emoji"),
        ("🤒🤢", "🤒🤢"),
        ("मुझे बुखार है", "मुझे बुखार है"),
        ("क्‍ष", "क्‍ष"),
        ("عندي حمى", "عندي حمى"),
        ("   ", ""),
        (["a", "list"], ""),
        (7, ""),
        (None, ""),
    ],
)
def test_words_are_kept_without_what_a_database_or_a_terminal_chokes_on(written: Any, kept: str) -> None:
    assert read_one(text_message(written)).text == kept


def test_the_longest_message_of_whatsapp_is_kept_whole_and_a_longer_one_is_cut() -> None:
    assert read_one(text_message("ग" * 4_096)).text == "ग" * 4_096
    assert len(read_one(text_message("x" * 20_000)).text or "") == webhook.LONGEST_TEXT


def test_an_id_that_is_too_long_to_be_one_is_not_taken() -> None:
    (event,) = read(messages=[text_message("hello", wamid="w" * 256)])
    assert isinstance(event, Unhandled)


@pytest.mark.parametrize("odd", [{}, [], 7, "\ud800", None, {"button_reply": 3}, {"button_reply": {"id": ["x"]}}])
def test_a_button_id_is_empty_for_anything_else(odd: Any) -> None:
    assert webhook.button_id({"message": {"interactive": odd}}) == ""
    assert webhook.button_id({"message": odd}) == ""


def test_the_sender_of_a_stored_payload_is_read_as_strictly_as_when_it_came() -> None:
    assert webhook.sender({"message": {"from": ASHA, "from_user_id": "IN.1"}}) == (ASHA, "IN.1")
    assert webhook.sender({"message": {"from": [ASHA]}, "contact": {"user_id": "IN.2"}}) == ("", "IN.2")
    assert webhook.sender({"message": {"from": "91\ud8009"}}) == ("91 9", "")
    assert webhook.sender(None) == ("", "")


def test_the_id_of_a_stored_message_is_read_as_strictly_as_when_it_came() -> None:
    assert webhook.message_id({"message": {"id": " wamid.1 "}}) == "wamid.1"
    assert webhook.message_id(None) == ""


@pytest.mark.parametrize("odd", [None, [], {}, {"id": 7}, {"id": "w" * 256}])
def test_the_id_of_a_stored_message_is_empty_for_anything_else(odd: Any) -> None:
    assert webhook.message_id({"message": odd}) == ""
