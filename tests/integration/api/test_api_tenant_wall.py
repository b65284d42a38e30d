"""Another organisation's ids lead nowhere, whatever the address and the method."""

import re
from uuid import uuid4

import pytest
from api_world import Tenant, World, deps_of
from sqlalchemy.exc import SQLAlchemyError

from voltyard.api.app import api_router
from voltyard.api.docs import describe, operations
from voltyard.storage.engine import PostgresDatabase

BODIES: dict[str, object] = {
    "/sites/{site}": {"name": "X"},
    "/telematics/connections": {"name": "X", "kind": "webhook"},
    "/areas": {"name": "X"},
    "/bays": {"name": "X"},
    "/tree": {"nodes": [{"kind": "grid", "name": "G", "limits": [{"power_w": 1}]}]},
    "/nodes": {"kind": "grid", "name": "G", "limits": [{"power_w": 1}]},
    "/limits": {"limits": [{"power_w": 1}]},
    "/emergency-limit": {"power_w": 1, "until_at": "2030-01-01T00:00:00Z"},
    "/access-rules": {"name": "X", "whom": "guests", "allow": False},
    "/tariffs": {"name": "X", "terms": {"currency": "EUR", "components": []}},
    "/running-tariff": {"tariff_id": str(uuid4())},
    "/prepaid-accounts": {"name": "X", "tokens": ["T"]},
    "/bookings": {"amount": "1"},
    "/lift": {"reason": "X"},
    "/allow": {"reason": "X"},
    "/bay-booking-rules": {"mode": "strict"},
    "/bay-plan": [],
    "/settlement": {"amount": "1"},
    "/password": {"password": "seven buses at noon"},
    "/evses/1": {"name": "X"},
    "/commands": {"command": "reset"},
    "/approve": {},
    "/refuse": {"reason": "X"},
    "/reason": {"reason": "X"},
    "/chain": {"chain": "PEM"},
    "/revoke": {"reason": "lost"},
    "/revoke-certificate": {"reason": "lost"},
    "/security-profile": {"profile": 2},
    "/required-profile": {"profile": 1, "reason": "reset"},
    "/certificate-name": {"certificate_name": "SN-1"},
    "/installed-certificates/delete": {"algorithm": "SHA256", "serial": "1", "issuer_key_hash": ""},
    "/vehicle": {"vehicle_id": None},
    "/priority": {"first": True},
    "/discharge": {"power_w": 1000, "until": "2030-01-01T00:00:00Z", "soc_floor_pct": 50},
    "/site-meters": {"node_id": str(uuid4()), "name": "X", "protocol": "push"},
    "/readings": [{"power_w": 1}],
    "/tariff": {"currency": "EUR"},
    "/presystems": {"path": "x", "name": "X"},
    "/prices": [{"start_at": "2030-01-01T00:00:00Z", "value": 1}],
    "/ocpp": {"action": "Reset", "payload": {"type": "Soft"}},
    "/configuration": {"key": "HeartbeatInterval", "value": "60"},
    "/monitors": {"variable": "EVSE@1.Power", "kind": "delta", "value": 1, "severity": 5},
    "/monitors/forget": {"monitor_ids": [1]},
    "/monitors/base": {"base": "all"},
    "/monitors/level": {"severity": 5},
    "/makes": {"vendor": "X", "quirks": {}},
    "/snooze": {"until_at": "2030-01-01T00:00:00Z"},
    "/notification-targets": {"name": "X", "channel": "email", "address": "x@example.org"},
    "/notification-routes": {"name": "X", "user_ids": [str(uuid4())]},
    "/departure-reminders": {},
    "/templates": {"name": "X", "vendor": "X", "wanted": [{"key": "A", "value": "1"}]},
}
DUTY = {
    "arrival_at": "2026-01-15T18:30:00+01:00",
    "departure_at": "2026-01-16T05:00:00+01:00",
    "vehicle_class": "12m",
    "target_soc_pct": 90,
}


def body_of(path: str, method: str) -> object:
    if path.endswith("/duties/import"):
        return {"duties": [{**DUTY, "external_id": "D1"}]}
    if path.endswith(("/vdv261", "/preconditioning")):
        return {}
    if path.startswith("/preconditioning/rules/"):
        when = {"start_before_s": 1800, "end_before_s": 0}
        return {"name": "X", "kind": "heating", "power_w": 5000, **when}
    if "/duties" in path:
        return DUTY
    if path.startswith("/telematics/") and path.endswith("/vehicles"):
        return []
    if path.startswith("/vehicles"):
        return {"name": "X"}
    if path.startswith("/tokens"):
        return {"value": "X"}
    if path.startswith(("/users/", "/stations/")) and method == "patch":
        return {"name": "X"}
    if path.startswith("/sites/") and method == "put" and path.count("/") == 2:
        return {"name": "X"}
    known = [body for end, body in BODIES.items() if path.endswith(end)]
    if known:
        return known[0]
    parts = re.sub(r"/[0-9a-f-]{36}$", "", path)
    return next((body for end, body in BODIES.items() if parts.endswith(end)), {})


