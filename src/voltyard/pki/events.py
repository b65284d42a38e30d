"""What happened to certificates and security profiles. Each is published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TrustChanged:
    """What is trusted at the door, or the server's own certificate, is another now."""

    at: datetime


@dataclass(frozen=True, slots=True)
class CertificateChanged:
    """A station's request or certificate moved on to ``state`` (of ``CertificateState``)."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    certificate_id: UUID
    state: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SecurityProfileChanged:
    """The profile below which a station is refused is another now."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    profile: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ConnectionRefused:
    """A station was not let in: ``fault`` is a flag of the station, told at most once an hour."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    fault: str
    detail: str
    remote: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SecurityEventReported:
    """``source`` is charger or voltyard."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    event_id: UUID
    kind: str
    info: str
    critical: bool
    source: str
    at: datetime
