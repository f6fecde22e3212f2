"""The tables of operations: what watches the service, and what people do about it."""

from __future__ import annotations

from operations.models.backups import Backup
from operations.models.incidents import LIVE_STATES, FollowUp, Incident, OnCallContact, TimelineEntry, Timer
from operations.models.notices import Delivery, Notice, Subscriber
from operations.models.restores import Restore
from operations.models.watching import Heartbeat, Rollup

__all__ = [
    "LIVE_STATES",
    "Backup",
    "Delivery",
    "FollowUp",
    "Heartbeat",
    "Incident",
    "Notice",
    "OnCallContact",
    "Restore",
    "Rollup",
    "Subscriber",
    "TimelineEntry",
    "Timer",
]
