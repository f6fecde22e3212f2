"""Thin doors of the operations lane. Tasks only ask; the operator's process does the work."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from operations import backup_schedule


@shared_task(name="operations.ask_daily_backup")
def ask_daily_backup() -> None:
    backup_schedule.ask_daily(now=timezone.now())


@shared_task(name="operations.ask_weekly_backup")
def ask_weekly_backup() -> None:
    backup_schedule.ask_weekly(now=timezone.now())
