"""A vehicle with ISO 15118 on a whole yard, over real sockets: needs and schedules."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.interop.depot import GRID_W, Depot, depot
from tests.interop.house import PASSWORD, TOKEN
from voltyard.chargers.commands import RemoteStart
from voltyard.energy.events import PlanMade
from voltyard.errors import Conflict, Invalid
from voltyard.sessions.model import IdToken, Urgency

SPEED = 5.0
"""The yard waits between boot, plan and limit; the chargers here have nothing to wait for."""


@dataclass
class Station:
    """Takes every limit; keeps those of transactions."""

    socket: ClientConnection
    answers: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    limits: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    priorities: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    starts: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    count: int = 0
    asked_to_boot: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        async for text in self.socket:
            message = json.loads(text)
            if message[0] == 3:
                self.answers.pop(message[1]).set_result(message[2])
            elif message[0] == 2:
                await self._asked(*message[1:])

    async def _asked(self, message_id: str, action: str, payload: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"status": "Accepted"}
        if action == "GetCompositeSchedule":
            answer = {"status": "Rejected"}
        elif action == "SetVariables":
            answer = {"setVariableResult": [_set(item) for item in payload["setVariableData"]]}
        elif action == "GetVariables":
            answer = {"getVariableResult": [_got(item) for item in payload["getVariableData"]]}
        await self.socket.send(json.dumps([3, message_id, answer]))
        if payload.get("requestedMessage") == "BootNotification":
            self.asked_to_boot.set()
        if action == "RequestStartTransaction":
            self.starts.put_nowait(payload)
        if action == "UsePriorityCharging":
            self.priorities.put_nowait(payload)
        profile = payload.get("chargingProfile", {})
        if action == "SetChargingProfile" and profile["chargingProfilePurpose"] == "TxProfile":
            self.limits.put_nowait(profile)

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        key = f"m{self.count}"
        future = self.answers[key] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps([2, key, action, payload]))
        async with asyncio.timeout(20):
            answer = await future
        assert isinstance(answer, dict)
        return answer

    async def limit(self) -> dict[str, Any]:
        """The next profile of its transaction."""
        async with asyncio.timeout(20):
            return await self.limits.get()


def _set(item: dict[str, Any]) -> dict[str, Any]:
    place = {key: item[key] for key in ("component", "variable")}
    return {"attributeStatus": "Accepted", **place}


def _got(item: dict[str, Any]) -> dict[str, Any]:
    return {"attributeStatus": "UnknownVariable", **item}


@asynccontextmanager
async def station(
    yard: Depot, identity: str, protocol: str, *, plugged: bool = True
) -> AsyncIterator[Station]:
    """Accepted; plugged in and authorised, transaction ``tx-1`` runs."""
    text = base64.b64encode(f"{identity}:{PASSWORD}".encode()).decode()
    async with connect(
        f"{yard.url}/{identity}",
        subprotocols=[Subprotocol(protocol)],
        additional_headers={"Authorization": f"Basic {text}"},
    ) as socket:
        made = Station(socket)
        running = asyncio.create_task(made.run())
        boot = {"chargingStation": {"vendorName": "V", "model": "M"}, "reason": "PowerUp"}
        try:
            async with asyncio.timeout(30):
                while (await made.call("BootNotification", boot))["status"] != "Accepted":
                    with suppress(TimeoutError):
                        await asyncio.wait_for(made.asked_to_boot.wait(), 4.0)
                    made.asked_to_boot.clear()
            if plugged:
                await made.call("TransactionEvent", started())
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def started() -> dict[str, Any]:
    return {
        "eventType": "Started",
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1", "chargingState": "EVConnected"},
        "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": TOKEN, "type": "ISO14443"},
    }


def needs(version: str) -> dict[str, Any]:
    leaves_at = datetime.now(UTC) + timedelta(hours=3)
    asked: dict[str, Any] = {
        "requestedEnergyTransfer": "AC_three_phase",
        "departureTime": f"{leaves_at:%Y-%m-%dT%H:%M:%SZ}",
        "acChargingParameters": {
            "energyAmount": 15_000,
            "evMinCurrent": 6,
            "evMaxCurrent": 32,
            "evMaxVoltage": 230,
        },
    }
    if version == "ocpp2.1":
        del asked["acChargingParameters"]
        asked["v2xChargingParameters"] = {"maxChargePower": 22_000, "evTargetEnergyRequest": 15_000}
        asked["controlMode"] = "ScheduledControl"
    return {"evseId": 1, "maxScheduleTuples": 3, "chargingNeeds": asked}


def watts(profile: dict[str, Any]) -> float:
    [schedule] = profile["chargingSchedule"]
    [period] = schedule["chargingSchedulePeriod"]
    limit = float(period["limit"])
    return limit if schedule["chargingRateUnit"] == "W" else limit * 3 * 230


@pytest.mark.parametrize("version", ["ocpp2.0.1", "ocpp2.1"])
async def test_a_vehicle_tells_its_needs_and_gets_its_schedule(
    database_url: str, version: str
) -> None:
    """K15, K17, K18: told, kept, planned by, answered by a profile of the transaction."""
    async with depot(database_url, speed=SPEED) as yard:
        await yard.add("AC-1")
        async with station(yard, "AC-1", version) as charger:
            await charger.limit()
            answer = await charger.call("NotifyEVChargingNeeds", needs(version))
            assert answer == {"status": "Accepted"}
            profile = await charger.limit()
            assert profile["transactionId"] == "tx-1"
            assert watts(profile) <= GRID_W
            [session] = yard.core.sessions.open_sessions()
            assert session.needs is not None
            assert session.needs.energy_wh == 15_000
            assert session.site_id is not None
            await planned(yard)
            within = own_schedule(watts(profile))
            answer = await charger.call("NotifyEVChargingSchedule", within)
            assert answer == {"status": "Accepted"}
            above = own_schedule(22_000.0)
            answer = await charger.call("NotifyEVChargingSchedule", above)
            assert answer["status"] == "Rejected"
            assert "allowed" in answer["statusInfo"]["additionalInfo"]
        assert await kept(yard) == session.needs


def own_schedule(power_w: float) -> dict[str, Any]:
    period = {"startPeriod": 0, "limit": power_w}
    made = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [period]}
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"timeBase": now, "evseId": 1, "chargingSchedule": made}


async def planned(yard: Depot) -> None:
    """Until the plan has a stay made of what the vehicle asked for."""
    [session] = yard.core.sessions.open_sessions()
    assert session.site_id is not None
    planning = yard.core.energy.controller(session.site_id).planning
    made = asyncio.Event()

    async def told(event: PlanMade) -> None:
        made.set()

    yard.core.bus.subscribe(PlanMade, told, name="test.planned")
    async with asyncio.timeout(60):
        while planning.plan is None or session.id not in planning.plan.power_w:
            made.clear()
            await made.wait()


async def kept(yard: Depot) -> Any:
    """As the database has it."""
    page = await yard.core.sessions.page(yard.who.org_id)
    return page.sessions[0].needs


async def test_off_the_tree_no_schedule_is_made(database_url: str) -> None:
    async with depot(database_url, speed=SPEED) as yard:
        core, who = yard.core, yard.who
        await core.chargers.create_station(who, "AC-2", password=PASSWORD)
        async with station(yard, "AC-2", "ocpp2.1") as charger:
            answer = await charger.call("NotifyEVChargingNeeds", needs("ocpp2.1"))
            assert answer == {"status": "NoChargingProfile"}


async def test_priority_is_an_order_within_the_limits(database_url: str) -> None:
    """2.1 K21, K22: a charger's own profile may not stand above the limit; the wish counts."""
    async with depot(database_url, speed=SPEED) as yard:
        await yard.add("AC-1")
        async with station(yard, "AC-1", "ocpp2.1") as charger:
            await charger.limit()
            told = {"transactionId": "tx-1", "activated": True}
            assert await charger.call("NotifyPriorityCharging", told) == {}
            async with asyncio.timeout(20):
                stopped = await charger.priorities.get()
            assert stopped == {"transactionId": "tx-1", "activate": False}
            assert urgency(yard) is Urgency.DRIVER
            assert await charger.call("NotifyPriorityCharging", told | {"activated": False}) == {}
            assert urgency(yard) is Urgency.NONE
            [session] = yard.core.sessions.open_sessions()
            await yard.core.sessions.prioritise(yard.who, session.id, first=True)
            assert await charger.call("NotifyPriorityCharging", told | {"activated": False}) == {}
            await charger.call("NotifyEVChargingNeeds", needs("ocpp2.1"))
            assert urgency(yard) is Urgency.PERSON
            await yard.core.sessions.prioritise(yard.who, session.id, first=False)
            assert urgency(yard) is Urgency.NONE
        assert (await kept(yard)).urgency is Urgency.NONE


