"""From a site's past to a scenario: the stays as they were, at the outlets where they were."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.bench.energy import synthetic
from voltyard.bench.energy.case import STEP_S, STEPS_A_QUARTER, Case, Outlet, Visit, on_step
from voltyard.clock import seeded
from voltyard.errors import Invalid
from voltyard.simulator.vehicle import BatterySpec
from voltyard.sites import tree as trees
from voltyard.study.model import DEFAULT_EXPORT_EUR_MWH
from voltyard.study.past import Past, PastStay, usual_day
from voltyard.study.scenario import Scenario, from_case

_SPARE = 0.98
"""What really was charged in a stay must be possible in it: with so much of the time to spare."""


def scenario(past: Past, seed: int) -> Scenario:
    """Announced as the timetable had it, arrived as it was. Raises ``Invalid``."""
    outlets = tuple(
        Outlet(outlet.evse_id, outlet.max_power_w, outlet.min_power_w) for outlet in past.outlets
    )
    place_of = {outlet.id: place for place, outlet in enumerate(outlets)}
    visits = [_visit(past, stay, place_of, outlets) for stay in past.stays]
    visits = [visit for visit in visits if visit.arrival_at < visit.departure_at]
    if not visits:
        raise Invalid("No stay of this period is long enough to be charged.")
    rng = seeded(seed, "study prices", past.site)
    prices = past.prices or synthetic.winter_prices(rng, past.start_at, past.quarters)
    case = Case(
        name=past.site,
        tree=trees.build(past.nodes, ZoneInfo(past.zone)),
        outlets=outlets,
        visits=tuple(visits),
        start_at=past.start_at,
        steps=past.quarters * STEPS_A_QUARTER,
        prices=prices,
        base_w=tuple(value for value in past.other_w for _ in range(STEPS_A_QUARTER)),
        base_forecast_w=usual_day(past.other_w, past.start_at),
        source=past.site,
    )
    if past.demand_per_kw_year is not None:
        case = replace(case, demand_eur_per_kw_year=past.demand_per_kw_year)
    return replace(
        from_case(case, {stay.id: stay.vehicle for stay in past.stays}, seed),
        export_prices=past.export_prices or (DEFAULT_EXPORT_EUR_MWH,) * len(prices),
        currency=past.currency,
    )


def _visit(
    past: Past, stay: PastStay, place_of: dict[UUID, int], outlets: tuple[Outlet, ...]
) -> Visit:
    place = place_of[stay.evse_id]
    leaves_at = _down(past.start_at, stay.departure_at)
    arrives_at = on_step(past.start_at, stay.arrival_at)
    planned_at = stay.planned_arrival_at or stay.arrival_at
    return Visit(
        id=stay.id,
        label=stay.label,
        outlet=place,
        battery=_battery(stay, outlets[place].max_power_w, (leaves_at - arrives_at)),
        planned_arrival_at=min(max(planned_at, past.start_at), leaves_at),
        arrival_at=arrives_at,
        departure_at=leaves_at,
        planned_soc_pct=stay.soc_pct if stay.planned_soc_pct is None else stay.planned_soc_pct,
        soc_pct=stay.soc_pct,
        target_soc_pct=stay.target_soc_pct,
        priority=stay.priority,
        announced=stay.announced,
    )


def _down(start_at: datetime, at: datetime) -> datetime:
    return start_at + timedelta(seconds=(at - start_at).total_seconds() // STEP_S * STEP_S)


def _battery(stay: PastStay, outlet_w: float, there: timedelta) -> BatterySpec:
    """With its curve, unless the vehicle could not have taken by it what it took."""
    battery = BatterySpec(
        capacity_wh=stay.battery_wh,
        max_power_w=stay.max_power_w,
        curve=stay.curve,
        min_power_w=stay.min_power_w,
        efficiency=stay.efficiency,
    )
    takes_s = battery.seconds_to_reach(stay.soc_pct, stay.target_soc_pct, outlet_w)
    if stay.curve and takes_s > _SPARE * there.total_seconds():
        return replace(battery, curve=())
    return battery
