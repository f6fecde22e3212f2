"""Who may do what with the rules of triage: who curates knowledge sees them, a clinician reviewer changes them."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission

from knowledge import roles

RULES = {
    roles.VIEWER: ("view_triagerule",),
    roles.CONTRIBUTOR: ("view_triagerule",),
    roles.REVIEWER: ("view_triagerule", "add_triagerule", "change_triagerule"),
}


def ensure() -> None:
    """Give the groups of knowledge their part here; call it after `knowledge.roles.ensure`."""
    for name, codenames in RULES.items():
        granted = Permission.objects.filter(content_type__app_label="conversations", codename__in=codenames)
        Group.objects.get(name=name).permissions.add(*granted)
