"""Alerts: what a person must know, opened once, resolved by itself when the cause ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return _RANKS[self]


_RANKS = {Severity.CRITICAL: 2, Severity.WARNING: 1, Severity.INFO: 0}


class Topic(StrEnum):
    """What is new about an alert."""

    OPENED = "opened"
    RAISED = "raised"
    AGAIN = "again"
    CHANGED = "changed"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """``key`` names the cause: while one with that key is open, no second is opened.

    ``kind`` selects the translated text; ``params`` fill it. ``stage`` rises when the same cause
    is told anew, louder. ``ends_at``: news that are old by then.
    """

    id: UUID
    org_id: UUID
    site_id: UUID | None
    kind: str
    severity: Severity
    key: str
    opened_at: datetime
    params: Mapping[str, Any] = field(default_factory=dict)
    object_kind: str = ""
    object_id: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    updated_at: datetime | None = None
    stage: int = 0
    snoozed_until: datetime | None = None
    snoozed_by: str | None = None
    ends_at: datetime | None = None

    def sleeps(self, now: datetime) -> bool:
        return self.snoozed_until is not None and now < self.snoozed_until


@dataclass(frozen=True, slots=True)
class Cause:
    """Something a person must know. ``key`` names it; facts in ``params`` may change.

    A higher ``stage`` than before tells it anew. ``ends_at``: old news by then, resolved unasked.
    """

    kind: str
    severity: Severity
    key: str
    object_kind: str = ""
    object_id: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    stage: int = 0
    ends_at: datetime | None = None
