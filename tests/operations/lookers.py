"""What the tests of troubleshooting share: people who may look or act, and connections of other programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.contrib.auth.models import Permission, User

from operations.findings import Finding, Table
from operations.models import Rollup
from tests.fixtures import database_url


def a_person(name: str, *codenames: str) -> User:
    """Somebody of the staff with these permissions of operations."""
    user = User.objects.create(username=name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="operations", codename__in=codenames))
    return user


@contextmanager
def another(process: str = "worker-answers") -> Iterator[psycopg.Connection]:
    """A connection of another program to the database of the tests."""
    connection = psycopg.connect(database_url(), application_name=process)
    try:
        yield connection
    finally:
        connection.close()


def table(finding: Finding, title: str) -> list[list[str]]:
    """The rows of one table, as text."""
    found: Table = next(each for each in finding.tables if each.title == title)
    return [[str(cell) for cell in row] for row in found.rows]


def a_rollup(name: str, **fields: object) -> Rollup:
    return Rollup.objects.create(**{"period": "minute", "name": name, "count": 1, **fields})
