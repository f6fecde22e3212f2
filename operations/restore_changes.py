"""What a restore would change, in the words of people: the tables that matter most first, then the others, then what stays
as it is because it is carried over. Of the knowledge base alone every row was compared, so more is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.apps import apps

from operations import carrying
from operations.phrases import count

FIRST = {
    "conversations_inboundmessage": "Messages from people",
    "conversations_outboundmessage": "Messages to people",
    "knowledge_document": "Documents",
    "conversations_handover": "Handovers to a person",
}
# Where the model's own name says less.
LABELS = {"knowledge_historicaldocument": "History of documents", "knowledge_term": "Words that a search weighs"}
FIRST_OF_KNOWLEDGE = {
    "knowledge_document": "Documents",
    "knowledge_chunk": "Passages of documents",
    "knowledge_goldenquestion": "Golden questions",
}
# Columns outside that name a document.
LINKED = {
    "conversations_citation": ("citation of an answer", "citations of answers"),
    "knowledge_unansweredquestion": ("unanswered question", "unanswered questions"),
}
_MESSAGES = frozenset(name for name, _ in carrying.MESSAGES)


@dataclass(frozen=True)
class Row:
    label: str
    table: str
    now: int
    then: int
    back: int
    lost: int
    kept: bool = False
    # None where rows were counted and not compared.
    changed: int | None = None

    @property
    def differs(self) -> bool:
        return bool(self.now != self.then or self.back or self.lost or self.changed)


@dataclass(frozen=True)
class Changes:
    """`carried` are rows that the restored copy lacks and that come along all the same; `links` are sentences on rows that
    stay and lose, or get back, the document they name."""

    first: list[Row]
    others: list[Row]
    carried: list[Row]
    links: list[str] = field(default_factory=list)


def read(losses: Mapping[str, Mapping[str, int]], *, carry_messages: bool, of_knowledge: bool = False) -> Changes:
    names = {model._meta.db_table: str(model._meta.verbose_name_plural) for model in apps.get_models(include_auto_created=True)}
    important = FIRST_OF_KNOWLEDGE if of_knowledge else FIRST
    nothing = {"now": 0, "then": 0, **({"changed": 0} if of_knowledge else {})}
    first = [_row(table, label, losses.get(table, nothing), carry_messages) for table, label in important.items()]
    links = {table for table, found in losses.items() if "linked" in found}
    rest = sorted(losses.keys() - important.keys() - links)
    labels = {table: LABELS.get(table) or names.get(table, table).capitalize() for table in rest}
    rows = [_row(table, labels[table], losses[table], carry_messages) for table in rest]
    carried = {table for table in rest if is_carried(table)}
    told = [sentence for table in sorted(links) for sentence in _links(table, losses[table])]
    return Changes(first, [row for row in rows if row.table not in carried], [row for row in rows if row.table in carried], told)


def _links(table: str, found: Mapping[str, int]) -> list[str]:
    one, many = LINKED.get(table, (table, table))
    lose, gain = found["unlinked"], found["linked"]
    return [
        *([f"{count(lose, one, many)} will not lead to a document any more; the words stay."] if lose else []),
        *([f"{count(gain, one, many)} will lead to a document again."] if gain else []),
    ]


def is_carried(table: str) -> bool:
    return table in carrying.KEPT + carrying.REPLACED or table.startswith(carrying.PREFIXES + carrying.REPLACED_PREFIXES)


def _row(table: str, label: str, found: Mapping[str, int], carry_messages: bool) -> Row:
    now, then = found["now"], found["then"]
    back, lost = found.get("back", max(0, then - now)), found.get("lost", max(0, now - then))
    return Row(label, table, now, then, back, lost, kept=carry_messages and table in _MESSAGES, changed=found.get("changed"))
