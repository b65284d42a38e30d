"""Local lists, caches and reservations of simulated chargers, in every version."""

from datetime import timedelta
from typing import Any

import pytest
from sim_csms import START_AT, Payload
from sim_world import CARD, V16, V21, V201, World, bus, play, station

from voltyard.simulator.charger import Charger
from voltyard.simulator.evse import Status, Token
from voltyard.simulator.settings import ChargerSettings

BOTH = pytest.mark.parametrize("protocol", [V16, V201, V21])
OTHER = Token("0BADCAFE", "ISO14443")
STRICT = ChargerSettings(offline_unknown=False, cache=False)


def row(protocol: str, token: str, status: str | None, group: str = "") -> Payload:
    if protocol == V16:
        info: Payload = {"status": status} | ({"parentIdTag": group} if group else {})
        return {"idTag": token} | ({} if status is None else {"idTagInfo": info})
    info = {"status": status}
    if group:
        info["groupIdToken"] = {"idToken": group, "type": "Central"}
    named = {"idToken": {"idToken": token, "type": "ISO14443"}}
    return named | ({} if status is None else {"idTokenInfo": info})


async def send(
    world: World, protocol: str, version: int, rows: list[Payload], *, full: bool
) -> str:
    key = "listVersion" if protocol == V16 else "versionNumber"
    kind = "Full" if full else "Differential"
    payload: Payload = {key: version, "updateType": kind}
    if rows:
        payload["localAuthorizationList"] = rows
    return str((await world.csms.command("C1", "SendLocalList", payload))["status"])


async def version_of(world: World) -> int:
    answer = await world.csms.command("C1", "GetLocalListVersion", {})
    return int(next(iter(answer.values())))


