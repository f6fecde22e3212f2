"""Who may do what with the service: three groups beside those of knowledge.

Read-only looks at the machine, the incidents and the knowledge, and reads no patient's words. Incident staff declare
and work on incidents, and take handovers. An operator does all of that, acts on the machine, and keeps accounts.
`ensure` makes the groups what this page says in the apps that each governs, and leaves other grants alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.contrib.auth.models import Group, Permission

from knowledge import roles

OPERATOR, INCIDENT_STAFF, READ_ONLY = "Operator", "Incident staff", "Read-only"
Table = dict[str, frozenset[str]]

# Of operations: what an incident is made of, and when the service is worked on.
_INCIDENT = ("incident", "timer", "timelineentry", "followup", "notice", "maintenancewindow", "checklistitem")
_PEOPLE = ("subscriber", "oncallcontact", "delivery")
_WATCHING = ("heartbeat", "rollup")
_KEPT = ("backup", "restore")
# An incident is declared and moved on by its own steps, which write the timeline; nobody edits the rows themselves.
_RUN = ("run_incident", "add_followup", "change_followup", "change_checklistitem")
_PLAN = ("add_maintenancewindow", "change_maintenancewindow", "add_checklistitem")
_BRING_BACK = ("add_backup", "change_backup", "add_restore", "approve_restore")
_REACH = ("add_subscriber", "change_subscriber", "add_oncallcontact", "change_oncallcontact")

_CONVERSATIONS = ("contact", "inboundmessage", "outboundmessage", "answer", "citation", "deliveryevent", "handover")
_TIMERS = ("periodictask", "intervalschedule", "crontabschedule", "clockedschedule", "solarschedule")


def _views(names: Iterable[str]) -> Iterator[str]:
    return (f"view_{name}" for name in names)


# No words of patients: not their questions that found no source, and no conversation.
_LOOK = frozenset(("view_machine", *_views(_WATCHING), *_views(_KEPT), *_views(_INCIDENT)))
_KNOWLEDGE = roles.ROLES[roles.VIEWER]
_WORK = frozenset((*_LOOK, *_views(_PEOPLE), *_RUN))
_TALK = frozenset((*_views(_CONVERSATIONS), *_views(("unhandledevent", "holdingnotice")), "change_handover"))

ROLES: dict[str, Table] = {
    READ_ONLY: {"operations": _LOOK, "knowledge": _KNOWLEDGE, "conversations": frozenset()},
    INCIDENT_STAFF: {"operations": _WORK, "conversations": _TALK},
    OPERATOR: {
        "operations": frozenset((*_WORK, *_PLAN, *_REACH, *_BRING_BACK, "act_on_machine", "view_erasure")),
        "conversations": frozenset((*_TALK, "add_holdingnotice", "change_holdingnotice", "erase_contact")),
        "django_celery_beat": frozenset(f"{verb}_{name}" for verb in ("view", "add", "change") for name in _TIMERS),
        # Roles are given to people; what a role holds is written here, and an account is deactivated, not deleted.
        "auth": frozenset(("view_user", "add_user", "change_user", "view_group")),
        "axes": frozenset(("view_accessattempt", "change_accessattempt")),
    },
}


def ensure() -> None:
    """Make the groups, or bring them up to date. Needs the tables of this release."""
    for name, table in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        for app, codenames in table.items():
            _grant(group, app, codenames)


def _grant(group: Group, app: str, codenames: frozenset[str]) -> None:
    """A table that this release does not have, or not yet, has no permission to give."""
    known = {each.codename: each for each in Permission.objects.filter(content_type__app_label=app)}
    held = {each.codename: each for each in group.permissions.filter(content_type__app_label=app)}
    group.permissions.remove(*[held[each] for each in held.keys() - codenames])
    group.permissions.add(*[known[each] for each in (codenames & known.keys()) - held.keys()])
