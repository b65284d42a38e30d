"""Alerts, as listed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.alerts.model import Severity


@dataclass(frozen=True, slots=True)
class AlertRow:
    """``title`` and ``detail`` come translated for the principal's locale."""

    id: UUID
    kind: str
    severity: Severity
    title: str
    opened_at: datetime
    detail: str = ""
    site: str = ""
    object_kind: str = ""
    object_id: str = ""
    object_name: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    snoozed_until: datetime | None = None
    snoozed_by: str | None = None


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """``status``: open (acknowledged or not), unacknowledged, acknowledged, snoozed, resolved,
    all."""

    status: str = "open"
    severity: Severity | None = None
    site_id: UUID | None = None
    text: str = ""
