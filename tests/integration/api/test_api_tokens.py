"""Tokens with groups and places, reservations and lists of chargers, by REST."""

from datetime import timedelta
from uuid import uuid4

from api_world import Tenant, World

from voltyard.sessions.model import IdToken


async def test_a_token_says_its_group_and_its_places(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    site = str(ids["site"])
    area = await tenant.post(f"/sites/{site}/areas", {"name": "Lane 1"})
    body = {
        "value": "00:1A:2B:3C:4D:5E",
        "kind": "mac",
        "group_id": "FLEET",
        "concurrent": True,
        "site_ids": [site],
        "area_ids": [area["id"]],
    }
    made = await tenant.post("/tokens", body)
    shown = (await tenant.call("GET", f"/tokens/{made['id']}")).json()
    assert {name: shown[name] for name in body} == body
    plain = await tenant.put(f"/tokens/{made['id']}", {"value": "00:1A:2B:3C:4D:5E", "kind": "mac"})
    assert (plain["group_id"], plain["site_ids"], plain["area_ids"]) == ("", [], [])


async def test_places_of_nobody_are_refused(world: World, tenant: Tenant) -> None:
    await world.furnish(tenant)
    body = {"value": "X", "site_ids": [str(uuid4())], "area_ids": [str(uuid4())]}
    answer = await tenant.call("POST", "/tokens", json=body)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"site_ids", "area_ids"}


async def test_a_reservation_by_rest(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    begins = world.core.clock.now() + timedelta(hours=2)
    body = {
        "station_id": str(ids["station"]),
        "evse_id": str(ids["evse"]),
        "token": "04A2B1C9",
        "from_at": begins.isoformat(),
        "until_at": (begins + timedelta(hours=1)).isoformat(),
    }
    answer = await tenant.call("POST", "/reservations", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["vehicle_id"]) == ("planned", str(ids["vehicle"]))
    again = await tenant.call("POST", "/reservations", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    now = {**body, "from_at": None, "until_at": begins.isoformat()}
    offline = await tenant.call("POST", "/reservations", json=now)
    assert (offline.status_code, offline.json()["code"]) == (409, "charger_offline")
    found = (await tenant.call("GET", f"/reservations?station_id={ids['station']}")).json()
    assert {row["id"] for row in found["items"]} == {made["id"], str(ids["reservation"])}
    gone = await tenant.call("DELETE", f"/reservations/{made['id']}")
    assert (gone.status_code, gone.json()["state"]) == (200, "cancelled")
    twice = await tenant.call("DELETE", f"/reservations/{made['id']}")
    assert (twice.status_code, twice.json()["code"]) == (409, "over")
    open_ones = (await tenant.call("GET", "/reservations?open_only=true")).json()
    assert [row["id"] for row in open_ones["items"]] == [str(ids["reservation"])]


async def test_a_charger_that_was_never_asked_has_no_list_yet(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    shown = (await tenant.call("GET", f"/stations/{ids['station']}/local-list")).json()
    assert (shown["state"], shown["version"], shown["entries"]) == ("unknown", 0, [])
    answer = await tenant.call("POST", f"/stations/{ids['station']}/local-list/resend")
    assert (answer.status_code, answer.json()["code"]) == (409, "charger_offline")
    path = f"/stations/{ids['station']}/local-list/resend?whole=false"
    assert (await tenant.call("POST", path)).json()["code"] == "charger_offline"


async def test_why_a_token_was_refused(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    await tenant.post("/tokens", {"value": "LOST", "blocked": True})
    station = world.core.chargers.station(ids["station"])
    assert station is not None
    await world.core.sessions.authorise(station.ref, 1, IdToken("LOST"))
    await world.core.commits.flush()
    found = (await tenant.call("GET", "/token-refusals?text=lost&status=blocked")).json()
    (row,) = found["items"]
    assert (row["token"], row["reason"], row["known"]) == ("LOST", "the token is blocked", True)
    assert row["station_id"] == str(ids["station"])
    none = (await tenant.call("GET", "/token-refusals?status=expired")).json()
    assert (none["items"], none["total"]) == ([], 0)
