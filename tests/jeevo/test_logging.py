"""A log line is one JSON object that carries no word, number or message id of a patient."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import structlog
from celery import Celery
from django.conf import settings

from jeevo.logging import follow, following, masked, request_id, without_messages

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "my father Ramesh cannot breathe"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the configured handler writes, under the configuration the program uses."""
    stream = io.StringIO()
    config: dict[str, Any] = deepcopy(settings.LOGGING)
    config["handlers"]["standard"]["stream"] = stream
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logging.config.dictConfig(config)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def only_line(stream: io.StringIO) -> dict[str, Any]:
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1, lines
    line: dict[str, Any] = json.loads(lines[0])
    return line


def fail() -> None:
    raise ValueError(SECRET)


def test_a_line_is_one_json_object_with_time_level_and_place(written: io.StringIO) -> None:
    structlog.get_logger("tests.one").warning("the model failed", reason="two\nlines", count=3)
    line = only_line(written)
    assert line["event"] == "the model failed"
    assert (line["level"], line["logger"], line["count"], line["reason"]) == ("warning", "tests.one", 3, "two\nlines")
    assert line["timestamp"].endswith("Z")


def test_a_line_of_another_library_has_the_same_form(written: io.StringIO) -> None:
    logging.getLogger("tests.other").error("lost %s of %s", 3, "seven")
    line = only_line(written)
    assert (line["event"], line["level"], line["logger"]) == ("lost 3 of seven", "error", "tests.other")


@pytest.mark.parametrize("library", ["structlog", "logging"])
def test_an_exception_is_its_class_and_place_and_never_its_message(written: io.StringIO, library: str) -> None:
    try:
        fail()
    except ValueError:
        if library == "structlog":
            structlog.get_logger("tests.two").exception("the task failed")
        else:
            logging.getLogger("tests.two").exception("the task failed")
    line = only_line(written)
    assert line["error"] == "builtins.ValueError"
    assert re.search(r"test_logging\.py:\d+ fail$", line["at"][-1])
    assert "Ramesh" not in written.getvalue()


def test_the_cause_of_an_exception_stays_unsaid_too(written: io.StringIO) -> None:
    try:
        try:
            fail()
        except ValueError as error:
            raise RuntimeError("wrapped " + SECRET) from error
    except RuntimeError:
        logging.getLogger("tests.three").exception("the task failed")
    assert "Ramesh" not in written.getvalue()
    assert only_line(written)["error"] == "builtins.RuntimeError"


def test_an_exception_passed_by_hand_is_treated_alike(written: io.StringIO) -> None:
    structlog.get_logger("tests.four").error("the task failed", exc_info=ValueError(SECRET))
    assert only_line(written)["error"] == "builtins.ValueError"
    assert "Ramesh" not in written.getvalue()


class Odd(Exception):
    """Its words stand in its text and in its repr."""

    def __repr__(self) -> str:
        return f"<{SECRET}>"


UNPICKLABLE: type[Exception] = type("Unpicklable", (Exception,), {})


def test_an_exception_among_the_arguments_is_only_its_class(written: io.StringIO) -> None:
    log = logging.getLogger("tests.ten")
    log.error("it failed: %s, %r", ValueError(SECRET), Odd(SECRET))
    log.error("it failed: %(why)s after %(count)d", {"why": Odd(SECRET), "count": 3})
    log.error("all of them: %s", [KeyError(SECRET), (OSError(SECRET), {"last": Odd(SECRET)})])
    log.error(Odd(SECRET))
    said = [json.loads(line)["event"] for line in written.getvalue().splitlines()]
    assert said[0] == "it failed: ValueError, 'Odd'"
    assert said[1] == "it failed: Odd after 3"
    assert said[2] == "all of them: ['KeyError', ('OSError', {'last': 'Odd'})]"
    assert said[3] == "Odd"
    assert "Ramesh" not in written.getvalue()


def test_an_exception_under_a_key_of_our_own_is_only_its_class_too(written: io.StringIO) -> None:
    structlog.get_logger("tests.eleven").warning("it failed", why=ValueError(SECRET), all=[Odd(SECRET)])
    assert (only_line(written)["why"], only_line(written)["all"]) == ("ValueError", ["Odd"])


def test_another_handler_of_the_same_line_gets_what_was_logged(written: io.StringIO) -> None:
    error, seen = ValueError(SECRET), list[Any]()
    other = logging.Handler()
    other.emit = lambda record: seen.append(record.args)  # type: ignore[method-assign]
    log = logging.getLogger("tests.twelve")
    log.addHandler(other)
    log.error("it failed: %s", error)
    log.removeHandler(other)
    assert seen == [(error,)]


def failing(error: type[Exception], **options: Any) -> None:
    """A task that is called with what nobody may read, and whose error quotes it."""

    def work(words: str, *, number: str) -> None:
        raise error(words, number)

    app = Celery("tests", set_as_current=False)
    task: Any = app.task(name="tests.work", **options)
    task(work).apply(args=(SECRET,), kwargs={"number": "+919810000001"})


@pytest.mark.parametrize("error", [ValueError, Odd, UNPICKLABLE])
def test_a_task_that_fails_is_logged_by_celery_without_what_its_error_says(written: io.StringIO, error: type[Exception]) -> None:
    failing(error)
    (line,) = (each for each in map(json.loads, written.getvalue().splitlines()) if "raised" in each["event"])
    assert line["event"].endswith(f"raised unexpected: {error.__name__}")
    assert line["at"][-1].endswith(" work")
    assert not re.search("Ramesh|9810000001", written.getvalue())


