"""Telematics by REST, and by what others post to a connection's own address."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import httpx
from api_world import Tenant, World
from litestar import Litestar
from shared_depot import shared_depot
from standardwebhooks.webhooks import Webhook

from voltyard.api.telematics_door import make_telematics_door
from voltyard.telematics.model import Told
from voltyard.tenancy.model import Permission
from voltyard.units import iso_z


async def test_a_batch_tells_what_became_of_each_and_again_changes_nothing(
    world: World, tenant: Tenant
) -> None:
    ids = await world.furnish(tenant)
    bus, now = str(ids["vehicle"]), world.core.clock.now()
    at = iso_z(now - timedelta(minutes=6))
    batch = {
        "source": "depot-script",
        "observations": [
            {"vehicle_id": bus, "observed_at": at, "soc_pct": 43, "odometer_km": 1200.5},
            {"name": "Bus 1", "observed_at": at, "plugged": True, "charging": "ac"},
            {"name": "Bus 77", "observed_at": at, "soc_pct": 1},
            {"vehicle_id": bus, "observed_at": iso_z(now + timedelta(days=1)), "soc_pct": 50},
            {"vehicle_id": bus, "observed_at": "yesterday", "soc_pct": 50},
            {"vehicle_id": bus, "soc_pct": 50},
        ],
    }
    told = (await tenant.post("/telematics/observations", batch, status=200))["outcomes"]
    assert [one["result"] for one in told] == [
        "taken", "taken", "unknown_vehicle", "flagged", "invalid", "invalid",
    ]  # fmt: skip
    assert told[3]["flags"] == ["future"]
    assert "observed_at" in told[5]["why"]
    again = (await tenant.post("/telematics/observations", batch, status=200))["outcomes"]
    assert [one["result"] for one in again[:4]] == ["known", "known", "unknown_vehicle", "known"]
    standing = await tenant.get(f"/vehicles/{bus}/telematics")
    used = [claim for claim in standing["claims"] if claim["verdict"] == "used"]
    assert [(claim["origin"], claim["soc_pct"]) for claim in used] == [("telematics", 43.0)]
    assert standing["newest"]["charging"]["charging"] == "ac"
    history = await tenant.get(f"/vehicles/{bus}/observations")
    assert [row["flags"] for row in history] == [["future"], []]
    viewer = await world.key(tenant.who, tenant.email, frozenset({Permission.VIEW}))
    assert (await viewer.call("POST", "/telematics/observations", json=batch)).status_code == 403


async def test_a_connection_hides_its_secrets_and_is_wholly_checked(
    world: World, tenant: Tenant
) -> None:
    wrong = {"name": "G", "kind": "geotab", "poll_s": 1, "access": {"server": "a b"}}
    answer = await tenant.call("POST", "/telematics/connections", json=wrong)
    assert answer.status_code == 422
    assert {"poll_s", "password", "server", "database", "user"} <= set(
        answer.text.replace('"', " ").split()
    )
    access = {"database": "depot", "user": "api@example.org"}
    body = {"name": "G", "kind": "geotab", "password": "top secret", "access": access}
    made = (await tenant.post("/telematics/connections", body))["connection"]
    assert (made["health"], made["has_secret"]) == ("never", True)
    assert made["access"]["server"] == "my.geotab.com"
    assert "top secret" not in json.dumps(made)
    assert (await tenant.call("POST", "/telematics/connections", json=body)).status_code == 409
    path = f"/telematics/connections/{made['id']}"
    changed = {**body, "password": None, "enabled": False}
    assert (await tenant.put(path, changed))["health"] == "off"
    assert world.core.telematics.service.secrets(UUID(made["id"])).password == "top secret"
    moved = {**changed, "kind": "samsara"}
    assert (await tenant.call("PUT", path, json=moved)).status_code == 409
    async with world.core.database.begin(org_id=None, system=True) as tx:
        rows = await tx.all("SELECT secret FROM telematics_connections WHERE secret IS NOT NULL")
    assert all(b"top secret" not in bytes(row["secret"]) for row in rows)
    audit = (await tenant.get("/audit"))["items"]
    assert "top secret" not in json.dumps(audit)
    assert (await tenant.call("DELETE", path)).status_code == 204
    assert (await tenant.call("GET", path)).status_code == 404


async def posted(
    world: World, address: str, body: bytes, headers: Mapping[str, str]
) -> httpx.Response:
    app = Litestar([make_telematics_door(world.core.telematics.posts)], openapi_config=None)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://voltyard.test") as client:
        return await client.post(address, content=body, headers=dict(headers))


async def test_a_webhook_is_believed_by_its_signature_alone(world: World, tenant: Tenant) -> None:
    """Signed here by the package of the standard, as a sender would."""
    ids = await world.furnish(tenant)
    now = world.core.clock.now()
    body = {
        "name": "Box",
        "kind": "webhook",
        "access": {"fields": {"soc_pct": "battery.level", "observed_at": "time"}},
    }
    made = await tenant.post("/telematics/connections", body)
    secret, address = made["secret"], made["connection"]["address"]
    entry = {"name": "Bus 1", "time": iso_z(now), "battery": {"level": 37.5}}
    raw = json.dumps({"observations": [entry, {"name": "Bus 1"}]}).encode()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, raw.decode()),
    }
    good = await posted(world, address, raw, headers)
    assert good.status_code == 200, good.text
    assert [one["result"] for one in good.json()["outcomes"]] == ["taken", "invalid"]
    again = await posted(world, address, raw, headers)
    assert again.json()["outcomes"][0]["result"] == "known"
    assert (await posted(world, address, raw + b" ", headers)).status_code == 401
    assert (await posted(world, address, raw, {})).status_code == 401
    old = {**headers, "webhook-timestamp": str(int(now.timestamp()) - 600)}
    assert (await posted(world, address, raw, old)).status_code == 401
    assert (await posted(world, address + "x", raw, headers)).status_code == 404
    path = f"/telematics/connections/{made['connection']['id']}"
    fresh = (await tenant.post(f"{path}/secret", {}, status=200))["secret"]
    assert (await posted(world, address, raw, headers)).status_code == 200, "the old one counts"
    await tenant.post(f"{path}/secret", {}, status=200)
    assert fresh != secret
    assert (await posted(world, address, raw, headers)).status_code == 401
    shown = await tenant.get(f"/vehicles/{ids['vehicle']}/observations")
    assert [(row["source_name"], row["soc_pct"]) for row in shown] == [("Box", 37.5)]


async def test_a_samsara_event_is_proven_by_its_own_signature(world: World, tenant: Tenant) -> None:
    """As its guide says: HMAC-SHA256 over ``v1:<timestamp>:<body>``, hexadecimal."""
    await world.furnish(tenant)
    now = world.core.clock.now()
    key = b"a secret that Samsara made, 32 b"
    body = {
        "name": "Samsara",
        "kind": "samsara",
        "password": "token",
        "signing": base64.b64encode(key).decode(),
    }
    made = (await tenant.post("/telematics/connections", body))["connection"]
    stamp = str(int(now.timestamp()))
    stats = [{"time": iso_z(now), "value": 66_000}]
    raw = json.dumps(
        {"data": [{"id": "9", "name": "Bus 1", "evStateOfChargeMilliPercent": stats}]}
    ).encode()
    signed = hmac.new(key, f"v1:{stamp}:".encode() + raw, hashlib.sha256).hexdigest()
    headers = {"X-Samsara-Timestamp": stamp, "X-Samsara-Signature": f"v1={signed}"}
    good = await posted(world, made["address"], raw, headers)
    assert [one["result"] for one in good.json()["outcomes"]] == ["taken"], good.text
    forged = {**headers, "X-Samsara-Signature": f"v1={signed[::-1]}"}
    assert (await posted(world, made["address"], raw, forged)).status_code == 401
    named = await tenant.get(f"/telematics/connections/{made['id']}/vehicles")
    assert [(one["external_id"], one["label"], one["chosen"]) for one in named] == [
        ("9", "Bus 1", False)
    ]


async def test_a_person_says_which_vehicle_is_meant(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    room = world.core.telematics.service
    (view,) = room.views(tenant.who)
    told = Told(world.core.clock.now(), external_id="unit 7", soc_pct=50.0)
    (first,) = await room.heard(view.connection, [told])
    assert first.result == "unknown_vehicle"
    path = f"/telematics/connections/{view.connection.id}/vehicles"
    chosen = [{"external_id": "unit 7", "vehicle_id": str(ids["vehicle"])}]
    (named,) = await tenant.put(path, chosen)
    assert named["chosen"] is True
    (second,) = await room.heard(view.connection, [told])
    assert (second.result, second.vehicle_id) == ("taken", ids["vehicle"])
    other = await world.tenant("Other")
    theirs = await world.furnish(other)
    foreign = [{"external_id": "unit 7", "vehicle_id": str(theirs["vehicle"])}]
    assert (await tenant.call("PUT", path, json=foreign)).status_code == 422


async def test_a_depot_sees_what_its_operators_vehicles_tell_and_not_their_connections(
    world: World,
) -> None:
    depot = await shared_depot(world)
    first = await depot.operator("First", depot.areas[0])
    second = await depot.operator("Second", depot.areas[1])
    hook = {"name": "Hook", "kind": "webhook"}
    made = (await first.tenant.post("/telematics/connections", hook))["connection"]
    at = iso_z(world.core.clock.now())
    told = {"observations": [{"name": "Bus 1", "observed_at": at, "soc_pct": 44}]}
    await first.tenant.post("/telematics/observations", told, status=200)
    path = f"/vehicles/{first.vehicle}"
    for who in (first.tenant, depot.depot):
        seen = await who.get(f"{path}/observations")
        assert [row["soc_pct"] for row in seen] == [44]
        standing = await who.get(f"{path}/telematics")
        assert standing["newest"]["soc_pct"]["soc_pct"] == 44
    assert (await second.tenant.call("GET", f"{path}/telematics")).status_code == 404
    assert (await second.tenant.call("GET", f"{path}/observations")).status_code == 404
    address = f"/telematics/connections/{made['id']}"
    for other in (second.tenant, depot.depot):
        assert await other.get("/telematics/connections") == []
        assert (await other.call("GET", address)).status_code == 404
        assert (await other.call("DELETE", address)).status_code == 404
