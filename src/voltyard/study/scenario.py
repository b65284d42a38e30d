"""A site in a period as a study sees it, and the same with a what-if applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.bench.energy.case import STEP_S, STEPS_A_QUARTER, Case, Visit, on_step, with_limit
from voltyard.clock import seeded
from voltyard.errors import Invalid
from voltyard.simulator.depot import stable_id
from voltyard.study import chargers, sun
from voltyard.study.model import DEFAULT_EXPORT_EUR_MWH, Battery, Tariff, WhatIf

NO_LIMIT_W = 1e9
_SHIFT_STEPS = 2


@dataclass(frozen=True, slots=True)
class Scenario:
    """``case.base_w`` is other load less PV; both also stand alone here, by step of the case.
    ``export_prices`` are EUR/MWh for what is fed in, by quarter as the case's prices.

    ``vehicle_of`` names the vehicle of each visit. ``unplugged`` are stays of ``case`` before it
    was short of chargers, whose vehicles never found one: they are not in ``case.visits``.
    """

    case: Case
    vehicle_of: Mapping[UUID, str]
    other_w: tuple[float, ...]
    pv_w: tuple[float, ...]
    export_prices: tuple[float, ...]
    battery: Battery | None = None
    unplugged: tuple[str, ...] = ()
    shunting_s: float | None = None
    seed: int = 1
    currency: str = "EUR"

    @property
    def vehicles(self) -> int:
        return len({self.vehicle_of[visit.id] for visit in self.case.visits})

    @property
    def stays(self) -> int:
        return len(self.case.visits) + len(self.unplugged)


def from_case(case: Case, vehicle_of: Mapping[UUID, str], seed: int = 1) -> Scenario:
    return Scenario(
        case=case,
        vehicle_of=vehicle_of,
        other_w=case.base_w,
        pv_w=(0.0,) * case.steps,
        export_prices=(DEFAULT_EXPORT_EUR_MWH,) * len(case.prices),
        seed=seed,
    )


def apply(base: Scenario, wish: WhatIf) -> Scenario:
    """The base with everything the what-if names. Raises ``Invalid``."""
    found = replace(base, battery=wish.battery or base.battery)
    if wish.charger_w is not None:
        found = replace(found, case=chargers.with_power(found.case, wish.charger_w))
    if wish.more_vehicles:
        found = _with_more_vehicles(found, wish.more_vehicles)
    if wish.chargers is not None or wish.shunting_s is not None:
        count = wish.chargers or len(found.case.outlets)
        found = with_chargers(found, count, wish.shunting_s)
    if wish.tariff is not None:
        found = replace(found, case=with_tariff(found.case, wish.tariff))
    if wish.demand_eur_per_kw_year is not None:
        price = wish.demand_eur_per_kw_year
        found = replace(found, case=replace(found.case, demand_eur_per_kw_year=price))
    if wish.pv_wp:
        found = with_pv(found, wish.pv_wp)
    share_w = None if wish.limit_share is None else wish.limit_share * base.case.limit_w
    limit_w = wish.limit_w or share_w
    return found if limit_w is None else limited(found, limit_w)


def limited(scenario: Scenario, limit_w: float) -> Scenario:
    """The same behind another grid connection."""
    return replace(scenario, case=with_limit(scenario.case, limit_w))


def with_chargers(scenario: Scenario, count: int, shunting_s: float | None) -> Scenario:
    """``count`` outlets, vehicles assigned anew; see ``chargers.assigned``."""
    case = chargers.with_count(scenario.case, count)
    case, left_out = chargers.assigned(case, shunting_s)
    if not case.visits:
        raise Invalid("nobody finds a charger")
    unplugged = (*scenario.unplugged, *left_out)
    return replace(scenario, case=case, unplugged=unplugged, shunting_s=shunting_s)


def crowded(scenario: Scenario, more: int) -> Scenario:
    """So many vehicles more at the chargers that there are, everybody assigned anew."""
    grown = _with_more_vehicles(scenario, more) if more else scenario
    case = replace(scenario.case, visits=grown.case.visits)
    return with_chargers(replace(grown, case=case), len(case.outlets), scenario.shunting_s)


def with_tariff(case: Case, tariff: Tariff) -> Case:
    """Prices by quarter, in local time of the site."""
    starts = (case.at(quarter * STEPS_A_QUARTER) for quarter in range(len(case.prices)))
    return replace(case, prices=tuple(tariff.at(at.astimezone(case.tree.zone)) for at in starts))


def with_pv(scenario: Scenario, peak_wp: float) -> Scenario:
    """PV at the grid connection: a forecast by the sun's height, and seeded weather."""
    case = scenario.case
    forecast = sun.expected_w(peak_wp, case.start_at, case.steps, STEP_S)
    actual = sun.weather(forecast, seeded(scenario.seed, "study weather"))
    by_quarter = _quarters(forecast, len(case.base_forecast_w))
    return replace(
        scenario,
        pv_w=tuple(a + b for a, b in zip(scenario.pv_w, actual, strict=True)),
        case=replace(
            case,
            base_w=tuple(a - b for a, b in zip(case.base_w, actual, strict=True)),
            base_forecast_w=tuple(
                a - b for a, b in zip(case.base_forecast_w, by_quarter, strict=True)
            ),
        ),
    )


