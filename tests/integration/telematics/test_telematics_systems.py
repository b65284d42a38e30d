"""Systems that are asked, each against a server of its published shape on loopback."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import mygeotab
import pytest
from mygeotab.exceptions import AuthenticationException
from telematics_world import AT, VIN, VIN_2, Answer, Asked, Stand, Yard, in_turn, standing_in

from voltyard.errors import Forbidden
from voltyard.telematics.model import Access, Charging, Health, Kind
from voltyard.tenancy.model import Permission, Principal
from voltyard.units import iso_z

SESSION = "EYcA4c4SkP8dW7fPNk8Xzg"


def at(minutes: float) -> str:
    return iso_z(AT - timedelta(minutes=minutes))


class Geotab:
    """MyGeotab as its reference describes it: sessions, devices, a feed by version."""

    def __init__(self) -> None:
        self.sessions = 0
        self.expired = False
        self.over = False
        self.status = [
            ("b1", "DiagnosticStateOfChargeId", 43.0, 6),
            ("b1", "DiagnosticOdometerId", 123_456_700.0, 6),
            ("b1", "DiagnosticElectricVehicleChargingStateId", 2.0, 5),
            ("b2", "DiagnosticStateOfChargeId", 61.5, 4),
            ("b2", "DiagnosticEngineSpeedId", 900.0, 4),
        ]

    def __call__(self, asked: Asked) -> Answer:
        call = asked.json
        method, params = call["method"], call["params"]
        if method == "Authenticate":
            return self._enter(params)
        if self.over:
            return self._fault("OverLimitException", "API calls quota exceeded.", 58)
        if self.expired or params["credentials"]["sessionId"] != f"{SESSION}{self.sessions}":
            self.expired = False
            return self._fault("InvalidUserException", "Incorrect login credentials")
        if (method, params["typeName"]) == ("Get", "Device"):
            return 200, {"result": [self._device("b1", VIN), self._device("b2", "")]}
        return 200, {"result": self._feed(params), "jsonrpc": "2.0"}

    def _enter(self, params: dict[str, Any]) -> Answer:
        if params["password"] != "pass word":
            return self._fault("InvalidUserException", "Incorrect login credentials")
        self.sessions += 1
        credentials = {
            "database": params["database"],
            "sessionId": f"{SESSION}{self.sessions}",
            "userName": params["userName"],
        }
        return 200, {"result": {"credentials": credentials, "path": "ThisServer"}}

    @staticmethod
    def _device(name: str, vin: str) -> dict[str, Any]:
        return {"id": name, "name": "Bus 2", "vehicleIdentificationNumber": vin}

    def _feed(self, params: dict[str, Any]) -> dict[str, Any]:
        """The search is ignored, as of a server that knows no such search."""
        after = int(params.get("fromVersion", "0"), 16)
        data = [
            {
                "data": value,
                "dateTime": at(minutes),
                "device": {"id": device},
                "diagnostic": {"id": diagnostic},
                "id": f"d{number}",
                "version": f"{number:016x}",
            }
            for number, (device, diagnostic, value, minutes) in enumerate(self.status, 1)
            if number > after
        ]
        return {"data": data, "toVersion": f"{len(self.status):016x}"}

    @staticmethod
    def _fault(name: str, message: str, after_s: int | None = None) -> Answer:
        error = {
            "message": message,
            "name": "JSONRPCError",
            "errors": [{"message": message, "name": name}],
        }
        headers = {} if after_s is None else {"retry-after": str(after_s)}
        return 200, {"error": error, "jsonrpc": "2.0", "requestIndex": 0}, headers


def access_of(stand: Stand) -> Access:
    return Access(server=stand.url, database="depot", user="api@example.org")


async def polled(yard: Yard) -> None:
    await yard.core.telematics.poller.tick()
    await yard.core.telematics.poller.settled()


async def later(yard: Yard, connection: Any) -> None:
    """As if its next question were due."""
    room = yard.core.telematics.service
    known = room.current(connection.id)
    assert known is not None
    await room.asked(connection.id, replace(known[1], next_at=yard.clock.now()))
    await polled(yard)


async def test_geotab_is_followed_as_its_own_client_does(yard: Yard) -> None:
    room, server = yard.core.telematics.service, Geotab()
    async with standing_in(server) as stand:
        connection = await yard.connection(Kind.GEOTAB, access_of(stand), poll_s=60.0)
        await polled(yard)
        assert yard.status(connection).fault == ""
        (seen, told) = await room.history(yard.who, yard.bus.id)
        assert (told.soc_pct, told.odometer_km) == (43.0, 123_456.7)
        assert (seen.plugged, seen.charging) == (True, Charging.DC)
        assert [one.soc_pct for one in await room.history(yard.who, yard.other.id)] == [61.5]
        status = yard.status(connection)
        assert (status.taken, status.unknown) == (3, 0)
        assert status.next_at is not None
        assert 55.0 <= (status.next_at - yard.clock.now()).total_seconds() <= 60.0
        before = len(stand.asked)
        await polled(yard)
        assert len(stand.asked) == before, "it is not due yet"
        server.status.append(("b1", "DiagnosticStateOfChargeId", 42.0, 1))
        server.expired = True
        await later(yard, connection)
        assert [one.soc_pct for one in yard.core.telematics.service.intake.told(yard.bus.id)] == [
            42.0,
            43.0,
        ]
        assert server.sessions == 2, "a session that ended is begun anew"
        await asyncio.to_thread(own_client, stand, server)


def own_client(stand: Stand, server: Geotab) -> None:
    """Geotab's own client reads the same from this server: it speaks as theirs does."""
    address = f"{stand.url}/apiv1"
    api = mygeotab.API("api@example.org", "pass word", "depot", server=address, timeout=20)
    assert api.authenticate().session_id == f"{SESSION}{server.sessions}"
    (first, _) = api.get("Device")
    assert first["vehicleIdentificationNumber"] == VIN
    feed = api.call("GetFeed", type_name="StatusData", fromVersion=f"{5:016x}")
    assert (feed["data"][0]["data"], feed["toVersion"]) == (42.0, f"{6:016x}")
    wrong = mygeotab.API("api@example.org", "guess", "depot", server=address, timeout=20)
    with pytest.raises(AuthenticationException):
        wrong.authenticate()


