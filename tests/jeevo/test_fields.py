"""What patients wrote is sealed in the table, opens with any of the keys, and cannot be searched."""

from __future__ import annotations

from uuid import uuid4

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.exceptions import FieldError
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from conversations.models import Answer, Contact
from jeevo.fields import EncryptedTextField, keyed_hash, seal, unseal
from knowledge.models import UnansweredQuestion

WORDS = "मुझे बुखार है, and my number is +91 98100 00001 🤒"


@pytest.fixture
def keys(settings: Settings) -> list[str]:
    fresh = [Fernet.generate_key().decode() for _ in range(2)]
    settings.FIELD_KEYS = (fresh[0],)
    return fresh


def a_question(text: str) -> UnansweredQuestion:
    return UnansweredQuestion.objects.create(text=text, language="en", score=0.1, answer_key=uuid4())


def stored(table: str, column: str) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "{column}" FROM "{table}"')
        (value,) = cursor.fetchone()
    return bytes(value)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "a", WORDS, "x" * 70_000, "line\nbreak\ttab"])
def test_a_text_comes_back_as_it_was_written(text: str) -> None:
    assert UnansweredQuestion.objects.get(pk=a_question(text).pk).text == text


@pytest.mark.django_db
def test_the_table_holds_no_word_of_it() -> None:
    a_question(WORDS)
    raw = stored("knowledge_unansweredquestion", "text")
    assert raw.startswith(b"gAAAA")
    assert b"98100" not in raw
    assert "बुखार".encode() not in raw


@pytest.mark.django_db
def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert seal("fever") != seal("fever")


@pytest.mark.django_db
def test_json_comes_back_as_it_was_and_is_sealed_in_the_table() -> None:
    contact = Contact.objects.create(phone="919810000001", phone_key="k" * 32, label="01", country="IN")
    removed = [{"text": "दवा बंद करो", "why": "no source"}, 1.5, None]
    answer = Answer.objects.create(contact=contact, kind="extractive", language="en", text="Rest.", removed=removed)
    answer.refresh_from_db()
    assert answer.removed == removed
    assert b"source" not in stored("conversations_answer", "removed")


@pytest.mark.django_db
def test_null_stays_null_and_can_be_asked_for() -> None:
    contact = Contact.objects.create(wa_user_key="k" * 32, label="01", country="IN")
    assert list(Contact.objects.filter(phone__isnull=True)) == [contact]
    assert not Contact.objects.filter(phone__isnull=False).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("lookup", ["text", "text__exact", "text__contains", "text__in", "text__startswith", "text__gt"])
def test_a_search_in_sealed_words_is_a_programming_error(lookup: str) -> None:
    with pytest.raises(FieldError, match="text is encrypted"):
        UnansweredQuestion.objects.filter(**{lookup: "fever"}).exists()


def test_a_new_first_key_seals_and_the_old_one_still_opens(keys: list[str], settings: Settings) -> None:
    old = seal(WORDS)
    settings.FIELD_KEYS = (keys[1], keys[0])
    new = seal(WORDS)
    assert unseal(old) == WORDS
    assert Fernet(keys[1]).decrypt(new).decode() == WORDS
    with pytest.raises(InvalidToken):
        Fernet(keys[0]).decrypt(new)


def test_without_the_old_key_nothing_opens(keys: list[str], settings: Settings) -> None:
    old = seal(WORDS)
    settings.FIELD_KEYS = (keys[1],)
    with pytest.raises(InvalidToken):
        unseal(old)


@pytest.mark.django_db
def test_a_rotated_row_is_sealed_with_the_new_key_when_saved_again(keys: list[str], settings: Settings) -> None:
    question = a_question(WORDS)
    settings.FIELD_KEYS = (keys[1], keys[0])
    UnansweredQuestion.objects.get(pk=question.pk).save()
    assert Fernet(keys[1]).decrypt(stored("knowledge_unansweredquestion", "text")).decode() == WORDS


@pytest.mark.django_db
def test_words_someone_changed_in_the_table_do_not_open() -> None:
    question = a_question(WORDS)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE knowledge_unansweredquestion SET text = overlay(text placing '!'::bytea from 30)")
    with pytest.raises(InvalidToken):
        UnansweredQuestion.objects.get(pk=question.pk)


def test_the_keyed_hash_is_stable_and_needs_its_key(settings: Settings) -> None:
    settings.INDEX_KEY = "one"
    first = keyed_hash("919810000001")
    assert first == keyed_hash("919810000001")
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")
    assert keyed_hash("919810000002") != first
    settings.INDEX_KEY = "two"
    assert keyed_hash("919810000001") != first


def test_the_keyed_hash_never_changes_between_releases(settings: Settings) -> None:
    """A changed hash would lose every contact. HMAC-SHA256 of the number under the key, its first half."""
    settings.INDEX_KEY = "key"
    assert keyed_hash("The quick brown fox jumps over the lazy dog") == "f7bc83f430538424b13298e6aa6fb143"


def test_a_form_shows_a_text_area() -> None:
    field = EncryptedTextField(name="text", blank=True)
    assert type(field.formfield().widget).__name__ == "Textarea"
