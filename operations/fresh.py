"""A fresh connection to the database with limits of its own: a pool that is used up, broken or hung hides nothing."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection


def connect(name: str) -> psycopg.Connection[Any]:
    """In autocommit; answers or fails within two seconds, also where the server takes connections and says nothing."""
    given = connection.get_connection_params()
    given |= {"connect_timeout": 2, "application_name": name, "options": "-c statement_timeout=1500"}
    given |= {"tcp_user_timeout": 2000}
    given.pop("cursor_factory", None)
    return psycopg.connect(**given, autocommit=True)
