"""The whole house with one charger on a cable in memory, and a clock that is moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.protocol.rig import Pipe, PipeClosed
from voltyard.app import Core, build_core
from voltyard.billing.commands import NewAssignment
from voltyard.billing.model import Component, Kind, Price, Target, Tariff, TaxRate, Terms, When
from voltyard.billing.ports import Checkout, Receipt
from voltyard.chargers.model import Station
from voltyard.config import Settings
from voltyard.errors import VoltyardError
from voltyard.ocpp.memory import MemoryServer
from voltyard.sessions.model import Session
from voltyard.sites.commands import SiteDraft
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Principal, Role
from voltyard.tenancy.service import NewUser

START = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
VAT = (TaxRate("VAT", Decimal(19)),)


class HandClock:
    """Stands still until it is moved; sleeping lets others run."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return (self._now - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(seconds)

    def at(self, minutes: float) -> str:
        """Go forward to so many minutes after the start; that instant as chargers write it."""
        at = START + timedelta(minutes=minutes)
        self._now = max(self._now, at)
        return f"{at:%Y-%m-%dT%H:%M:%SZ}"


Say = Callable[[str, dict[str, Any]], dict[str, Any] | str]


@dataclass
class Charger:
    """Speaks plain OCPP; answers every call by ``say``, an error code being a text."""

    pipe: Pipe
    say: Say
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    count: int = 0

    async def run(self) -> None:
        while True:
            try:
                message = await self.pipe.hear()
            except PipeClosed:
                return
            if message[0] == 2:
                self.heard.append((message[2], message[3]))
                told = self.say(message[2], message[3])
                failed = isinstance(told, str)
                self.pipe.say([4, message[1], told, "", {}] if failed else [3, message[1], told])
            else:
                self.answers.pop(message[1]).set_result(message[2:])

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        key = f"m{self.count}"
        future = self.answers[key] = asyncio.get_running_loop().create_future()
        self.pipe.say([2, key, action, payload])
        async with asyncio.timeout(20):
            (answer, *_) = await future
        assert isinstance(answer, dict), answer
        return answer

    def asked(self, action: str) -> list[dict[str, Any]]:
        return [payload for heard, payload in self.heard if heard == action]


