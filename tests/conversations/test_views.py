"""The webhook's door over the whole of Django: handshake, signature, size, bad bodies, and what it never touches."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from conversations import views
from conversations.models import DeliveryEvent, InboundMessage, UnhandledEvent
from jeevo.environment import ROOT
from tests.factories import dumped, envelope, message, press, signature, status, text_message
from tests.fixtures import PATH, ChangeEnvironment, Post, database_url

pytestmark = pytest.mark.django_db
ASKED = {"hub.mode": "subscribe", "hub.challenge": "12345", "hub.verify_token": "the token"}


def rows() -> list[int]:
    return [model.objects.count() for model in (InboundMessage, DeliveryEvent, UnhandledEvent)]


# The handshake


def test_the_right_token_gets_its_challenge_back(client: Client, environment: ChangeEnvironment) -> None:
    environment(whatsapp={"verify_token": "the token"})
    answer = client.get(PATH, ASKED)
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"12345", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    "wrong",
    [
        {"hub.verify_token": "another"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "the toké\x00"},
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
    ],
)
def test_a_wrong_handshake_is_refused_and_the_token_not_told(
    wrong: dict[str, str], client: Client, environment: ChangeEnvironment
) -> None:
    environment(whatsapp={"verify_token": "the token"})
    answer = client.get(PATH, ASKED | wrong)
    assert answer.status_code == 403
    assert b"12345" not in answer.content
    assert b"the token" not in answer.content


def test_a_handshake_without_anything_is_refused(client: Client) -> None:
    assert client.get(PATH).status_code == 403


@pytest.mark.parametrize("accept", ["*/*", "text/html", "image/png", "nonsense"])
def test_what_the_caller_says_it_accepts_changes_nothing(
    accept: str, post: Post, client: Client, environment: ChangeEnvironment
) -> None:
    environment(whatsapp={"verify_token": "the token"})
    assert client.get(PATH, ASKED | {"format": "xml"}, headers={"Accept": accept}).status_code == 200
    assert post(envelope(messages=[text_message("hello")]), Accept=accept).status_code == 200


# The signature


def test_a_signed_body_is_stored(post: Post) -> None:
    assert post(envelope(messages=[text_message("hello")])).status_code == 200
    assert rows() == [1, 0, 0]


def test_a_body_without_a_signature_is_refused(post: Post) -> None:
    assert post(envelope(messages=[text_message("hello")]), sign="").status_code == 401
    assert rows() == [0, 0, 0]


@pytest.mark.parametrize("sign", ["sha256=" + "0" * 64, "sha1=abc", "sha256=", "x", "sha256=é"])
def test_a_wrong_signature_is_refused(sign: str, post: Post) -> None:
    assert post(envelope(messages=[text_message("hello")]), sign=sign).status_code == 403
    assert rows() == [0, 0, 0]


def test_a_right_signature_over_another_body_is_refused(post: Post) -> None:
    body = dumped(envelope(messages=[text_message("hello")]))
    assert post(body.replace(b"hello", b"hallo"), sign=signature(body)).status_code == 403
    assert rows() == [0, 0, 0]


def test_the_signature_is_of_the_bytes_and_not_of_what_they_mean(post: Post) -> None:
    spaced = json.dumps(envelope(messages=[text_message("नमस्ते")]), indent=3, ensure_ascii=False).encode()
    assert post(spaced).status_code == 200
    assert InboundMessage.objects.get().text == "नमस्ते"


def test_both_secrets_open_the_door_while_they_are_rotated(post: Post, environment: ChangeEnvironment) -> None:
    environment(whatsapp={"app_secrets": ("new", "old")})
    answers = []
    for secret in ("new", "old", "older"):
        body = dumped(envelope(messages=[text_message(secret)]))
        answers.append(post(body, sign=signature(body, secret)).status_code)
    assert answers == [200, 200, 403]


# The body


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"entry": 3}', b"\xff\xff", b"[" * 50_000, b'{"entry":[' + b"1" * 5_000 + b"]}"]
)
def test_a_signed_body_that_is_no_envelope_is_a_400(body: bytes, post: Post) -> None:
    assert post(body).status_code == 400
    assert rows() == [0, 0, 0]


@pytest.mark.parametrize("depth", [50, 99, 120, 500, 900, 940, 960, 980, 1_500, 20_000])
def test_no_depth_of_nesting_is_our_failure(depth: int, post: Post) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    body = dumped(envelope(messages=[text_message("hello", odd="HERE")], errors="HERE")).replace(b'"HERE"', deep)
    assert post(body).status_code == (200 if depth < 90 else 400)


def test_a_batch_of_fifty_messages_and_twenty_statuses_is_stored_whole(post: Post) -> None:
    body = envelope(messages=[text_message(f"message {n}") for n in range(50)], statuses=[status("sent") for _ in range(20)])
    assert post(body).status_code == 200
    assert rows() == [50, 20, 0]


def test_statuses_alone_are_stored(post: Post) -> None:
    assert post(envelope(statuses=[status("delivered", wamid="wamid.1"), status("read", wamid="wamid.1")])).status_code == 200
    assert rows() == [0, 2, 0]


def test_the_second_delivery_of_a_body_changes_nothing(post: Post) -> None:
    body = envelope(messages=[text_message("hello")], statuses=[status("sent")], errors=[{"code": 1}])
    assert [post(body).status_code, post(body).status_code] == [200, 200]
    assert rows() == [1, 1, 1]


def test_a_body_above_three_megabytes_is_refused_before_it_is_looked_at(post: Post) -> None:
    body = dumped(envelope(messages=[text_message("x" * views.LARGEST_BODY)]))
    assert post(body).status_code == 413
    assert post(body, sign="sha256=0").status_code == 413
    assert rows() == [0, 0, 0]


def test_a_body_just_below_the_limit_is_taken(post: Post) -> None:
    body = dumped(envelope(messages=[text_message("x" * (views.LARGEST_BODY - 1_000))]))
    assert post(body).status_code == 200


@pytest.mark.parametrize(
    "words",
    [
        "",
        " ",
        "🤒🤢🤮",
        "عندي حمى منذ يومين",
        "אבי לא נושם",
        "ब" * 4_096,
        "x" * 4_096,
        "a\x00b",
        "\x1b[2J\x07",
        "\ud83d",
        "\u202efever",
        7,
        None,
        [],
        {},
    ],
)
def test_any_words_are_stored_and_none_is_lost(words: Any, post: Post) -> None:
    assert post(envelope(messages=[text_message(words)])).status_code == 200
    assert InboundMessage.objects.get().status == "received"


@pytest.mark.parametrize(
    "value", [0, -1, 1.5, True, None, "", [], {}, "text", [{}], {"a": {}}, 10**100, "\x00", "\ud800", "İ" * 40]
)
@pytest.mark.parametrize("part", ["id", "from", "from_user_id", "timestamp", "type", "text", "group_id", "context"])
def test_any_value_in_any_part_of_a_message_is_taken(part: str, value: Any, post: Post) -> None:
    assert post(envelope(messages=[text_message("hello") | {part: value}])).status_code == 200
    assert sum(rows()) == 1


@pytest.mark.parametrize("value", [0, True, None, "", [], {}, "text", [7], 10**100, "\x00", "\ud800"])
@pytest.mark.parametrize("part", ["id", "status", "timestamp", "errors", "biz_opaque_callback_data"])
def test_any_value_in_any_part_of_a_status_is_taken(part: str, value: Any, post: Post) -> None:
    assert post(envelope(statuses=[status("sent") | {part: value}])).status_code == 200
    assert sum(rows()) == 1


# Any JSON anywhere

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=300)
    | st.text(st.characters(categories=["Cs", "Cc"]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "type", "text", "body", "from", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def places(body: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every part of a body, its own excepted."""
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [found for key, part in inner for found in [(*path, key), *places(part, (*path, key))]]


