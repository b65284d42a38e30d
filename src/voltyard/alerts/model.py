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


@dataclass(frozen=True, slots=True)
class Alert:
    """``key`` names the cause: while one with that key is open, no second is opened.

    ``kind`` selects the translated text; ``params`` fill it.
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
