"""Rules, requests and vehicles over REST; vehicles themselves at their own door."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from api_world import Tenant, World, client_of
from litestar import Litestar

from voltyard.api.vehicle_door import make_vehicle_door
from voltyard.app import build_core
from voltyard.config import Settings
from voltyard.sessions.model import IdToken, Phase, TokenKind, TransactionReport

VIN = "WEB62804113456789"
RULE = {
    "name": "winter",
    "kind": "heating",
    "power_w": 12000,
    "start_before_s": 2400,
    "end_before_s": 0,
}
PATHS = {1: "/v1/vehicleMessage", 2: "/v2/vehicleMessage"}
FULL: Mapping[str, Any] = {
    "seq": 0,
    "vin": VIN,
    "evccid": "00:1a:2b:3c:4d:5e",
    "odo": 4711,
    "bat_reqtime": 0,
    "bat_eamount": 80000,
    "prec_reqtime": 30,
    "prec_eamount": 6000,
    "chrg_stat": 1,
}


async def door(world: World) -> httpx.AsyncClient:
    return client_of(Litestar([make_vehicle_door(world.core.preconditioning.vdv261, PATHS)]))


async def sent(
    client: httpx.AsyncClient, password: str, body: object, *, version: int = 1, vin: str = VIN
) -> httpx.Response:
    basic = b64encode(f"{vin}:{password}".encode()).decode()
    headers = {
        "authorization": f"Basic {basic}",
        "content-type": "application/json; charset=US-ASCII",
    }
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post(PATHS[version], content=content, headers=headers)


async def admitted(world: World, mine: Tenant) -> tuple[dict[str, Any], str]:
    ids = await world.furnish(mine)
    access = await mine.put(f"/vehicles/{ids['vehicle']}/vdv261", {"vin": VIN, "renew": True})
    assert len(access["password"]) == 24
    return {key: str(value) for key, value in ids.items()}, access["password"]


async def test_a_rule_plans_a_run_before_the_departure(world: World) -> None:
    mine = await world.tenant("Mine")
    ids = await world.furnish(mine)
    made = await mine.post("/preconditioning/rules", RULE)
    assert (await mine.get(f"/preconditioning/rules/{made['id']}")) == made
    await world.core.preconditioning.tick()
    (run,) = (await mine.get(f"/preconditioning?site_id={ids['site']}"))["items"]
    assert (run["state"], run["power_w"], run["rule_id"]) == ("planned", 12000, made["id"])
    assert (run["start_at"], run["end_at"]) == ("2026-01-16T03:20:00Z", "2026-01-16T04:00:00Z")
    (load,) = world.core.preconditioning.loads(ids["site"])
    assert load.power_w == 12000
    core = world.core
    successor = build_core(Settings(), core.database, core.clock, holder="next", inline=True)
    await successor.preconditioning.load()
    assert list(successor.preconditioning.loads(ids["site"])) == [load]
    asked = {"kind": "cooling", "start_at": "2026-01-16T04:30:00+01:00", "power_w": 5000}
    await mine.put(f"/duties/{ids['duty']}/preconditioning", asked)
    await world.core.preconditioning.tick()
    again = await mine.get(f"/preconditioning/{run['id']}")
    assert (again["kind"], again["source"], again["power_w"]) == ("cooling", "person", 5000)
    await mine.call("DELETE", f"/duties/{ids['duty']}/preconditioning")
    await mine.call("DELETE", f"/preconditioning/rules/{made['id']}")
    await world.core.preconditioning.tick()
    assert (await mine.get("/preconditioning"))["items"] == []
    actions = {entry["action"] for entry in (await mine.get("/audit"))["items"]}
    assert {"preconditioning.save_rule", "preconditioning.request"} <= actions


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"start_time": "04:00"}, "start_before_s"),
        ({"start_before_s": None}, "start_before_s"),
        ({"start_before_s": 30}, "end_before_s"),
        ({"start_before_s": 90000}, "start_before_s"),
        ({"from_day": "2026-10-01"}, "until_day"),
        ({"power_w": 1}, "power_w"),
        ({"vehicle_class": "12m", "duty_key": "N*"}, "vehicle_class"),
        ({"site_id": "00000000-0000-0000-0000-000000000001"}, "site_id"),
    ],
)
async def test_a_rule_that_means_nothing_is_refused_by_field(
    world: World, change: dict[str, Any], field: str
) -> None:
    mine = await world.tenant("Mine")
    answer = await mine.call("POST", "/preconditioning/rules", json=RULE | change)
    assert answer.status_code == 422
    assert field in {error["field"] for error in answer.json()["errors"]}


async def test_a_vehicle_is_answered_and_its_needs_are_planned(world: World) -> None:
    mine = await world.tenant("Mine")
    ids, password = await admitted(world, mine)
    await mine.post("/preconditioning/rules", RULE)
    await world.core.preconditioning.tick()
    async with await door(world) as client:
        first = await sent(client, password, FULL)
        assert first.status_code == 200
        assert first.headers["content-type"].lower() == "application/json; charset=us-ascii"
        told = first.json()
        assert (told["seq"], told["vin"], told["prec_dsrd"], told["prec_hvac"]) == (0, VIN, 1, 1)
        assert told["ambienttemp"] == 255
        await world.core.preconditioning.tick()
        (run,) = (await mine.get("/preconditioning"))["items"]
        assert run["reported"]
        assert run["power_w"] == pytest.approx(13200, abs=2)
        assert run["start_at"] == "2026-01-16T03:27:00Z"
        second = await sent(client, password, {"seq": 1, "vin": VIN, "prec_eamount": 65535})
        assert second.json()["seq"] == 1
    access = await mine.get(f"/vehicles/{ids['vehicle']}/vdv261")
    assert access["told"]["prec_eamount"] is None
    assert access["told"]["prec_reqtime"] == 30
    assert access["told"]["evccid"] == "001A2B3C4D5E"
    await world.core.preconditioning.tick()
    (run,) = (await mine.get("/preconditioning"))["items"]
    assert run["power_w"] == 12000, "without the vehicle's word the rule's counts"


async def test_bad_messages_are_told_why_and_change_nothing(world: World) -> None:
    mine = await world.tenant("Mine")
    ids, password = await admitted(world, mine)
    async with await door(world) as client:
        assert (await sent(client, password, FULL)).status_code == 200
        for body, status in (
            (b"\xff\xfe", 400),
            (b"[" * 5000, 400),
            (b"[]", 400),
            ({"vin": VIN}, 400),
            ({"seq": 256, "vin": VIN}, 400),
            ({"seq": True, "vin": VIN}, 400),
            ({"seq": 1, "vin": "WEB62804113456780"}, 400),
            ({"seq": 1, "vin": VIN, "odo": -1}, 400),
            ({"seq": 1, "vin": VIN, "odo": "many"}, 400),
            ({"seq": 1, "vin": VIN, "evccid": "none of your business"}, 400),
            (b" " * 9000, 413),
        ):
            answer = await sent(client, password, body)
            assert answer.status_code == status, body
            assert answer.json()["message"]
        wrong = await sent(client, "wrong", FULL)
        assert wrong.status_code == 401
        assert wrong.headers["www-authenticate"].startswith("Basic")
        assert (await sent(client, password, FULL, vin="WEB00000000000000")).status_code == 401
        assert (await client.get(PATHS[1])).status_code == 405
        assert (await client.post(PATHS[1], content=b"{}")).status_code == 415
        kept = await sent(client, password, {"seq": 2, "vin": VIN})
        assert kept.status_code == 200
    access = await mine.get(f"/vehicles/{ids['vehicle']}/vdv261")
    assert access["told"]["odo"] == 4711
    assert "evccid" in access["fault"]


async def test_access_survives_a_restart_and_ends_when_it_is_taken(world: World) -> None:
    mine, theirs = await world.tenant("Mine"), await world.tenant("Theirs")
    ids, password = await admitted(world, mine)
    async with await door(world) as client:
        assert (await sent(client, password, FULL, version=2)).json()["target_soc"] == 255
        await world.core.preconditioning.load()
        assert (await sent(client, password, {"seq": 1, "vin": VIN})).status_code == 200
        other = await world.furnish(theirs)
        taken = await theirs.call("PUT", f"/vehicles/{other['vehicle']}/vdv261", json={"vin": VIN})
        assert taken.status_code == 409
        coding = await mine.get("/vdv261/coding")
        assert (await mine.put("/vdv261/coding", coding)) == coding
        refused = await mine.call("PUT", "/vdv261/coding", json={"driveoff": "tomorrow"})
        assert refused.status_code == 422
        path = f"/vehicles/{ids['vehicle']}/vdv261"
        assert (await mine.call("PUT", path, json={"password": "short"})).status_code == 422
        assert (await mine.call("DELETE", path)).status_code == 204
        assert (await sent(client, password, FULL)).status_code == 401


async def test_a_session_under_the_vehicles_address_becomes_its_own(world: World) -> None:
    mine = await world.tenant("Mine")
    ids, password = await admitted(world, mine)
    core, now = world.core, world.core.clock.now()
    station = core.chargers.list_stations(mine.who.org_id)[0].station.ref
    await core.sessions.report(
        station,
        TransactionReport(
            Phase.STARTED,
            now,
            "start",
            evse_number=1,
            connector_number=1,
            id_token=IdToken("VID:001A2B3C4D5E", TokenKind.VID),
        ),
    )
    (session,) = core.sessions.open_sessions()
    assert session.vehicle_id is None
    async with await door(world) as client:
        assert (await sent(client, password, FULL)).status_code == 200
    (session,) = core.sessions.open_sessions()
    assert str(session.vehicle_id) == ids["vehicle"]


async def test_a_site_without_a_tree_stops_nobody_elses_preconditioning(world: World) -> None:
    mine = await world.tenant("Mine")
    ids = await world.furnish(mine)
    bare = await mine.post("/sites", {"name": "Bare"})
    await mine.post("/preconditioning/rules", RULE)
    leaves = {
        "arrival_at": "2026-01-15T18:30:00+01:00",
        "departure_at": "2026-01-16T05:00:00+01:00",
    }
    for site_id in (bare["id"], ids["site"]):
        duty = {**leaves, "vehicle_class": "12m", "target_soc_pct": 90}
        await mine.post(f"/sites/{site_id}/duties", duty)
    await world.core.preconditioning.tick()
    found = (await mine.get("/preconditioning"))["items"]
    assert {run["site_id"] for run in found} == {bare["id"], str(ids["site"])}