async def test_a_wrong_password_and_a_quota_are_told_and_waited_for(yard: Yard) -> None:
    server = Geotab()
    async with standing_in(server) as stand:
        bad = await yard.connection(Kind.GEOTAB, access_of(stand), password="guess")
        await polled(yard)
        status = yard.status(bad)
        assert "InvalidUserException" in status.fault
        assert status.failures == 1
        assert (status.next_at - yard.clock.now()).total_seconds() > 800.0
        server.over = True
        good = await yard.connection(Kind.GEOTAB, access_of(stand), name="Second", poll_s=10.0)
        await polled(yard)
        waits_s = (yard.status(good).next_at - yard.clock.now()).total_seconds()
        assert 50.0 <= waits_s <= 58.0
        view = yard.core.telematics.service.view(yard.who, good.id)
        assert view.health is Health.FAILING


def samsara(asked: Asked) -> Answer:
    if asked.headers.get("authorization") != "Bearer pass word":
        return 401, {"message": "invalid token"}
    after = asked.query.get("after", "")
    vehicle: dict[str, Any] = {"id": "112", "name": "Bus 1"}
    if not after:
        vehicle |= {
            "evStateOfChargeMilliPercent": [{"time": at(9), "value": 55_500}],
            "evChargingStatus": [{"time": at(9), "value": 2}],
            "obdOdometerMeters": [{"time": at(8), "value": 1_000_500}],
            "externalIds": {"samsara.vin": VIN},
        }
        paging = {"endCursor": "c1", "hasNextPage": True}
    elif after == "c1":
        vehicle |= {"evStateOfChargeMilliPercent": [{"time": at(2), "value": 54_000}]}
        paging = {"endCursor": "c2", "hasNextPage": False}
    else:
        return 200, {"data": [], "pagination": {"endCursor": "c2", "hasNextPage": False}}
    return 200, {"data": [vehicle], "pagination": paging}


async def test_samsara_is_followed_by_its_cursor_over_a_restart(yard: Yard) -> None:
    room = yard.core.telematics.service
    async with standing_in(samsara) as stand:
        connection = await yard.connection(Kind.SAMSARA, Access(url=stand.url))
        await polled(yard)
        assert [dict(asked.query).get("after") for asked in stand.asked] == [None, "c1"]
        assert stand.asked[0].query["types"].count(",") == 2, "at most three types a request"
        seen = await room.history(yard.who, yard.bus.id)
        assert [(one.soc_pct, one.odometer_km) for one in seen] == [
            (54.0, None), (None, 1000.5), (55.5, None),
        ]  # fmt: skip
        assert seen[2].charging is Charging.YES
        fresh = type(room)(yard.core.database, yard.core.bus, yard.clock, room._parts)
        await fresh.load()
        known = fresh.current(connection.id)
        assert known is not None
        assert dict(known[1].cursor) == {"after": "c2"}
        assert fresh.secrets(connection.id).password == "pass word"


