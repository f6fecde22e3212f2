"""The Dockerfile and the compose file as the tests of the containers read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, each in SERVICES.items() if each["image"].startswith("jeevo:"))
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?:(:?[-?+])([^}]*))?\}")


def filled_in(text: str) -> str:
    """As compose would with only defaults to go by."""
    return VARIABLE.sub(lambda found: found[3] if found[2] in (":-", "-") else "", text)


def command(service: str) -> list[str]:
    return [filled_in(each) for each in SERVICES[service]["command"]]
