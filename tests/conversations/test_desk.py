"""The pages of the staff: the longest wait first, the transcript, and a reply that goes out once or says why not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations import transcript
from conversations.models import Citation, Contact, Handover, OutboundMessage
from jeevo.fields import keyed_hash
from tests import factories

pytestmark = pytest.mark.django_db
WAITING = "admin:conversations_handover_waiting"


def staff(name: str) -> User:
    return User.objects.create(username=name, is_staff=True)


def with_permissions(*names: str, user: str = "meera") -> User:
    person = staff(user)
    person.user_permissions.set(Permission.objects.filter(codename__in=names))
    return person


@pytest.fixture
def meera(client: Client) -> Client:
    client.force_login(with_permissions("view_contact", "view_handover", "change_handover"))
    return client


def somebody(phone: str = factories.ASHA, *, wrote: timedelta = timedelta(minutes=5), **fields: object) -> Contact:
    fields.setdefault("label", f"+91 ······ {phone[-2:]}")
    return factories.a_contact(phone, last_inbound_at=timezone.now() - wrote, **fields)


def waits(person: Contact, *, since: timedelta = timedelta(minutes=10), reason: str = "asked", **fields: object) -> Handover:
    return Handover.objects.create(contact=person, reason=reason, opened_at=timezone.now() - since, **fields)


def url(step: str, person: Contact) -> str:
    return reverse(f"admin:conversations_contact_{step}", args=[person.pk])


def test_the_longest_wait_comes_first(meera: Client) -> None:
    waits(somebody("919810000011"), since=timedelta(minutes=1), reason="red_flag")
    waits(somebody("919810000022"), since=timedelta(hours=3))
    waits(somebody("919810000033"), since=timedelta(minutes=40))
    text = meera.get(reverse(WAITING)).content.decode()
    places = [text.index(f"······ {end}") for end in ("22", "33", "11")]
    assert places == sorted(places)
    assert "3 people wait" in text
    assert "3\xa0hours" in text


def test_a_person_who_is_taken_no_longer_counts_as_waiting(meera: Client) -> None:
    waits(somebody(), taken_by=staff("ravi"), taken_at=timezone.now())
    text = meera.get(reverse(WAITING)).content.decode()
    assert "Nobody waits for a person." in text
    assert "ravi took over" in text


def test_the_part_that_refreshes_itself_is_the_list_alone(meera: Client) -> None:
    waits(somebody())
    part = meera.get(reverse(WAITING), {"part": "list"}).content.decode()
    assert "1 person waits" in part
    assert "<html" not in part


def test_the_transcript_reads_like_the_chat_with_the_path_beside_each_answer(meera: Client) -> None:
    person, now = somebody(), timezone.now()
    answer = factories.an_answer(
        person,
        confidence=0.74,
        removed=[{"text": "Give 500 mg.", "why": "the dose is not in the passage"}],
        passages=[{"title": "Fever", "heading": "Care", "score": 0.81}],
    )
    Citation.objects.create(
        answer=answer,
        number=1,
        chunk_key=answer.pk,
        title="Fever in children",
        publisher="WHO",
        quote="Give plenty to drink.",
        score=0.8,
        unreviewed=True,
    )
    factories.an_inbound(
        person,
        "how do I treat a fever?",
        answer=answer,
        status="answered",
        received_at=now - timedelta(seconds=9),
    )
    factories.an_outbound(
        person,
        "Drink water.",
        answer=answer,
        status="failed",
        reason="This person cannot receive the message",
        error_code=131026,
        created_at=now,
    )
    text = meera.get(reverse("admin:conversations_contact_change", args=[person.pk])).content.decode()
    shown = [
        text.index(part)
        for part in (
            "how do I treat a fever?",
            "Drink water.",
            "Fever / Care (score 0.81)",
            "Give 500 mg.",
            "Give plenty to drink.",
        )
    ]
    assert shown == sorted(shown)
    for part in (
        "confidence 0.74",
        "no clinician had reviewed it",
        "This person cannot receive the message",
        "the number is not on WhatsApp",
    ):
        assert part in text


def test_older_messages_are_a_page_away(meera: Client) -> None:
    person = somebody()
    for number in range(transcript.PAGE + 5):
        factories.an_inbound(
            person,
            f"message number {number:03d}",
            received_at=timezone.now() - timedelta(minutes=100 - number),
        )
    newest = transcript.page(person)
    assert [turn.text for turn in newest.turns][-1] == f"message number {transcript.PAGE + 4:03d}"
    assert len(newest.turns) == transcript.PAGE
    older = transcript.page(person, before=newest.older)
    assert [turn.text for turn in older.turns] == [f"message number {number:03d}" for number in range(5)]
    assert older.older is None
    address = reverse("admin:conversations_contact_change", args=[person.pk])
    assert newest.older is not None
    page = meera.get(address, {"before": newest.older.isoformat()}).content.decode()
    assert "message number 004" in page
    assert "message number 005" not in page


def test_an_open_transcript_asks_again_and_gets_nothing_until_something_changes(meera: Client) -> None:
    person = somebody()
    factories.an_inbound(person, "hello")
    address = reverse("admin:conversations_contact_change", args=[person.pk])
    mark = meera.get(address, {"part": "thread"})["ETag"]
    assert meera.get(address, {"part": "thread"}, headers={"If-None-Match": mark}).status_code == 304
    sent = factories.an_outbound(person)
    mark_after = meera.get(address, {"part": "thread"}, headers={"If-None-Match": mark})["ETag"]
    assert mark_after != mark
    OutboundMessage.objects.filter(pk=sent.pk).update(status="read")
    assert meera.get(address, {"part": "thread"}, headers={"If-None-Match": mark_after}).status_code == 200


def test_a_reply_takes_the_conversation_over_and_is_queued(meera: Client) -> None:
    person = somebody()
    held = waits(person)
    answer = meera.post(url("reply", person), {"text": "Hello, I am a nurse."}, follow=True)
    held.refresh_from_db()
    assert str(held.taken_by) == "meera"
    assert [transcript.words(each.body)[0] for each in OutboundMessage.objects.filter(purpose="staff")] == [
        "Hello, I am a nurse."
    ]
    assert "Your reply is on its way." in answer.content.decode()


def test_a_reply_after_24_hours_is_refused_with_a_sentence_and_nothing_is_queued(meera: Client) -> None:
    person = somebody(wrote=timedelta(hours=25))
    held = waits(person)
    answer = meera.post(url("reply", person), {"text": "Are you feeling better?"})
    held.refresh_from_db()
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "More than 24 hours have passed since this person last wrote" in text
    assert "Are you feeling better?" in text
    assert OutboundMessage.objects.count() == 0
    assert held.taken_at is None


def test_the_page_says_how_long_a_reply_is_still_possible(meera: Client) -> None:
    person = somebody(wrote=timedelta(hours=20, minutes=47, seconds=30))
    waits(person)
    assert ">3 h 12 min</time>" in meera.get(reverse("admin:conversations_contact_change", args=[person.pk])).content.decode()


@pytest.mark.parametrize(("text", "sentence"), [("  ", "Write a reply first."), ("x" * 4097, "at most 4,096 characters")])
def test_a_reply_that_whatsapp_would_not_take_is_refused_and_kept(meera: Client, text: str, sentence: str) -> None:
    person = somebody()
    waits(person)
    answer = meera.post(url("reply", person), {"text": text})
    assert answer.status_code == 409
    assert sentence in answer.content.decode()
    assert answer.context["typed"] == text
    assert OutboundMessage.objects.count() == 0


def test_nobody_replies_over_the_head_of_a_colleague(meera: Client) -> None:
    person = somebody()
    waits(person, taken_by=staff("ravi"), taken_at=timezone.now())
    answer = meera.post(url("reply", person), {"text": "hello"})
    assert answer.status_code == 409
    assert "ravi is already talking with this person." in answer.content.decode()
    assert OutboundMessage.objects.count() == 0


def test_a_reply_to_a_conversation_that_was_given_back_meanwhile_keeps_the_words(meera: Client) -> None:
    person = somebody()
    answer = meera.post(url("reply", person), {"text": "one moment"})
    assert answer.status_code == 409
    assert "Somebody gave it back to Jeevo." in answer.content.decode()
    assert "one moment" in answer.content.decode()


def test_taking_over_and_giving_back(meera: Client) -> None:
    person = somebody()
    held = waits(person)
    meera.post(url("take", person))
    held.refresh_from_db()
    assert str(held.taken_by) == "meera"
    meera.post(url("close", person))
    held.refresh_from_db()
    assert held.closed_at is not None
    assert str(held.closed_by) == "meera"


@pytest.mark.parametrize("step", ["take", "reply", "close"])
def test_a_viewer_without_permission_cannot_do_anything(client: Client, step: str) -> None:
    person = somebody()
    held = waits(person)
    client.force_login(with_permissions("view_contact", "view_handover"))
    assert client.post(url(step, person), {"text": "hello"}).status_code == 403
    page = client.get(reverse("admin:conversations_contact_change", args=[person.pk])).content.decode()
    assert "<textarea" not in page
    held.refresh_from_db()
    assert (held.taken_at, held.closed_at, OutboundMessage.objects.count()) == (None, None, 0)


@pytest.mark.parametrize("step", ["take", "reply", "close"])
def test_steps_need_a_post_with_a_token_and_a_sign_in(client: Client, step: str) -> None:
    person = somebody()
    waits(person)
    assert client.post(url(step, person)).status_code == 302  # to the sign-in page
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(with_permissions("view_contact", "change_handover"))
    assert strict.get(url(step, person)).status_code == 405
    assert strict.post(url(step, person), {"text": "hello"}).status_code == 403
    assert OutboundMessage.objects.count() == 0


def test_the_transcript_needs_permission_and_a_real_key(client: Client) -> None:
    person = somebody()
    client.force_login(with_permissions("view_handover"))
    address = reverse("admin:conversations_contact_change", args=[person.pk])
    assert client.get(address).status_code == 403
    client.force_login(with_permissions("view_contact", user="lata"))
    assert client.get(address).status_code == 200
    assert client.get(reverse("admin:conversations_contact_change", args=["nothing"])).status_code == 404
    assert (
        client.get(reverse("admin:conversations_contact_change", args=["01900000-0000-7000-8000-000000000000"])).status_code
        == 404
    )


def test_what_a_patient_writes_is_shown_as_text_and_never_as_markup(meera: Client) -> None:
    person = somebody(name="<b>Sunita</b>")
    factories.an_inbound(person, "<script>alert(1)</script>")
    text = meera.get(reverse("admin:conversations_contact_change", args=[person.pk])).content.decode()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "<b>Sunita" not in text


def test_words_are_read_from_every_shape_of_body() -> None:
    buttons = [{"type": "reply", "reply": {"id": "1", "title": "Helpful"}}]
    body = {"type": "interactive", "interactive": {"body": {"text": "Rest."}, "action": {"buttons": buttons}}}
    assert transcript.words(body) == ("Rest.", ("Helpful",))
    assert transcript.words({"type": "text", "text": {"body": "Hi"}}) == ("Hi", ())
    assert transcript.words(None) == ("", ())


def test_two_people_with_the_same_masked_end_are_two_conversations(meera: Client) -> None:
    one, two = somebody("919810000001"), somebody("919820000001")
    factories.an_inbound(one, "from the first")
    factories.an_inbound(two, "from the second")
    assert keyed_hash("919810000001") != keyed_hash("919820000001")
    text = meera.get(reverse("admin:conversations_contact_change", args=[two.pk])).content.decode()
    assert "from the second" in text
    assert "from the first" not in text
