"""The controllers of sites as preconditioning asks them."""

from uuid import UUID

from voltyard.energy.service import EnergyService
from voltyard.errors import NotFound
from voltyard.preconditioning.ports import Outlet


class SiteControl:
    def __init__(self, energy: EnergyService) -> None:
        self._energy = energy

    def outlet(self, site_id: UUID, evse_id: UUID) -> Outlet | None:
        try:
            controller = self._energy.controller(site_id)
        except NotFound:
            return None
        known = controller.board.outlets.get(evse_id)
        if known is None:
            return None
        measured_w = known.obedience.fresh_w(self._energy.clock.now())
        return Outlet(evse_id, known.granted_w, measured_w, self._needed_wh(site_id, evse_id))

    def _needed_wh(self, site_id: UUID, evse_id: UUID) -> float | None:
        found = self._energy.controller(site_id).planning.outlook
        here = None if found is None else found.present.get(evse_id)
        return None if here is None or here.stay is None else here.stay.energy_needed_wh

    def charge_wh(self, site_id: UUID) -> dict[UUID, float]:
        try:
            found = self._energy.controller(site_id).planning.outlook
        except NotFound:
            return {}
        if found is None:
            return {}
        return {duty_id: found.stays[duty_id].energy_needed_wh for duty_id in found.duty_of_stay}
