"""A simulated charger: plugs, authorisation, transactions and commands, alike in both versions.

What goes over the wire is a ``Dialect``'s business, what flows is the ``PowerStage``'s, and how
messages reach the server is the ``Uplink``'s.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Protocol

from voltyard.clock import Clock, seeded
from voltyard.errors import Conflict, NotFound
from voltyard.simulator import ordeals
from voltyard.simulator.courier import Courier
from voltyard.simulator.evse import Evse, Sample, StationSpec, StopReason, Token, Transaction
from voltyard.simulator.faults import FaultPlan, Mischief
from voltyard.simulator.link import Link
from voltyard.simulator.power import PowerStage
from voltyard.simulator.profiles import Profile, ProfileStore
from voltyard.simulator.rpc import CallFailed, CallTimeout, Payload, Reply
from voltyard.simulator.serving import Serving
from voltyard.simulator.settings import ChargerSettings
from voltyard.simulator.tokens import TokenMemory
from voltyard.simulator.upkeep import Upkeep
from voltyard.simulator.uplink import Offline, Uplink
from voltyard.simulator.vehicle import Battery

_LONGEST_RETRY_S = 900.0
_IDLE_POLL_S = 600.0


class Dialect(Protocol):
    """One OCPP version's messages."""

    subprotocol: str

    def boot_payload(self, reason: str) -> Payload: ...

    def handle(self, action: str, payload: Payload) -> Reply:
        """Raises ``rpc.Refusal`` for a CALLERROR."""

    async def authorise(self, token: Token) -> bool:
        """Raises ``Offline``, ``CallFailed`` or ``CallTimeout``."""

    def report_status(self, evse: Evse | None) -> None:
        """Send the state of an EVSE (None: of the station) if the server was not told it yet."""

    def started(self, evse: Evse, transaction: Transaction) -> None: ...

    def stopped(self, evse: Evse, transaction: Transaction, reason: StopReason) -> None: ...

    def sampled(self, evse: Evse, why: Sample) -> None: ...

    def reservation_over(self, number: int, word: str) -> None:
        """``word``: Expired or Removed."""


