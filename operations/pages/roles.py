"""Who may do what: a table of roles and abilities, read from the permissions that the groups hold now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from knowledge import roles as knowledge_roles
from operations import roles
from operations.pages import Page

KNOWN = (*roles.ROLES, *knowledge_roles.ROLES)


@dataclass(frozen=True)
class Ability:
    """What a person would say they can do, and the permissions that it takes, each as app.codename."""

    name: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    name: str
    held: tuple[bool, ...]


ABILITIES: tuple[tuple[str, tuple[Ability, ...]], ...] = (
    (
        "Patients' words",
        (
            Ability("Read conversations", ("conversations.view_contact",)),
            Ability("Take handovers and reply", ("conversations.view_contact", "conversations.change_handover")),
            Ability("Erase a person and all of their words", ("conversations.view_contact", "conversations.erase_contact")),
            Ability("Read questions that found no source", ("knowledge.view_unansweredquestion",)),
        ),
    ),
    (
        "Knowledge",
        (
            Ability("Read documents", ("knowledge.view_document",)),
            Ability("Bring documents and try questions", ("knowledge.add_document", "knowledge.add_trial")),
            Ability("Decide what is cited", ("knowledge.publish_document",)),
            Ability("Change the rules of triage", ("conversations.change_triagerule",)),
        ),
    ),
    (
        "Incidents and maintenance",
        (
            Ability("See incidents", ("operations.view_incident",)),
            Ability("Declare incidents and work on them", ("operations.run_incident",)),
            Ability("Plan maintenance", ("operations.change_maintenancewindow",)),
            Ability("Change who is told", ("operations.change_subscriber",)),
        ),
    ),
    (
        "The machine and accounts",
        (
            Ability("Look at the machine", ("operations.view_machine",)),
            Ability("Act on the machine", ("operations.act_on_machine",)),
            Ability("Look at backups and restores", ("operations.view_backup", "operations.view_restore")),
            Ability("Take backups", ("operations.add_backup",)),
            Ability("Ask for a restore and put it in place", ("operations.add_restore",)),
            Ability("Approve a restore that somebody else asked for", ("operations.approve_restore",)),
            Ability("Change timers", ("django_celery_beat.change_periodictask",)),
            Ability("Make, change and deactivate accounts", ("auth.add_user", "auth.change_user")),
        ),
    ),
)


def holdings() -> dict[str, set[str]]:
    """Each group with what it holds, ours first."""
    groups = Group.objects.prefetch_related("permissions__content_type")
    found = {each.name: {f"{p.content_type.app_label}.{p.codename}" for p in each.permissions.all()} for each in groups}
    return {name: found[name] for name in sorted(found, key=lambda name: (_place(name), name))}


def _place(name: str) -> int:
    return KNOWN.index(name) if name in KNOWN else len(KNOWN)


def rows(abilities: Sequence[Ability], held: dict[str, set[str]]) -> list[Row]:
    return [Row(each.name, tuple(set(each.needs) <= holding for holding in held.values())) for each in abilities]


def every_permission(held: dict[str, set[str]]) -> list[Row]:
    """The same without grouping, for whoever wants to know exactly."""
    return [Row(each, tuple(each in holding for holding in held.values())) for each in sorted(set().union(*held.values()))]


@never_cache
@require_safe
def roles_page(request: HttpRequest) -> HttpResponse:
    held = holdings()
    context = {
        **admin.site.each_context(request),
        "title": "Who may do what",
        "names": list(held),
        "parts": [(title, rows(abilities, held)) for title, abilities in ABILITIES],
        "exact": every_permission(held),
        "columns": len(held) + 1,
    }
    return render(request, "admin/operations/roles/table.html", context)


PAGES = (Page("roles/", "operations_roles", roles_page, title="Roles"),)
