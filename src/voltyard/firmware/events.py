"""What happened to firmware updates. Each is published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class UpdateChanged:
    """One charger's update went a step on, or failed (``failure``)."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    campaign_id: UUID
    update_id: UUID
    state: str
    failure: str | None
    version: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CampaignChanged:
    """Started, paused, resumed, stopped by itself, cancelled or done; ``why`` it stopped."""

    org_id: UUID
    campaign_id: UUID
    name: str
    version: str
    state: str
    why: str
    at: datetime
