"""A presystem that shares nothing with voltyard drives a night on a running server."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.interop.process import Program, program
from voltyard.app import first_organisation, rooms
from voltyard.clock import SystemClock
from voltyard.config import Settings
from voltyard.serving import Server, running
from voltyard.sessions.model import IdToken, MeterReading, Phase, TransactionReport
from voltyard.simulator import furnish
from voltyard.simulator.demo import demo_depot
from voltyard.tenancy.model import Principal
from voltyard.timetable.service import DutyFilter
from voltyard.timetable.vdv463.model import Presystem, State, Version

ME = "uri://Customer1/BMS1"
NOBODY = UUID(int=0)


class Client:
    """The presystem's process: what it is told to do, and what it tells, in order."""

    def __init__(self, told: Program) -> None:
        self.program = told
        self.seen = 0

    async def do(self, what: str, **details: Any) -> None:
        self.seen = len(self.program.told)
        await self.program.press(json.dumps({"do": what, **details}) + "\n")

    async def next(self, event: str, true: Callable[[Any], bool] = lambda fact: True) -> Any:
        """The first such thing since it was last told to do something."""

        def fits(fact: Any) -> bool:
            return bool(fact["event"] == event) and true(fact)

        await self.program.comes_to(lambda: any(map(fits, self.program.told[self.seen :])))
        return next(fact for fact in self.program.told[self.seen :] if fits(fact))

    async def open(self, **details: Any) -> Any:
        """Connected, accepted and informed for the first time: the information."""
        await self.do("connect", **details)
        await self.next("connected")
        await self.do("boot")
        await self.next("confirmation", lambda fact: fact["payload"] == {"status": "Accepted"})
        return (await self.next("information"))["payload"]

    async def request(self, *wishes: Any) -> Any:
        await self.do("requests", list=list(wishes))
        confirmed = await self.next("confirmation")
        assert confirmed["payload"] == {}

    @property
    def faults(self) -> list[Any]:
        return [fact for fact in self.program.told if fact.get("faults")]


@dataclass
class Night:
    server: Server
    who: Principal
    site_id: UUID

    @property
    def core(self) -> Any:
        return self.server.core

    @asynccontextmanager
    async def presystem(self, **settings: Any) -> AsyncIterator[tuple[Client, UUID]]:
        version = settings.get("version", Version.V11)
        if settings.pop("second", False):
            settings["allow_v2"], version = True, Version.V20
        path = f"night/{version.value}"
        draft = Presystem(NOBODY, NOBODY, path, "Night", period_s=5.0, **settings)
        view, password = await self.core.presystems.create(self.who, draft)
        url = f"ws://127.0.0.1:{self.server.http_port}/vdv463/{path}"
        command = (sys.executable, "-m", "tests.interop.presystem", url, path, password)
        async with program(*command, version.value, ME) as told:
            yield Client(told), view.presystem.id

    async def duties(self) -> list[Any]:
        found, _ = await self.core.timetable.find(self.who.org_id, DutyFilter())
        return [duty for duty in found if duty.source.startswith("vdv463:")]

    async def plug_in(self) -> str:
        """The first vehicle at the first outlet, at 40 %; its charging point's id."""
        view = self.core.chargers.list_stations(self.who.org_id)[0]
        vehicle = (await self.core.fleets.all(self.who.org_id))[0]
        tokens = await self.core.fleets.all_tokens(self.who.org_id)
        token = next(one for one in tokens if one.vehicle_id == vehicle.id)
        now = datetime.now(UTC)
        reading = MeterReading(now, 1_000.0, 90_000.0, 40.0)
        report = TransactionReport(
            Phase.STARTED, now, "start", evse_number=1, connector_number=1,
            id_token=IdToken(token.value), readings=(reading,),
        )  # fmt: skip
        ack = await self.core.sessions.report(view.station.ref, report)
        await self.core.sessions.meter(view.station.ref, 1, ack.transaction_ref, (reading,))
        return f"{view.station.identity}/1"


@pytest.fixture
async def night(database_url: str, tmp_path: Path) -> AsyncIterator[Night]:
    settings = Settings(data_dir=tmp_path, http_port=0, ocpp_port=0)
    async with running(settings, database_url, SystemClock()) as server:
        who = await first_organisation(server.core)
        depot = replace(demo_depot(1, vehicles=4), stays=())
        site_id = await furnish.furnish(rooms(server.core), who, depot)
        yield Night(server, who, site_id)


def wish(request_id: str, vehicle: str, hours: float, **more: Any) -> dict[str, Any]:
    data = {
        "minTargetSoc": 60,
        "maxTargetSoc": 90,
        "requestedTimeForDeparture": at(hours),
        **more.pop("data", {}),
    }
    return {
        "vehicleId": vehicle,
        "chargingRequestId": request_id,
        "chargingRequestData": data,
        **more,
    }


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def points(payload: Any) -> dict[str, Any]:
    return {
        point["chargingPointId"]: point
        for depot in payload["depotInfoList"]
        for station in depot["chargingStationInfoList"]
        for point in station["chargingPointInfoList"]
    }


def process(payload: Any, point: str) -> Any:
    return points(payload)[point].get("chargingProcessInfo", {})


