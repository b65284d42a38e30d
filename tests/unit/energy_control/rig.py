"""A site in virtual time: chargers that answer late, wrongly or never, and the truth about them."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.commands import (
    Command,
    CommandResult,
    CommandStatus,
    LimitPurpose,
    PowerMode,
    ReadAbilities,
    ReadCompositeSchedule,
    RemoteStop,
    SchedulePeriod,
    SetAvailability,
    SetLimit,
    Trigger,
    UpdateLimit,
)
from voltyard.chargers.model import (
    Abilities,
    CurrentType,
    Evse,
    Quirks,
    Station,
    StationRef,
    StationState,
)
from voltyard.clock import Clock
from voltyard.energy.booting import Verdict
from voltyard.energy.control import ControlSettings, Parts, SiteController
from voltyard.energy.discharging import Order
from voltyard.energy.inputs import Situation
from voltyard.energy.overrides import Override
from voltyard.energy.ports import LiveSession, SiteSetup
from voltyard.energy.records import GrantRow
from voltyard.errors import ChargerOffline, ChargerRefused, ChargerTimeout
from voltyard.sites import tree
from voltyard.sites.limits import limit_w
from voltyard.sites.model import ElectricalTree, Node, NodeKind, NodeLimit, Site

START = datetime(2026, 1, 15, 17, 0, tzinfo=UTC)
ORG = UUID(int=1)
SITE = UUID(int=2)
ROOT = UUID(int=10)


def evse_id(number: int) -> UUID:
    return UUID(int=1000 + number)


def station_id(number: int) -> UUID:
    return UUID(int=2000 + number)


def feeder_id(number: int) -> UUID:
    return UUID(int=20 + number)


@dataclass(slots=True)
class Mood:
    """How a charger behaves; probabilities from 0 to 1."""

    delay_s: tuple[float, float] = (0.05, 2.0)
    refuse: float = 0.0
    lose: float = 0.0
    """The frame never arrives."""
    mute: float = 0.0
    """The frame is obeyed, the answer is lost."""
    late: float = 0.0
    """The frame is obeyed after the sender gave up."""
    knows_limits: bool = True
    """Otherwise it answers NotImplemented to a limit."""


@dataclass(slots=True)
class Charger:
    """One outlet that obeys OCPP: a live limit over a default over its hardware."""

    evse: Evse
    clock: Clock
    chance: Random
    truth: "Truth"
    mood: Mood = field(default_factory=Mood)
    default_w: float | None = None
    live: tuple[str, float, datetime] | None = None
    transaction: str | None = None
    ignores: bool = False
    wants_w: float = 1e9
    operative: bool = True
    link: "Link | None" = None
    abilities: Abilities = field(default_factory=Abilities)
    dynamic: tuple[int, int, PowerMode] | None = None
    """The profile that may be updated: its id, how long an update lasts, its mode."""
    refuses_updates: bool = False
    setpoint_w: float = 0.0
    asked_to_boot: asyncio.Event = field(default_factory=asyncio.Event)
    received: list[Command] = field(default_factory=list)
    limits_unknown: int = 0

    def allowed_w(self) -> float:
        now = self.clock.now()
        if self.ignores:
            return self.evse.max_power_w
        if self.live is not None and self.live[0] == self.transaction and now < self.live[2]:
            return self.live[1]
        return self.evse.max_power_w if self.default_w is None else self.default_w

    def power_w(self) -> float:
        if self.transaction is None or not self.operative:
            return 0.0
        return min(self.wants_w, self.allowed_w())

    def obey(self, command: Command) -> CommandResult:
        self.received.append(command)
        match command:
            case SetLimit():
                return self._set(command)
            case UpdateLimit():
                return self._update(command)
            case ReadAbilities():
                return CommandResult(CommandStatus.ACCEPTED, "", {"abilities": self.abilities})
            case ReadCompositeSchedule():
                limit_w = self.evse.max_power_w if self.default_w is None else self.default_w
                detail = {"unit": "W", "periods": (SchedulePeriod(0, limit_w),)}
                return CommandResult(CommandStatus.ACCEPTED, "Accepted", detail)
            case RemoteStop():
                self.transaction = self.dynamic = None
            case SetAvailability():
                self.operative = command.operative
            case Trigger(message="boot"):
                self.asked_to_boot.set()
            case _:
                return CommandResult(CommandStatus.NOT_SUPPORTED, "NotSupported")
        self.truth.check()
        return CommandResult(CommandStatus.ACCEPTED, "Accepted")

    def _set(self, command: SetLimit) -> CommandResult:
        limit_w = command.limit_w
        if limit_w is None:
            assert command.limit_a is not None
            limit_w = command.limit_a * self.evse.phases * self.evse.voltage_v
        if command.purpose is LimitPurpose.TX_DEFAULT:
            self.default_w = limit_w
        else:
            if command.transaction_ref != self.transaction or self.transaction is None:
                return CommandResult(CommandStatus.REJECTED, "Rejected")
            assert command.valid_s is not None
            since = command.start_at
            self.dynamic = None
            if command.dynamic is not None:
                self.dynamic = (command.profile_id, command.valid_s, command.mode)
                since = self.clock.now()
            assert since is not None
            self._hold(limit_w, since + timedelta(seconds=command.valid_s), command.mode)
        self.truth.check()
        return CommandResult(CommandStatus.ACCEPTED, "Accepted")

    def _hold(self, limit_w: float, until: datetime, mode: PowerMode) -> None:
        assert self.transaction is not None
        self.setpoint_w = 0.0 if mode is PowerMode.LIMIT else limit_w
        self.live = (self.transaction, limit_w if mode is PowerMode.LIMIT else 0.0, until)

    def _update(self, command: UpdateLimit) -> CommandResult:
        """It lasts from when it is taken."""
        known = self.dynamic is not None and self.dynamic[0] == command.profile_id
        if not known or self.live is None or self.refuses_updates:
            return CommandResult(CommandStatus.REJECTED, "Rejected")
        assert command.limit_w is not None
        assert self.dynamic is not None
        _, valid_s, mode = self.dynamic
        assert mode is command.mode
        self._hold(command.limit_w, self.clock.now() + timedelta(seconds=valid_s), mode)
        self.truth.check()
        return CommandResult(CommandStatus.ACCEPTED, "Accepted")


class Link:
    """One connection. Frames are obeyed in order; none is obeyed once the connection is gone."""

    def __init__(self, charger: Charger, station: Station) -> None:
        self.version = "2.1" if charger.abilities.dynamic else "2.0.1"
        self.charger = charger
        self.station: StationRef = station.ref
        self.open = True
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        if not self.open:
            raise ChargerOffline("not connected")
        answer: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        task = asyncio.get_running_loop().create_task(self._carry(command, answer, timeout_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            async with self.charger.clock.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise ChargerTimeout("no answer") from None

    async def _carry(
        self, command: Command, answer: "asyncio.Future[CommandResult]", timeout_s: float
    ) -> None:
        charger, mood = self.charger, self.charger.mood
        roll = charger.chance.random()
        async with self._turn:
            await charger.clock.sleep(charger.chance.uniform(*mood.delay_s))
            if roll < mood.lose:
                return
            roll -= mood.lose
            if roll < mood.late:
                await charger.clock.sleep(timeout_s + charger.chance.uniform(0.0, 10.0))
            roll -= mood.late
            if not self.open:
                _fail(answer, ChargerOffline("lost"))
                return
            if isinstance(command, SetLimit) and not mood.knows_limits:
                charger.limits_unknown += 1
                _fail(answer, ChargerRefused("what?", detail="NotImplemented"))
                return
            if 0.0 <= roll < mood.refuse:
                _fail(answer, ChargerRefused("no"))
                return
            roll -= mood.refuse
            result = charger.obey(command)
        if 0.0 <= roll < mood.mute:
            return
        if not answer.done():
            answer.set_result(result)

    def drop(self) -> None:
        """The connection breaks: what is under way is lost, and its sender hears of it."""
        self.open = False
        if self.charger.link is self:
            self.charger.link = None

    async def close(self, reason: str) -> None:
        self.drop()


def _fail(answer: "asyncio.Future[CommandResult]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


class Truth:
    """Adds up what really may flow at every node whenever anything changes."""

    def __init__(self, tree_: ElectricalTree, clock: Clock) -> None:
        self.tree = tree_
        self.clock = clock
        self.exceeded: list[str] = []
        self.peak_w = 0.0
        self._below: dict[UUID, list[Charger]] = {}

    def watch(self, chargers: Sequence[Charger]) -> None:
        self._below = {node.id: [] for node in self.tree.nodes}
        for charger in chargers:
            for node in self.tree.path_of_evse(charger.evse.id):
                self._below[node.id].append(charger)

    def check(self) -> None:
        now = self.clock.now()
        for node in self.tree.nodes:
            if not node.limits:
                continue
            power_w = sum(charger.power_w() for charger in self._below.get(node.id, ()))
            if node.id == ROOT:
                self.peak_w = max(self.peak_w, power_w)
            allowed_w = limit_w(node, now, self.tree.zone)
            if power_w > allowed_w + 1.0:
                self.exceeded.append(f"{now:%H:%M:%S} {node.name} {power_w:.0f} > {allowed_w:.0f}")


class MemoryLedger:
    """Rows survive controllers; ``broken`` refuses to save, a commit takes ``lag_s``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rows: dict[UUID, GrantRow] = {}
        self.set_by_hand: list[Override] = []
        self.orders: list[Order] = []
        self.broken = False
        self.lag_s = 0.01

    async def grants(self, site_id: UUID) -> Sequence[GrantRow]:
        return list(self.rows.values())

    async def overrides(self, site_id: UUID) -> Sequence[Override]:
        return self.set_by_hand

    async def discharges(self, site_id: UUID) -> Sequence[Order]:
        return self.orders

    async def save(self, org_id: UUID, site_id: UUID, rows: Sequence[GrantRow]) -> None:
        await self._clock.sleep(self.lag_s)
        if self.broken:
            raise OSError("the disk is full")
        self.rows.update({row.evse_id: _as_stored(row) for row in rows})


