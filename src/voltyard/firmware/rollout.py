"""Which chargers of a campaign may begin now, and whether it has gone wrong or come to its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from voltyard.firmware.model import (
    UNDER_WAY,
    Campaign,
    CampaignState,
    Update,
    UpdateState,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a look at a campaign says: whose turn it is, or why it ends here.

    ``candidates`` are in their order; ``room`` is how many of them may begin.
    """

    state: CampaignState
    why: str = ""
    candidates: tuple[Update, ...] = ()
    room: int = 0
    wave: int | None = None


def turn(campaign: Campaign, updates: Sequence[Update], now: datetime) -> Turn:
    """Canary first, then wave after wave; stops when too many have failed."""
    if campaign.state is not CampaignState.RUNNING:
        return Turn(campaign.state, campaign.why)
    stopped = _gone_wrong(campaign, updates)
    if stopped:
        return Turn(CampaignState.STOPPED, stopped)
    wave = min((update.wave for update in updates if not update.final), default=None)
    if wave is None:
        return Turn(CampaignState.DONE)
    if now < campaign.start_at or now < _rested_at(campaign, updates, wave):
        return Turn(CampaignState.RUNNING, wave=wave)
    waiting = sorted(
        (u for u in updates if u.wave == wave and u.state is UpdateState.WAITING),
        key=lambda update: update.position,
    )
    ready = tuple(u for u in waiting if u.not_before is None or u.not_before <= now)
    under_way = sum(update.state in UNDER_WAY for update in updates)
    room = max(0, campaign.rollout.parallel - under_way)
    return Turn(CampaignState.RUNNING, candidates=ready, room=room, wave=wave)


def _gone_wrong(campaign: Campaign, updates: Sequence[Update]) -> str:
    """A failed canary is one too many; later ``max_failures`` are."""
    failures = [update for update in updates if update.state is UpdateState.FAILED]
    if len(failures) <= campaign.forgiven:
        return ""
    canaries = sum(update.wave == 0 for update in failures)
    if canaries and not _canary_forgiven(campaign, failures):
        return "canary_failed"
    if len(failures) - campaign.forgiven >= campaign.rollout.max_failures:
        return "too_many_failed"
    return ""


def _canary_forgiven(campaign: Campaign, failures: Sequence[Update]) -> bool:
    """Canaries fail before all others, so those forgiven are counted from them."""
    return sum(update.wave == 0 for update in failures) <= campaign.forgiven


def _rested_at(campaign: Campaign, updates: Sequence[Update], wave: int) -> datetime:
    """When the chargers of the waves before have run for as long as asked."""
    ends = [u.ended_at for u in updates if u.wave < wave and u.ended_at is not None]
    begun = any(u.wave == wave and u.attempt > 0 for u in updates)
    if not ends or begun:
        return campaign.start_at
    return max(ends) + timedelta(seconds=campaign.rollout.soak_s)