async def test_a_night_of_requests_changes_and_deletions(night: Night) -> None:
    vehicles = await night.core.fleets.all(night.who.org_id)
    names = [vehicle.name for vehicle in vehicles]
    async with night.presystem() as (client, presystem_id):
        first = await client.open()
        stations = first["depotInfoList"][0]["chargingStationInfoList"]
        assert stations[-1]["chargingStationStatus"] == "Unavailable"
        assert len(points(first)) >= 4 + 1
        here = await night.plug_in()
        await client.request(
            wish("R1", names[0], 6, chargingPointId=here),
            wish("R2", names[1], 9, data={"expectedArrivalTimeAtChargingPoint": at(1)}),
        )
        told = await client.next(
            "information",
            lambda fact: (
                process(fact["payload"], here).get("chargingRequestId") == "R1"
                and departure(process(fact["payload"], here)) is not None
            ),
        )
        assert process(told["payload"], here)["presystemId"] == ME
        stand_in = next(key for key in points(first) if key.endswith("/0/0"))
        (waiting,) = points(told["payload"])[stand_in]["scheduledChargingProcessList"]
        assert (waiting["chargingRequestId"], waiting["vehicleId"]) == ("R2", names[1])
        assert len(await night.duties()) == 2

        later = at(3)
        began = asyncio.get_running_loop().time()
        await client.request(
            wish("R1", names[0], 0, chargingPointId=here, data={"requestedTimeForDeparture": later})
        )
        await client.next(
            "information",
            lambda fact: same(departure(process(fact["payload"], here)), later),
        )
        assert asyncio.get_running_loop().time() - began < 5.0
        (duty,) = await night.duties()
        assert same(duty.departure_at.isoformat(), later)
        plan = night.core.energy.controller(night.site_id).planning
        assert plan.outlook.stays[duty.id].departure_at == duty.departure_at

        await client.do("drop")
        await client.next("closed")
        assert [one.id for one in await night.duties()] == [duty.id]
        await client.open()
        await client.do("requests", list=[])
        await client.next("confirmation")
        assert await night.duties() == []
        assert client.faults == []
        assert night.core.presystems.requests(night.who, presystem_id) == []


def departure(found: Any) -> str | None:
    data = found.get("chargingPredictionData", {}).get("chargingPredictionDataDepartureTime", {})
    when = data.get("predictedTime") or data.get("requestedTimeForDeparture")
    return None if when is None else str(when)


def same(one: str | None, other: str) -> bool:
    """To the millisecond."""
    if one is None:
        return False
    between = datetime.fromisoformat(one) - datetime.fromisoformat(other)
    return abs(between) < timedelta(milliseconds=2)


async def test_information_is_valid_for_the_other_versions(night: Night) -> None:
    here = await night.plug_in()
    await spoken(night, "2.0-rc1", "R1", here, second=True)
    await spoken(night, "1.0", "uri://voltyard/R1", f"uri://voltyard/{here}", version=Version.V10)


async def spoken(night: Night, words: str, named: str, here: str, **settings: Any) -> None:
    """Three requests, one of which cannot be used, in one version; all are taken back."""
    names = [vehicle.name for vehicle in await night.core.fleets.all(night.who.org_id)]
    async with night.presystem(**settings) as (client, presystem_id):
        assert here in points(await client.open())
        wishes = [wish("R1", names[0], 6, chargingPointId=here), wish("R2", names[1], 9)]
        nobody = wish("R9", "nobody", 5)
        if words == "1.0":
            await client.do("requests", list=[*wishes, nobody])
            refused = await client.next("refusal")
            assert "nobody" in refused["payload"]["message"]
            assert await night.duties() == []
        await client.request(*wishes, *([nobody] if words != "1.0" else []))
        told = await client.next(
            "information",
            lambda fact: process(fact["payload"], here).get("chargingRequestId") == named,
        )
        rejected = told["payload"].get("rejectedChargingRequestInfoList", [])
        assert [one["chargingRequestId"] for one in rejected] == ["R9"] * (words != "1.0")
        rows = night.core.presystems.requests(night.who, presystem_id)
        assert [row.state for row in rows].count(State.STANDING) == 2
        await night.core.presystems.delete(night.who, presystem_id)
        await client.next("closed")
        assert await night.duties() == []
        assert client.faults == []


async def test_wrong_frames_and_who_may_connect(night: Night) -> None:
    async with night.presystem() as (client, presystem_id):
        await client.do("connect", subprotocols=["v2.463.vdv.de"])
        assert (await client.next("connected"))["subprotocol"] is None
        assert (await client.next("closed"))["code"] == 1002
        await client.do("connect")
        await client.next("connected")
        await client.do("requests", list=[])
        assert "Boot" in (await client.next("refusal"))["payload"]["message"]
        await client.do("boot")
        await client.next("information")
        deep = "[" * 20_000 + "]" * 20_000
        for text in ("", "{", "[]", "null", deep, '[1,"BMS"]', '[9,"a","b","c","d","e",{}]', "1e9"):
            await client.do("raw", text=text)
        odd = [1, "BMS", ME, "no time", "no uuid", "Heartbeat", {}]
        await client.do("raw", text=json.dumps(odd))
        refused = await client.next("refusal")
        assert (refused["id"], refused["action"]) == ("no uuid", "Heartbeat")
        await client.do("ask", action="BootNotification", payload={"presystem": "BMS", "x": 1})
        assert "x" in (await client.next("refusal"))["payload"]["message"]
        await client.do("requests", list=[{**wish("R1", "Bus", 3), "surprise": True}])
        assert "surprise" in (await client.next("refusal"))["payload"]["message"]
        await client.do("ask", action="ProvideChargingInformation", payload={})
        await client.next("refusal")
        await client.do("settings", fresh_ids=True)
        await client.next("information")
        await client.do("boot")
        await client.next("information")
        assert [fact for fact in client.faults if fact["event"] != "refusal"] == []
        await client.do("huge", bytes=5_000_000)
        assert (await client.next("closed"))["code"] == 1009
        await client.open()
        await night.core.presystems.rotate(night.who, presystem_id)
        await client.next("closed")
        await client.do("connect")
        assert (await client.next("refused"))["status"] == 401
