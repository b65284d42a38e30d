"""A walk through the rooms over HTTP: what a program would do to set up a depot."""

import json
from typing import Any

from api_world import PASSWORD, Tenant, World


async def test_a_site_with_its_bays_and_its_tree(world: World, tenant: Tenant) -> None:
    site = await tenant.post("/sites", {"name": "Nord", "unknown_vehicle_power_w": 22_000})
    base = f"/sites/{site['id']}"
    area = await tenant.post(f"{base}/areas", {"name": "Hall"})
    bay = await tenant.post(f"{base}/bays", {"name": "A1", "area_id": area["id"]})
    renamed = await tenant.put(f"{base}/bays/{bay['id']}", {"name": "A01", "area_id": None})
    assert (renamed["id"], renamed["name"]) == (bay["id"], "A01")
    station = await tenant.post("/stations", {"identity": "CP-1", "site_id": site["id"]})
    evse = await tenant.put(
        f"/stations/{station['id']}/evses/1",
        {"name": "A01", "bay_id": bay["id"], "max_power_w": 150_000, "current_type": "dc"},
    )
    night = {"power_w": 500_000, "from_time": "22:00:00", "to_time": "06:00:00"}
    grid = {"kind": "grid", "name": "Grid", "limits": [{"power_w": 800_000}, night]}
    root = (await tenant.put(f"{base}/tree", {"nodes": [grid]}))["nodes"][0]
    leaf = await tenant.post(
        f"{base}/nodes",
        {"kind": "evse", "name": "A01", "parent_id": root["id"], "evse_id": evse["id"]},
    )
    tree = (await tenant.get(f"{base}/tree"))["nodes"]
    assert [node["name"] for node in tree] == ["Grid", "A01"]
    assert {name: tree[0]["limits"][1][name] for name in night} == night
    lowered = await tenant.put(
        f"{base}/nodes/{root['id']}/limits", {"limits": [{"current_a": 400}]}
    )
    assert [(li["current_a"], li["power_w"]) for li in lowered["limits"]] == [(400.0, None)]
    again = await tenant.put(f"{base}/nodes/{root['id']}/limits", {"limits": lowered["limits"]})
    assert again == lowered
    answer = await tenant.call("DELETE", f"{base}/nodes/{root['id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "node_in_use")
    answer = await tenant.call("PUT", f"{base}/nodes/{root['id']}/limits", json={"limits": []})
    assert answer.json()["errors"] == [
        {"field": "nodes[0].limits", "reason": "the grid connection needs a limit"}
    ]
    answer = await tenant.call("DELETE", f"{base}/nodes/{leaf['id']}")
    assert answer.status_code == 204
    live = await tenant.get(f"{base}/live")
    assert live["controlled"] is False
    assert [entry["name"] for entry in live["evses"]] == ["A01"]
    entries = (await tenant.get("/audit?object_kind=node"))["items"]
    assert {entry["action"] for entry in entries} == {
        "node.create",
        "node.limits",
        "node.delete",
    }


async def test_fleet_by_csv_and_by_object(tenant: Tenant) -> None:
    text = "name,battery_kwh,max_power_kw\nBus 1,350,150\nBus 2,350,150\n"
    dry = await tenant.call("POST", "/vehicles/import.csv?dry_run=true", content=text)
    assert dry.json()["new"] == 2
    assert (await tenant.get("/vehicles"))["total"] == 0
    done = await tenant.call("POST", "/vehicles/import.csv", content=text)
    assert (done.status_code, done.json()["new"]) == (200, 2)
    page = await tenant.get("/vehicles?limit=1")
    assert (page["total"], page["more"], len(page["items"])) == (2, True, 1)
    vehicle = page["items"][0]
    token = await tenant.post("/tokens", {"value": "04A2", "vehicle_id": vehicle["id"]})
    changed = await tenant.put(f"/tokens/{token['id']}", {"value": "04A2", "blocked": True})
    assert (changed["blocked"], changed["vehicle_id"]) == (True, None)
    exported = await tenant.call("GET", "/vehicles.csv")
    assert exported.headers["content-type"].startswith("text/csv")
    assert exported.text.splitlines()[1].startswith("Bus 1,,350,150,")


async def test_duties_by_csv_name_every_bad_row(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    base = f"/sites/{ids['site']}/duties"
    header = "id,vehicle,arrival,departure,target_soc_pct"
    good = "D1,Bus 1,2026-01-17 18:30,2026-01-18 05:10,90"
    bad = "D2,Bus 9,2026-03-29 02:30,2026-03-29 05:10,190"
    text = "\n".join([header, good, bad])
    report = (await tenant.call("POST", f"{base}/import.csv?dry_run=true", content=text)).json()
    assert (report["rows"], report["duties"]) == (2, 1)
    assert {(fault["row"], fault["column"]) for fault in report["faults"]} == {
        (3, "arrival"),
        (3, "vehicle"),
    }
    refused = await tenant.call("POST", f"{base}/import.csv", content=text)
    assert (refused.status_code, refused.json()["code"]) == (422, "import_faults")
    assert {error["field"] for error in refused.json()["errors"]} == {
        "row 3 arrival",
        "row 3 vehicle",
    }
    done = await tenant.call("POST", f"{base}/import.csv", content=f"{header}\n{good}")
    assert done.json()["duties"] == 1
    listed = await tenant.get(f"{base}?since=2026-01-17T00:00:00Z")
    assert [duty["external_id"] for duty in listed["items"]] == ["D1"]
    exported = await tenant.call("GET", f"/sites/{ids['site']}/duties.csv")
    again = await tenant.call("POST", f"{base}/import.csv", content=exported.text)
    assert again.status_code == 200


async def test_duties_as_objects_are_imported_again_without_doubling(
    world: World, tenant: Tenant
) -> None:
    ids = await world.furnish(tenant)
    duty: dict[str, Any] = {
        "external_id": "B-17",
        "arrival_at": "2026-01-17T18:30:00+01:00",
        "departure_at": "2026-01-18T05:10:00+01:00",
        "vehicle_class": "12m",
        "target_energy_wh": 200_000,
    }
    path = f"/sites/{ids['site']}/duties/import"
    first = await tenant.post(path, {"duties": [duty], "source": "its"}, status=200)
    assert (first["duties"], first["replaces"]) == (1, 0)
    second = await tenant.post(
        path, {"duties": [{**duty, "priority": 2}], "source": "its"}, status=200
    )
    assert second["replaces"] == 1
    found = (await tenant.get(f"/sites/{ids['site']}/duties?text=b-17"))["items"]
    assert [(d["external_id"], d["priority"], d["source"]) for d in found] == [("B-17", 2, "its")]
    wrong = {**duty, "external_id": "B-18", "departure_at": "2026-01-17T05:10:00+01:00"}
    refused = await tenant.call("POST", path, json={"duties": [duty, wrong], "source": "its"})
    assert [error["field"] for error in refused.json()["errors"]] == ["row 2 departure_at"]


async def test_a_duty_is_made_changed_and_deleted(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    duty = await tenant.get(f"/duties/{ids['duty']}")
    body = {
        "arrival_at": duty["arrival_at"],
        "departure_at": duty["departure_at"],
        "vehicle_id": duty["vehicle_id"],
        "target_soc_pct": 75,
    }
    changed = await tenant.put(f"/duties/{ids['duty']}", body)
    assert (changed["id"], changed["external_id"]) == (duty["id"], duty["external_id"])
    assert changed["target_soc_pct"] == 75
    assert (await tenant.call("DELETE", f"/duties/{ids['duty']}")).status_code == 204
    assert (await tenant.call("GET", f"/duties/{ids['duty']}")).status_code == 404


async def test_a_spice_ev_scenario(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    arrival = {
        "vehicle_id": "Bus 1",
        "event_type": "arrival",
        "start_time": "2018-01-02T20:00:00+01:00",
        "update": {
            "connected_charging_station": "cs",
            "estimated_time_of_departure": "2018-01-03T05:00:00+01:00",
            "soc_delta": -0.4,
            "desired_soc": 0.9,
        },
    }
    scenario = {
        "components": {
            "vehicle_types": {"t": {"capacity": 350, "charging_curve": [[0, 150], [1, 150]]}},
            "vehicles": {"Bus 1": {"vehicle_type": "t", "soc": 1}},
            "grid_connectors": {"Nord": {"max_power": 500}},
            "charging_stations": {"cs": {"parent": "Nord", "max_power": 150}},
        },
        "events": {"vehicle_events": [arrival]},
    }
    path = f"/sites/{ids['site']}/duties/import.spice-ev"
    dry = await tenant.call("POST", f"{path}?dry_run=true", content=json.dumps(scenario))
    assert (dry.json()["duties"], dry.json()["faults"]) == (1, [])
    done = await tenant.call("POST", path, content=json.dumps(scenario))
    assert done.status_code == 200, done.text
    found = (await tenant.get(f"/sites/{ids['site']}/duties?text=2018"))["items"]
    assert [duty["soc_arrival_pct"] for duty in found] == [60.0]


async def test_people(world: World, tenant: Tenant) -> None:
    body = {"email": "bob@example.org", "name": "Bob", "role": "viewer", "password": PASSWORD}
    bob = await tenant.post("/users", body)
    assert "password" not in bob
    changed = await tenant.call("PATCH", f"/users/{bob['id']}", json={"role": "dispatcher"})
    assert changed.json()["role"] == "dispatcher"
    await tenant.put(f"/users/{bob['id']}/password", {"password": "a new phrase"}, status=204)
    await world.people.login.log_in("bob@example.org", "a new phrase")
    weak = await tenant.call("POST", "/users", json={**body, "password": "password12345"})
    assert (weak.status_code, weak.json()["code"]) == (422, "weak_password")
    renamed = await tenant.call("PATCH", "/organisation", json={"name": "Betriebshof"})
    assert renamed.json()["name"] == "Betriebshof"


async def test_sessions_as_csv_begin_with_their_columns(tenant: Tenant) -> None:
    answer = await tenant.call("GET", "/sessions.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.startswith("session_id,site_id,")


async def test_a_site_without_plan_and_controller_says_so(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    base = f"/sites/{ids['site']}"
    answer = await tenant.call("GET", f"{base}/plan")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_plan")
    series = await tenant.get(f"{base}/power")
    assert (series["node_id"], series["samples"]) == (str(ids["node"]), [])
    assert (await tenant.get(f"{base}/forecasts"))["items"] == []
