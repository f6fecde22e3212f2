"""The tables of operations: what watches the service, and what people do about it."""

from __future__ import annotations

from operations.models.samples import QuerySample, Release
from operations.models.watching import Heartbeat, Rollup

__all__ = ["Heartbeat", "QuerySample", "Release", "Rollup"]