WHOLE = envelope(
    messages=[
        text_message("hello", wamid="wamid.h1", context={"id": "wamid.h0"}),
        press("helpful:1") | {"id": "wamid.h2"},
        message("image", wamid="wamid.h3", image={"caption": "rash", "id": "1"}),
    ],
    statuses=[status("failed", wamid="wamid.h4", callback="x", code=131047)],
    errors=[{"code": 1}],
)


def put(body: Any, path: tuple[Any, ...], part: Any) -> None:
    for key in path[:-1]:
        body = body[key]
    body[path[-1]] = part


@bounded(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from(places(WHOLE)), JSON), min_size=1, max_size=3))
def test_any_json_in_any_place_is_stored_or_refused_and_never_our_failure(changes: list[tuple[Any, Any]], post: Post) -> None:
    body = copy.deepcopy(WHOLE)
    for path, part in sorted(changes, key=lambda each: -len(each[0])):
        put(body, path, part)
    before = rows()
    first = post(body).status_code
    stored = rows()
    assert first in (200, 400)
    assert post(body).status_code == first
    assert rows() == stored, "a second delivery changed something"
    assert first == 200 or stored == before


# What it does to the rest of the house


def test_one_message_is_one_insert_and_no_other_statement(post: Post) -> None:
    with CaptureQueriesContext(connection) as captured:
        post(envelope(messages=[text_message("hello")]))
    assert [each["sql"].split()[0:3] for each in captured.captured_queries] == [
        ["INSERT", "INTO", "conversations_inboundmessage"]
    ]


def test_a_refused_body_reaches_no_database(post: Post) -> None:
    with CaptureQueriesContext(connection) as captured:
        post(envelope(messages=[text_message("hello")]), sign="sha256=0")
    assert len(captured) == 0


@pytest.mark.usefixtures("no_broker")
def test_no_connection_to_the_broker_is_opened(post: Post) -> None:
    assert post(envelope(messages=[text_message("he is not breathing")], statuses=[status("sent")])).status_code == 200


def test_a_database_that_fails_is_a_500_so_that_whatsapp_delivers_again(
    post: Post, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("away")

    client.raise_request_exception = False
    monkeypatch.setattr("conversations.intake.store", fail)
    assert post(envelope(messages=[text_message("hello")])).status_code == 500


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(method: str, client: Client) -> None:
    assert getattr(client, method)(PATH).status_code == 405


WEB = """
import sys
from jeevo.wsgi import application
from django.db import connection
from django.test import Client
from tests.factories import dumped, envelope, signature
body = dumped(envelope())
headers = {"X-Hub-Signature-256": signature(body)}
client = Client(SERVER_NAME="127.0.0.1")
answer = client.post("/webhook/whatsapp/", data=body, content_type="application/json", headers=headers)
assert answer.status_code == 200, answer.status_code
from django.urls import get_resolver
get_resolver().url_patterns
# Not `tokenizers`, which counts words in 20 ms of import and needs no torch.
print(sorted({"torch", "transformers", "sentence_transformers", "scipy", "sklearn"} & set(sys.modules)))
"""


@pytest.mark.django_db(transaction=True)
def test_the_web_process_never_imports_the_model_library() -> None:
    """In a process of its own: this one may have imported anything."""
    variables = os.environ | {"DATABASE_URL": database_url(), "REDIS_URL": "redis://127.0.0.1:1", "JEEVO_PROCESS": "web"}
    done = subprocess.run([sys.executable, "-c", WEB], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.strip() == "[]"
