"""An incident from its declaration to its postmortem: who has it, what is due when, and all that was done, in order.

The timeline is append-only, kept so by the database itself. What is due stands in rows of `Timer`, so that a watcher
that was away for hours finds everything it missed. Nothing here names a patient.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from jeevo.ids import new_id

USER = settings.AUTH_USER_MODEL
WHO = models.PROTECT
LIVE_STATES = ("triage", "investigating", "identified", "monitoring")


class IncidentQuerySet(models.QuerySet["Incident"]):
    def live(self) -> IncidentQuerySet:
        """Not over yet: somebody must do something, or watch that it stays well."""
        return self.filter(state__in=LIVE_STATES)


class Incident(models.Model):
    class State(models.TextChoices):
        TRIAGE = "triage"
        INVESTIGATING = "investigating"
        IDENTIFIED = "identified"
        MONITORING = "monitoring"
        RESOLVED = "resolved"
        POSTMORTEM = "postmortem"
        CLOSED = "closed"
        DUPLICATE = "duplicate"
        CANCELLED = "cancelled"

    class Severity(models.IntegerChoices):
        CRITICAL = 1, "1 Critical"
        HIGH = 2, "2 High"
        MEDIUM = 3, "3 Medium"
        LOW = 4, "4 Low"

    class Source(models.TextChoices):
        HAND = "hand", "by hand"
        DETECTOR = "detector"
        ALERT = "alert", "Alertmanager"
        FILE = "file", "written down while the database was away"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.PositiveIntegerField(unique=True, editable=False)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=60, default="manual", help_text="What kind of trouble; a detector's or an alert's name.")
    scope = models.CharField(max_length=120, blank=True, help_text="What of it is affected, such as one lane or one table.")
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.HAND)
    state = models.CharField(max_length=14, choices=State.choices, default=State.TRIAGE)
    severity = models.PositiveSmallIntegerField(choices=Severity.choices)
    # What people outside are told: no names, no numbers of people.
    affected = models.CharField(max_length=200, blank=True, help_text="How many are affected, as a count or a share.")
    action = models.CharField(max_length=400, blank=True, help_text="What is being done now.")
    eta = models.CharField(max_length=120, blank=True, help_text="When it should be over.")
    public = models.BooleanField(default=False, help_text="Shown on the public status page.")
    details = models.TextField(blank=True, help_text="What is known, for staff.")
    runbook = models.CharField(max_length=200, blank=True)

    impact_started_at = models.DateTimeField()
    detected_at = models.DateTimeField()
    declared_at = models.DateTimeField()
    declared_by = models.ForeignKey(USER, null=True, blank=True, on_delete=WHO, related_name="+")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(USER, null=True, blank=True, on_delete=WHO, related_name="+")
    # The first acknowledgement, which a later lapse does not undo: MTTA counts from it.
    first_acknowledged_at = models.DateTimeField(null=True, blank=True)
    severity_confirmed_at = models.DateTimeField(null=True, blank=True)
    mitigation_began_at = models.DateTimeField(null=True, blank=True)
    mitigated_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    update_every = models.DurationField(default=timedelta(minutes=15), help_text="Staff say what is going on this often.")
    last_update_at = models.DateTimeField(null=True, blank=True, help_text="When staff last said what is going on.")

    commander = models.ForeignKey(USER, null=True, blank=True, on_delete=WHO, related_name="+")
    commander_at = models.DateTimeField(null=True, blank=True)
    scribe = models.ForeignKey(USER, null=True, blank=True, on_delete=WHO, related_name="+")
    communications = models.ForeignKey(USER, null=True, blank=True, on_delete=WHO, related_name="+")

    duplicate_of = models.ForeignKey("self", null=True, blank=True, on_delete=WHO, related_name="duplicates")
    # How far along the contacts it was escalated, and when last.
    escalations = models.PositiveSmallIntegerField(default=0)
    escalated_at = models.DateTimeField(null=True, blank=True)
    # What a source calls its occurrences of this: Alertmanager's fingerprints that still fire.
    firing = models.JSONField(default=list, blank=True)

    root_cause = models.TextField(blank=True)
    postmortem = models.TextField(blank=True)
    postmortem_by = models.ForeignKey(USER, null=True, blank=True, on_delete=WHO, related_name="+")
    postmortem_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[IncidentQuerySet] = IncidentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-declared_at", "id")
        permissions = [("run_incident", "Can declare, acknowledge, update and resolve incidents")]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "scope"],
                name="incident_one_open_of_a_kind",
                condition=Q(state__in=LIVE_STATES) & ~Q(kind="manual"),
            ),
            models.CheckConstraint(
                name="incident_acknowledged_who_and_when",
                condition=Q(acknowledged_by__isnull=True, acknowledged_at__isnull=True)
                | Q(acknowledged_by__isnull=False, acknowledged_at__isnull=False),
            ),
            models.CheckConstraint(
                name="incident_commander_who_and_when",
                condition=Q(commander__isnull=True, commander_at__isnull=True)
                | Q(commander__isnull=False, commander_at__isnull=False),
            ),
            models.CheckConstraint(
                name="incident_postmortem_who_and_when",
                condition=Q(postmortem_by__isnull=True, postmortem_at__isnull=True)
                | Q(postmortem_by__isnull=False, postmortem_at__isnull=False),
            ),
            models.CheckConstraint(
                name="incident_duplicate_names_the_other",
                condition=~Q(state="duplicate") | Q(duplicate_of__isnull=False),
            ),
            models.CheckConstraint(
                name="incident_over_has_a_time",
                condition=~Q(state__in=["resolved", "postmortem", "closed"]) | Q(resolved_at__isnull=False),
            ),
            models.CheckConstraint(name="incident_severity_is_known", condition=Q(severity__gte=1, severity__lte=4)),
        ]
        indexes = [
            # What is going on now, for the console's home and the watcher.
            models.Index(fields=["state", "severity"], name="incident_live", condition=Q(state__in=LIVE_STATES)),
            # The list, latest first.
            models.Index(fields=["-declared_at"], name="incident_latest"),
        ]

    def __str__(self) -> str:
        return f"INC-{self.number} {self.title}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


class Timer(models.Model):
    """Something that is due. The watcher marks what it has said about it, so that nothing is said twice."""

    class Kind(models.TextChoices):
        ACKNOWLEDGE = "acknowledge", "Acknowledge"
        SEVERITY = "severity", "Settle the severity"
        COMMANDER = "commander", "Name a commander"
        MITIGATION = "mitigation", "Begin to mitigate"
        UPDATE = "update", "Say what is going on"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="timers")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    met_at = models.DateTimeField(null=True, blank=True)
    dropped_at = models.DateTimeField(null=True, blank=True, help_text="No longer wanted: the incident ended first.")
    # What the watcher has said: at 80 % of the time, and when it was over.
    warned_at = models.DateTimeField(null=True, blank=True)
    breached_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("due_at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "kind"],
                name="timer_one_running",
                condition=Q(met_at__isnull=True, dropped_at__isnull=True),
            ),
            models.CheckConstraint(name="timer_is_due_after_start", condition=Q(due_at__gt=F("started_at"))),
        ]
        indexes = [
            # What runs now, by when it is due.
            models.Index(fields=["due_at"], name="timer_running", condition=Q(met_at__isnull=True, dropped_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.due_at:%H:%M}"

    @property
    def at_risk_at(self) -> datetime:
        return self.started_at + 0.8 * (self.due_at - self.started_at)


class TimelineEntry(models.Model):
    """One thing that happened. Append-only: a trigger of the database refuses a change or a deletion."""

    class Kind(models.TextChoices):
        DECLARED = "declared"
        ACKNOWLEDGED = "acknowledged"
        LAPSED = "lapsed", "acknowledgement lapsed"
        ESCALATED = "escalated"
        CHANGED = "changed"
        UPDATE = "update"
        NOTE = "note"
        DUE = "due"
        SIGNAL = "signal"
        NOTICE = "notice"
        FOLLOW_UP = "follow_up", "follow-up"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    incident = models.ForeignKey(Incident, on_delete=WHO, related_name="timeline")
    at = models.DateTimeField()
    by = models.ForeignKey(USER, null=True, blank=True, on_delete=WHO, related_name="+", help_text="Empty: Jeevo itself.")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    field = models.CharField(max_length=40, blank=True)
    old = models.CharField(max_length=400, blank=True)
    new = models.CharField(max_length=400, blank=True)
    text = models.TextField(blank=True)

    class Meta:
        ordering = ("at", "id")
        verbose_name_plural = "timeline entries"
        indexes = [
            # An incident's timeline in order.
            models.Index(fields=["incident", "at"], name="timeline_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M}"


class FollowUp(models.Model):
    """Something to do after an incident, so that the next one is seen sooner, is smaller, or does not come."""

    class Kind(models.TextChoices):
        DETECTIVE = "detective", "Detective: see it sooner"
        PREVENTIVE = "preventive", "Preventive: keep it from happening"
        CORRECTIVE = "corrective", "Corrective: put right what it broke"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    incident = models.ForeignKey(Incident, on_delete=WHO, related_name="follow_ups")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    text = models.CharField(max_length=400)
    owner = models.ForeignKey(USER, on_delete=WHO, related_name="+")
    due_on = models.DateField()
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(USER, null=True, blank=True, on_delete=WHO, related_name="+")

    class Meta:
        ordering = ("due_on", "id")
        constraints = [
            models.CheckConstraint(
                name="follow_up_done_who_and_when",
                condition=Q(done_by__isnull=True, done_at__isnull=True) | Q(done_by__isnull=False, done_at__isnull=False),
            )
        ]
        indexes = [
            # What is still to be done, the most urgent first.
            models.Index(fields=["due_on"], name="follow_up_open", condition=Q(done_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.text


class OnCallContact(models.Model):
    """Who is told of an incident that nobody acknowledges, one after the other."""

    position = models.PositiveSmallIntegerField(unique=True, help_text="1 is told first.")
    name = models.CharField(max_length=100)
    user = models.ForeignKey(USER, null=True, blank=True, on_delete=WHO, related_name="+")
    email = models.EmailField(blank=True)
    webhook = models.URLField(blank=True, max_length=500, help_text="Called in place of e-mail or beside it.")
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ("position",)
        verbose_name = "contact on call"
        verbose_name_plural = "contacts on call"
        constraints = [
            models.CheckConstraint(name="contact_on_call_can_be_told", condition=~Q(email="", webhook="")),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.name}"