class Rfms:
    """rFMS 4: the latest of all first, pages by ``lastVin``, then what came since."""

    def __call__(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != "Basic dHJ1Y2s6cGFzcyB3b3Jk":
            return 401, {}
        assert asked.headers["accept"] == "application/json; rfms=vehiclestatuses.v4.0"
        later = "starttime" in asked.query
        if later:
            return 429, {"error": "too many"}, {"x-rate-limit-reset": "120"}
        second = asked.query.get("lastVin") == VIN
        return 200, {
            "vehicleStatusResponse": {"vehicleStatuses": [self._one(VIN_2 if second else VIN)]},
            "moreDataAvailable": not second,
            "requestServerDateTime": at(-1 if second else 0),
        }

    @staticmethod
    def _one(vin: str) -> dict[str, Any]:
        return {
            "vin": vin,
            "triggerType": {"triggerType": "TIMER", "context": "RFMS"},
            "createdDateTime": at(7),
            "receivedDateTime": at(6),
            "hrTotalVehicleDistance": 2_500_000,
            "snapshotData": {
                "gnssPosition": {"latitude": 57.7, "longitude": 11.9, "positionDateTime": at(7)},
                "hybridBatteryPackRemainingCharge": 38.5,
                "batteryPackChargingStatus": "CHARGING_DC",
                "batteryPackChargingConnectionStatus": "CONNECTED",
                "estimatedDistanceToEmpty": {"total": 120_000, "batteryPack": 118_000},
            },
        }


async def test_rfms_reads_all_pages_and_obeys_its_limit(yard: Yard) -> None:
    room = yard.core.telematics.service
    async with standing_in(Rfms()) as stand:
        access = Access(url=f"{stand.url}/rfms", user="truck")
        connection = await yard.connection(Kind.RFMS, access, keep_position=True, poll_s=60.0)
        await polled(yard)
        assert [asked.query.get("lastVin") for asked in stand.asked] == [None, VIN]
        for vehicle in (yard.bus, yard.other):
            (seen,) = await room.history(yard.who, vehicle.id)
            assert (seen.soc_pct, seen.odometer_km, seen.range_km) == (38.5, 2500.0, 118.0)
            assert (seen.plugged, seen.charging, seen.latitude) == (True, Charging.DC, 57.7)
        assert dict(yard.status(connection).cursor) == {"start": at(0)}
        await later(yard, connection)
        status = yard.status(connection)
        assert stand.asked[-1].query["starttime"] == at(0)
        assert "429" in status.fault
        assert 110.0 <= (status.next_at - yard.clock.now()).total_seconds() <= 120.0


async def test_failures_wait_longer_each_time_and_silence_is_an_alert(yard: Yard) -> None:
    core = yard.core
    pages = (
        (200, b"<html>"),
        (302, b"", {"location": "http://169.254.169.254/"}),
        (500, b"{}"),
        (200, {"data": [], "pagination": {"endCursor": "x", "hasNextPage": False}}),
    )
    async with standing_in(in_turn(pages)) as stand:
        connection = await yard.connection(Kind.SAMSARA, Access(url=stand.url), poll_s=60.0)
        pauses, faults = [], []
        for _ in range(3):
            await later(yard, connection)
            status = yard.status(connection)
            pauses.append(round((status.next_at - yard.clock.now()).total_seconds(), -1))
            faults.append(status.fault)
        assert pauses == [120.0, 240.0, 480.0]
        assert ["JSON" in faults[0], "302" in faults[1], "500" in faults[2]] == [True] * 3
        assert len(stand.asked) == 3, "no redirect is followed"
        room = core.telematics.service
        known = room.current(connection.id)
        assert known is not None
        silent = replace(known[1], since=yard.clock.now() - timedelta(hours=2))
        await room.asked(connection.id, silent)
        await room.tick()
        (alert,) = core.alerts.open_now(yard.who.org_id)
        assert (alert.kind, alert.params["connection"]) == ("telematics_silent", "samsara")
        await later(yard, connection)
        await room.tick()
        assert core.alerts.open_now(yard.who.org_id) == []
        assert yard.status(connection).failures == 0


async def test_nobody_is_led_to_addresses_that_are_not_public(yard: Yard) -> None:
    for url in ("http://10.0.0.1:9/", "https://169.254.169.254", "https://[::1]:9"):
        connection = await yard.connection(Kind.SAMSARA, Access(url=url), name=url)
        await polled(yard)
        assert "network" in yard.status(connection).fault
    reader = Principal(yard.who.org_id, "key", yard.who.id, "viewer", frozenset({Permission.VIEW}))
    with pytest.raises(Forbidden):
        await yard.core.telematics.poller.ask(reader, connection.id)
