"""One command for many chargers: who is asked, how far it is, what each answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

STATIONS_MAX = 20_000


class BulkState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """The server ended meanwhile; what was not asked then is not asked any more."""


class ResultState(StrEnum):
    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    """Offline, no answer in time, or nothing this charger's version can say."""
    SKIPPED = "skipped"
    """Cancelled before its turn."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """``request`` is the command as it may be kept; ``title`` names it for people."""

    id: UUID
    org_id: UUID
    title: str
    request: Mapping[str, Any]
    requested_by: str
    requested_at: datetime
    state: BulkState
    total: int
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BulkResult:
    """``word`` is the charger's own status word or the code of what went wrong."""

    bulk_id: UUID
    station_id: UUID
    state: ResultState
    word: str = ""
    message: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    answered_at: datetime | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class BulkView:
    """A run and how many of its chargers are in which state."""

    bulk: Bulk
    counts: Mapping[ResultState, int]

    @property
    def answered(self) -> int:
        return self.bulk.total - self.counts.get(ResultState.WAITING, 0)
