"""Asking over the API: the same path as for a patient, triage first, done by a worker. Nothing is sent to anybody."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.validators import RegexValidator
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from conversations import replies
from conversations.models import Answer
from conversations.rulebook import Level
from knowledge import api_trials, trials
from knowledge.api_parts import ApiView, account, checked
from knowledge.api_schema import KEY, answers, headers, pending
from knowledge.api_shapes import LONGEST_QUESTION, NOT_EMPTY, Strict, Text
from knowledge.models import Trial

_COUNTRY = RegexValidator(r"^[A-Za-z]{2}$", "Write a country as two letters, as in IN.")
_EXAMPLE = {
    "id": KEY,
    "status": "done",
    "question": "How do I bring down a fever?",
    "triage_level": "routine",
    "kind": "extractive",
    "language": "en",
    "preface": "",
    "text": "Drink plenty of water and rest. [1]",
    "citations": [
        {
            "number": 1,
            "document": KEY,
            "title": "Fever in adults",
            "publisher": "A publisher",
            "url": "https://example.org/fever",
            "page": 3,
            "quote": "Drink plenty of water and rest.",
            "unreviewed": False,
        }
    ],
    "confidence": 0.82,
    "enough": 0.45,
    "handover": False,
    "notice": "General information, not a diagnosis. Please see a doctor about your own health.",
    "timings": {"embed": 3, "search": 9, "extract": 4},
}


@extend_schema_serializer(component_name="Question")
class Asked(Strict):
    question = Text(max_length=LONGEST_QUESTION, validators=[NOT_EMPTY])
    country = Text(
        max_length=2,
        allow_null=True,
        default=None,
        validators=[_COUNTRY],
        help_text="Whose emergency numbers to name, as two letters; null takes the country of this service.",
    )


@extend_schema_serializer(component_name="Citation")
class Cited(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="As it stands in the text, in square brackets.")
    document = serializers.UUIDField()
    title = serializers.CharField()
    publisher = serializers.CharField()
    url = serializers.CharField()
    page = serializers.IntegerField(allow_null=True)
    quote = serializers.CharField()
    unreviewed = serializers.BooleanField(help_text="A starter article that no clinician of this service has reviewed.")


class Reply(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField([Trial.Status.DONE.value])
    question = serializers.CharField()
    triage_level = serializers.ChoiceField([level.value for level in Level])
    kind = serializers.ChoiceField(
        Answer.Kind.choices, help_text="emergency and self_harm: `text` is what to do now, and stands before everything else."
    )
    language = serializers.CharField()
    preface = serializers.CharField(help_text="To be shown before the text; what to do when it may be urgent.")
    text = serializers.CharField()
    citations = Cited(many=True)
    confidence = serializers.FloatField(allow_null=True)
    enough = serializers.FloatField(help_text="From which confidence on Jeevo answers instead of declining.")
    handover = serializers.BooleanField(help_text="In the chat a person would be asked to take over.")
    notice = serializers.CharField(help_text="To be shown with every text: that it is general information.")
    timings = serializers.DictField(child=serializers.IntegerField(), help_text="Milliseconds by step.")


class _Asking(ApiView):
    needs = ("knowledge.view_document", "conversations.view_answer")


class Ask(_Asking):
    throttle_scope = "ask"

    @extend_schema(
        operation_id="ask",
        summary="Ask as a patient would",
        description=(
            "Triage comes first: an emergency is answered with what to do now. Otherwise the answer is put together from what"
            " may be cited, or declined. Nothing is sent to anybody, and no person is called. The answer comes within two"
            " seconds, or 202 says where to ask again. It is kept sealed for a week, for the account that asked."
        ),
        parameters=headers(waits=True),
        request=Asked,
        responses=answers(
            {
                200: OpenApiResponse(Reply, "What Jeevo says.", [OpenApiExample("an answer", _EXAMPLE)]),
                202: pending("asks"),
            },
            takes_body=True,
        ),
        examples=[OpenApiExample("a question", {"question": "How do I bring down a fever?"}, request_only=True)],
        tags=["Ask"],
    )
    def post(self, request: Request) -> Response:
        asked = checked(Asked, request.data)
        trial = trials.ask_for(Trial.Kind.ASK, asked, by=account(request), now=timezone.now())
        return _state(api_trials.awaited(trial))


class OneAsk(_Asking):
    @extend_schema(
        operation_id="ask_result",
        summary="Ask again for an answer",
        parameters=headers(waits=True),
        responses=answers({200: OpenApiResponse(Reply, "What Jeevo says."), 202: pending("asks")}, has_key=True),
        tags=["Ask"],
    )
    def get(self, request: Request, key: UUID) -> Response:
        return _state(api_trials.of(key, kind=Trial.Kind.ASK, by=account(request)))


def _state(trial: Trial) -> Response:
    return api_trials.state(trial, address=reverse("api:ask_result", args=[trial.pk]), shape=_reply)


def _reply(trial: Trial) -> Any:
    result: dict[str, Any] = trial.result
    starter = any(each["unreviewed"] for each in result["citations"])
    notice = replies.text("starter_disclaimer" if starter else "disclaimer", result["language"])
    return Reply({"id": trial.pk, "status": trial.status, "notice": notice, **result}).data
