"""The pages of the second factor: their addresses, whether the console opens, and what stands on an answer."""

from __future__ import annotations

import re

from django.test import Client

HOME, LOGIN = "/admin/", "/admin/login/"
ASK, SET_UP, ACCOUNT = "/admin/second-factor/", "/admin/second-factor/set-up/", "/admin/account/"


def opens(client: Client, address: str = HOME) -> bool:
    return client.get(address).status_code == 200


def text(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined, no-any-return]


def codes_on(page: str) -> list[str]:
    return re.findall(r"<li><code>([a-z2-7]{4}-[a-z2-7]{4})</code></li>", page)
