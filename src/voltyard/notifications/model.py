"""Notifications: where people and systems are reached, who is told what, and what was told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

from voltyard.alerts.model import Severity


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"
    CHAT = "chat"


class State(StrEnum):
    """``held`` waits for its digest, ``bundled`` went with one; ``dropped`` was not needed."""

    WAITING = "waiting"
    HELD = "held"
    SENT = "sent"
    BUNDLED = "bundled"
    FAILED = "failed"
    DROPPED = "dropped"


OPENED, RAISED, AGAIN, RESOLVED = "opened", "raised", "again", "resolved"
EVENT, DIGEST, TEST = "event", "digest", "test"
TOPICS = (OPENED, RAISED, AGAIN, RESOLVED, EVENT, DIGEST, TEST)
"""What is told: news of an alert, an event of the domain, a bundle, a trial."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the place's wall clock in which only ``least`` and worse is told at once."""

    from_time: time | None = None
    until_time: time | None = None
    least: Severity = Severity.CRITICAL


@dataclass(frozen=True, slots=True)
class Digest:
    """What is at most ``most`` severe waits for the next bundle: every so many minutes, or daily.

    Neither: nothing is bundled.
    """

    every_min: int = 0
    at: time | None = None
    most: Severity = Severity.INFO

    @property
    def on(self) -> bool:
        return self.every_min > 0 or self.at is not None


@dataclass(frozen=True, slots=True)
class Target:
    """One address of one channel. ``user_id``: it is that person's.

    ``address`` of a chat is sealed elsewhere; ``shown`` is what people see of an address.
    ``events``: a webhook's subscriptions, by kind of event; ``*`` is all of them.
    """

    id: UUID
    org_id: UUID
    name: str
    channel: Channel
    address: str
    shown: str
    user_id: UUID | None = None
    locale: str = "en"
    enabled: bool = True
    events: frozenset[str] = frozenset()
    quiet: Quiet = field(default_factory=Quiet)
    digest: Digest = field(default_factory=Digest)

    def hears(self, kind: str) -> bool:
        """Whether it subscribes to a kind of event."""
        return self.enabled and (kind in self.events or "*" in self.events)


@dataclass(frozen=True, slots=True)
class Route:
    """Which alerts go where. An empty set is any.

    ``weekdays``: 0 is Monday. ``delay_min``: told only if nobody has acknowledged it by then.
    ``user_ids``: all addresses of these people. ``tell_end``: also when it is resolved.
    """

    id: UUID
    org_id: UUID
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


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one target, as it is or was sent.

    Its id is the same however often it is tried: receivers drop doubles by it.
    """

    id: UUID
    org_id: UUID
    target_id: UUID | None
    target: str
    channel: Channel
    kind: str
    severity: Severity
    topic: str
    subject: str
    body: str
    state: State
    created_at: datetime
    due_at: datetime
    payload: Mapping[str, Any] | None = None
    route: str = ""
    site_id: UUID | None = None
    alert_id: UUID | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    answer: str = ""
    bundle_id: UUID | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """None or empty filters nothing."""

    channel: Channel | None = None
    state: State | None = None
    target_id: UUID | None = None
    alert_id: UUID | None = None
    topic: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
