"""Ready by departure with a minimum and a desired state of charge: everybody's minimum first."""

from dataclasses import dataclass, replace
from typing import ClassVar
from uuid import UUID

from voltyard.energy.model import Stay
from voltyard.energy.policies.base import Candidates, Moment, Policy, Setting


@dataclass(frozen=True, slots=True)
class ReadyBy(Policy):
    """The duty's target is what is desired. Where not everybody can have it, each vehicle of
    ``groups`` (empty: all) gets to ``minimum_soc_pct`` before anybody gets more."""

    key: ClassVar[str] = "ready_by"
    minimum_soc_pct: float | None = None
    groups: tuple[str, ...] = ()

    def stay(self, stay: Stay, group: str, setting: Setting) -> Stay:
        if self.minimum_soc_pct is None or (self.groups and group not in self.groups):
            return stay
        if stay.soc_pct is None or not stay.battery_wh:
            return stay
        missing_pct = max(0.0, self.minimum_soc_pct - stay.soc_pct)
        least_wh = missing_pct / 100.0 * stay.battery_wh / stay.efficiency
        return replace(stay, least_wh=min(least_wh, stay.energy_needed_wh))

    def ruled(self, candidates: Candidates, moment: Moment) -> Candidates:
        """Who lacks the minimum is not put behind the others for what is lost anyway."""
        if self.minimum_soc_pct is None:
            return candidates
        return {
            evse_id: replace(candidate, late=False)
            if candidate.late and _lacks(moment, evse_id)
            else candidate
            for evse_id, candidate in candidates.items()
        }


def _lacks(moment: Moment, evse_id: UUID) -> bool:
    present = moment.present.get(evse_id)
    return present is not None and present.stay is not None and present.stay.least_wh > 0.0