def _as_stored(row: GrantRow) -> GrantRow:
    """Through the columns of the table and back."""
    from voltyard.energy.store import _grant, grant_write

    return _grant(grant_write(ORG, SITE, row).row)


class NoPlan:
    """A planning room that never plans: every vehicle gets what the others leave."""

    plan = None
    hurried = False
    forecasts: dict = {}  # noqa: RUF012

    async def start(self, setup: SiteSetup) -> None: ...

    def mark(self) -> None: ...

    def is_due(self, now: datetime) -> bool:
        return False

    def duty_of(self, session_id: UUID) -> None:
        return None

    def delivered(self, duty_id: UUID | None, energy_wh: float) -> None: ...

    def situation(
        self, now: datetime, setup: SiteSetup, sessions: Sequence[LiveSession]
    ) -> Situation:
        return Situation(now, setup, sessions, (), {})


class NoWatching:
    async def start(self, setup: SiteSetup) -> None: ...

    def sample(self, view: object, now: datetime) -> None: ...

    async def alert(self, *args: object) -> None: ...

    def stopped_early(self, duty_id: UUID | None, reason: str | None) -> None: ...


class Rig:
    """A depot of single-outlet chargers on two feeders, its links, sessions and controllers."""

    def __init__(
        self,
        clock: Clock,
        *,
        chargers: int = 6,
        root: Sequence[NodeLimit] = (NodeLimit(power_w=300_000.0),),
        feeder_w: float = 250_000.0,
        evse_w: float = 150_000.0,
        seed: int = 0,
        quirks: Quirks | None = None,
        current: CurrentType = CurrentType.DC,
        control: ControlSettings | None = None,
    ) -> None:
        self.clock = clock
        self.chance = Random(seed)
        self.bus = Bus()
        self.ledger = MemoryLedger(clock)
        self.control = control or ControlSettings()
        self.setup_now = _setup(chargers, root, feeder_w, evse_w, quirks or Quirks(), current)
        self.truth = Truth(self.setup_now.tree, clock)
        self.chargers = [
            Charger(evse, clock, Random(f"{seed}:{evse.number}:{index}"), self.truth)
            for index, evse in enumerate(self.setup_now.evses)
        ]
        self.truth.watch(self.chargers)
        self.sessions: dict[UUID, LiveSession] = {}
        self.controller: SiteController | None = None
        self._loop: asyncio.Task[None] | None = None
        self._count = 0

    # the views a controller asks for

    def link(self, station: UUID) -> Link | None:
        return next((c.link for c in self.chargers if c.evse.station_id == station), None)

    def running(self, site_id: UUID) -> Sequence[LiveSession]:
        return list(self.sessions.values())

    async def setup(self, site_id: UUID) -> SiteSetup:
        return self.setup_now

    # what happens

    async def start(self) -> SiteController:
        parts = Parts(self.ledger, self.bus, self.clock, self, self, self)
        self.controller = SiteController(SITE, parts, NoPlan(), NoWatching(), self.control)
        await self.controller.start()
        self._loop = asyncio.get_running_loop().create_task(self.controller.run())
        return self.controller

    async def crash(self) -> None:
        """The process dies: connections break, nothing is tidied up."""
        assert self._loop is not None
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        for charger in self.chargers:
            if charger.link is not None:
                charger.link.drop()
        self.controller = None

    def connect(self, charger: Charger) -> None:
        station = next(s for s in self.setup_now.stations if s.id == charger.evse.station_id)
        if charger.link is not None:
            charger.link.drop()
        charger.link = Link(charger, station)

    async def boot(self, charger: Charger, *, forgets: bool = True) -> tuple[Verdict, float]:
        """It restarts and asks until it is accepted: the verdict, and how many seconds it took."""
        assert self.controller is not None
        if forgets:
            charger.default_w = charger.live = charger.dynamic = None
        began = self.clock.now()
        self.connect(charger)
        while True:
            charger.asked_to_boot.clear()
            self.controller.rebooted(charger.evse.station_id)
            verdict = self.controller.boot_verdict(charger.evse.station_id)
            if verdict is not Verdict.WAIT:
                return verdict, (self.clock.now() - began).total_seconds()
            with suppress(TimeoutError):
                async with self.clock.timeout(10.0):
                    await charger.asked_to_boot.wait()

    def connect_all(self) -> None:
        for charger in self.chargers:
            self.connect(charger)

    def plug_in(self, charger: Charger, *, told: bool = True) -> None:
        """A vehicle begins; the CMS hears of it unless the charger is offline."""
        self._count += 1
        charger.transaction = f"tx{self._count}"
        self.truth.check()
        if told and charger.link is not None:
            self.tell(charger)

    def tell(self, charger: Charger) -> None:
        """The CMS learns what runs at a charger now."""
        known = self.sessions.get(charger.evse.id)
        if charger.transaction is None:
            self.sessions.pop(charger.evse.id, None)
        elif known is None or known.transaction_ref != charger.transaction:
            number = int(charger.transaction.removeprefix("tx"))
            self.sessions[charger.evse.id] = LiveSession(
                session_id=UUID(int=5000 + number),
                station_id=charger.evse.station_id,
                evse_id=charger.evse.id,
                transaction_ref=charger.transaction,
                started_at=self.clock.now(),
            )

    def unplug(self, charger: Charger) -> None:
        charger.transaction = None
        charger.live = charger.dynamic = None
        self.truth.check()
        if charger.link is not None:
            self.sessions.pop(charger.evse.id, None)

    def meter(self) -> None:
        """Every connected charger reports what it draws."""
        assert self.controller is not None
        for charger in self.chargers:
            if charger.link is not None and charger.transaction is not None:
                self.controller.measured(charger.evse.id, charger.power_w(), self.clock.now())

    async def wait(self, seconds: float) -> None:
        """Let time pass; the truth is checked all the while."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < until:
            await self.clock.sleep(2.0)
            self.truth.check()

    def power_w(self) -> float:
        return sum(charger.power_w() for charger in self.chargers)


def _setup(
    count: int,
    root: Sequence[NodeLimit],
    feeder_w: float,
    evse_w: float,
    quirks: Quirks,
    current: CurrentType,
) -> SiteSetup:
    site = Site(SITE, ORG, "Depot", "Europe/Berlin")
    nodes = [Node(ROOT, NodeKind.GRID, "grid", None, tuple(root))]
    nodes += [
        Node(feeder_id(i), NodeKind.FEEDER, f"feeder {i}", ROOT, (NodeLimit(power_w=feeder_w),))
        for i in range(2)
    ]
    evses = [_evse(number, evse_w, current) for number in range(count)]
    nodes += [
        Node(
            UUID(int=3000 + number),
            NodeKind.EVSE,
            f"outlet {number}",
            feeder_id(number % 2),
            (),
            evse.id,
        )
        for number, evse in enumerate(evses)
    ]
    stations = [
        Station(station_id(number), ORG, SITE, f"CP{number}", StationState.APPROVED, quirks=quirks)
        for number in range(count)
    ]
    return SiteSetup(site, tree.build(nodes, site.zone), tuple(stations), tuple(evses))


def _evse(number: int, power_w: float, current: CurrentType) -> Evse:
    made = Evse(evse_id(number), ORG, SITE, station_id(number), 1, f"outlet {number}")
    return replace(made, max_power_w=power_w, current_type=current)
