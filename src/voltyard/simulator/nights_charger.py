"""Chargers of random depots: they answer late, wrongly or never, forget, lie; and their links."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from voltyard.chargers.commands import (
    Command,
    CommandResult,
    CommandStatus,
    LimitPurpose,
    ReadAbilities,
    ReadCompositeSchedule,
    RemoteStop,
    SchedulePeriod,
    SetAvailability,
    SetLimit,
    Trigger,
    UpdateLimit,
)
from voltyard.chargers.model import Abilities, Evse, PowerMode, Station, StationRef
from voltyard.clock import Clock
from voltyard.errors import ChargerOffline, ChargerRefused, ChargerTimeout


@dataclass(frozen=True, slots=True)
class Mood:
    """How a charger behaves; shares of its frames, from 0 to 1, taken one after the other.

    ``lose``: the frame never arrives. ``late``: it is obeyed after the sender gave up. ``refuse``:
    it is answered with no. ``mute``: it is obeyed and the answer is lost.
    """

    delay_s: tuple[float, float] = (0.05, 2.0)
    lose: float = 0.0
    late: float = 0.0
    refuse: float = 0.0
    mute: float = 0.0

    @property
    def is_sound(self) -> bool:
        return self.lose + self.late + self.refuse + self.mute <= 0.0


class Watcher(Protocol):
    """Told whenever something that may flow has changed."""

    def check(self) -> None: ...


@dataclass(slots=True)
class Outlet:
    """One outlet that obeys OCPP: a live limit over a default over its hardware."""

    evse: Evse
    clock: Clock
    abilities: Abilities
    default_w: float | None = None
    live: tuple[str, float, datetime] | None = None
    """Of which transaction ("" of any), how much, until when."""
    dynamic: tuple[int, int, PowerMode] | None = None
    """The profile that may be updated: its id, how long an update lasts, its mode."""
    setpoint_w: float = 0.0
    transaction: str | None = None
    wants_w: float = 1e9
    operative: bool = True
    lies_since: datetime | None = None

    def allowed_w(self) -> float:
        """By the limits it holds. Limits lapse by themselves."""
        live = self.live
        if live is not None and live[0] in ("", self.transaction) and self.clock.now() < live[2]:
            return min(live[1], self.evse.max_power_w)
        default_w = self.evse.max_power_w if self.default_w is None else self.default_w
        return min(default_w, self.evse.max_power_w)

    def power_w(self) -> float:
        """What it draws. What flows back counts as nothing."""
        if self.transaction is None or not self.operative:
            return 0.0
        most_w = self.evse.max_power_w if self.lies_since is not None else self.allowed_w()
        return min(self.wants_w, most_w)

    def obedient_w(self) -> float:
        """What it would draw if it did not lie."""
        return min(self.power_w(), self.allowed_w())

    def flows_w(self) -> float:
        """Below 0: back into the grid."""
        live = self.live
        holds = live is not None and live[0] == self.transaction and self.clock.now() < live[2]
        if holds and self.transaction is not None and self.setpoint_w < 0.0:
            return self.setpoint_w
        return self.power_w()

    def forget(self) -> None:
        """Limits are lost in a restart."""
        self.default_w = self.live = self.dynamic = None

    def stop(self) -> None:
        self.transaction = self.dynamic = self.lies_since = None
        if self.live is not None and self.live[0]:
            self.live = None

    def set(self, command: SetLimit) -> bool:
        limit_w = command.limit_w
        if limit_w is None:
            assert command.limit_a is not None
            limit_w = command.limit_a * self.evse.phases * self.evse.voltage_v
        if command.purpose is LimitPurpose.TX_DEFAULT and command.valid_s is None:
            self.default_w = limit_w
            return True
        if command.purpose is LimitPurpose.TX and (
            self.transaction is None or command.transaction_ref != self.transaction
        ):
            return False
        assert command.valid_s is not None
        since, self.dynamic = command.start_at, None
        if command.dynamic is not None:
            self.dynamic = (command.profile_id, command.valid_s, command.mode)
            since = self.clock.now()
        assert since is not None
        self._hold(limit_w, since + timedelta(seconds=command.valid_s), command)
        return True

    def _hold(self, limit_w: float, until: datetime, command: SetLimit | UpdateLimit) -> None:
        plain = command.mode is PowerMode.LIMIT
        self.setpoint_w = 0.0 if plain else limit_w
        bound = not isinstance(command, SetLimit) or command.purpose is LimitPurpose.TX
        reference = self.transaction if bound else ""
        self.live = (reference or "", limit_w if plain else 0.0, until)

    def update(self, command: UpdateLimit) -> bool:
        """It lasts from when it is taken (OCPP 2.1 K28)."""
        if self.dynamic is None or self.dynamic[0] != command.profile_id or self.live is None:
            return False
        if command.mode is not self.dynamic[2] or self.transaction is None:
            return False
        limit_w = command.limit_w
        if limit_w is None:
            assert command.limit_a is not None
            limit_w = command.limit_a * self.evse.phases * self.evse.voltage_v
        self._hold(limit_w, self.clock.now() + timedelta(seconds=self.dynamic[1]), command)
        return True


@dataclass(slots=True)
class Charger:
    """A station with its outlets, one connection for all of them."""

    station: Station
    outlets: list[Outlet]
    clock: Clock
    chance: Random
    watcher: Watcher
    mood: Mood = field(default_factory=Mood)
    link: "Link | None" = None
    boots: bool = False
    """Between its restart and being accepted: it begins nothing."""
    asked_to_boot: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def version(self) -> str:
        return "2.1" if any(outlet.abilities.dynamic for outlet in self.outlets) else "2.0.1"

    def outlet(self, number: int) -> Outlet:
        return next(outlet for outlet in self.outlets if outlet.evse.number == number)

    def obey(self, command: Command) -> CommandResult:
        """What the standard asks for; unknown commands are not supported."""
        match command:
            case SetLimit() if not self.outlet(command.evse_number).set(command):
                return CommandResult(CommandStatus.REJECTED, "Rejected")
            case SetLimit():
                pass
            case UpdateLimit():
                if not any(outlet.update(command) for outlet in self.outlets):
                    return CommandResult(CommandStatus.REJECTED, "Rejected")
            case ReadAbilities():
                able = self.outlet(command.evse_number).abilities
                return CommandResult(CommandStatus.ACCEPTED, "", {"abilities": able})
            case ReadCompositeSchedule():
                return self._composite(self.outlet(command.evse_number))
            case RemoteStop():
                for outlet in self.outlets:
                    if outlet.transaction == command.transaction_ref:
                        outlet.stop()
            case SetAvailability():
                self.outlet(command.evse_number).operative = command.operative
            case Trigger(message="boot"):
                self.asked_to_boot.set()
            case _:
                return CommandResult(CommandStatus.NOT_SUPPORTED, "NotSupported")
        self.watcher.check()
        return CommandResult(CommandStatus.ACCEPTED, "Accepted")

    def _composite(self, outlet: Outlet) -> CommandResult:
        default_w = outlet.evse.max_power_w if outlet.default_w is None else outlet.default_w
        detail = {"unit": "W", "periods": (SchedulePeriod(0, default_w),)}
        return CommandResult(CommandStatus.ACCEPTED, "Accepted", detail)


class Link:
    """One connection. Frames are obeyed in order; none is obeyed once the connection is gone."""

    def __init__(self, charger: Charger) -> None:
        self.version = charger.version
        self.charger = charger
        self.station: StationRef = charger.station.ref
        self.open = True
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        if not self.open:
            raise ChargerOffline("not connected")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[CommandResult] = loop.create_future()
        task = loop.create_task(self._carry(command, answer, timeout_s))
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
            if roll < mood.lose + mood.late:
                await charger.clock.sleep(timeout_s + charger.chance.uniform(0.0, 10.0))
            if not self.open:
                _fail(answer, ChargerOffline("lost"))
                return
            roll -= mood.lose + mood.late
            if 0.0 <= roll < mood.refuse:
                _fail(answer, ChargerRefused("no"))
                return
            result = charger.obey(command)
        if not 0.0 <= roll - mood.refuse < mood.mute and not answer.done():
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
