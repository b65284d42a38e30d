"""Keeps a site's plan up to date: asks, plans off the loop, stores plan and forecasts."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any
from uuid import UUID

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.energy import planner, store
from voltyard.energy.events import PlanMade
from voltyard.energy.inputs import Outlook, Situation, outlook, plan_input
from voltyard.energy.loadforecast import forecast_steps, surplus_steps
from voltyard.energy.model import Forecast, Plan, PlanInput, PlanMode, Step
from voltyard.energy.ports import (
    ChargesTold,
    DutySource,
    EnergyInputs,
    FirmLoads,
    LiveSession,
    PlanPrices,
    RunBlocking,
    SiteSetup,
    VehicleSource,
)
from voltyard.energy.records import ForecastRow
from voltyard.fleets.model import Vehicle
from voltyard.sites.limits import limit_w
from voltyard.sites.model import PlanFor, Site
from voltyard.storage.engine import Database
from voltyard.storage.groupcommit import GroupCommit, Write
from voltyard.telematics.rule import Point
from voltyard.tenancy import scope
from voltyard.timetable.model import Duty, DutyState

log = logging.getLogger(__name__)

NOTICED_PCT = 2.0
"""A charge that telematics tells brings the next plan forward when it differs by so much."""


@dataclass(frozen=True, slots=True)
class PlanningSettings:
    """``plan_s``: longest age of a plan; ``settle_s``: least time between two, ``hurry_s`` if
    somebody waits for the next.

    ``free_share`` of the grid connection's limit may be used before a lower peak counts: a
    vehicle that is done early survives what goes wrong later. 0 flattens as far as it goes.
    """

    plan_s: float = 300.0
    settle_s: float = 15.0
    hurry_s: float = 1.0
    horizon_s: float = 36 * 3600.0
    slot_s: int = 900
    free_share: float = 0.6
    mode: PlanMode = PlanMode.PEAK


@dataclass(frozen=True, slots=True)
class PlanningParts:
    database: Database
    commits: GroupCommit
    bus: Bus
    clock: Clock
    duties: DutySource
    vehicles: VehicleSource
    run_blocking: RunBlocking[Plan]
    plan: Callable[[PlanInput], Plan] = planner.plan
    inputs: EnergyInputs | None = None
    firm: FirmLoads | None = None
    told: ChargesTold | None = None


class Planning:
    """The plan of one site and what it was made from."""

    def __init__(
        self, site_id: UUID, parts: PlanningParts, settings: PlanningSettings | None = None
    ) -> None:
        self.site_id = site_id
        self.settings = settings or PlanningSettings()
        self.plan: Plan | None = None
        self.outlook: Outlook | None = None
        self.forecasts: dict[UUID, ForecastRow] = {}
        self.loads_w: Mapping[UUID, float] = {}
        """Other load by meter now, as the controller found out."""
        self._parts = parts
        self._duties: Sequence[Duty] = ()
        self._vehicles: Mapping[UUID, Vehicle] = {}
        self._earlier_wh: dict[UUID, float] = {}
        self._duty_of_session: dict[UUID, UUID] = {}
        self._observed_pct: dict[UUID, float] = {}
        self._wanted = True
        self.hurried = False
        self._begun_at: datetime | None = None
        self._under_way = False

    async def start(self, setup: SiteSetup) -> None:
        """When each duty was first announced late survives a restart."""
        async with scope.transaction(self._parts.database, scope.of(setup.site.org_id)) as tx:
            rows = await store.forecasts(tx, self.site_id)
        self.forecasts = {row.duty_id: row for row in rows}

    def mark(self) -> None:
        """What the plan rests on has changed."""
        self._wanted = True

    def hurry(self) -> None:
        """It has changed, and somebody waits for the next plan."""
        self._wanted = self.hurried = True

    def observed(self, vehicle_id: UUID, soc_pct: float) -> None:
        """Telematics told a charge: news for the plan where it differs from what is planned for."""
        if vehicle_id not in self._vehicles:
            return
        before = self._observed_pct.get(vehicle_id)
        if before is None or abs(before - soc_pct) >= NOTICED_PCT:
            self._observed_pct[vehicle_id] = soc_pct
            self.mark()

    def delivered(self, duty_id: UUID | None, energy_wh: float) -> None:
        """A session of a duty ended; a next one goes on from there."""
        if duty_id is not None:
            self._earlier_wh[duty_id] = self._earlier_wh.get(duty_id, 0.0) + energy_wh

    def duty_of(self, session_id: UUID) -> UUID | None:
        """The duty that a session was seen to serve."""
        return self._duty_of_session.get(session_id)

    def is_due(self, now: datetime) -> bool:
        if self._under_way:
            return False
        if self._begun_at is None:
            return True
        age_s = (now - self._begun_at).total_seconds()
        settle_s = self.settings.hurry_s if self.hurried else self.settings.settle_s
        return age_s >= self.settings.plan_s or (self._wanted and age_s >= settle_s)

    def begin(self, now: datetime) -> None:
        self._under_way, self._wanted, self._begun_at = True, False, now
        self.hurried = False

    async def make(self, now: datetime, setup: SiteSetup, sessions: Sequence[LiveSession]) -> None:
        """A new plan, stored with its forecasts. A failure leaves the old one in force."""
        try:
            await self._refresh(now, setup, sessions)
            situation = self.situation(now, setup, sessions)
            found = outlook(situation)
            given = self._given(situation, found)
            self._duty_of_session = {
                present.session.session_id: present.duty.id
                for present in found.present.values()
                if present.duty is not None
            }
            made = await self._parts.run_blocking(lambda: self._parts.plan(given))
            self.plan, self.outlook = made, found
            await self._store(setup, made, found)
        except Exception:
            self._wanted = True
            raise
        finally:
            self._under_way = False

    def _given(self, situation: Situation, found: Outlook) -> PlanInput:
        """Up to the billing period's peak, and without a bill to save up to ``free_share``, a
        higher peak costs nothing."""
        now, setup, inputs = situation.now, situation.setup, self._parts.inputs
        until_at = now + timedelta(seconds=self.settings.horizon_s)
        priced, load_w, surplus_w = PlanPrices(), situation.other_load_w, situation.surplus_w
        if inputs is not None:
            priced = inputs.prices(self.site_id, now, until_at)
            load_w = forecast_steps(inputs, self.site_id, setup.tree, self.loads_w, now, until_at)
            surplus_w = surplus_steps(inputs, self.site_id, setup.tree, self.loads_w, now, until_at)
        announced = any(duty.departure_at > now for duty in self._duties)
        mode = mode_for(setup.site, priced.mode, self.settings.mode, announced=announced)
        peak_w = priced.peak_so_far_w
        if mode is not PlanMode.COST:
            peak_w = max(peak_w, self._free_w(setup, now))
        return plan_input(
            replace(
                situation,
                other_load_w=load_w,
                surplus_w=surplus_w,
                prices=priced.steps,
                export_prices=priced.export,
                demand_price_per_kw=priced.demand_price_per_kw,
            ),
            found,
            horizon_s=self.settings.horizon_s,
            slot_s=self.settings.slot_s,
            mode=mode,
            peak_so_far_w=peak_w,
            given_up=frozenset() if self.plan is None else self.plan.given_up,
        )

    def _free_w(self, setup: SiteSetup, now: datetime) -> float:
        allowed_w = limit_w(setup.tree.root, now, setup.tree.zone)
        return self.settings.free_share * allowed_w if isfinite(allowed_w) else 0.0

    async def _refresh(
        self, now: datetime, setup: SiteSetup, sessions: Sequence[LiveSession]
    ) -> None:
        org_id = setup.site.org_id
        until_at = now + timedelta(seconds=self.settings.horizon_s)
        found = await self._parts.duties.duties(org_id, self.site_id, now, until_at)
        done = {DutyState.DEPARTED, DutyState.CANCELLED}
        self._duties = sorted(
            (duty for duty in found if duty.state not in done and duty.departure_at > now),
            key=lambda duty: duty.id,
        )
        ids = {duty.vehicle_id for duty in self._duties if duty.vehicle_id is not None}
        ids |= {session.vehicle_id for session in sessions if session.vehicle_id is not None}
        vehicles = await self._parts.vehicles.vehicles(org_id, sorted(ids))
        self._vehicles = {vehicle.id: vehicle for vehicle in vehicles}
        known = {duty.id for duty in self._duties}
        self._earlier_wh = {k: wh for k, wh in self._earlier_wh.items() if k in known}

    def situation(
        self, now: datetime, setup: SiteSetup, sessions: Sequence[LiveSession]
    ) -> Situation:
        """What is true now, with duties and vehicles as last read."""
        return Situation(
            now=now,
            setup=setup,
            sessions=sessions,
            duties=[duty for duty in self._duties if duty.departure_at > now],
            vehicles=self._vehicles,
            earlier_wh=self._earlier_wh,
            prices=self._prices(now, setup),
            firm=() if self._parts.firm is None else self._parts.firm.loads(self.site_id),
            told=self._told(),
        )

    def _told(self) -> Mapping[UUID, Sequence[Point]]:
        source = self._parts.told
        if source is None:
            return {}
        found = {vehicle_id: source.told(vehicle_id) for vehicle_id in self._vehicles}
        return {vehicle_id: points for vehicle_id, points in found.items() if points}

    def _prices(self, now: datetime, setup: SiteSetup) -> Sequence[Step]:
        """From midnight on, where a policy asks for them."""
        if self._parts.inputs is None or not setup.policies.needs_prices:
            return ()
        local = now.astimezone(setup.site.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
        until_at = now + timedelta(seconds=self.settings.horizon_s)
        return self._parts.inputs.prices(self.site_id, midnight, until_at).steps

    async def _store(self, setup: SiteSetup, made: Plan, found: Outlook) -> None:
        org_id = setup.site.org_id
        rows = [
            self._row(made, made.forecasts[duty_id])
            for duty_id in sorted(found.duty_of_stay)
            if duty_id in made.forecasts
        ]
        writes = [store.plan_write(org_id, self.site_id, made.made_at, plan_payload(made))]
        writes += [self._forecast_write(org_id, row) for row in rows]
        await self._parts.commits.submit(writes)
        self.forecasts = {row.duty_id: row for row in rows}
        missing = sum(row.will_miss for row in rows)
        await self._parts.bus.publish(
            PlanMade(org_id, self.site_id, made.made_at, len(made.power_w), missing, made.peak_w)
        )

    def _row(self, made: Plan, forecast: Forecast) -> ForecastRow:
        known = self.forecasts.get(forecast.stay_id)
        first = None if known is None else known.first_missed_at
        stay = None if self.outlook is None else self.outlook.stays.get(forecast.stay_id)
        will_miss = forecast.will_miss and (stay is None or stay.demanded)
        if will_miss and first is None:
            first = made.made_at
        return ForecastRow(
            duty_id=forecast.stay_id,
            made_at=made.made_at,
            ready_at=forecast.ready_at,
            soc_departure_pct=forecast.soc_at_departure_pct,
            shortfall_wh=forecast.shortfall_wh,
            will_miss=will_miss,
            first_missed_at=first,
            reason=reason_payload(forecast),
        )

    def _forecast_write(self, org_id: UUID, row: ForecastRow) -> Write:
        return store.forecast_write(org_id, self.site_id, row)


def mode_for(site: Site, priced: PlanMode | None, usual: PlanMode, *, announced: bool) -> PlanMode:
    """What the site asks for; else what its tariff does; else, where nobody is announced, early:
    who comes unannounced takes what was put off."""
    if site.plan_for != PlanFor.AUTO:
        return PlanMode(site.plan_for)
    return priced or (usual if announced else PlanMode.EARLY)


def plan_payload(made: Plan) -> dict[str, Any]:
    """The plan as it is stored: times in ISO, powers in whole watts, by stay and node."""
    return {
        "made_at": made.made_at.isoformat(),
        "bounds": [at.isoformat() for at in made.bounds],
        "peak_w": round(made.peak_w),
        "stays": {str(key): [round(w) for w in made.power_w[key]] for key in sorted(made.power_w)},
        "nodes": {
            str(key): [round(w) for w in made.node_power_w[key]]
            for key in sorted(made.node_power_w)
        },
        "allotted_wh": {str(key): round(made.allotted_wh[key]) for key in sorted(made.allotted_wh)},
    }


def reason_payload(forecast: Forecast) -> dict[str, Any]:
    """Why a stay misses: what it waits for, where and when, behind whom, and what would help."""
    if not forecast.will_miss:
        return {}
    return {
        "waits_for": forecast.waits_for.value,
        "binding": [
            {
                "node_id": str(found.node_id),
                "from": found.start_at.isoformat(),
                "until": found.end_at.isoformat(),
            }
            for found in forecast.binding
        ],
        "ahead": [str(stay_id) for stay_id in forecast.ahead],
        "fix_w": round(forecast.fix_w),
    }
