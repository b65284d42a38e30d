"""Site meters and prices as the controllers ask for them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from voltyard.energy.otherload import Metered
from voltyard.energy.ports import PlanPrices
from voltyard.energy.prices.service import PriceService
from voltyard.sitemeters.model import Covers, MeterState, Quality
from voltyard.sitemeters.service import SiteMeterService


class SiteInputs:
    def __init__(self, meters: SiteMeterService, prices: PriceService) -> None:
        self._meters = meters
        self._prices = prices

    def metered(self, site_id: UUID) -> Sequence[Metered]:
        """Meters that are switched on, silent ones included."""
        states = self._meters.states(site_id)
        return [_metered(state) for state in states if state.quality is not Quality.OFF]

    def saw(self, site_id: UUID, loads_w: Mapping[UUID, float], power_w: float) -> None:
        for meter_id, load_w in loads_w.items():
            self._meters.saw_load(meter_id, load_w)
        self._prices.saw_power(site_id, power_w, metered=bool(loads_w))

    def forecast(
        self, meter_id: UUID, present_w: float | None, starts: Sequence[datetime]
    ) -> list[float] | None:
        return self._meters.forecast(meter_id, present_w, starts)

    def prices(self, site_id: UUID, from_at: datetime, until_at: datetime) -> PlanPrices:
        return self._prices.plan_prices(site_id, from_at, until_at)


def _metered(state: MeterState) -> Metered:
    meter, reading = state.meter, state.reading
    return Metered(
        meter_id=meter.id,
        node_id=meter.node_id,
        all=meter.covers is Covers.ALL,
        margin_w=meter.margin_w,
        known=state.quality in (Quality.GOOD, Quality.HELD),
        fallback_w=state.fallback_w,
        worst_w=state.worst_w,
        at=None if reading is None else reading.at,
        power_w=0.0 if reading is None else reading.power_w,
        phases_w=None if reading is None else reading.phases_w,
    )
