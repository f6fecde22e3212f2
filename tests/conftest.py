"""Real services for the tests: PostgreSQL and Valkey from their wheels, in a folder of their own."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Two runs at once need a folder each, and so do the workers of one run.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
HOME = Path(os.environ.get("JEEVO_TEST_HOME", ROOT / ".jeevo" / "test")) / WORKER
# Who only hands tests out to workers needs no services.
HANDS_OUT = not WORKER and "-n" in sys.argv

# Before Django reads its settings: a developer's .env and running services are not the tests' business.
for name in ("DATABASE_URL", "REDIS_URL", "GROQ_API_KEY", "WHATSAPP_TOKEN", "EMBEDDING_MODEL", "WHATSAPP_GRAPH_URL"):
    os.environ[name] = ""
os.environ |= {
    "JEEVO_MODE": "sandbox",
    "JEEVO_DATA_DIR": str(HOME / "data"),
    "JEEVO_KEYS_DIR": str(HOME / "keys"),
    "DJANGO_SETTINGS_MODULE": "jeevo.settings",
    "DJANGO_ALLOW_ASYNC_UNSAFE": "true",  # Playwright runs an event loop in the main thread
}

# A run in the background ignores Ctrl-C and a closing terminal, and so would every process that a test interrupts.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

from jeevo import embedded  # noqa: E402

if not HANDS_OUT:
    embedded.start(HOME / "data", HOME / "keys", report=lambda line: None)

import django  # noqa: E402
import pytest  # noqa: E402

django.setup()  # the fixtures import models
if HANDS_OUT:
    del os.environ["DJANGO_SETTINGS_MODULE"]  # with it a worker would read the settings before its services run

from django.conf import settings  # noqa: E402

# A safe hash takes a quarter of a second on purpose, and most tests make somebody.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

import hypothesis  # noqa: E402

# A busy machine may stop any example for a while.
hypothesis.settings.register_profile("jeevo", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("jeevo")

pytest_plugins = ["tests.fixtures"]


FULL = os.environ.get("JEEVO_FAULTS") == "all"


def pytest_itemcollected(item: pytest.Item) -> None:
    """A file goes to one worker, apart from its tests that empty the database: pytest-django puts those behind all others."""
    mark = item.get_closest_marker("django_db")
    empties = "transactional_db" in getattr(item, "fixturenames", ()) or (mark is not None and mark.kwargs.get("transaction"))
    apart = " last" if empties and not item.get_closest_marker("stack") else ""
    item.add_marker(pytest.mark.xdist_group(f"{item.path.relative_to(ROOT)}{apart}"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What belongs to the whole matrix is left out and named, unless `make faults` asks for it.

    A worker gets whole files, so those that empty the database come after all that do not. The browser comes last: its
    library keeps an event loop open in the main thread, and what runs after it finds that one.
    """
    for item in items:
        if not FULL and item.get_closest_marker("matrix"):
            item.add_marker(pytest.mark.skip(reason="part of the whole matrix: make faults"))
    emptying = {item.path for item in items if _empties(item)}
    items.sort(key=lambda item: ("browser" in item.path.parts, item.path in emptying))


def _empties(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("django_db")
    return "transactional_db" in getattr(item, "fixturenames", ()) or (mark is not None and bool(mark.kwargs.get("transaction")))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not HANDS_OUT:
        embedded.stop(HOME / "data")
