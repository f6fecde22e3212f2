"""Notices that really go out, to servers on this machine: what is taken, tried again, given up, and by whom."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from operations import outbound, sending, webhooks
from operations.models import Delivery, Subscriber
from operations.notifications import Recipient
from operations.outcomes import SENT, Outcome
from operations.sending import Sender
from tests.fixtures import ChangeEnvironment
from tests.operations.notices_sent import NOW, run, states, subscriber, tell
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
Tell = Callable[..., list[Delivery]]


@pytest.fixture
def receiver(environment: ChangeEnvironment) -> Iterator[Receiver]:
    environment(subscriber_networks=("127.0.0.0/8",))
    with receiving() as server:
        yield server


def test_a_webhook_gets_the_notice_signed_with_its_own_secret(receiver: Receiver) -> None:
    program = subscriber("webhook", receiver.url)
    (delivery,) = tell(program)
    run()
    (call,) = receiver.calls
    said = json.loads(call.body)
    assert {name: said[name] for name in ("id", "event", "subject", "facts")} == {
        "id": str(delivery.pk),
        "event": "declared",
        "subject": "Answers are late",
        "facts": {"number": 4, "severity": 2},
    }
    assert datetime.fromisoformat(said["created_at"]) == NOW
    at, signed = (part.split("=", 1)[1] for part in call.headers["X-Jeevo-Signature"].split(","))
    assert signed == hmac.new(program.secret.encode(), f"{at}.".encode() + call.body, hashlib.sha256).hexdigest()
    assert abs(int(at) - time.time()) < 60
    assert call.headers["X-Jeevo-Delivery"] == str(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.reason) == ("sent", 1, "")
    assert delivery.sent_at is not None


def test_the_check_in_the_documents_takes_our_signature_and_no_other() -> None:
    page = (settings.BASE_DIR / "docs" / "notices.md").read_text()
    code: dict[str, Any] = {}
    exec(page.partition("```python")[2].partition("```")[0], code)
    check, body = code["is_from_jeevo"], '{"subject":"देर"}'.encode()
    header = webhooks.signature(body, "secret", at=1_764_236_400)
    assert check(body, header, "secret", now=1_764_236_410)
    assert not check(body + b" ", header, "secret", now=1_764_236_410)
    assert not check(body, header, "other", now=1_764_236_410)
    assert not check(body, header, "secret", now=1_764_237_400)
    assert not check(body, header.replace("t=1764236400", "t=1764236401"), "secret", now=1_764_236_410)
    assert not check(body, "", "secret")


def test_a_contact_on_call_has_no_secret_and_gets_no_signature(receiver: Receiver) -> None:
    tell(Recipient("Night desk", "webhook", receiver.url))
    run()
    assert "X-Jeevo-Signature" not in receiver.calls[0].headers
    assert states() == [("Night desk", "sent")]


def test_a_server_with_a_fault_is_tried_again_with_the_same_key(receiver: Receiver) -> None:
    receiver.statuses = [500, 200]
    (delivery,) = tell(subscriber("webhook", receiver.url))
    run()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("queued", "The server has a fault of its own (500).")
    run(NOW + 20 * SECOND)
    assert len(receiver.calls) == 1
    run(NOW + 40 * SECOND)
    assert len({call.headers["X-Jeevo-Delivery"] for call in receiver.calls}) == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.reason) == ("sent", 2, "")


def test_after_six_attempts_in_three_hours_it_has_failed(receiver: Receiver) -> None:
    receiver.statuses = [503]
    (delivery,) = tell(subscriber("webhook", receiver.url))
    now, waits = NOW, []
    while delivery.status == "queued":
        run(now)
        delivery.refresh_from_db()
        waits.append(round((delivery.next_try_at - now).total_seconds(), -1))
        now = delivery.next_try_at
    assert waits[:5] == [30, 120, 600, 1800, 7200]
    assert (delivery.status, delivery.attempts, len(receiver.calls)) == ("failed", 6, 6)
    assert delivery.reason == "The server has a fault of its own (503)."


@pytest.mark.parametrize("status", [400, 401, 404, 413])
def test_a_refusal_for_good_fails_at_once(receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    (delivery,) = tell(subscriber("webhook", receiver.url))
    run()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("failed", f"The server refuses it ({status}).")


@pytest.mark.parametrize("status", [408, 425, 429])
def test_a_refusal_that_may_pass_is_tried_again(status: int) -> None:
    assert webhooks.judge(status).kind == "again"


def test_gone_for_good_stops_the_subscriber_and_what_else_waits_for_it(receiver: Receiver) -> None:
    receiver.statuses = [410]
    program = subscriber("webhook", receiver.url)
    tell(program)
    tell(program)
    run()
    program.refresh_from_db()
    assert not program.active
    assert "the address is gone (410)" in program.stopped_because
    assert len(receiver.calls) == 1
    assert sorted(Delivery.objects.values_list("status", "reason")) == [
        ("failed", "The server says that this address is gone for good (410)."),
        ("failed", sending.PAUSED),
    ]


@pytest.mark.parametrize("place", ["http://127.0.0.1:8000/admin/", "http://169.254.169.254/latest/meta-data"])
def test_a_redirect_inside_is_not_followed(receiver: Receiver, place: str) -> None:
    receiver.statuses, receiver.headers = [307], {"Location": place}
    (delivery,) = tell(subscriber("webhook", receiver.url))
    run()
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    assert "not followed" in delivery.reason
    assert len(receiver.calls) == 1


def test_an_address_inside_is_never_called() -> None:
    with receiving() as server:
        (delivery,) = tell(subscriber("webhook", server.url))
        run()
        assert server.calls == []
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    assert "private network" in delivery.reason


def test_an_endpoint_that_hangs_holds_up_nobody(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "ANSWER_SECONDS", 2.0)
    monkeypatch.setattr(outbound, "CONNECT_SECONDS", 2.0)
    with receiving() as slow:
        slow.way = "hang"
        stuck = subscriber("webhook", slow.url)
        for _ in range(20):
            tell(stuck)
        quick = subscriber("webhook", receiver.url)
        for _ in range(3):
            tell(quick)
        sender = Sender(patience=2.5)
        run(sender=sender)
        # The whole round ends while the slow one still has its one call.
        assert Delivery.objects.filter(subscriber=quick, status="sent").count() == 3
        assert len(slow.calls) == 1
        assert Delivery.objects.filter(subscriber=stuck, status="sending").count() == 1
        sender.patience = 10
        sender._start = lambda now: False  # type: ignore[method-assign]
        run(sender=sender)
    assert Delivery.objects.filter(subscriber=stuck, status="queued", attempts=1).get().reason == (
        "The server did not answer in time."
    )


def test_a_row_that_another_watcher_took_is_left_alone(receiver: Receiver) -> None:
    deliveries = tell(subscriber("webhook", receiver.url))
    assert len(sending.take(deliveries, now=NOW)) == 1
    stale = list(Delivery.objects.filter(pk=deliveries[0].pk))
    stale[0].attempts = 0
    assert sending.take(stale, now=NOW) == []
    run()
    assert receiver.calls == []


def test_a_row_whose_process_died_is_due_again_after_two_minutes_with_the_same_key(receiver: Receiver) -> None:
    (delivery,) = sending.take(tell(subscriber("webhook", receiver.url)), now=NOW)
    run(NOW + 110 * SECOND)
    assert receiver.calls == []
    run(NOW + 130 * SECOND)
    assert receiver.calls[0].headers["X-Jeevo-Delivery"] == str(delivery.pk)
    # The first process comes home after all: its answer no longer counts.
    sending.write_down(delivery, Outcome("failed", "late"), now=NOW)
    assert states()[0][1] == "sent"


def test_a_row_over_which_every_process_died_is_given_up(receiver: Receiver) -> None:
    (delivery,) = tell(subscriber("webhook", receiver.url))
    Delivery.objects.update(status="sending", attempts=6)
    run()
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    assert "in the middle" in delivery.reason
    assert receiver.calls == []


def test_an_outcome_stays_in_memory_until_the_database_takes_it(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(subscriber("webhook", receiver.url))
    sender = Sender(patience=0)
    run(sender=sender)
    while not all(future.done() for future in sender._running):
        time.sleep(0.01)

    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(sending, "write_down", away)
        with pytest.raises(ConnectionError):
            run(sender=sender)
    run(sender=sender)
    assert states()[0][1] == "sent"
    assert len(receiver.calls) == 1


def test_a_paused_subscriber_is_told_nothing(receiver: Receiver) -> None:
    (delivery,) = tell(subscriber("webhook", receiver.url))
    Subscriber.objects.update(active=False)
    run()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason, receiver.calls) == ("failed", sending.PAUSED, [])


def test_what_failed_can_be_sent_again(receiver: Receiver) -> None:
    receiver.statuses = [404, 200]
    (delivery,) = tell(subscriber("webhook", receiver.url))
    run()
    assert sending.send_again(delivery, now=NOW)
    assert not sending.send_again(delivery, now=NOW)
    run()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("sent", 1)


def test_a_mistake_of_our_own_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Outcome:
        raise ZeroDivisionError

    monkeypatch.setattr(webhooks, "send", broken)
    (delivery,) = tell(subscriber("webhook", "https://8.8.8.8/"))
    run()
    delivery.refresh_from_db()
    assert delivery.status == "queued"
    assert SENT.reason == ""


def test_a_quiet_round_asks_the_database_little(django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(3):
        run()