class FakeProvider:
    """A payment provider that does as it is told, and remembers."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, Decimal | None]] = []
        self.refuses = False

    async def begin(
        self, amount: Decimal, currency: str, reference: str, return_url: str
    ) -> Checkout:
        self.done.append(("begin", currency, amount))
        return Checkout(f"https://psp.example/{reference}", "psp-web-1")

    async def capture(self, psp_ref: str, amount: Decimal, currency: str) -> Receipt:
        if self.refuses:
            raise VoltyardError("The card was refused.", code="payment_failed")
        self.done.append(("capture", psp_ref, amount))
        return Receipt("R1", "https://psp.example/r/1")

    async def cancel(self, psp_ref: str) -> None:
        self.done.append(("cancel", psp_ref, None))


def accepts(action: str, payload: dict[str, Any]) -> dict[str, Any] | str:
    """A charger with a display that knows tariffs."""
    if action == "GetVariables":
        return {"getVariableResult": [_variable(item, {}) for item in payload["getVariableData"]]}
    if action == "SetVariables":
        return {
            "setVariableResult": [
                {"attributeStatus": "Accepted", **_named(item)}
                for item in payload["setVariableData"]
            ]
        }
    if action == "CostUpdated":
        return {}
    return {"status": "Accepted"}


def knowing(**values: str) -> Say:
    """The same, with these values of variables by name, such as ``Enabled_Tariff``."""

    def say(action: str, payload: dict[str, Any]) -> dict[str, Any] | str:
        if action != "GetVariables":
            return accepts(action, payload)
        return {
            "getVariableResult": [_variable(item, values) for item in payload["getVariableData"]]
        }

    return say


SHOWS = {"Available_Tariff": "true", "Enabled_Cost": "true"}
RECKONS = {**SHOWS, "Enabled_Tariff": "true"}


def _named(item: dict[str, Any]) -> dict[str, Any]:
    return {"component": item["component"], "variable": item["variable"]}


def _variable(item: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    variable = item["variable"]
    name = "_".join(filter(None, (variable["name"], variable.get("instance"))))
    if item["component"]["name"] == "TariffCostCtrlr" and name in values:
        return {"attributeStatus": "Accepted", "attributeValue": values[name], **_named(item)}
    return {"attributeStatus": "UnknownVariable", **_named(item)}


@dataclass
class Yard:
    core: Core
    who: Principal
    site_id: UUID
    clock: HandClock
    server: MemoryServer
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def charger(
        self, version: str = "ocpp2.0.1", say: Say = accepts, identity: str = "CP1"
    ) -> AsyncIterator[Charger]:
        pipe = Pipe()
        charger = Charger(pipe, say)
        running = asyncio.get_running_loop().create_task(charger.run())
        await self.server.accept(identity, [version], None, pipe)
        boot: dict[str, Any] = {"chargePointVendor": "V", "chargePointModel": "M"}
        if version != "ocpp1.6":
            boot = {"chargingStation": {"vendorName": "V", "model": "M"}, "reason": "PowerUp"}
        assert (await charger.call("BootNotification", boot))["status"] == "Accepted"
        yield charger
        pipe.cut()
        await running

    def station(self, identity: str = "CP1") -> Station:
        return next(each for each in self.core.chargers.all_stations() if each.identity == identity)

    async def tariff(
        self, *parts: Component, name: str = "Day", target: Target = Target.ORGANISATION,
        ref: str = "", currency: str = "EUR", **terms: Any,
    ) -> Tariff:  # fmt: skip
        """A tariff that is for somebody."""
        made = await self.core.billing.create(self.who, name, Terms(currency, parts, **terms))
        await self.core.billing.assign(self.who, NewAssignment(made.id, target, ref))
        return made

    async def only(self) -> Session:
        page = await self.core.sessions.page(self.who.org_id)
        (session,) = page.sessions
        return session

    async def told_all(self) -> None:
        """Chargers were told what they had to be."""
        for _ in range(3):
            await self.core.billing.devices.tick()

    def event(
        self, kind: str, seq_no: int, minute: float, wh: float | None = None, **more: Any
    ) -> dict[str, Any]:
        """A TransactionEvent of tx-1 on outlet 1."""
        at = self.clock.at(minute)
        info = {"transactionId": "tx-1", **more.pop("info", {})}
        found: dict[str, Any] = {
            "eventType": kind, "timestamp": at, "seqNo": seq_no, "triggerReason": "Authorized",
            "transactionInfo": info, "evse": {"id": 1, "connectorId": 1}, **more,
        }  # fmt: skip
        if wh is not None:
            found["meterValue"] = [{"timestamp": at, "sampledValue": [{"value": wh}]}]
        return found


@asynccontextmanager
async def open_yard(database: PostgresDatabase) -> AsyncIterator[Yard]:
    clock = HandClock()
    settings = Settings(allow_no_password=True, auto_approve=True)
    core = build_core(settings, database, clock, holder="test", inline=True)
    admin = NewUser("ada@example.org", "Ada", Role.ADMIN, "seven buses at dawn")
    organisation, _ = await core.tenancy.create_organisation("Depot", admin)
    who = system_principal(organisation.id)
    site = await core.sites.create_site(who, SiteDraft("Nord", timezone="Europe/Berlin"))
    await core.chargers.load()
    await core.sessions.load()
    await core.billing.load()
    core.spawn(core.commits.run(), "commits")
    server = MemoryServer(core.chargers, core.sessions, clock)
    yield Yard(core, who, site.id, clock, server)
    await server.close()
    core.crash()


def energy(amount: str, *more: Price) -> Component:
    return Component(Kind.ENERGY, (*more, Price(Decimal(amount))), VAT)


def idle(amount: str, after_minutes: int = 0) -> Component:
    return Component(
        Kind.IDLE_TIME, (Price(Decimal(amount), When(after_minutes=after_minutes)),), VAT
    )


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def rfid(value: str, kind: str = "ISO14443") -> dict[str, Any]:
    return {"idToken": value, "type": kind}
