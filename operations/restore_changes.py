"""What a restore would change, in the words of people: the four tables that matter most first, then the others, then what
stays as it is because it is carried over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.apps import apps

from operations import carrying

FIRST = {
    "conversations_inboundmessage": "Messages from people",
    "conversations_outboundmessage": "Messages to people",
    "knowledge_document": "Documents",
    "conversations_handover": "Handovers to a person",
}
_MESSAGES = frozenset(name for name, _ in carrying.MESSAGES)


@dataclass(frozen=True)
class Row:
    label: str
    table: str
    now: int
    then: int
    kept: bool = False

    @property
    def back(self) -> int:
        return max(0, self.then - self.now)

    @property
    def lost(self) -> int:
        return max(0, self.now - self.then)


@dataclass(frozen=True)
class Changes:
    """`carried` are rows that the restored copy lacks and that come along all the same."""

    first: list[Row]
    others: list[Row]
    carried: list[Row]


def read(losses: Mapping[str, Mapping[str, int]], *, carry_messages: bool) -> Changes:
    names = {model._meta.db_table: str(model._meta.verbose_name_plural) for model in apps.get_models(include_auto_created=True)}
    first = [_row(table, label, losses, carry_messages) for table, label in FIRST.items()]
    rest = sorted(losses.keys() - FIRST.keys())
    rows = [_row(table, names.get(table, table).capitalize(), losses, carry_messages) for table in rest]
    carried = {table for table in rest if is_carried(table)}
    return Changes(first, [row for row in rows if row.table not in carried], [row for row in rows if row.table in carried])


def is_carried(table: str) -> bool:
    return table in carrying.KEPT + carrying.REPLACED or table.startswith(carrying.PREFIXES + carrying.REPLACED_PREFIXES)


def _row(table: str, label: str, losses: Mapping[str, Mapping[str, int]], carry_messages: bool) -> Row:
    found = losses.get(table, {"now": 0, "then": 0})
    return Row(label, table, found["now"], found["then"], kept=carry_messages and table in _MESSAGES)
