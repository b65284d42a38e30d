"""What people enter about targets and routes."""

from dataclasses import dataclass, field
from datetime import time
from uuid import UUID

from voltyard.alerts.model import Severity
from voltyard.notifications.model import Channel, Digest, Quiet


@dataclass(frozen=True, slots=True)
class TargetDraft:
    """``address``: of a chat it is kept sealed; empty keeps the one that is stored."""

    name: str
    channel: Channel
    address: str = ""
    user_id: UUID | None = None
    locale: str = "en"
    enabled: bool = True
    events: frozenset[str] = frozenset()
    quiet: Quiet = field(default_factory=Quiet)
    digest: Digest = field(default_factory=Digest)


@dataclass(frozen=True, slots=True)
class RouteDraft:
    name: str
    enabled: bool = True
    site_ids: frozenset[UUID] = frozenset()
    kinds: frozenset[str] = frozenset()
    least: Severity = Severity.INFO
    weekdays: frozenset[int] = frozenset()
    from_time: time | None = None
    until_time: time | None = None
    delay_min: int = 0
    tell_end: bool = True
    target_ids: frozenset[UUID] = frozenset()
    user_ids: frozenset[UUID] = frozenset()