def test_a_task_that_fails_as_it_may_is_logged_without_what_its_error_says(written: io.StringIO) -> None:
    """Celery hands over no exception then, only its text; and says it at a level that is not shown usually."""
    logging.getLogger("celery").setLevel("INFO")
    failing(Odd, throws=(Odd,))
    logging.getLogger("celery").setLevel("WARNING")
    assert "raised expected: an exception" in written.getvalue()
    assert not re.search("Ramesh|9810000001", written.getvalue())


def test_what_celery_adds_to_a_line_for_others_names_classes_only() -> None:
    """`data` is left out of our lines; a formatter that shows it must not show more."""
    said = {"id": "7", "exc": f"Odd('{SECRET}')", "traceback": SECRET, "args": f"('{SECRET}',)", "kwargs": {"words": SECRET}}
    record = logging.makeLogRecord({"msg": "%(exc)s %(traceback)s", "args": said, "data": said, "exc_info": None})
    safe = without_messages(record)
    assert safe.__dict__["data"] == {"id": "7", "exc": "an exception", "traceback": "str", "args": "str", "kwargs": "dict"}
    assert safe.getMessage() == "an exception str"


NUMBERS = ["919810000001", "+91 98100 00001", "+1 (415) 555-0132", "0049.170.5550132", "98100-00001"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_phone_number_is_masked_wherever_it_stands(written: io.StringIO, number: str) -> None:
    structlog.get_logger("tests.five").info(f"a message of {number} came", sender=number)
    assert number not in written.getvalue()
    assert only_line(written)["sender"] == "[number]"
    assert "[number] came" in only_line(written)["event"]


def test_an_id_of_whatsapp_is_masked_because_it_holds_the_number(written: io.StringIO) -> None:
    wamid = "wamid.HBgMOTE5ODEwMDAwMDAxFQIAEhgUM0E/+A=="
    logging.getLogger("tests.six").warning("sent %s twice", wamid)
    assert only_line(written)["event"] == "sent [message id] twice"


def test_an_argument_of_another_library_is_masked(written: io.StringIO) -> None:
    logging.getLogger("tests.seven").error("no route for %s", "919810000001")
    assert "919810000001" not in written.getvalue()


def test_what_is_not_a_phone_number_stays_readable() -> None:
    kept = "It took 1532 ms for 12 passages; document 0199a1b2-7c3d-7e4f-8a5b-123456789abc"
    assert masked(kept) == kept


def test_keys_of_rows_are_never_masked(written: io.StringIO) -> None:
    structlog.get_logger("tests.eight").info("answered", contact="01980000-0000-7000-8000-000000000001", answer="123456789012")
    assert only_line(written)["contact"] == "01980000-0000-7000-8000-000000000001"
    assert only_line(written)["answer"] == "123456789012"


@pytest.mark.parametrize("library", ["httpx", "httpcore", "groq", "sentence_transformers", "torch", "celery.worker"])
def test_chatty_libraries_say_only_warnings(written: io.StringIO, library: str) -> None:
    """httpx writes every address at INFO, and an address may hold a phone number."""
    logging.getLogger(library).info("HTTP Request: GET https://graph.facebook.com/919810000001")
    assert written.getvalue() == ""


def test_extra_fields_of_other_libraries_are_left_out(written: io.StringIO) -> None:
    logging.getLogger("tests.nine").warning("slow", extra={"body": SECRET})
    assert "Ramesh" not in written.getvalue()


def test_celery_leaves_our_lines_as_they_are() -> None:
    """Its --loglevel WARNING is for itself: with it on the root, no process of a lane would say what it answered."""
    code = (
        "import django; django.setup()\n"
        "from jeevo.celery import app\n"
        "app.log.setup('WARNING', None, True, False)\n"
        "import logging, structlog\n"
        "structlog.get_logger('tests').info('answered')\n"
        "logging.getLogger('celery.worker.strategy').info('Task received')\n"
        "logging.getLogger('celery.worker').warning('lost it')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True)
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["level"]) for line in said] == [("answered", "info"), ("lost it", "warning")]


def test_gunicorn_s_own_lines_are_json_and_an_error_in_them_has_no_words() -> None:
    code = (
        "import sys; from gunicorn.config import Config; from gunicorn.glogging import Logger\n"
        "from jeevo import gunicorn as ours\n"
        "config = Config(); config.set('loglevel', 'warning'); config.set('logconfig_dict', ours.logconfig_dict)\n"
        "log = Logger(config)\n"
        "try:\n    raise ValueError('my father Ramesh')\n"
        "except ValueError:\n    log.exception('Error handling request %s', '/admin/?q=919810000001')\n"
        "log.info('Booting worker')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True)
    (line,) = (json.loads(each) for each in done.stderr.splitlines())
    assert (line["event"], line["error"]) == ("Error handling request /admin/?q=[number]", "builtins.ValueError")
    assert "Ramesh" not in done.stderr + done.stdout


# ---- following a request


def test_a_line_carries_the_request_that_is_followed_and_afterwards_none(written: io.StringIO) -> None:
    log = structlog.get_logger("tests.thirteen")
    with following("0a" * 8):
        log.info("within")
        with following("0b" * 8):
            log.info("deeper")
        follow("0c" * 8)
        logging.getLogger("another.library").warning("of another")
    log.info("after")
    said = [(line["event"], line.get("request_id")) for line in map(json.loads, written.getvalue().splitlines())]
    assert said == [("within", "0a" * 8), ("deeper", "0b" * 8), ("of another", "0c" * 8), ("after", None)]
    assert request_id() == ""


def test_no_id_is_no_key(written: io.StringIO) -> None:
    with following(""):
        structlog.get_logger("tests.fourteen").info("a row of before")
    assert "request_id" not in only_line(written)


def test_a_line_says_which_process_it_is_of(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEEVO_PROCESS", "worker-answers")
    logging.getLogger("tests.fifteen").warning("here")
    assert only_line(written)["process"] == "worker-answers"