class Charger:
    """One station. ``run`` is its life; the other methods are what people and the server do.

    ``observe(identity, "in" | "out", text)`` sees every frame.
    """

    def __init__(
        self,
        spec: StationSpec,
        dialect: Callable[["Charger"], Dialect],
        link: Link,
        clock: Clock,
        *,
        seed: int = 0,
        plan: FaultPlan | None = None,
        settings: ChargerSettings | None = None,
        observe: Callable[[str, str, str], None] | None = None,
        courier: Courier | None = None,
    ) -> None:
        self.spec = spec
        self.firmware = spec.firmware
        self.clock = clock
        self.plan = plan or FaultPlan()
        self.settings = settings or ChargerSettings()
        self.mischief = Mischief(seeded(seed, "mischief", spec.identity))
        self.rng = seeded(seed, "charger", spec.identity)
        self.profiles = ProfileStore(one_default_level=spec.protocol != "ocpp1.6")
        self.evses = [Evse(evse) for evse in spec.evses]
        self.stage = PowerStage(
            spec, self.evses, self.profiles, clock, self.mischief, self.report_all, self.spawn
        )
        self.serving = Serving(self)
        self.upkeep = Upkeep(self, courier)
        self.tokens = TokenMemory(self)
        self.dialect = dialect(self)
        self.uplink = Uplink(
            spec.identity,
            link,
            clock,
            self,
            self.mischief,
            seeded(seed, "uplink", spec.identity),
            basic_auth=None if spec.password is None else (spec.identity, spec.password),
            observe=observe,
            boots_on_reconnect=self.plan.quirks.boots_on_reconnect,
            message_ids_restart=self.plan.quirks.message_ids_restart,
        )
        self.operative = True
        self.trusts_profiles = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed = asyncio.Event()
        self._failures: list[BaseException] = []

    # What the test harness reads.

    def evse(self, number: int) -> Evse:
        """Raises ``NotFound``."""
        for evse in self.evses:
            if evse.spec.number == number:
                return evse
        raise NotFound(f"station {self.spec.identity} has no EVSE {number}")

    def power_w(self, number: int) -> float:
        """The power that really flows now."""
        return self.evse(number).power_w

    def energy_wh(self, number: int) -> float:
        """The true meter register, up to now."""
        self.stage.settle()
        return self.evse(number).energy_wh

    def soc_pct(self, number: int) -> float | None:
        """The true state of charge of what is plugged in."""
        self.stage.settle()
        battery = self.evse(number).battery
        return None if battery is None else battery.soc_pct

    # Its life.

    @property
    def subprotocol(self) -> str:
        return self.dialect.subprotocol

    async def run(self) -> None:
        """Connect and stay connected until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.uplink.run())
                group.create_task(self._clock_aligned())
                group.create_task(self._fail_with_a_task())
                for fault in self.plan.faults:
                    group.create_task(ordeals.suffer(self, fault))
        finally:
            self.stage.stop()
            for task in self._tasks:
                task.cancel()

    def boot_payload(self, reason: str) -> Payload:
        return self.dialect.boot_payload(reason)

    def handle(self, action: str, payload: Payload) -> Reply:
        return self.dialect.handle(action, payload)

    def accepted(self, *, booted: bool) -> None:
        self.profiles.connected(self.stage.device_now())
        if self.profiles.mind_absence:
            self.stage.update()
        self.forget_reported()
        self.report_all()

    def link_lost(self) -> None:
        if self.profiles.away_since is None:
            self.profiles.away_since = self.stage.device_now()
            if self.profiles.mind_absence:
                self.stage.update()

    def forget_reported(self) -> None:
        """Every status is reported anew."""
        for evse in self.evses:
            evse.reported = None
        self.dialect.report_status(None)

    # What people do at it.

    def plug_in(self, number: int, battery: Battery, token: Token | None = None) -> None:
        """Raises ``Conflict`` when something is plugged in already."""
        evse = self.evse(number)
        if evse.battery is not None:
            raise Conflict(f"{self.spec.identity}/{number} is occupied")
        self.stage.settle()
        evse.battery, evse.token, evse.finished = battery, token, False
        evse.stale_soc_pct = None
        self.stage.update()
        if evse.awaited is not None:
            self.begin(
                evse,
                evse.awaited,
                remote=True,
                remote_id=evse.awaited_remote_id,
                profile=evse.awaited_profile,
            )
        elif evse.token is not None:
            self.spawn(self.seek(evse, evse.token))

    def swipe(self, number: int, token: Token) -> None:
        """A card is shown: starts, or stops what it or another of its group started."""
        evse = self.evse(number)
        if evse.transaction is not None:
            if evse.transaction.token == token:
                self.end(evse, StopReason.LOCAL)
            else:
                self.spawn(self._stop_by_group(evse, evse.transaction, token))
        elif evse.battery is not None:
            evse.token = token
            self.spawn(self.seek(evse, token))

    async def _stop_by_group(self, evse: Evse, transaction: Transaction, token: Token) -> None:
        """Another card: the server says which group it is of (1.6 §4.2.2, 2.0.1 C09)."""
        allowed = await self.allowed(token)
        same = self.tokens.one_group(transaction.token, token)
        if allowed and same and evse.transaction is transaction:
            transaction.stopped_by = token
            self.end(evse, StopReason.LOCAL)

    def unplug(self, number: int) -> None:
        evse = self.evse(number)
        if evse.transaction is not None:
            self.end(evse, StopReason.EV_DISCONNECTED)
        self.stage.settle()
        evse.battery = evse.token = evse.stale_soc_pct = None
        evse.finished, evse.allowed = False, ()
        self.stage.update()

    # Transactions.

    def begin(
        self,
        evse: Evse,
        token: Token,
        *,
        remote: bool = False,
        remote_id: int | None = None,
        profile: Profile | None = None,
    ) -> None:
        """Start a transaction on a plugged-in EVSE; power flows under the default profile."""
        evse.awaited = evse.awaited_remote_id = evse.awaited_profile = None
        evse.finished = False
        self.stage.settle()
        transaction = Transaction(
            token,
            self.stage.device_now(),
            evse.energy_wh,
            remote=remote,
            remote_start_id=remote_id,
            reservation=self.tokens.use(evse, token),
        )
        evse.transaction = transaction
        evse.transactions_begun += 1
        if profile is not None:
            self.profiles.install(profile)
        self.dialect.started(evse, transaction)
        self.stage.update()
        self.spawn(self._samples(evse, transaction))

    def end(self, evse: Evse, reason: StopReason) -> None:
        transaction = evse.transaction
        if transaction is None:
            return
        transaction.stopping = True
        evse.finished = True
        self.stage.update()
        self.dialect.stopped(evse, transaction, reason)
        evse.transaction = None
        if reason in (StopReason.REMOTE, StopReason.UNLOCK):
            evse.token = None  # only a new token starts it again
        self.profiles.end_transaction(evse.spec.number)
        if evse.becomes_inoperative:
            evse.becomes_inoperative, evse.operative = False, False
        self.stage.update()

    def deauthorise(self, evse: Evse, transaction: Transaction) -> None:
        """The server did not accept the token of a running transaction."""
        if evse.transaction is transaction and self.settings.stop_on_invalid:
            self.end(evse, StopReason.DEAUTHORISED)
            if evse.token is not None:
                self.spawn(self.seek(evse, evse.token, self.settings.retry_authorise_s))

    def by_transaction(self, ref: str) -> Evse | None:
        for evse in self.evses:
            if evse.transaction is not None and evse.transaction.ref == ref:
                return evse
        return None

    def told_soc_pct(self, evse: Evse) -> float | None:
        """The state of charge as it is told; only direct current knows it."""
        if evse.battery is None or not evse.spec.direct_current:
            return None
        soc_pct = evse.battery.soc_pct
        if self.mischief.stale_soc:
            if evse.stale_soc_pct is None:
                evse.stale_soc_pct = soc_pct
            soc_pct = evse.stale_soc_pct
        else:
            evse.stale_soc_pct = None
        return round(soc_pct, 1)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that lives no longer than the charger."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failures.append(error)
            self._failed.set()

    async def _fail_with_a_task(self) -> None:
        """An error in any of its tasks is an error of the simulator: it must not pass unseen."""
        await self._failed.wait()
        raise self._failures[0]

    # Inside.

    def report_all(self) -> None:
        if self.stage.dead:
            return
        self.tokens.drop_out_of_order()
        for evse in self.evses:
            self.dialect.report_status(evse)

    async def seek(self, evse: Evse, token: Token, first_s: float = 0.0) -> None:
        """Ask until the token is accepted or its owner is gone."""
        await self.clock.sleep(first_s)
        battery, wait_s = evse.battery, float(self.settings.retry_authorise_s)
        while battery is not None and evse.battery is battery and evse.token == token:
            if evse.transaction is not None:
                return
            usable = evse.operative and not evse.faulted and not self.stage.dead
            usable = usable and not self.tokens.keeps_away(evse, token)
            if usable and not self.uplink.admitted:
                await self.uplink.until_admitted()
                continue
            if usable and await self.allowed(token):
                if evse.battery is battery and evse.transaction is None:
                    self.begin(evse, token)
                return
            await self.clock.sleep(wait_s)
            wait_s = min(wait_s * 2.0, _LONGEST_RETRY_S) if usable else wait_s

    async def allowed(self, token: Token) -> bool:
        """Online the server decides; offline the local list, the cache and the policy do.

        A charger that was never accepted, or is told to wait, lets nobody charge (B02).
        """
        if not self.uplink.admitted:
            return False
        try:
            return await self.dialect.authorise(token)
        except (Offline, CallTimeout):
            return self.trusts_profiles and self.tokens.offline(token)
        except CallFailed:
            return False

    async def _samples(self, evse: Evse, transaction: Transaction) -> None:
        while evse.transaction is transaction:
            await self.clock.sleep(self.settings.sample_s or _IDLE_POLL_S)
            if evse.transaction is transaction and self.settings.sample_s and not self.stage.dead:
                self.stage.settle()
                self.dialect.sampled(evse, Sample.PERIODIC)

    async def _clock_aligned(self) -> None:
        """Samples of every EVSE at multiples of the interval of the day."""
        while True:
            interval_s = self.settings.aligned_s
            if interval_s == 0:
                await self.clock.sleep(_IDLE_POLL_S)
                continue
            await self.clock.sleep(
                interval_s - _second_of_day(self.stage.device_now()) % interval_s
            )
            if self.settings.aligned_s == interval_s and not self.stage.dead:
                self.stage.settle()
                for evse in self.evses:
                    self.dialect.sampled(evse, Sample.CLOCK)


def _second_of_day(at: datetime) -> float:
    return at.hour * 3600.0 + at.minute * 60.0 + at.second + at.microsecond / 1e6
