"""The energy room's door: controllers of all sites, and what console and API may ask of them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.commands import SetLimit, UpdateLimit
from voltyard.chargers.events import (
    EvsesChanged,
    EvseStatusChanged,
    StationApproved,
    StationBooted,
    StationChanged,
    StationConnected,
    StationDisconnected,
)
from voltyard.chargers.model import (
    BootDecision,
    Evse,
    PlannedPower,
    ScheduleOffer,
    Station,
    StationRef,
)
from voltyard.clock import Clock
from voltyard.energy import offers, store
from voltyard.energy.booting import Verdict
from voltyard.energy.control import ControlSettings, Parts, SiteController
from voltyard.energy.holding import HoldDesk, LimitHold
from voltyard.energy.learning import CurveLearning
from voltyard.energy.ordering import DischargeDesk
from voltyard.energy.outlet import Outlet
from voltyard.energy.planning import Planning, PlanningParts, PlanningSettings
from voltyard.energy.ports import ChargesTold, FirmLoads
from voltyard.energy.profiles import ends_with_transaction, start_limit
from voltyard.energy.records import ForecastRow
from voltyard.energy.view import SiteView
from voltyard.energy.watching import Watching
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.jobs import Leases
from voltyard.preconditioning.events import PreconditioningChanged
from voltyard.sessions.events import MeterReported, SessionEnded, SessionStarted, SessionUpdated
from voltyard.sitemeters.events import SiteMeterRead
from voltyard.sites.events import LimitChanged, SiteChanged, TreeChanged
from voltyard.storage.engine import Row
from voltyard.telematics.events import VehicleObserved
from voltyard.tenancy import scope
from voltyard.tenancy.model import Principal
from voltyard.timetable.events import DutiesChanged

log = logging.getLogger(__name__)

LEASE_S = 30.0
_DECISIONS = {
    Verdict.WAIT: BootDecision.WAIT,
    Verdict.TOO_MUCH: BootDecision.WAIT,
    Verdict.READY: BootDecision.ACCEPT,
    Verdict.UNLIMITED: BootDecision.ACCEPT_UNLIMITED,
}
BUCKETS = 1500
START_S = 900
"""A limit that a transaction on the tree begins with lasts so long, should no grant come."""
AGAIN_S = 60.0
"""A vehicle whose schedule does not fit is told its limit again no sooner."""


class EnergyService:
    """Runs a controller for every site whose lease this process holds."""

    def __init__(
        self,
        parts: Parts,
        planning: PlanningParts,
        leases: Leases,
        watching: Callable[[UUID], Watching],
        *,
        control: ControlSettings | None = None,
        plan: PlanningSettings | None = None,
        lease_s: float = LEASE_S,
        curves: CurveLearning | None = None,
    ) -> None:
        self._parts = parts
        self._database = planning.database
        self._planning = planning
        self._leases = leases
        self._watching = watching
        self._control = control or ControlSettings()
        self._plan = plan or PlanningSettings()
        self._lease_s = lease_s
        self.curves = curves
        self._controllers: dict[UUID, SiteController] = {}
        self._unattended: dict[UUID, datetime] = {}
        self.discharge = DischargeDesk(
            planning.database, parts.clock, lambda: list(self._controllers.values())
        )
        self.holds = HoldDesk(planning.database, parts.bus, parts.clock, self.controller)

    @property
    def clock(self) -> Clock:
        return self._parts.clock

    def asks_of_firm_loads(self, firm: FirmLoads) -> None:
        """Who knows what must run before departures; before any controller starts."""
        self._planning = replace(self._planning, firm=firm)

    def asks_of_charges(self, told: ChargesTold) -> None:
        """Who knows what telematics says of vehicles; before any controller starts."""
        self._planning = replace(self._planning, told=told)

    def controller(self, site_id: UUID) -> SiteController:
        """NotFound while no controller of the site runs here."""
        known = self._controllers.get(site_id)
        if known is None:
            raise NotFound("No controller of this site is running.", code="no_controller")
        return known

    def controllers(self, org_id: UUID) -> list[SiteController]:
        """Those of an organisation that run here."""
        running = self._controllers.values()
        return [one for one in running if one.board.setup.site.org_id == org_id]

    # running

    async def start(self, site_id: UUID) -> SiteController:
        """A controller ready to tick, without its loop: for those who drive ticks themselves."""
        planning = Planning(site_id, self._planning, self._plan)
        made = SiteController(
            site_id, self._parts, planning, self._watching(site_id), self._control
        )
        await made.start()
        self._controllers[site_id] = made
        return made

    async def run_site(self, site_id: UUID) -> None:
        """Own the site while the lease lasts; wait for it while another has it. Until cancelled."""
        name = f"site:{site_id}"
        try:
            while True:
                if await self._taken(name):
                    await self._own(site_id, name)
                await self.clock.sleep(self._lease_s / 6.0)
        finally:
            with suppress(asyncio.CancelledError, OSError):
                await self._leases.give_up(name)

    async def _taken(self, name: str) -> bool | None:
        """Whether the lease is ours; None when that cannot be found out."""
        try:
            return await self._leases.hold(name, self._lease_s) is not None
        except Exception:
            log.exception("lease %s could not be taken", name)
            return None

    async def _own(self, site_id: UUID, name: str) -> None:
        """Run the controller; stop it before the lease ends if it cannot be renewed."""
        try:
            controller = await self.start(site_id)
        except NotFound as error:
            log.info("site %s is not controlled yet: %s", site_id, error.message)
            return
        except Exception:
            log.exception("the controller of site %s cannot start", site_id)
            return
        running = asyncio.get_running_loop().create_task(controller.run())
        try:
            failures = 0
            while failures < 2 and not running.done():
                await self.clock.sleep(self._lease_s / 6.0)
                taken = await self._taken(name)
                if taken is False:
                    break
                failures = 0 if taken else failures + 1
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            self._controllers.pop(site_id, None)

    def subscribe(self, bus: Bus) -> None:
        """Events only mark controllers; those without a site here are not ours."""
        bus.subscribe(StationConnected, self._on_news, name="energy.connected")
        bus.subscribe(StationDisconnected, self._on_news, name="energy.disconnected")
        bus.subscribe(StationBooted, self._on_booted, name="energy.booted")
        bus.subscribe(EvseStatusChanged, self._on_status, name="energy.status")
        bus.subscribe(SessionStarted, self._on_session, name="energy.session_started")
        bus.subscribe(SessionUpdated, self._on_news, name="energy.session_updated")
        bus.subscribe(SessionEnded, self._on_ended, name="energy.session_ended")
        bus.subscribe(MeterReported, self._on_meter, name="energy.meter")
        bus.subscribe(SiteMeterRead, self._on_site_meter, name="energy.site_meter")
        bus.subscribe(DutiesChanged, self._on_duties, name="energy.duties")
        bus.subscribe(VehicleObserved, self._on_observed, name="energy.observed")
        bus.subscribe(PreconditioningChanged, self._on_duties, name="energy.preconditioning")
        for event in (StationApproved, StationChanged, EvsesChanged):
            bus.subscribe(event, self._on_setup, name=f"energy.{event.__name__}")
        for changed in (SiteChanged, TreeChanged, LimitChanged):
            bus.subscribe(changed, self._on_setup, name=f"energy.{changed.__name__}")

    def _known(self, site_id: UUID | None) -> SiteController | None:
        return None if site_id is None else self._controllers.get(site_id)

    async def _on_news(
        self, event: StationConnected | StationDisconnected | SessionUpdated
    ) -> None:
        controller = self._known(event.site_id)
        if controller is not None:
            controller.mark()

    async def _on_booted(self, event: StationBooted) -> None:
        controller = self._known(event.site_id)
        if controller is not None:
            controller.rebooted(event.station_id)

    async def _on_status(self, event: EvseStatusChanged) -> None:
        controller = self._known(event.site_id)
        if controller is not None:
            controller.status(event.evse_id, event.status, event.error_code)

    async def _on_session(self, event: SessionStarted) -> None:
        controller = self._known(event.site_id)
        if controller is not None:
            controller.mark_plan()

    async def _on_ended(self, event: SessionEnded) -> None:
        controller = self._known(event.site_id)
        if controller is not None:
            controller.session_ended(
                event.evse_id, event.session_id, event.energy_wh, event.stop_reason
            )

    async def _on_meter(self, event: MeterReported) -> None:
        controller = self._known(event.site_id)
        if controller is not None:
            controller.measured(event.evse_id, event.power_w, event.at)

    async def _on_site_meter(self, event: SiteMeterRead) -> None:
        controller = self._known(event.site_id)
        if controller is not None:
            controller.site_metered()

    async def _on_duties(self, event: DutiesChanged | PreconditioningChanged) -> None:
        controller = self._known(event.site_id)
        if controller is not None:
            controller.mark_plan()

    async def _on_observed(self, event: VehicleObserved) -> None:
        """Wherever it is expected."""
        if event.soc_pct is not None:
            for controller in self._controllers.values():
                controller.planning.observed(event.vehicle_id, event.soc_pct)

    def hurry(self, site_id: UUID) -> None:
        """Plan a site again within a second or two: somebody waits for it."""
        controller = self._known(site_id)
        if controller is not None:
            controller.hurry()

    async def _on_setup(self, event: Any) -> None:
        controller = self._known(event.site_id)
        if controller is not None:
            controller.mark_setup()

    # accepting chargers

    def at_boot(self, station: StationRef) -> BootDecision:
        """Whether a charger that booted may be accepted: not before it confirmed its fail-safe.

        While no controller runs at its site it waits for one, but no longer than for a limit.
        """
        if station.site_id is None:
            return BootDecision.ACCEPT
        controller = self._controllers.get(station.site_id)
        if controller is None:
            now = self.clock.now()
            since = self._unattended.setdefault(station.id, now)
            if (now - since).total_seconds() < self._control.boot.install_s:
                return BootDecision.WAIT
            del self._unattended[station.id]
            return BootDecision.ACCEPT_UNLIMITED
        self._unattended.pop(station.id, None)
        return _DECISIONS[controller.boot_verdict(station.id)]

    # vehicles that say what they need

    def offer_schedule(self, station: StationRef, evse_number: int) -> ScheduleOffer:
        """The control sends it with its next look, seconds from now (K15.FR.08: within 60)."""
        found = self._outlet(station, evse_number)
        if found is None:
            return ScheduleOffer.NONE
        controller, outlet = found
        controller.mark_plan()
        offer = offers.offered(outlet)
        if offer is not ScheduleOffer.NONE:
            outlet.ask_for_limit()
        return offer

    def schedule_fault(
        self, station: StationRef, evse_number: int, periods: Sequence[PlannedPower]
    ) -> str:
        """Told again what its limit is when it does not fit (K15.FR.13), once in a while."""
        found = self._outlet(station, evse_number)
        if found is None:
            return ""
        controller, outlet = found
        now = self.clock.now()
        why = offers.fault(outlet, periods, now)
        sent_at = outlet.refreshed_at
        if why and (sent_at is None or (now - sent_at).total_seconds() >= AGAIN_S):
            outlet.ask_for_limit()
            controller.mark()
        return why

    def start_limit(self, station: Station, evse: Evse, power_w: float) -> SetLimit:
        """On the tree not above the fail-safe it holds, which is what it counts at before its
        first grant: that replaces it within seconds. Elsewhere as asked, until its end.

        Raises Invalid, Conflict (``limits_kept``).
        """
        if not 0.0 <= power_w < 1e9:
            raise Invalid("A limit is 0 or more watts.", fields={"limit_w": "0 or more"})
        if not ends_with_transaction(station.quirks):
            raise Invalid("This charger takes no limit of a transaction.", code="limit")
        now = self.clock.now()
        if evse.node_id is None:
            return start_limit(evse, station.quirks, power_w, now=now, valid_s=None)
        found = self._outlet(station.ref, evse.number)
        most_w = None if found is None else offers.start_w(found[1])
        if most_w is None or power_w > most_w:
            why = "no fail-safe is confirmed" if most_w is None else f"at most {most_w:.0f} W"
            raise Conflict(f"This could lift a limit: {why}.", code="limits_kept")
        return start_limit(evse, station.quirks, power_w, now=now, valid_s=START_S)

    async def update_pulled(self, station: StationRef, profile_id: int) -> UpdateLimit | None:
        """OCPP 2.1 K28.FR.07, FR.12: None for a profile that is not ours to update."""
        found = self._outlet(station, profile_id // 10)
        return None if found is None else await found[0].pulled(found[1], profile_id)

    def transfers(self, station: StationRef) -> Sequence[str]:
        """The ways of energy transfer its V2X knows; none where it has none, or nobody asked."""
        controller = self._known(station.site_id)
        found = [] if controller is None else controller.board.of_station(station.id)
        return sorted({word for outlet in found for word in outlet.abilities.transfers})

    def _outlet(self, station: StationRef, number: int) -> tuple[SiteController, Outlet] | None:
        controller = self._known(station.site_id)
        if controller is None:
            return None
        leaves = controller.board.setup.tree.leaf_of_evse
        for outlet in controller.board.of_station(station.id):
            if outlet.evse.number == number and outlet.evse.id in leaves:
                return controller, outlet
        return None

    # asking

    def live(self, site_id: UUID) -> SiteView:
        """The power of a site now, node by node and EVSE by EVSE. NotFound."""
        return self.controller(site_id).view()

    async def plan(self, org_id: UUID, site_id: UUID) -> Row | None:
        """``made_at`` and ``payload`` (see planning.plan_payload) of the latest plan."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.plan(tx, site_id)

    async def forecasts(self, org_id: UUID, site_id: UUID) -> Sequence[ForecastRow]:
        """The latest word on every duty that was ever planned, departed ones included."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.forecasts(tx, site_id)

    async def series(
        self,
        org_id: UUID,
        node_id: UUID,
        from_at: datetime,
        until_at: datetime,
        *,
        bucket_s: int | None = None,
    ) -> Sequence[Row]:
        """Power of a node over a window, at most some 1,500 points unless a bucket is given."""
        if until_at <= from_at:
            raise Invalid("The window ends before it begins.", fields={"until": "after from"})
        window_s = (until_at - from_at).total_seconds()
        if bucket_s is None:
            bucket_s = max(60, int(window_s / BUCKETS / 60 + 1) * 60)
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.samples(tx, node_id, from_at, until_at, bucket_s)

    async def over_limit(
        self, org_id: UUID, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> Sequence[Row]:
        """Samples in which a node measured more than its limit."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.samples_over_limit(tx, site_id, from_at, until_at)

    # telling

    async def emergency_limit(
        self,
        who: Principal,
        site_id: UUID,
        node_id: UUID,
        power_w: float,
        until_at: datetime,
        *,
        remote: str = "",
    ) -> None:
        """Not more than ``power_w`` at a node until then; obeyed at the next tick, audited.

        Raises Forbidden, NotFound, Invalid; Proposed where a loosening waits for a second person.
        A limit that ended (``until_at`` now) lifts it.
        """
        asked = LimitHold(site_id, node_id, power_w, until_at)
        await self.holds.hold(who, asked, remote=remote)
