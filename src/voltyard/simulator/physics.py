"""Asking the oracle about a night that is over: what was possible for the vehicles as they came."""

from collections.abc import Sequence
from datetime import timedelta

from voltyard.energy.model import ChargeCurve, Stay
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.fleet import StayResult
from voltyard.simulator.oracle import OracleResult, physically_ready


def possible(depot: DepotSpec, results: Sequence[StayResult]) -> OracleResult:
    """The most duties of ``depot`` that any schedule could have made ready, had nobody come
    beside them."""
    stays = [
        _stay(depot, result)
        for result in results
        if result.depot == depot.name and result.stay.is_duty
    ]
    margin = timedelta(hours=1)
    return physically_ready(stays, depot.tree, depot.start_at - margin, depot.end_at + margin)


def _stay(depot: DepotSpec, result: StayResult) -> Stay:
    spec = result.stay
    battery = depot.vehicle(spec.vehicle).battery
    station = depot.station(spec.station)
    evse = next(evse for evse in station.evses if evse.number == spec.evse)
    needed_pct = max(0.0, spec.target_soc_pct - result.arrival_soc_pct)
    return Stay(
        id=spec.id,
        arrival_at=spec.arrival_at,
        departure_at=spec.departure_at,
        energy_needed_wh=battery.metered_wh(needed_pct),
        max_power_w=min(evse.max_power_w, station.max_power_w, battery.max_power_w),
        evse_id=evse.id,
        soc_pct=result.arrival_soc_pct,
        target_soc_pct=spec.target_soc_pct,
        battery_wh=battery.capacity_wh,
        efficiency=battery.efficiency,
        curve=ChargeCurve(battery.curve) if battery.curve else None,
        min_power_w=battery.min_power_w,
        priority=depot.priority_of(spec),
        label=spec.vehicle,
    )
