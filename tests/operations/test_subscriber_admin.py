"""Subscribers and notices in the console: what may be added, a secret shown once, a test, a pause, and who may do it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from operations import delivery_lines, notifications
from operations.models import Delivery, Notice, Subscriber
from operations.notifications import Recipient
from operations.sending import Sender
from tests.fixtures import ChangeEnvironment
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db
NOW = timezone.now()
ADD = "admin:operations_subscriber_add"


@pytest.fixture
def asha(client: Client) -> Client:
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def receiver(environment: ChangeEnvironment) -> Iterator[Receiver]:
    environment(subscriber_networks=("127.0.0.0/8",))
    with receiving() as server:
        yield server


def with_permissions(*codenames: str) -> Client:
    user, _ = User.objects.get_or_create(username=f"user-{'-'.join(codenames)}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames, content_type__app_label="operations"))
    client = Client()
    client.force_login(user)
    return client


def add(client: Client, **values: Any) -> Any:
    usual = {"name": "Ministry", "channel": "email", "address": "ops@example.org", "incidents": "on", "least_severity": "2"}
    return client.post(reverse(ADD), usual | values)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def page(subscriber: Subscriber) -> str:
    return reverse("admin:operations_subscriber_change", args=[subscriber.pk])


def step(client: Client, subscriber: Subscriber, name: str) -> HttpResponse:
    answer: Any = client.post(reverse("admin:operations_subscriber_step", args=[subscriber.pk]), {"step": name}, follow=True)
    said: HttpResponse = answer
    return said


def a_webhook(address: str = "https://8.8.8.8/hook") -> Subscriber:
    return Subscriber.objects.create(name="Clinic", channel="webhook", address=address)


def a_mailbox() -> Subscriber:
    return Subscriber.objects.create(name="Ministry", channel="email", address="ops@example.org")


def test_an_address_of_mail_is_added_by_whoever_is_signed_in(asha: Client) -> None:
    answer = add(asha, address=" ops@example.org ")
    subscriber = Subscriber.objects.get()
    assert answer.status_code == 302
    assert (subscriber.address, subscriber.least_severity, subscriber.maintenance) == ("ops@example.org", 2, False)
    assert subscriber.created_by is not None
    assert subscriber.created_by.username == "asha"


@pytest.mark.parametrize(
    ("channel", "address", "said"),
    [
        ("email", "not an address", "This is not an e-mail address"),
        ("email", "a@example.org, b@example.org", "This is not an e-mail address"),
        ("email", "a@example.org\r\nBcc: b@example.org", "This is not an e-mail address"),
        ("webhook", "https://127.0.0.1/", "private network"),
        ("webhook", "https://169.254.169.254/latest/", "private network"),
        ("webhook", "https://localhost:8000/", "private network"),
        ("webhook", "http://8.8.8.8/", "must begin with https://"),
        ("webhook", "https://user:word@8.8.8.8/", "Leave the name and the password out"),
        ("webhook", "https://no-such-name.invalid/", "could not be found"),
        ("webhook", "javascript:alert(1)", "must begin with https://"),
    ],
)
def test_an_address_that_could_not_be_used_is_refused_with_a_sentence(
    asha: Client, channel: str, address: str, said: str
) -> None:
    assert said in text(add(asha, channel=channel, address=address))
    assert not Subscriber.objects.exists()


def test_an_address_is_added_once(asha: Client) -> None:
    add(asha)
    assert "already exists" in text(add(asha))
    assert Subscriber.objects.count() == 1


def test_the_secret_of_a_webhook_is_shown_once(asha: Client) -> None:
    answer = add(asha, channel="webhook", address="https://8.8.8.8/hook")
    subscriber = Subscriber.objects.get()
    assert subscriber.secret in text(answer)
    assert "no-store" in answer["Cache-Control"]
    for later in (page(subscriber), reverse("admin:operations_subscriber_changelist")):
        assert subscriber.secret not in text(asha.get(later))


def test_a_new_secret_replaces_the_old_one(asha: Client) -> None:
    subscriber = a_webhook()
    old = subscriber.secret
    answer = text(step(asha, subscriber, "secret"))
    subscriber.refresh_from_db()
    assert subscriber.secret != old
    assert subscriber.secret in answer
    assert old not in answer


def test_mail_has_no_secret_to_replace(asha: Client) -> None:
    subscriber = a_mailbox()
    answer = text(step(asha, subscriber, "secret"))
    assert subscriber.secret not in answer
    assert "new secret" not in answer


def test_a_test_goes_out_and_its_result_is_shown(asha: Client, receiver: Receiver) -> None:
    subscriber = a_webhook(receiver.url)
    assert "The test goes out now" in text(step(asha, subscriber, "test"))
    assert "under way already" in text(step(asha, subscriber, "test"))
    assert ">Waits<" in text(asha.get(page(subscriber) + "?part=deliveries")).replace("</svg>", ">")
    receiver.statuses = [404]
    Sender(patience=10).run(timezone.now())
    fragment = text(asha.get(page(subscriber) + "?part=deliveries"))
    assert "Failed" in fragment
    assert "The server refuses it (404)." in fragment
    assert len(receiver.calls) == 1


def test_a_page_that_shows_it_already_is_not_sent_it_again(asha: Client) -> None:
    subscriber = a_mailbox()
    step(asha, subscriber, "test")
    part = page(subscriber) + "?part=deliveries"
    mark = asha.get(part)["ETag"]
    assert asha.get(part, headers={"If-None-Match": mark}).status_code == 304
    Delivery.objects.update(status="sent", sent_at=NOW)
    assert asha.get(part, headers={"If-None-Match": mark}).status_code == 200


def test_a_pause_says_who_paused_it_and_a_paused_one_is_not_tried(asha: Client) -> None:
    subscriber = a_mailbox()
    step(asha, subscriber, "pause")
    subscriber.refresh_from_db()
    assert not subscriber.active
    assert "Paused by asha" in text(asha.get(page(subscriber)))
    assert "Resume it first" in text(step(asha, subscriber, "test"))
    assert "quicker" in text(step(asha, subscriber, "pause"))
    step(asha, subscriber, "resume")
    subscriber.refresh_from_db()
    assert (subscriber.active, subscriber.stopped_because) == (True, "")


def test_a_subscriber_that_was_told_something_is_not_deleted(asha: Client) -> None:
    subscriber = a_mailbox()
    delete = reverse("admin:operations_subscriber_delete", args=[subscriber.pk])
    assert asha.get(delete).status_code == 200
    step(asha, subscriber, "test")
    assert asha.post(delete, {"post": "yes"}).status_code == 403
    assert Subscriber.objects.exists()


def test_the_address_may_be_put_right_and_is_checked_again(asha: Client) -> None:
    subscriber = a_webhook()
    form = {"name": "Clinic", "incidents": "on", "least_severity": "4"}
    assert "private network" in text(asha.post(page(subscriber), form | {"address": "https://10.0.0.1/"}))
    assert asha.post(page(subscriber), form | {"address": "https://8.8.4.4/"}).status_code == 302
    subscriber.refresh_from_db()
    assert (subscriber.address, subscriber.least_severity, subscriber.channel) == ("https://8.8.4.4/", 4, "webhook")


def test_a_reader_sees_everything_and_changes_nothing() -> None:
    subscriber = a_webhook()
    reader = with_permissions("view_subscriber", "view_notice")
    seen = text(reader.get(page(subscriber)))
    assert subscriber.address in seen
    assert "Send a test" not in seen
    for name in ("test", "pause", "secret"):
        assert step(reader, subscriber, name).status_code == 403
    assert reader.get(reverse(ADD)).status_code == 403
    assert with_permissions("view_notice").get(page(subscriber) + "?part=deliveries").status_code == 403


def a_notice(*channels: str) -> Notice:
    people = [Recipient(f"{name} desk", "email", f"{name}@example.org") for name in channels]
    return notifications.tell(
        people, about="incident", about_key=None, event="declared", subject="Answers are <late>", body="<b>Soon</b>", now=NOW
    )


def test_a_notice_shows_what_became_of_it_for_each_recipient(asha: Client) -> None:
    notice = a_notice("anna", "bela", "carl")
    notice.deliveries.filter(recipient="anna desk").update(status="sent", sent_at=NOW)
    notice.deliveries.filter(recipient="bela desk").update(
        status="failed", reason="The mail server does not know this address (550)."
    )
    seen = text(asha.get(reverse("admin:operations_notice_change", args=[notice.pk])))
    for part in ("Answers are &lt;late&gt;", "&lt;b&gt;Soon&lt;/b&gt;", "anna@example.org", "does not know this address (550)"):
        assert part in seen
    listed = text(asha.get(reverse("admin:operations_notice_changelist")))
    assert "1 failed, 1 under way, 1 sent" in listed
    assert "Answers are" in text(asha.get(reverse("admin:operations_notice_changelist") + "?failed=yes"))


def test_addresses_are_shown_only_to_those_who_may_see_recipients() -> None:
    notice = a_notice("anna", "bela")
    address = reverse("admin:operations_notice_change", args=[notice.pk])
    for part in ("", "?part=deliveries"):
        reader = text(with_permissions("view_notice").get(address + part))
        assert "2 under way" in reader
        assert "anna" not in reader
        assert "anna@example.org" in text(with_permissions("view_notice", "view_delivery").get(address + part))


def test_whoever_may_run_an_incident_may_send_again() -> None:
    notice = a_notice("anna")
    notice.deliveries.update(status="failed")
    member = with_permissions("view_notice", "run_incident")
    assert member.post(reverse("admin:operations_notice_resend", args=[notice.pk])).status_code == 302
    assert notice.deliveries.get().status == "queued"


def test_only_what_failed_is_sent_again(asha: Client) -> None:
    notice = a_notice("anna", "bela")
    notice.deliveries.filter(recipient="anna desk").update(status="sent", sent_at=NOW, attempts=1)
    notice.deliveries.filter(recipient="bela desk").update(status="failed", attempts=6)
    address = reverse("admin:operations_notice_resend", args=[notice.pk])
    assert "1 recipient is tried again" in text(asha.post(address, follow=True))
    assert "Nothing of it has failed" in text(asha.post(address, follow=True))
    assert sorted(notice.deliveries.values_list("status", "attempts")) == [("queued", 0), ("sent", 1)]
    assert with_permissions("view_notice").post(address).status_code == 403


def test_a_notice_is_never_changed_or_deleted(asha: Client) -> None:
    notice = a_notice()
    assert asha.get(reverse("admin:operations_notice_add")).status_code == 403
    assert asha.post(reverse("admin:operations_notice_delete", args=[notice.pk]), {"post": "yes"}).status_code == 403
    assert "nobody was to be told" in text(asha.get(reverse("admin:operations_notice_changelist")))


def test_a_list_asks_as_much_for_many_as_for_one(asha: Client, django_assert_max_num_queries: Any) -> None:
    for name in range(20):
        a_notice(f"a{name}", f"b{name}")
        Subscriber.objects.create(name=str(name), channel="email", address=f"{name}@example.org")
    for model in ("notice", "subscriber"):
        with django_assert_max_num_queries(14):
            assert asha.get(reverse(f"admin:operations_{model}_changelist")).status_code == 200


@pytest.mark.parametrize(
    ("values", "word", "said"),
    [
        ({"status": "sent", "sent_at": NOW}, "Sent", ""),
        ({"status": "sending"}, "Being sent", ""),
        ({"status": "failed", "reason": "It is gone."}, "Failed", "It is gone."),
        ({"attempts": 2, "reason": "Away."}, "Trying again", "Away. After 2 attempts, the next is in 2 minutes."),
        (
            {"attempts": 1, "reason": "Away.", "next_try_at": NOW},
            "Trying again",
            "Away. After 1 attempt, the next is in a moment.",
        ),
    ],
)
def test_a_delivery_is_said_in_words(values: dict[str, Any], word: str, said: str) -> None:
    row = Delivery(**{"next_try_at": NOW + timedelta(minutes=2)} | values)
    (line,) = delivery_lines.lines([row], now=NOW)
    assert (line.word, line.said) == (word, said)
