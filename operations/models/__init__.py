"""The tables of operations: what watches the service, and what people do about it."""

from __future__ import annotations

from operations.models.backups import Backup
from operations.models.drills import Checkpoint, Drill, Protection
from operations.models.erasures import Erasure
from operations.models.incidents import LIVE_STATES, FollowUp, Incident, OnCallContact, TimelineEntry, Timer
from operations.models.maintenance import ChecklistItem, MaintenanceSchedule, MaintenanceWindow, Pause
from operations.models.notices import Delivery, Notice, Subscriber
from operations.models.offsite import OffsiteState, RecoveryKit
from operations.models.restores import Restore
from operations.models.samples import QuerySample, Release
from operations.models.standbys import Standby
from operations.models.watching import Alert, Heartbeat, Rollup, Sighting

__all__ = [
    "LIVE_STATES",
    "Alert",
    "Backup",
    "ChecklistItem",
    "Checkpoint",
    "Delivery",
    "Drill",
    "Erasure",
    "FollowUp",
    "Heartbeat",
    "Incident",
    "MaintenanceSchedule",
    "MaintenanceWindow",
    "Notice",
    "OffsiteState",
    "OnCallContact",
    "Pause",
    "Protection",
    "QuerySample",
    "RecoveryKit",
    "Release",
    "Restore",
    "Rollup",
    "Sighting",
    "Standby",
    "Subscriber",
    "TimelineEntry",
    "Timer",
]
