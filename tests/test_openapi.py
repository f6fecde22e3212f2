"""The API does what its schema says, whatever is sent: schemathesis over every operation, in this process.

`JEEVO_SCHEMATHESIS=all` tries many more of everything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import hypothesis
import pytest
import requests
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from conversations import trials as asking
from knowledge import trials
from knowledge.models import Document, Trial
from tests import factories

if TYPE_CHECKING:
    from tests.callers import Caller

pytest_plugins = ("tests.callers",)
EXAMPLES = 300 if os.environ.get("JEEVO_SCHEMATHESIS") == "all" else 15
EVERYWHERE = {"401", "403", "405", "406", "429", "503"}
WITH_BODY, WITH_KEY = {"400", "413", "415"}, {"404"}
pytestmark = pytest.mark.timeout(3600 if EXAMPLES > 15 else 180)


def _schema() -> Any:
    # A trial that failed is told with 503.
    config = schemathesis.Config.from_dict({"checks": {"not_a_server_error": {"expected-statuses": ["2xx", "4xx", 503]}}})
    return schemathesis.openapi.from_wsgi("/api/v1/schema/", get_wsgi_application(), config=config)


schema = _schema()
bounded = hypothesis.settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Requests end without closing the connection of the test, whose transaction they share; as Django's own client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def unlimited(settings: Settings) -> None:
    rates = dict.fromkeys(("read", "search", "ask"))
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}


@pytest.fixture
def rows(caller: Caller, one_connection: None, unlimited: None, fake_embed: None) -> dict[str, list[UUID]]:
    """Something to find at each address that takes a key: documents, and trials in every state."""
    found = factories.a_document("Fever", "# Fever\n\nDrink water.", status=Document.Status.IN_REVIEW)
    waiting = Document.objects.create(title="Cough", text="Rest.", content_hash="x")
    return {
        "documents": [found.pk, waiting.pk],
        "searches": _trials(caller, Trial.Kind.SEARCH),
        "asks": _trials(caller, Trial.Kind.ASK),
    }


def _trials(caller: Caller, kind: str) -> list[UUID]:
    now = timezone.now()
    waiting, failed, done = (trials.ask_for(kind, {"question": "fever"}, by=caller.user, now=now).pk for _ in range(3))
    Trial.objects.filter(pk=failed).update(status=Trial.Status.FAILED, reason="It could not be done.")
    asking.run(done, now=now)
    return [waiting, failed, done]


@schema.parametrize()  # type: ignore[untyped-decorator]
@bounded
def test_every_operation_does_what_the_schema_says(
    case: schemathesis.Case[Any], caller: Caller, no_wait: None, rows: dict[str, list[UUID]]
) -> None:
    if "key" in case.path_parameters:
        case.path_parameters["key"] = _often_known(case, rows)
    case.call_and_validate(headers=_token(caller))


@schema.include(method="POST").parametrize()  # type: ignore[untyped-decorator]
@bounded
def test_every_question_is_answered_as_the_schema_says_while_a_worker_is_at_hand(
    case: schemathesis.Case[Any], caller: Caller, worker: None, rows: dict[str, list[UUID]]
) -> None:
    case.call_and_validate(headers=_token(caller))


def _token(caller: Caller) -> dict[str, str]:
    return {"Authorization": caller.defaults["HTTP_AUTHORIZATION"]}


def _often_known(case: schemathesis.Case[Any], rows: dict[str, list[UUID]]) -> Any:
    """Every other key of the right form is one that is there."""
    given = case.path_parameters["key"]
    known = next(keys for place, keys in rows.items() if f"/{place}/" in case.operation.path)
    number = sum(f"{given}{case.query}".encode())
    return str(known[number % len(known)]) if number // 4 % 2 and isinstance(given, str) and len(given) == 36 else given


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Client().get("/api/v1/schema/").content)
    return found


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for operation in methods.values():
            yield path, operation


def test_the_schema_names_the_addresses_of_the_api_and_no_other(described: dict[str, Any]) -> None:
    addresses = ("ask", "asks/{key}", "documents", "documents/{key}", "search", "searches/{key}")
    assert sorted(described["paths"]) == [f"/api/v1/{each}/" for each in addresses]


def test_every_operation_names_every_answer_it_may_give(described: dict[str, Any]) -> None:
    for path, operation in operations(described):
        wanted = EVERYWHERE | {"200"}
        wanted |= WITH_BODY if "requestBody" in operation else set()
        wanted |= WITH_KEY if "{key}" in path else {"400"}
        wanted |= {"202"} if "documents" not in path else {"400"}
        assert set(operation["responses"]) == wanted, path
        assert operation["security"] == [{"tokenAuth": []}], path


def test_every_example_fits_its_own_schema(described: dict[str, Any]) -> None:
    for path, operation in operations(described):
        for code, answer in operation["responses"].items():
            for example in answer["content"]["application/json"].get("examples", {}).values():
                schema[path][_method(described, path)].validate_response(_response(int(code), example["value"]))


def _method(described: dict[str, Any], path: str) -> str:
    method: str = next(iter(described["paths"][path]))
    return method.upper()


def _response(code: int, body: Any) -> schemathesis.Response:
    named = {"Location": "/", "Retry-After": "1", "Allow": "GET", "WWW-Authenticate": "Token"}
    headers = {name: [value] for name, value in (named | {"Content-Type": "application/json"}).items()}
    sent = requests.Request("GET", "http://localhost/").prepare()
    return schemathesis.Response(
        status_code=code, headers=headers, content=json.dumps(body).encode(), request=sent, elapsed=0.0, verify=False
    )