def cut(scenario: Scenario, from_at: datetime, until_at: datetime) -> Scenario:
    """Only the stays that lie wholly within. Raises ``Invalid`` when there are none."""
    case = scenario.case
    first = max(0, case.steps_until(from_at) // STEPS_A_QUARTER * STEPS_A_QUARTER)
    last = -(-case.steps_until(until_at) // STEPS_A_QUARTER) * STEPS_A_QUARTER
    last = max(first, min(case.steps, last))
    start_at, end_at = case.at(first), case.at(last)
    visits = tuple(
        v
        for v in case.visits
        if min(v.planned_arrival_at, v.arrival_at) >= start_at and v.departure_at <= end_at
    )
    if not visits:
        whole = f"{case.start_at:%Y-%m-%d %H:%M} to {case.end_at:%Y-%m-%d %H:%M} UTC"
        raise Invalid(f"no stay lies wholly within the period; all there is goes from {whole}")
    steps, quarters = slice(first, last), slice(first // STEPS_A_QUARTER, last // STEPS_A_QUARTER)
    kept = replace(
        case,
        visits=visits,
        start_at=start_at,
        steps=last - first,
        prices=case.prices[quarters],
        base_w=case.base_w[steps],
        base_forecast_w=case.base_forecast_w[quarters],
    )
    return replace(
        scenario,
        case=kept,
        other_w=scenario.other_w[steps],
        pv_w=scenario.pv_w[steps],
        export_prices=scenario.export_prices[quarters],
    )


def _quarters(by_step: Sequence[float], quarters: int) -> list[float]:
    found: list[float] = []
    for quarter in range(quarters):
        steps = by_step[quarter * STEPS_A_QUARTER : (quarter + 1) * STEPS_A_QUARTER]
        found.append(sum(steps) / max(1, len(steps)))
    return found


def _with_more_vehicles(scenario: Scenario, more: int) -> Scenario:
    """Each does what one of the others does, some minutes off, at a charger of its own."""
    case = scenario.case
    names = sorted({scenario.vehicle_of[visit.id] for visit in case.visits})
    outlets = len(case.outlets)
    grown = chargers.with_count(case, outlets + more)
    rng = seeded(scenario.seed, "study vehicles")
    rng.shuffle(names)
    visits, vehicle_of = list(case.visits), dict(scenario.vehicle_of)
    for number in range(more):
        name = names[number % len(names)]
        shift = timedelta(seconds=STEP_S * rng.randint(-_SHIFT_STEPS, _SHIFT_STEPS))
        for visit in case.visits:
            if scenario.vehicle_of[visit.id] != name:
                continue
            twin = _twin(case, visit, number, outlets + number, shift)
            visits.append(twin)
            vehicle_of[twin.id] = f"{name} +{number + 1}"
    return replace(scenario, case=replace(grown, visits=tuple(visits)), vehicle_of=vehicle_of)


def _twin(case: Case, visit: Visit, number: int, outlet: int, shift: timedelta) -> Visit:
    def within(at: datetime) -> datetime:
        return min(max(at + shift, case.start_at), case.end_at)

    return replace(
        visit,
        id=stable_id("study", visit.id, number),
        label=f"{visit.label} +{number + 1}",
        outlet=outlet,
        planned_arrival_at=within(visit.planned_arrival_at),
        arrival_at=on_step(case.start_at, within(visit.arrival_at)),
        departure_at=within(visit.departure_at),
    )
