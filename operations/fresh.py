"""A fresh connection to the database with limits of its own: a pool that is used up, broken or hung hides nothing."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection


def connect(name: str, *, database: str | None = None, options: str = "") -> psycopg.Connection[Any]:
    """In autocommit; answers or fails within two seconds, also where the server takes connections and says nothing.
    `options` are given to the server beside the limit, such as "-c synchronous_commit=local"."""
    given = connection.get_connection_params()
    given |= {"connect_timeout": 2, "application_name": name, "options": f"-c statement_timeout=1500 {options}".strip()}
    given |= {"tcp_user_timeout": 2000}
    if database is not None:
        given["dbname"] = database
    given.pop("cursor_factory", None)
    return psycopg.connect(**given, autocommit=True)
