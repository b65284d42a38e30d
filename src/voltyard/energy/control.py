"""The controller of one site: on its own tick, cuts first, raises once the cuts are confirmed.

It keeps promise 1: for every node and instant, what its EVSEs may draw fits the node's limit.
Events only mark it dirty. What it counts is stored before it is sent, so that a successor
counts the same.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.commands import Trigger, UpdateLimit
from voltyard.chargers.model import EvseStatus
from voltyard.clock import Clock, let_go
from voltyard.energy.allocator import Allocation
from voltyard.energy.beside import Beside
from voltyard.energy.board import Board
from voltyard.energy.booting import BootRules, Holds, Verdict
from voltyard.energy.commanding import Commander
from voltyard.energy.discharging import Discharging
from voltyard.energy.drops import Drops
from voltyard.energy.events import GrantsChanged
from voltyard.energy.failsafe import FailsafeLevel
from voltyard.energy.granting import GrantInput, fallback_levels, targets
from voltyard.energy.inputs import outlook
from voltyard.energy.ledger import Ledger
from voltyard.energy.outlet import Outlet, Timing
from voltyard.energy.overrides import Overrides
from voltyard.energy.planning import Planning
from voltyard.energy.ports import EnergyInputs, Links, LiveView, SiteSetup, SiteSource
from voltyard.energy.sender import Sender
from voltyard.energy.view import SiteView, site_view
from voltyard.energy.watch import Rules
from voltyard.energy.watching import Watching

log = logging.getLogger(__name__)

GAPS = 8
"""How many of the last times between passes are remembered."""
GATHER_MAX_S = 1.0
"""After a pass that took long, answers are gathered for twice as long, up to this."""
CUT_FIRST_S = 2.0
"""A new limit set by hand goes to the chargers so long before a plan is made of it."""
FIRST_S = 2.0
"""How long the fail-safe limit of a charger that booted goes before everything else."""


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """``lead_s``: a limit that begins within it is obeyed now. ``calm_s``: longest time between
    two full passes when nothing happens, ``close_s`` under overload.
    ``gather_s``: how long answers are gathered before the raises that they make room for."""

    tick_s: float = 5.0
    gather_s: float = 0.25
    calm_s: float = 30.0
    close_s: float = 10.0
    lead_s: float = 240.0
    commit_timeout_s: float = 5.0
    dead_band_w: float = 2000.0
    timing: Timing = field(default_factory=Timing)
    boot: BootRules = field(default_factory=BootRules)
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class Parts:
    """What every controller of a process shares."""

    ledger: Ledger
    bus: Bus
    clock: Clock
    links: Links
    live: LiveView
    sites: SiteSource
    inputs: EnergyInputs | None = None


class SiteController:
    """One site's loop. ``start`` before ``run``; ``tick`` may be driven by hand in tests."""

    def __init__(
        self,
        site_id: UUID,
        parts: Parts,
        planning: Planning,
        watching: Watching,
        settings: ControlSettings | None = None,
    ) -> None:
        self.site_id = site_id
        self.settings = settings or ControlSettings()
        self.planning = planning
        self.watching = watching
        self.overrides = Overrides()
        self.discharging = Discharging()
        self.allocation: Allocation | None = None
        self._parts = parts
        self._clock = parts.clock
        self._sender = Sender(parts.clock, timeout_s=self.settings.timing.send_timeout_s)
        self._commander = Commander(
            site_id,
            parts.ledger,
            parts.clock,
            self._sender,
            self.settings.timing,
            commit_timeout_s=self.settings.commit_timeout_s,
            news=self._news,
        )
        self._board: Board | None = None
        self._levels: Mapping[UUID, FailsafeLevel] | None = None
        self._look = asyncio.Event()
        self._drops = Drops()
        self._beside = Beside(site_id, parts.inputs)
        self._holds = Holds(self.settings.boot)
        self._first_until: datetime | None = None
        self._dirty = True
        self._reload = False
        self._pass_due_at: datetime | None = None
        self._passed_at: datetime | None = None
        self._pass_took_s = 0.0
        self._fell = asyncio.Event()
        self._plan_from: datetime | None = None
        self._gaps_s: deque[float] = deque(maxlen=GAPS)

    @property
    def board(self) -> Board:
        assert self._board is not None, "the controller has been started"
        return self._board

    async def start(self) -> None:
        """Load the site and every stored ceiling. Nobody counts as heard before it is."""
        grants = await self._parts.ledger.grants(self.site_id)
        self.overrides.load(await self._parts.ledger.overrides(self.site_id))
        self.discharging.load(await self._parts.ledger.discharges(self.site_id))
        setup = await self._parts.sites.setup(self.site_id)
        self._board = Board(setup, self.settings.rules)
        self.board.install(setup, {row.evse_id: row for row in grants})
        self.board.resume(self._parts.live.running(self.site_id))
        await self.planning.start(setup)
        await self.watching.start(setup)

    async def run(self) -> None:
        """Until cancelled. A tick that fails is logged, and the next one tries again."""
        try:
            while True:
                try:
                    await self.tick()
                except Exception:
                    log.exception("tick of site %s failed", self.site_id)
                    self._dirty = True
                await self._next_tick()
        finally:
            await self.close()

    async def _next_tick(self) -> None:
        """The tick's time, or sooner when a charger booted or an answer made room."""
        pause_s = self.settings.tick_s if self._first_until is None else FIRST_S
        if self.planning.hurried:
            pause_s = min(pause_s, self.planning.settings.hurry_s)
        await self._rest(pause_s, self._look)
        if self._look.is_set():
            busy_s = min(GATHER_MAX_S, 2.0 * self._pass_took_s)
            await self._rest(max(self.settings.gather_s, busy_s), self._fell)
            self._look.clear()

    async def _rest(self, seconds: float, until: asyncio.Event) -> None:
        if until.is_set():
            return
        loop = asyncio.get_running_loop()
        pause = loop.create_task(self._clock.sleep(seconds))
        called = loop.create_task(until.wait())
        try:
            await asyncio.wait((pause, called), return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            called.cancel()

    async def close(self) -> None:
        await self._sender.close()

    def mark(self) -> None:
        """Something happened: look at everything on the next tick."""
        self._dirty = True

    def _news(self, at_once: bool) -> None:
        self._dirty = True
        if at_once:
            self._look.set()

    def mark_at_once(self) -> None:
        """The same, and it cannot wait for the next tick: a limit fell."""
        self._fell.set()
        self._news(True)

    def mark_plan(self) -> None:
        """Something happened that the plan depends on."""
        self._dirty = True
        self.planning.mark()

    def hurry(self) -> None:
        """The same, and somebody waits for the plan: look at once."""
        self._dirty = True
        self.planning.hurry()
        self._look.set()

    def mark_setup(self) -> None:
        """The site, its tree or its chargers changed."""
        self._reload = True
        self.mark_plan()

    def measured(self, evse_id: UUID | None, power_w: float | None, at: datetime) -> None:
        """A charger reported what it draws."""
        if evse_id is None or power_w is None or self._board is None:
            return
        if self.board.measured(evse_id, power_w, at, self._clock.now()):
            self.mark()

    def site_metered(self) -> None:
        """A site meter was read: a rise of other load is not left to wait for the next tick."""
        if self._board is not None:
            now = self._clock.now()
            rise_w = self._beside.look(self.board, self._setup(now).tree, now)
            if rise_w > 0.0:
                self._news(True)
            elif rise_w < 0.0:
                self.mark()

    def session_ended(
        self, evse_id: UUID | None, session_id: UUID, energy_wh: float, reason: str | None
    ) -> None:
        """What it delivered counts for its duty, should the vehicle be plugged in again."""
        if evse_id is not None and self._board is not None:
            self.board.silent(evse_id)
            duty_id = self.planning.duty_of(session_id)
            self.planning.delivered(duty_id, energy_wh)
            self.watching.stopped_early(duty_id, reason)
        self.mark_plan()

    def status(self, evse_id: UUID, status: str, error_code: str | None) -> None:
        """An EVSE reported its state."""
        outlet = self.board.outlets.get(evse_id) if self._board is not None else None
        if outlet is None:
            return
        heard = self.board.hear(self._parts.links, outlet.station.id)
        if outlet.told(EvseStatus(status), error_code) or heard:
            self.mark()

    def view(self) -> SiteView:
        """The site's power now, with the reason of every grant."""
        now = self._clock.now()
        return self._view(now, self._setup(now))

    def rebooted(self, station_id: UUID) -> None:
        """A charger booted: what it holds is not known any more, unless it only asks again."""
        if self._board is None:
            return
        self.board.hear(self._parts.links, station_id)
        link = self._parts.links.link(station_id)
        if self._holds.booted(station_id, link, self._clock.now()):
            self.board.rebooted(station_id)
        self._news(True)

    def boot_verdict(self, station_id: UUID) -> Verdict:
        """Whether a charger that booted may be accepted now. If so, it waits no longer."""
        verdict = self._verdict(station_id, self._clock.now())
        if verdict in (Verdict.READY, Verdict.UNLIMITED):
            self._holds.over([station_id])
        if verdict is Verdict.UNLIMITED:
            for outlet in self.board.of_station(station_id):
                outlet.accepted_without()
            self._news(True)
        return verdict

    def _verdict(self, station_id: UUID, now: datetime) -> Verdict:
        leaves = self.board.setup.tree.leaf_of_evse
        outlets = [o for o in self.board.of_station(station_id) if o.evse.id in leaves]
        return self._holds.verdict(
            station_id,
            outlets,
            now,
            lambda: self.board.fits(outlets, self._beside.room(self._setup(now).tree), now),
        )

    async def pulled(self, outlet: Outlet, profile_id: int) -> UpdateLimit | None:
        """An update for a charger that asks for one; None where there is none to be had."""
        return await self._commander.pulled(self.board, outlet, profile_id, self._clock.now())

    async def tick(self) -> None:
        """One look at the site; cheap unless something happened or is due."""
        now = self._clock.now()
        if self._reload:
            await self._load_setup()
        sessions = self._parts.live.running(self.site_id)
        if self.board.hear(self._parts.links):
            self.mark()
        if self.board.follow(sessions, now):
            self.mark_plan()
        for outlet in self.board:
            outlet.forget_expired(now)
        if self.overrides.changed(now):
            self._levels = None
            self.mark_plan()
            self._plan_from = now + timedelta(seconds=CUT_FIRST_S)
        self._look_beside(now)
        self._plan_if_due(now)
        await self._install_first(now)
        due = self._dirty or self._pass_due_at is None or now >= self._pass_due_at
        if due and not self._still_installing(now):
            self._dirty = False
            self._first_until = None
            self._pass_due_at = now + timedelta(seconds=self._calm_s())
            self._fell.clear()
            began_s = self._clock.monotonic_s()
            await self._pass(now, self._setup(now))
            self._pass_took_s = self._clock.monotonic_s() - began_s
            await self._tell(now)
        self._release(now)

    def _look_beside(self, now: datetime) -> None:
        tree = self._setup(now).tree
        if self._beside.look(self.board, tree, now) != 0.0:
            self.mark()
        if self._beside.worst_changed(tree, now):
            self._levels = None
            self.mark()

    async def _install_first(self, now: datetime) -> None:
        """Give chargers that booted their fail-safe limit at once.

        They count at their full power until they confirm it. While they are held back they begin
        nothing, so the others are not cut for the moment that takes.
        """
        fresh = [outlet for outlet in self.board if outlet.fresh and outlet.connected]
        if not fresh:
            return
        levels = self._failsafe_levels(now, self._setup(now))
        for outlet in fresh:
            outlet.fresh = False
            if outlet.session is None and outlet.evse.id in levels:
                level = levels[outlet.evse.id]
                outlet.aim(None, level.active_w, level.idle_w)
        self._first_until = self._first_until or now + timedelta(seconds=FIRST_S)
        await self._commander.install(self.board, fresh, now)

    def _still_installing(self, now: datetime) -> bool:
        if self._first_until is None or now >= self._first_until:
            return False
        return any(outlet.reinstall and outlet.in_flight is not None for outlet in self.board)

    def _release(self, now: datetime) -> None:
        """Ask chargers that need wait no longer to boot again: then they are accepted."""
        for station_id, hold in self._holds:
            link = self._parts.links.link(station_id)
            if hold.asked or link is not hold.link or link is None:
                continue
            verdict = self._verdict(station_id, now)
            if verdict is Verdict.TOO_MUCH:
                if hold.off_due(now, self.settings.boot):
                    outlets = self.board.of_station(station_id)
                    self._commander.shut(link, outlets, now, hold.answered)
            elif verdict is not Verdict.WAIT:
                hold.asked = True
                self._commander.tell(link, Trigger("boot"))

    @property
    def pace_s(self) -> float:
        """The longest time between two passes, by the settings and as it was lately."""
        return max(self.settings.calm_s, *self._gaps_s) if self._gaps_s else self.settings.calm_s

    def _calm_s(self) -> float:
        plan = self.planning.plan
        overload = plan is not None and plan.stats.overload
        return self.settings.close_s if overload else self.settings.calm_s

    async def _tell(self, now: datetime) -> None:
        changed = tuple(sorted(self._commander.changed))
        self._commander.changed.clear()
        if changed:
            org_id = self.board.setup.site.org_id
            await self._parts.bus.publish(GrantsChanged(org_id, self.site_id, changed, now))

    async def _load_setup(self) -> None:
        self._reload = False
        setup = await self._parts.sites.setup(self.site_id)
        grants = await self._parts.ledger.grants(self.site_id)
        self.board.install(setup, {row.evse_id: row for row in grants})
        self._levels = None

    def _setup(self, now: datetime) -> SiteSetup:
        """The site with the limits that were set by hand."""
        return self.overrides.applied(self.board.setup, now)

    def _plan_if_due(self, now: datetime) -> None:
        waits = self._plan_from is not None and now < self._plan_from
        if self.planning.is_due(now) and not waits:
            self.planning.begin(now)
            self.planning.loads_w = self._beside.seen_w()
            self._sender.spawn(self._plan(now, self._setup(now)))

    async def _plan(self, now: datetime, setup: SiteSetup) -> None:
        await self.planning.make(now, setup, self._parts.live.running(self.site_id))
        self.mark()

    async def _pass(self, now: datetime, setup: SiteSetup) -> None:
        """Everything once. Chargers are answered in between; what they say meanwhile counts from
        the next pass on, but for what they may draw: that is looked up when limits are sent."""
        beyond = now + timedelta(seconds=self.settings.lead_s)
        if self._passed_at is not None:
            self._gaps_s.append((now - self._passed_at).total_seconds())
        self._passed_at = now
        end_by = self._drops.after(setup.tree, beyond)
        next_drop = self._drops.after(setup.tree, now)
        self._commander.timing = replace(self.settings.timing, end_by=end_by, over_end_by=next_drop)
        sessions = self._parts.live.running(self.site_id)
        self._beside.decide()
        room = self._beside.room(setup.tree)
        situation = self.planning.situation(now, setup, sessions)
        found, plan = outlook(situation), self.planning.plan
        await let_go()
        self.discharging.decide(
            self.board, found.present, self.planning.plan, now, self._commander.timing
        )
        self._commander.prepare(self.board, self.discharging.verdicts)
        self.allocation = targets(
            self.board,
            GrantInput(
                now=now,
                tree=room,
                lead_s=self.settings.lead_s,
                plan=self.planning.plan,
                present=found.present,
                levels=self._failsafe_levels(now, setup),
                other_w={},
                ruled=lambda some, left: setup.policies.ruled(some, found, situation, plan, left),
                dead_band_w=self.settings.dead_band_w,
                pace_s=self.pace_s,
            ),
        )
        turn = {evse_id: place for place, evse_id in enumerate(self.allocation.grants)}
        await let_go()
        await self._commander.act(self.board, room, turn, now, lead_s=self.settings.lead_s)
        self._commander.verify(self.board, now)
        self._commander.insist(self.board, now)
        await let_go()
        view = cache(lambda: self._view(now, setup))
        self.watching.sample(view, now)
        await self.watching.alert(view, self.board, found, self.planning, now)

    def _failsafe_levels(self, now: datetime, setup: SiteSetup) -> Mapping[UUID, FailsafeLevel]:
        if self._levels is None:
            room = self._beside.worst_room(setup.tree)
            self._levels = fallback_levels(self.board, room, {}, now)
        return self._levels

    def _view(self, now: datetime, setup: SiteSetup) -> SiteView:
        given = () if self.allocation is None else self.allocation.reasons()
        reasons = {evse_id: (kind.value, node_id) for evse_id, kind, node_id in given}
        other_w = self._beside.through_w(setup.tree)
        return site_view(self.board, setup, self.planning.plan, now, reasons, other_w)
