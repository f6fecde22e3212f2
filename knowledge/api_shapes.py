"""What the API takes and gives, field by field. Unknown fields and values of another type are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from knowledge.models import Chunk, Document, Trial
from knowledge.trials import MOST_PASSAGES, PASSAGES

LONGEST_QUESTION = 4096
MOST_ROWS, ROWS = 100, 20
LAST_OFFSET = 1_000_000
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
NOT_EMPTY = RegexValidator(r"^[^\x00]*\S[^\x00]*$", "It is empty. Write at least one letter.")
_LANGUAGE = RegexValidator(r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})?$", "Write a language code, as in en or hi.")


class Text(serializers.CharField):
    """A string; Django REST framework would take a number for one."""

    default_error_messages = {
        "invalid": "It must be text.",
        "blank": "It is empty. Write at least one letter.",
        "required": "It is missing.",
        "null": "It must be text.",
        "no_text": "It holds a character that no text has: NUL, or half of one. Leave it out.",
        "max_length": "It is longer than {max_length} characters.",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        if _NO_TEXT.search(data):
            self.fail("no_text")
        return super().to_internal_value(data)


class Number(serializers.IntegerField):
    """A whole number in JSON; one in quotes is text."""

    default_error_messages = {
        "invalid": "It must be a whole number.",
        "null": "It must be a whole number.",
        "min_value": "It must be {min_value} or more.",
        "max_value": "It must be {max_value} or less.",
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return super().to_internal_value(data)


class NumberInAddress(Number):
    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", data):
            self.fail("invalid")
        return super().to_internal_value(int(data))


class Strict(serializers.Serializer[Any]):
    # Unknown names are refused, because a misspelt filter that is ignored gives a wrong answer.
    default_error_messages = {"invalid": "Send a JSON object.", "unknown": "Only these are known here: {known}."}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and not set(data) <= set(self.fields):
            raise ValidationError({"body": [self.error_messages["unknown"].format(known=", ".join(self.fields))]})
        return super().to_internal_value(data)


class Window(Strict):
    limit = NumberInAddress(min_value=1, max_value=MOST_ROWS, default=ROWS)
    offset = NumberInAddress(min_value=0, max_value=LAST_OFFSET, default=0)


class DocumentFilters(Window):
    status = serializers.ChoiceField(
        Document.Status.choices,
        required=False,
        error_messages={"invalid_choice": f"It must be one of {', '.join(Document.Status.values)}."},
    )
    language = Text(max_length=12, required=False, validators=[_LANGUAGE])
    topic = Text(max_length=80, required=False, validators=[NOT_EMPTY])
    q = Text(
        max_length=200,
        required=False,
        validators=[NOT_EMPTY],
        help_text="Words that all stand in the title, the publisher or the topic.",
    )


@extend_schema_serializer(component_name="SearchQuestion")
class SearchAsked(Strict):
    question = Text(max_length=LONGEST_QUESTION, validators=[NOT_EMPTY])
    language = Text(
        max_length=12,
        allow_null=True,
        default="en",
        validators=[_LANGUAGE],
        help_text="Of the documents; null searches every language.",
    )
    audience = Text(
        max_length=40,
        allow_null=True,
        default=None,
        validators=[NOT_EMPTY],
        help_text="As documents name it, for example public; null searches every audience.",
    )
    limit = Number(min_value=1, max_value=MOST_PASSAGES, default=PASSAGES)


@extend_schema_serializer(component_name="Document")
class DocumentShape(serializers.ModelSerializer[Document]):
    confirm_by = serializers.DateField(allow_null=True, read_only=True, help_text="The day from which it counts as stale.")
    passages = serializers.IntegerField(read_only=True, help_text="Passages that the answering index holds of it.")
    url = serializers.CharField(read_only=True, help_text="Where its publisher has it; empty when that is not known.")
    flags = serializers.ListField(child=serializers.CharField(), read_only=True, help_text="What a reviewer should look at.")

    class Meta:
        model = Document
        fields = (
            *("id", "title", "publisher", "url", "licence", "language", "audience", "topic", "origin", "kind", "pages"),
            *("status", "reason", "flags", "content_date", "expires_on", "confirm_by", "reviewed_at", "confirmed_at"),
            *("retired_at", "indexed_at", "supersedes", "created_at", "updated_at", "passages"),
        )
        read_only_fields = fields


@extend_schema_serializer(component_name="Passage")
class PassageShape(serializers.ModelSerializer[Chunk]):
    class Meta:
        model = Chunk
        fields = ("id", "position", "heading", "page", "text")
        read_only_fields = fields


class _List(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="Of all rows, not only these.")
    next = serializers.CharField(allow_null=True, help_text="The address of the rows after these, without the host.")
    previous = serializers.CharField(allow_null=True)


class DocumentList(_List):
    results = DocumentShape(many=True)


class PassageList(_List):
    results = PassageShape(many=True)


@extend_schema_serializer(component_name="DocumentWithPassages")
class DocumentWhole(serializers.Serializer[Any]):
    document = DocumentShape()
    passages = PassageList()


class Reason(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="What spoke for the passage: meaning, words, and so on.")
    share = serializers.FloatField()


@extend_schema_serializer(component_name="FoundPassage")
class Found(serializers.Serializer[Any]):
    passage = serializers.UUIDField(source="chunk")
    document = serializers.UUIDField()
    title = serializers.CharField()
    publisher = serializers.CharField()
    url = serializers.CharField()
    heading = serializers.CharField()
    page = serializers.IntegerField(allow_null=True)
    text = serializers.CharField()
    score = serializers.FloatField(help_text="What the passages are ordered by; higher is better.")
    reasons = Reason(many=True)
    unreviewed = serializers.BooleanField(help_text="A starter article that no clinician of this service has reviewed.")

    def to_representation(self, instance: Any) -> Any:
        return super().to_representation(instance | {"reasons": [{"name": n, "share": s} for n, s in instance["parts"]]})


class Took(serializers.Serializer[Any]):
    embed = serializers.FloatField(help_text="Milliseconds to read the question with the model.")
    search = serializers.FloatField(help_text="Milliseconds in the database.")


class SearchResult(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField([Trial.Status.DONE.value])
    question = serializers.CharField()
    searched = serializers.CharField(help_text="The question as it was searched, with words of the guidelines beside it.")
    took = Took()
    passages = Found(many=True)


class Pending(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField([Trial.Status.WAITING.value, Trial.Status.RUNNING.value])
    url = serializers.CharField(help_text="Where to ask again, without the host.")


class Problem(serializers.Serializer[Any]):
    detail = serializers.CharField(help_text="What happened and what to do, in a sentence.")


@extend_schema_serializer(component_name="WrongField")
class Refused(Problem):
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), required=False, help_text="What is wrong, by field."
    )