def urgency(yard: Depot) -> Urgency:
    [session] = yard.core.sessions.open_sessions()
    assert session.needs is not None
    return session.needs.urgency


async def test_a_start_with_a_limit(database_url: str) -> None:
    """K05: on the tree not above the fail-safe; the first grant takes its place."""
    async with depot(database_url, speed=SPEED) as yard:
        await yard.add("AC-1")
        async with station(yard, "AC-1", "ocpp2.0.1", plugged=False) as charger:
            core = yard.core
            [view] = core.chargers.list_stations(yard.who.org_id)
            start = RemoteStart(1, IdToken(TOKEN), 7, limit_w=50_000.0)
            with pytest.raises(Conflict, match="could lift a limit") as refused:
                await core.chargers.command(view.station.id, start, "test")
            assert refused.value.code == "limits_kept"
            asked = replace(start, limit_w=0.0)
            result = await core.chargers.command(view.station.id, asked, "test")
            assert result.accepted
            async with asyncio.timeout(20):
                request = await charger.starts.get()
            profile = request["chargingProfile"]
            assert profile["chargingProfilePurpose"] == "TxProfile"
            assert "transactionId" not in profile
            assert watts(profile) == 0.0
            await charger.call("TransactionEvent", started())
            granted = await charger.limit()
            assert (granted["id"], granted["stackLevel"]) == (profile["id"], profile["stackLevel"])
            assert granted["transactionId"] == "tx-1"
            with pytest.raises(Invalid):
                await core.chargers.command(
                    view.station.id, replace(asked, evse_number=None), "test"
                )
