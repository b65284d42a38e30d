"""Dangerous changes by REST: proposed, decided by a second person, done once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from api_world import PASSWORD, Tenant, World
from technician import plug
from test_api_configuring import TEMPLATE, Keys

from voltyard.approvals.model import Kind, Proposal, State, Switches
from voltyard.chargers.commands import WriteConfiguration
from voltyard.firmware.commands import NewImage
from voltyard.sites.commands import NodeDraft
from voltyard.sites.model import NodeKind, NodeLimit
from voltyard.tenancy.audit import AuditFilter
from voltyard.tenancy.login import principal_of
from voltyard.tenancy.model import Principal, Role
from voltyard.tenancy.service import NewUser

GRID = {"kind": "grid", "name": "Grid", "limits": [{"power_w": 500_000}]}


@pytest.fixture
async def bea(world: World, tenant: Tenant) -> Principal:
    """A second person; everything that can wait does."""
    new = NewUser("bea@example.org", "Bea", Role.ADMIN, PASSWORD)
    made = await world.people.create_user(tenant.who, new)
    every = Switches(frozenset({Kind.LIMITS, Kind.CONFIGURATION, Kind.FIRMWARE}))
    await world.core.approvals.set_switches(tenant.who, every)
    return principal_of(made)


async def approved(world: World, bea: Principal, proposal: Any) -> Proposal:
    return await world.core.approvals.approve(bea, UUID(proposal["id"]), "Seen.")


async def limits_of(tenant: Tenant, site: str) -> list[list[float]]:
    nodes = (await tenant.get(f"/sites/{site}/tree"))["nodes"]
    return [[limit["power_w"] for limit in node["limits"]] for node in nodes]


async def test_a_limit_is_raised_by_two_and_lowered_by_one(
    world: World, tenant: Tenant, bea: Principal
) -> None:
    site = (await tenant.post("/sites", {"name": "Nord"}))["id"]
    first = await tenant.post(f"/sites/{site}/nodes", GRID, status=202)
    assert (first["kind"], first["state"], first["subject"]) == ("limits", "waiting", "Nord · Grid")
    assert await limits_of(tenant, site) == []
    assert (await approved(world, bea, first)).state is State.DONE
    (node,) = (await tenant.get(f"/sites/{site}/tree"))["nodes"]
    path = f"/sites/{site}/nodes/{node['id']}/limits"
    lower = {"limits": [{"power_w": 300_000}]}
    assert (await tenant.put(path, lower))["limits"][0]["power_w"] == 300_000
    answer = await tenant.call(
        "PUT", path, json={"limits": [{"power_w": 400_000}]},
        headers={"voltyard-reason": "Der neue Trafo läuft.".encode()},
    )  # fmt: skip
    assert answer.status_code == 202
    proposal = answer.json()
    assert answer.headers["location"] == f"/api/v1/approvals/{proposal['id']}"
    assert proposal["reason"] == "Der neue Trafo läuft."
    row = {"of": "Grid", "what": "limits", "before": "300 kW", "after": "400 kW"}
    assert proposal["differences"] == [row]
    assert await limits_of(tenant, site) == [[300_000]]
    refused = await tenant.call("POST", f"/approvals/{proposal['id']}/approve", json={})
    assert (refused.status_code, refused.json()["code"]) == (403, "second_person")
    done = await approved(world, bea, proposal)
    assert (done.state, await limits_of(tenant, site)) == (State.DONE, [[400_000]])
    shown = await tenant.get(f"/approvals/{proposal['id']}")
    assert (shown["decided_name"], shown["decision"], shown["state"]) == ("Bea", "Seen.", "done")
    entries, _ = await world.people.audit(tenant.who, AuditFilter(action="node.limits"))
    assert entries[0].actor_kind == "key"
    assert '"approved_by":"Bea"' in entries[0].detail
    listed = await tenant.get("/approvals", params={"kind": "limits", "state": "done"})
    assert (listed["total"], listed["items"][0]["id"]) == (2, proposal["id"])


async def test_lifting_what_limits_rest_on_waits_too(
    world: World, tenant: Tenant, bea: Principal
) -> None:
    ids = await _furnished(world, tenant)
    leaf = {"kind": "evse", "name": "E", "parent_id": ids["node"], "evse_id": ids["evse"]}
    made = await tenant.post(f"/sites/{ids['site']}/nodes", leaf)  # under a limit: at once
    cases: list[tuple[str, str, object]] = [
        ("DELETE", f"/sites/{ids['site']}/nodes/{made['id']}", None),
        ("DELETE", f"/sites/{ids['site']}", None),
        ("PUT", f"/sites/{ids['site']}/tree", {"nodes": [{**GRID, "id": ids["node"]}]}),
        ("PUT", f"/stations/{ids['station']}/evses/1", {"max_power_w": 200_000}),
    ]
    for method, path, body in cases:
        answer = await tenant.call(method, path, json=body)
        assert answer.status_code == 202, (path, answer.text)
    lower = await tenant.call(
        "PUT", f"/stations/{ids['station']}/evses/1", json={"max_power_w": 1e5}
    )
    assert lower.status_code == 200
    found = (await tenant.get("/approvals"))["items"]
    assert [one["state"] for one in found] == ["waiting"] * 4
    late = await approved(world, bea, found[0])  # rests on 150 kW
    assert (late.state, late.outcome["code"]) == (State.OUTDATED, "proposal_outdated")
    again = await tenant.call("POST", f"/approvals/{found[0]['id']}/again")
    assert again.status_code == 202
    assert again.json()["differences"][0]["before"] == "100000"
    taken = await tenant.post(f"/approvals/{again.json()['id']}/withdraw", None, status=200)
    assert taken["state"] == "withdrawn"


async def _furnished(world: World, tenant: Tenant) -> dict[str, str]:
    core, who = world.core, tenant.who
    site = (await tenant.post("/sites", {"name": "Nord"}))["id"]
    station = await core.chargers.create_station(who, "CP-1", site_id=UUID(site))
    evse = await core.chargers.save_evse(who, station.id, 1, max_power_w=150_000.0)
    draft = NodeDraft(NodeKind.GRID, "Grid", None, (NodeLimit(power_w=5e5),))
    node = await core.sites.add_node(who, UUID(site), draft)
    return {
        "site": site, "station": str(station.id), "evse": str(evse.id), "node": str(node.id),
    }  # fmt: skip


async def test_a_hold_is_lowered_at_once_and_lifted_by_two(
    world: World, tenant: Tenant, bea: Principal
) -> None:
    ids = await _furnished(world, tenant)
    core, now = world.core, world.core.clock.now()
    controller = await core.energy.start(UUID(ids["site"]))
    path = f"/sites/{ids['site']}/nodes/{ids['node']}/emergency-limit"
    node = UUID(ids["node"])

    async def hold(power_w: float, hours: float, status: int) -> Any:
        until = (now + timedelta(hours=hours)).isoformat()
        return await tenant.post(path, {"power_w": power_w, "until_at": until}, status=status)

    def holds() -> tuple[float, timedelta] | None:
        found = controller.overrides.active(core.clock.now()).get(node)
        return None if found is None else (found.power_w, found.until_at - now)

    await hold(100_000, 8, 204)
    await hold(80_000, 9, 204)
    assert holds() == (80_000, timedelta(hours=9))
    await hold(90_000, 10, 202)
    assert holds() == (80_000, timedelta(hours=9))
    shorter = await hold(50_000, 2, 202)  # lower now, as long as before: the cut does not wait
    assert holds() == (50_000, timedelta(hours=9))
    assert shorter["expires_at"] < (now + timedelta(hours=3)).isoformat()
    lift = await hold(0, -1, 202)
    assert holds() == (50_000, timedelta(hours=9))
    assert lift["differences"][0]["after"] == ""
    assert (await approved(world, bea, lift)).state is State.DONE
    assert holds() is None
    assert (await approved(world, bea, shorter)).state is State.OUTDATED


async def test_configuration_by_hand_waits_and_repairs_by_voltyard_do_not(
    world: World, tenant: Tenant, bea: Principal
) -> None:
    keys = Keys()
    link = await plug(world, tenant, say=keys)
    path = f"/stations/{link.station.id}"
    await tenant.post(f"{path}/commands", {"command": "read_configuration"}, status=200)
    wanted = {"key": "HeartbeatInterval", "value": "90"}
    message = {"action": "ChangeConfiguration", "payload": wanted}
    waiting = [
        await tenant.put(f"{path}/configuration", wanted, status=202),
        await tenant.post(f"{path}/commands", {"command": "write_configuration", **wanted}, 202),
        await tenant.post(f"{path}/ocpp", message, status=202),
        await tenant.post("/commands/bulk", {"filter": {}, "ocpp": message}, status=202),
        await tenant.post("/makes", {"vendor": "maker", "quirks": {"phases": 1}}, status=202),
        await tenant.post("/templates", TEMPLATE, status=202),
    ]
    assert {one["kind"] for one in waiting} == {"configuration"}
    assert waiting[0]["id"] == waiting[1]["id"]  # the same, asked for twice
    assert waiting[0]["differences"][0]["before"] == "60"
    assert keys.written == []
    secret = {"key": "AuthorizationKey", "value": "0123456789abcdef"}
    answer = await tenant.call("PUT", f"{path}/configuration", json=secret)
    assert (answer.status_code, answer.json()["code"]) == (409, "secret_waits")
    done = await approved(world, bea, waiting[0])
    assert (done.outcome, keys.written) == ({"result": {"word": "Accepted"}}, [wanted["key"]])
    done = await approved(world, bea, waiting[2])
    assert done.outcome["result"]["answer"] == {"status": "Accepted"}
    keys.refused = frozenset({"HeartbeatInterval"})
    await world.core.chargers.command(  # by voltyard itself
        link.station.id, WriteConfiguration("LocalPreAuthorize", "true"), "voltyard"
    )
    assert keys.written == [wanted["key"], wanted["key"], "LocalPreAuthorize"]
    for proposal in waiting[3:]:
        assert (await approved(world, bea, proposal)).state is State.DONE
    assert [t["name"] for t in (await tenant.get("/templates"))["items"]] == ["House"]
    (again,) = [await tenant.put(f"{path}/configuration", {**wanted, "value": "30"}, status=202)]
    told = await approved(world, bea, again)
    assert (told.state, told.outcome["code"]) == (State.FAILED, "charger_refused")


async def test_how_chargers_are_limited_and_let_in_waits(
    world: World, tenant: Tenant, bea: Principal
) -> None:
    ids = await _furnished(world, tenant)
    path = f"/stations/{ids['station']}"
    named = await tenant.call("PATCH", path, json={"name": "By the gate"})
    assert named.status_code == 200
    limited = await tenant.call("PATCH", path, json={"quirks": {"phases": 1}})
    assert limited.status_code == 202
    rows = [(row["what"], row["before"], row["after"]) for row in limited.json()["differences"]]
    assert rows == [("phases", "3", "1")]
    assert (await approved(world, bea, limited.json())).state is State.DONE
    station = world.core.chargers.station(UUID(ids["station"]))
    assert station is not None
    assert (station.quirks.phases, station.name) == (1, "By the gate")
    other = (await tenant.post("/sites", {"name": "Süd"}))["id"]
    moved = await tenant.call("PATCH", path, json={"site_id": other})
    assert (moved.status_code, moved.json()["kind"]) == (202, "limits")
    profile = {"profile": 1, "reason": "reset"}
    required = await tenant.put(f"{path}/required-profile", profile, status=202)
    assert required["permission"] == "security:write"
    done = await approved(world, bea, required)
    assert done.state is State.DONE
    assert world.core.pki.security(tenant.who, UUID(ids["station"])).security.required == 1
    step = {"station_ids": [ids["station"]], "step": "profile", "profile": 2}
    many = await tenant.post("/security/steps", step, status=202)
    assert [row["after"] for row in many["differences"]] == ["1", "2"]
    begun = await approved(world, bea, many)
    rounds = world.core.pki.rounds.newest(tenant.who)
    assert begun.outcome["result"] == {"round": str(rounds[0].id)}
    zone = {"name": "Nord", "timezone": "Europe/Lisbon"}
    assert (await tenant.put(f"/sites/{ids['site']}", zone))["timezone"] == "Europe/Lisbon"
    window = {"limits": [{"power_w": 5e5}, {"power_w": 1e5, "from_time": "06:00:00"}]}
    await tenant.put(f"/sites/{ids['site']}/nodes/{ids['node']}/limits", window)
    later = await tenant.put(f"/sites/{ids['site']}", {"name": "Nord"}, status=202)
    row = {"of": "Nord", "what": "timezone", "before": "Europe/Lisbon", "after": "Europe/Berlin"}
    assert later["differences"] == [row]


async def test_firmware_is_started_by_two_and_paused_by_one(
    world: World, tenant: Tenant, bea: Principal
) -> None:
    core, who = world.core, tenant.who
    link = await plug(world, tenant)
    new = NewImage("Maker", "2.0", ("One",), url="https://files.example/2.0.bin")
    image = await core.firmware.add_image(who, new)
    body = {"image_id": str(image.id), "station_ids": [str(link.station.id)]}
    proposal = await tenant.post("/firmware/campaigns", body, status=202)
    row = {"of": "Maker 2.0", "what": "firmware", "before": "1.0", "after": "Maker 2.0"}
    assert proposal["differences"][0] == row
    assert (await tenant.get("/firmware/campaigns"))["items"] == []
    done = await approved(world, bea, proposal)
    campaign = done.outcome["result"]["campaign"]
    paused = await tenant.post(f"/firmware/campaigns/{campaign}/pause", None, status=200)
    assert paused["state"] == "paused"
    waits = await tenant.post(f"/firmware/campaigns/{campaign}/resume", None, status=202)
    await approved(world, bea, waits)
    assert (await tenant.get(f"/firmware/campaigns/{campaign}"))["state"] == "running"
    update = {"action": "UpdateFirmware", "payload": {
        "location": "https://files.example/3.bin", "retrieveDate": "2026-01-15T12:00:00Z",
    }}  # fmt: skip
    told = await tenant.post(f"/stations/{link.station.id}/ocpp", update, status=202)
    assert (told["kind"], told["permission"]) == ("firmware", "chargers:command")


async def test_switches_by_rest_and_an_alert_for_those_who_decide(
    world: World, tenant: Tenant, bea: Principal
) -> None:
    settings = await tenant.get("/approval-settings")
    assert settings == {"kinds": ["configuration", "firmware", "limits"], "expires_s": 86_400}
    off = await tenant.put("/approval-settings", {"kinds": ["limits"]}, status=202)
    alerts = (await tenant.get("/alerts"))["items"]
    assert [alert["kind"] for alert in alerts] == ["approval_waiting"]
    refused = await world.core.approvals.refuse(bea, UUID(off["id"]), "No.")
    assert refused.state is State.REFUSED
    assert (await tenant.get("/alerts", params={"open": True}))["items"] == []
    assert await tenant.get("/approval-settings") == settings
    unknown = await tenant.call("PUT", "/approval-settings", json={"kinds": ["switches"]})
    assert unknown.status_code == 422