async def reserve(
    world: World, protocol: str, number: int, outlet: int, minutes: float, group: str = ""
) -> str:
    until = (START_AT + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    if protocol == V16:
        payload: dict[str, Any] = {
            "connectorId": outlet,
            "expiryDate": until,
            "idTag": CARD.value,
            "reservationId": number,
        } | ({"parentIdTag": group} if group else {})
    else:
        payload = {
            "id": number,
            "expiryDateTime": until,
            "idToken": {"idToken": CARD.value, "type": CARD.kind},
        } | ({"evseId": outlet} if outlet else {})
        if group:
            payload["groupIdToken"] = {"idToken": group, "type": "Central"}
    return str((await world.csms.command("C1", "ReserveNow", payload))["status"])


async def ready(world: World, protocol: str, settings: ChargerSettings | None = None) -> Charger:
    charger = world.start(station(protocol), settings=settings)
    await world.after(10)
    return charger


@BOTH
def test_versions_of_a_list(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        assert await version_of(world) == 0
        many = [row(protocol, f"T{n}", "Accepted") for n in range(51)]
        assert await send(world, protocol, 1, many, full=True) == "Failed"
        assert await send(world, protocol, 3, many[:50], full=True) == "Accepted"
        assert await version_of(world) == 3
        assert await send(world, protocol, 3, many[50:], full=False) == "VersionMismatch"
        gone = row(protocol, "t7", None)
        assert await send(world, protocol, 4, [*many[50:], gone], full=False) == "Accepted"
        assert len(charger.tokens.list) == 50
        assert "T7" not in charger.tokens.list
        assert await send(world, protocol, 5, [], full=True) == "Accepted"
        assert await version_of(world) == 0

    play(scene)


@BOTH
def test_offline_the_list_decides(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol, STRICT)
        rows = [row(protocol, CARD.value, "Accepted"), row(protocol, OTHER.value, "Blocked")]
        await send(world, protocol, 1, rows, full=True)
        charger.uplink.drop(3600)
        await world.after(1)
        charger.plug_in(1, bus(), CARD)
        charger.plug_in(2, bus(), OTHER)
        await world.after(600)
        assert charger.power_w(1) > 0.0
        assert charger.power_w(2) == 0.0

    play(scene)


@BOTH
def test_offline_the_cache_decides_until_it_is_cleared(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol, ChargerSettings(offline_unknown=False))
        charger.plug_in(1, bus(), CARD)
        await world.after(60)
        charger.unplug(1)
        charger.uplink.drop(600)
        await world.after(1)
        charger.plug_in(1, bus(), CARD)
        await world.after(60)
        assert charger.power_w(1) > 0.0
        charger.unplug(1)
        await world.after(2000)
        assert (await world.csms.command("C1", "ClearCache", {}))["status"] == "Accepted"
        charger.uplink.drop(600)
        await world.after(1)
        charger.plug_in(1, bus(), CARD)
        await world.after(300)
        assert charger.power_w(1) == 0.0

    play(scene)


@BOTH
def test_another_card_of_the_group_stops(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        rows = [row(protocol, token.value, "Accepted", "FLEET") for token in (CARD, OTHER)]

        def answer(identity: str, payload: Payload) -> Payload:
            key = "idTagInfo" if protocol == V16 else "idTokenInfo"
            more = {"transactionId": 1} if "meterStart" in payload else {}
            return {key: rows[0][key], **more}

        world.csms.overrides["Authorize"] = world.csms.overrides["StartTransaction"] = answer
        charger.plug_in(1, bus(), CARD)
        await world.after(60)
        charger.swipe(1, OTHER)
        await world.after(60)
        assert charger.evse(1).transaction is None

    world = play(scene)
    if protocol == V16:
        assert world.csms.of("StopTransaction")[0]["idTag"] == OTHER.value
    else:
        assert world.csms.of("TransactionEvent")[-1]["idToken"]["idToken"] == OTHER.value


@BOTH
def test_a_reserved_outlet_waits_for_its_token(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        assert await reserve(world, protocol, 7, 1, 60) == "Accepted"
        await world.after(1)
        assert charger.evse(1).status is Status.RESERVED
        charger.plug_in(1, bus(), OTHER)
        await world.after(600)
        assert charger.power_w(1) == 0.0
        charger.unplug(1)
        await world.after(600)
        charger.plug_in(1, bus(), CARD)
        await world.after(60)
        assert charger.power_w(1) > 0.0
        assert charger.tokens.reservations == {}

    world = play(scene)
    if protocol == V16:
        assert world.csms.of("StartTransaction")[0]["reservationId"] == 7
        states = [s["status"] for s in world.csms.of("StatusNotification") if s["connectorId"] == 1]
    else:
        assert world.csms.of("TransactionEvent")[0]["reservationId"] == 7
        told = world.csms.of("StatusNotification")
        states = [s["connectorStatus"] for s in told if s["evseId"] == 1]
    assert "Reserved" in states


@BOTH
def test_a_reservation_ends_by_time_by_fault_and_by_word(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        assert await reserve(world, protocol, 1, 1, 10) == "Accepted"
        await world.after(601)
        assert charger.evse(1).status is Status.AVAILABLE
        assert await reserve(world, protocol, 2, 1, 60) == "Accepted"
        assert await reserve(world, protocol, 3, 1, 60) == "Occupied"
        charger.evse(1).faulted = True
        charger.report_all()
        assert charger.tokens.reservations == {}
        assert await reserve(world, protocol, 4, 1, 60) == "Faulted"
        assert await reserve(world, protocol, 5, 2, 60) == "Accepted"
        answer = await world.csms.command("C1", "CancelReservation", {"reservationId": 5})
        assert answer["status"] == "Accepted"
        answer = await world.csms.command("C1", "CancelReservation", {"reservationId": 5})
        assert answer["status"] == "Rejected"
        await world.after(5)

    world = play(scene)
    told = [
        (p["reservationId"], p["reservationUpdateStatus"])
        for p in world.csms.of("ReservationStatusUpdate")
    ]
    assert told == ([] if protocol == V16 else [(1, "Expired"), (2, "Removed")])
