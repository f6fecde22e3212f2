"""Who may do what with knowledge: three groups, each holding all that the one before it may do.

A viewer reads the library, and no words of patients. A contributor brings documents and questions, and reads for that
what patients asked in vain. A clinician reviewer decides what is cited.
`ensure` makes the groups what this page says, and leaves alone what an operator gave them in other apps.
"""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission

VIEWER, CONTRIBUTOR, REVIEWER = "Knowledge viewer", "Knowledge contributor", "Clinician reviewer"

_LOOK = (
    "view_document",
    "view_chunk",
    "view_import",
    "view_importitem",
    "view_goldenquestion",
    "view_trial",
    "view_evaluationrun",
    "view_evaluationfigure",
    "view_evaluationquestion",
    "view_embeddingindex",
)
_BRING = (
    "view_unansweredquestion",
    "add_document",
    "add_import",
    "change_import",
    "add_goldenquestion",
    "change_goldenquestion",
    "change_unansweredquestion",
    "add_trial",
)
_DECIDE = ("change_document", "publish_document")

ROLES: dict[str, frozenset[str]] = {
    VIEWER: frozenset(_LOOK),
    CONTRIBUTOR: frozenset((*_LOOK, *_BRING)),
    REVIEWER: frozenset((*_LOOK, *_BRING, *_DECIDE)),
}


def ensure() -> None:
    """Make the groups, or bring them up to date. Needs the tables of this release."""
    known = {each.codename: each for each in Permission.objects.filter(content_type__app_label="knowledge")}
    for name, codenames in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        held = {each.codename: each for each in group.permissions.filter(content_type__app_label="knowledge")}
        group.permissions.remove(*[held[each] for each in held.keys() - codenames])
        group.permissions.add(*[known[each] for each in codenames - held.keys()])
