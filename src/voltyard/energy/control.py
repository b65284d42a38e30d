"""The controller of one site: on its own tick, cuts first, raises once the cuts are confirmed.

It keeps promise 1: for every node and instant, what its EVSEs may draw fits the node's limit.
Events only mark it dirty. What it counts is stored before it is sent, so that a successor
counts the same.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from asyncpg import PostgresError
from sqlalchemy.exc import SQLAlchemyError

from voltyard.bus import Bus
from voltyard.chargers.commands import ReadCompositeSchedule
from voltyard.chargers.model import EvseStatus
from voltyard.clock import Clock
from voltyard.energy.allocator import Allocation
from voltyard.energy.board import Board
from voltyard.energy.confirm import WATT, Change, Held
from voltyard.energy.drops import Drops
from voltyard.energy.events import GrantsChanged
from voltyard.energy.failsafe import FailsafeLevel
from voltyard.energy.granting import GrantInput, fallback_levels, targets
from voltyard.energy.headroom import Headroom
from voltyard.energy.inputs import outlook
from voltyard.energy.ledger import Ledger
from voltyard.energy.outlet import Outlet, Timing
from voltyard.energy.overrides import Overrides
from voltyard.energy.planning import Planning
from voltyard.energy.ports import Links, LiveView, SiteSetup, SiteSource
from voltyard.energy.profiles import fallback_limit, in_amps, live_limit, shown_w
from voltyard.energy.sender import Answer, Sender
from voltyard.energy.view import SiteView, site_view
from voltyard.energy.watch import Rules
from voltyard.energy.watching import Watching
from voltyard.errors import VoltyardError

log = logging.getLogger(__name__)

VERIFY_AGAIN_S = 300.0


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """``lead_s``: a limit that begins within it is obeyed now. ``calm_s``: longest time between
    two full passes when nothing happens. ``gather_s``: how long answers are gathered before the
    raises that they make room for."""

    tick_s: float = 5.0
    gather_s: float = 0.25
    calm_s: float = 30.0
    lead_s: float = 240.0
    commit_timeout_s: float = 5.0
    dead_band_w: float = 2000.0
    verify_horizon_s: int = 60
    timing: Timing = field(default_factory=Timing)
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
        self.allocation: Allocation | None = None
        self._parts = parts
        self._clock = parts.clock
        self._sender = Sender(parts.clock, timeout_s=self.settings.timing.send_timeout_s)
        self._board: Board | None = None
        self._levels: Mapping[UUID, FailsafeLevel] | None = None
        self._granted: set[UUID] = set()
        self._room_made = asyncio.Event()
        self._drops = Drops()
        self._timing = self.settings.timing
        self._dirty = True
        self._reload = False
        self._pass_due_at: datetime | None = None

    @property
    def board(self) -> Board:
        assert self._board is not None, "the controller has been started"
        return self._board

    async def start(self) -> None:
        """Load the site and every stored ceiling. Nobody counts as heard before it is."""
        grants = await self._parts.ledger.grants(self.site_id)
        self.overrides.load(await self._parts.ledger.overrides(self.site_id))
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
        """The tick's time, or sooner when an answer made room that somebody waits for."""
        self._room_made.clear()
        loop = asyncio.get_running_loop()
        pause = loop.create_task(self._clock.sleep(self.settings.tick_s))
        room = loop.create_task(self._room_made.wait())
        try:
            await asyncio.wait((pause, room), return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            room.cancel()
        if self._room_made.is_set():
            await self._clock.sleep(self.settings.gather_s)

    async def close(self) -> None:
        await self._sender.close()

    def mark(self) -> None:
        """Something happened: look at everything on the next tick."""
        self._dirty = True

    def mark_plan(self) -> None:
        """Something happened that the plan depends on."""
        self._dirty = True
        self.planning.mark()

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
        if outlet is not None:
            self.board.hear(self._parts.links)
            outlet.told(EvseStatus(status), error_code)
        self.mark()

    def view(self) -> SiteView:
        """The site's power now, with the reason of every grant."""
        now = self._clock.now()
        return self._view(now, self._setup(now))

    def rebooted(self, station_id: UUID) -> None:
        if self._board is not None:
            self.board.rebooted(station_id)
        self.mark()

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
        self._plan_if_due(now)
        if self._dirty or self._pass_due_at is None or now >= self._pass_due_at:
            self._dirty = False
            self._pass_due_at = now + timedelta(seconds=self.settings.calm_s)
            await self._pass(now, self._setup(now))
            await self._tell(now)

    async def _tell(self, now: datetime) -> None:
        if self._granted:
            changed, self._granted = tuple(sorted(self._granted)), set()
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
        if self.planning.is_due(now):
            self.planning.begin(now)
            self._sender.spawn(self._plan(now, self._setup(now)))

    async def _plan(self, now: datetime, setup: SiteSetup) -> None:
        await self.planning.make(now, setup, self._parts.live.running(self.site_id))
        self.mark()

    async def _pass(self, now: datetime, setup: SiteSetup) -> None:
        beyond = now + timedelta(seconds=self.settings.lead_s)
        end_by = self._drops.after(setup.tree, beyond)
        self._timing = replace(self.settings.timing, end_by=end_by)
        sessions = self._parts.live.running(self.site_id)
        found = outlook(self.planning.situation(now, setup, sessions))
        if self._levels is None:
            self._levels = fallback_levels(self.board, setup.tree, {}, now)
        self.allocation = targets(
            self.board,
            GrantInput(
                now=now,
                tree=setup.tree,
                lead_s=self.settings.lead_s,
                plan=self.planning.plan,
                present=found.present,
                levels=self._levels,
                other_w={},
                dead_band_w=self.settings.dead_band_w,
            ),
        )
        await self._act(now, setup)
        self._verify(now)
        self._insist(now)
        view = self._view(now, setup)
        self.watching.sample(view, now)
        await self.watching.alert(view, self.board, found, self.planning, now)

    def _view(self, now: datetime, setup: SiteSetup) -> SiteView:
        grants = {} if self.allocation is None else self.allocation.grants
        reasons = {
            evse_id: (grant.reason.kind.value, grant.reason.node_id)
            for evse_id, grant in grants.items()
        }
        return site_view(self.board, setup, self.planning.plan, now, reasons)

    # cuts, then raises

    async def _act(self, now: datetime, setup: SiteSetup) -> None:
        chosen = [
            _Chosen(outlet, change, outlet.held) for outlet, change in self._admit(now, setup)
        ]
        for item in chosen:
            item.outlet.sent(item.change)
        if await self._save(now):
            sendable = chosen
        else:
            sendable = [item for item in chosen if not item.adds]
            for item in chosen:
                if item.adds:
                    item.outlet.withdrawn(item.before)
            self.mark()
        for item in sendable:
            self._send(item, now)

    def _admit(self, now: datetime, setup: SiteSetup) -> list[tuple[Outlet, Change]]:
        """Everything that may go out now: what adds nothing, and raises as far as they fit."""
        room = Headroom.during(setup.tree, now, self.settings.lead_s, {}, ())
        leaves = setup.tree.leaf_of_evse
        for outlet in self.board:
            if outlet.evse.id in leaves:
                wiring = self.board.wirings[outlet.evse.id]
                room.take(outlet.evse.id, outlet.counted_w(now), wiring)
        chosen: list[tuple[Outlet, Change]] = []
        for outlet in self._by_turn():
            change = outlet.next_change(now, self._timing)
            if change is None:
                continue
            if adds_w(change, outlet.held) > WATT:
                if outlet.evse.id not in leaves:
                    continue
                wiring = self.board.wirings[outlet.evse.id]
                free_w = room.room(outlet.evse.id, wiring)
                change = outlet.as_far_as(change, free_w, now, self._timing)
                if change is None:
                    continue
                room.take(outlet.evse.id, max(0.0, adds_w(change, outlet.held)), wiring)
            chosen.append((outlet, change))
        return chosen

    def _by_turn(self) -> list[Outlet]:
        """The order of the allocation, which is the order of importance; the others last."""
        turn = (
            {}
            if self.allocation is None
            else {evse_id: place for place, evse_id in enumerate(self.allocation.grants)}
        )
        return sorted(self.board, key=lambda o: (turn.get(o.evse.id, len(turn)), o.evse.id))

    async def _save(self, now: datetime) -> bool:
        """Store every changed ceiling; False when the database does not take it in time."""
        rows = self.board.take_unsaved(now)
        org_id = self.board.setup.site.org_id
        if not rows:
            return True
        try:
            async with self._clock.timeout(self.settings.commit_timeout_s):
                await self._parts.ledger.save(org_id, self.site_id, rows)
        except (SQLAlchemyError, PostgresError, VoltyardError, OSError, TimeoutError) as error:
            log.error("ceilings of site %s not stored, no raises: %s", self.site_id, error)
            for row in rows:
                self.board.outlets[row.evse_id].unsaved = True
            return False
        return True

    def _send(self, item: "_Chosen", now: datetime) -> None:
        outlet, change = item.outlet, item.change
        link = self.board.link(outlet)
        if link is None:
            outlet.withdrawn(item.before)
            return
        quirks = outlet.station.quirks
        if change.fallback:
            command = fallback_limit(outlet.evse, quirks, change.power_w)
        else:
            assert outlet.session is not None, "a live limit belongs to a session"
            command = live_limit(
                outlet.evse,
                quirks,
                change.power_w,
                now=now,
                valid_s=self._timing.valid_from(now),
                transaction_ref=outlet.session.transaction_ref,
            )
        self._sender.send(link, command, lambda answer: self._answered(item, answer))

    def _answered(self, item: "_Chosen", answer: Answer) -> None:
        now, outlet = self._clock.now(), item.outlet
        before = (outlet.held.ceiling_w, outlet.granted_w)
        if answer.accepted is None:
            outlet.unanswered(item.change, now)
        elif answer.accepted:
            outlet.confirmed(item.change, now)
        else:
            outlet.refused(item.change, item.before, now)
        if not answer.accepted:
            log.info("limit for %s not taken: %s", outlet.station.identity, answer.error)
        if not answer.accepted or (outlet.held.ceiling_w, outlet.granted_w) != before:
            self._granted.add(outlet.evse.id)
            self.mark()
            if outlet.held.ceiling_w < before[0]:
                self._room_made.set()
        elif outlet.next_change(now, self._timing) is not None:
            self.mark()

    # does it hold the fail-safe, does it obey

    def _verify(self, now: datetime) -> None:
        for outlet in self.board:
            link = self.board.link(outlet)
            if link is None or not outlet.verification_due(now):
                continue
            outlet.verify_at = now + timedelta(seconds=VERIFY_AGAIN_S)
            unit = "A" if in_amps(outlet.evse, outlet.station.quirks) else "W"
            command = ReadCompositeSchedule(
                outlet.evse.number, self.settings.verify_horizon_s, unit
            )
            self._sender.send(link, command, partial(self._read_back, outlet))

    def _read_back(self, outlet: Outlet, answer: Answer) -> None:
        if answer.accepted is None:
            return
        now = self._clock.now()
        shown = None if answer.result is None else shown_w(outlet.evse, answer.result)
        outlet.read_back(shown, now)
        self.mark()

    def _insist(self, now: datetime) -> None:
        """A charger that goes on taking too much is stopped, then switched off."""
        for outlet in self.board:
            link = self.board.link(outlet)
            command = None if link is None else outlet.insistence(now)
            if link is not None and command is not None:
                log.warning("%s ignores its limit: %s", outlet.station.identity, command)
                self._sender.send(link, command, lambda _: self.mark())


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A limit on its way, and what the EVSE held before."""

    outlet: Outlet
    change: Change
    before: Held

    @property
    def adds(self) -> bool:
        """Whether it must be stored before it may be sent: all but cuts."""
        before_w = self.before.fallback_w if self.change.fallback else self.before.live_w
        raised = adds_w(self.change, self.before) > 0.0
        return raised or self.change.power_w >= before_w - WATT


def adds_w(change: Change, held: Held) -> float:
    """How much more the EVSE counts once the change is on its way."""
    return change.while_unconfirmed(held).ceiling_w - held.ceiling_w
