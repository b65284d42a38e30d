"""What happened to alerts. Each is published after its commit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AlertOpened:
    org_id: UUID
    site_id: UUID | None
    alert_id: UUID
    kind: str
    severity: str
    key: str
    at: datetime
    object_kind: str = ""
    object_id: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertChanged:
    """Its facts or its acknowledgement changed."""

    org_id: UUID
    site_id: UUID | None
    alert_id: UUID
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertResolved:
    org_id: UUID
    site_id: UUID | None
    alert_id: UUID
    kind: str
    key: str
    at: datetime
