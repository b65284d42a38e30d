"""What happened to sites. Each is published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """The limits of one node are others now."""

    org_id: UUID
    site_id: UUID
    node_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class TreeChanged:
    """Nodes of the electrical tree came, went or moved."""

    org_id: UUID
    site_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class SiteChanged:
    """A site was created, changed (name, policy, time zone) or ``deleted``; also areas and bays."""

    org_id: UUID
    site_id: UUID
    at: datetime
    deleted: bool = False