async def test_every_address_with_a_foreign_id_is_not_found(world: World) -> None:
    mine, theirs = await world.tenant("Mine"), await world.tenant("Theirs")
    ids = await world.furnish(theirs)
    document = describe(api_router(lambda: deps_of(world.core, world.people, world.parts)))
    asked = 0
    for template, method, _ in operations(document):
        names = re.findall(r"{(\w+)}", template)
        if not any(name.endswith("_id") for name in names):
            continue
        path = template.removeprefix("/api/v1")
        for name in names:
            value = ids.get(name.removesuffix("_id"), uuid4() if name != "number" else 1)
            path = path.replace("{" + name + "}", str(value))
        if "/import." in path:
            answer = await mine.call("POST", path, content=b"id")
        elif method in ("get", "delete"):
            answer = await mine.call(method.upper(), path)
        else:
            answer = await mine.call(method.upper(), path, json=body_of(path, method))
        assert answer.status_code == 404, (method, template, answer.text)
        assert answer.json()["code"] in {"not_found", "no_plan", "no_controller"}
        asked += 1
    assert asked >= 45
    assert (await theirs.get(f"/sites/{ids['site']}"))["name"] == "Nord"
    assert (await theirs.get(f"/vehicles/{ids['vehicle']}"))["name"] == "Bus 1"
    assert (await theirs.get("/keys"))["items"][0]["revoked_at"] is None


async def test_lists_hold_only_ones_own(world: World) -> None:
    mine, theirs = await world.tenant("Mine"), await world.tenant("Theirs")
    await world.furnish(theirs)
    for path in ("/sites", "/stations", "/sessions", "/vehicles", "/tokens", "/alerts"):
        assert (await mine.get(path))["items"] == []
    assert [user["email"] for user in (await mine.get("/users"))["items"]] == [mine.email]
    entries = (await mine.get("/audit"))["items"]
    assert {entry["object_kind"] for entry in entries} == {"organisation", "user", "key"}


async def test_foreign_ids_in_bodies_are_refused_by_field(world: World) -> None:
    mine, theirs = await world.tenant("Mine"), await world.tenant("Theirs")
    foreign = await world.furnish(theirs)
    own = await world.furnish(mine)
    evse = {"kind": "evse", "name": "E", "parent_id": str(own["node"])}
    cases: list[tuple[str, str, object, str]] = [
        ("POST", "/tokens", {"value": "T", "vehicle_id": str(foreign["vehicle"])}, "vehicle_id"),
        (
            "POST",
            f"/sites/{own['site']}/duties",
            {**DUTY, "vehicle_id": str(foreign["vehicle"])},
            "vehicle",
        ),
        (
            "POST",
            f"/sites/{own['site']}/duties",
            {**DUTY, "bay_id": str(foreign["bay"])},
            "bay_id",
        ),
        (
            "POST",
            f"/sites/{own['site']}/nodes",
            {**evse, "evse_id": str(foreign["evse"])},
            "nodes[1].evse_id",
        ),
        (
            "PUT",
            f"/stations/{own['station']}/evses/1",
            {"bay_id": str(foreign["bay"])},
            "bay_id",
        ),
    ]
    for method, path, body, field in cases:
        answer = await mine.call(method, path, json=body)
        assert answer.status_code == 422, (path, answer.text)
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_the_database_itself_shows_nothing_without_a_scope(
    world: World, database: PostgresDatabase, tenant: Tenant
) -> None:
    await world.furnish(tenant)
    tables = ("organisations", "users", "api_keys", "audit_log", "sites", "nodes", "duties")
    async with database.begin(org_id=None) as tx:
        for table in tables:
            row = await tx.one(f"SELECT count(*) AS n FROM {table}")
            assert row is not None
            assert row["n"] == 0, table
    with pytest.raises(SQLAlchemyError, match="row-level security"):
        async with database.begin(org_id=None) as tx:
            await tx.execute(
                "INSERT INTO sites (id, org_id, name, timezone) VALUES (:id, :org, 'X', 'UTC')",
                {"id": uuid4(), "org": tenant.who.org_id},
            )


async def test_the_audit_cannot_be_changed_even_by_its_owner(
    world: World, database: PostgresDatabase, tenant: Tenant
) -> None:
    for statement in ("UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"):
        with pytest.raises(SQLAlchemyError, match="permission denied"):
            async with database.begin(org_id=tenant.who.org_id) as tx:
                await tx.execute(statement)
