"""The energy room as presystems are told of it: plans, what is granted, planning at once."""

from uuid import UUID

from voltyard.energy.service import EnergyService
from voltyard.errors import NotFound
from voltyard.timetable.vdv463.prediction import Outlook


class SitePlans:
    """``ports.Plans`` over the controllers that run here."""

    def __init__(self, energy: EnergyService) -> None:
        self._energy = energy

    def outlook(self, site_id: UUID) -> Outlook:
        try:
            controller = self._energy.controller(site_id)
        except NotFound:
            return Outlook()
        evses = controller.view().evses
        found = controller.planning.outlook
        return Outlook(
            controller.planning.plan,
            {} if found is None else found.stays,
            {evse_id: power.granted_w for evse_id, power in evses.items()},
            {evse_id: power.counted_w for evse_id, power in evses.items()},
        )

    def hurry(self, site_id: UUID) -> None:
        self._energy.hurry(site_id)
