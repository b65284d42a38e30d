"""Who may ask what, and how refusals look."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_world import PASSWORD, Tenant, World, client_of, deps_of
from litestar import Litestar

from voltyard.api.app import make_api
from voltyard.api.deps import AnyRequest, Part
from voltyard.errors import Forbidden
from voltyard.tenancy.model import Permission


def is_problem(answer: httpx.Response, status: int, code: str) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"/api/problems/{code}"
    assert body["title"]
    return body


async def test_without_a_key_nothing_is_told(world: World) -> None:
    answer = await world.client.get("/api/v1/sites")
    is_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer vy_x", "Bearer ", "Basic YTpi", "Bearer"])
async def test_a_wrong_key_opens_nothing(world: World, header: str) -> None:
    answer = await world.client.get("/api/v1/sites", headers={"authorization": header})
    is_problem(answer, 401, "api_key")


async def test_a_key_does_what_its_scopes_allow_and_no_more(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    viewer = await world.key(tenant.who, tenant.email, frozenset({Permission.VIEW}))
    assert (await viewer.get("/sites"))["total"] == 1
    planner = await world.key(
        tenant.who, tenant.email, frozenset({Permission.VIEW, Permission.DUTIES_WRITE})
    )
    refused: list[tuple[Tenant, str, str, Any]] = [
        (viewer, "POST", "/sites", {"name": "X"}),
        (viewer, "DELETE", f"/duties/{ids['duty']}", None),
        (viewer, "GET", "/audit", None),
        (viewer, "GET", "/keys", None),
        (viewer, "POST", f"/stations/{ids['station']}/commands", {"command": "reset"}),
        (viewer, "POST", "/vehicles", {"name": "Bus 2"}),
        (planner, "POST", "/vehicles", {"name": "Bus 2"}),
        (planner, "PATCH", "/organisation", {"name": "X"}),
        (planner, "POST", "/stations", {"identity": "CP-X"}),
        (planner, "POST", f"/stations/{ids['station']}/retire", None),
    ]
    for caller, method, path, body in refused:
        answer = await caller.call(method, path, **({"json": body} if body else {}))
        is_problem(answer, 403, "forbidden")
    answer = await planner.call("DELETE", f"/duties/{ids['duty']}")
    assert answer.status_code == 204


async def test_a_key_without_view_sees_nothing(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    blind = await world.key(tenant.who, tenant.email, frozenset({Permission.DUTIES_WRITE}))
    for path in (
        "/sites",
        "/stations",
        "/sessions",
        "/vehicles",
        "/tokens",
        "/alerts",
        "/users",
        f"/duties/{ids['duty']}",
        f"/sites/{ids['site']}/live",
        f"/stations/{ids['station']}/frames",
        "/sessions.csv",
        f"/sites/{ids['site']}/duties.csv",
    ):
        is_problem(await blind.call("GET", path), 403, "forbidden")


async def test_a_key_makes_no_key_with_more_rights_than_its_own(
    world: World, tenant: Tenant
) -> None:
    clerk = await world.key(tenant.who, tenant.email, frozenset({Permission.PEOPLE_WRITE}))
    body = {"name": "more", "scopes": ["people:write", "sites:write"]}
    is_problem(await clerk.call("POST", "/keys", json=body), 403, "forbidden")
    made = await clerk.post("/keys", {"name": "same", "scopes": ["people:write"]})
    assert made["secret"].startswith("vy_")
    listed = (await clerk.get("/keys"))["items"]
    assert made["secret"] not in str(listed)
    revoked = await clerk.call("DELETE", f"/keys/{made['key']['id']}")
    assert revoked.json()["revoked_at"] is not None
    spent = Tenant(tenant.who, tenant.email, made["secret"], world.client)
    is_problem(await spent.call("GET", "/me"), 401, "api_key")


class Proof:
    async def check(self, request: AnyRequest) -> None:
        if request.headers.get("x-csrf-token") != "ours":
            raise Forbidden("stale", code="stale_form")


async def test_the_consoles_cookie_reads_and_changes_only_with_proof(
    world: World, tenant: Tenant
) -> None:
    logged_in = await world.people.login.log_in(tenant.email, PASSWORD)
    cookie = {"cookie": f"voltyard_session={logged_in.token}"}
    answer = await world.client.get("/api/v1/me", headers=cookie)
    assert answer.json()["kind"] == "user"
    body = {"name": "Nord"}
    answer = await world.client.post("/api/v1/sites", headers=cookie, json=body)
    is_problem(answer, 403, "key_needed")
    deps = deps_of(world.core, world.people, world.parts)
    proven = Litestar(
        make_api(replace(deps, form_proof=Proof())),
        openapi_config=None,
    )
    async with client_of(proven) as client:
        answer = await client.post("/api/v1/sites", headers=cookie, json=body)
        is_problem(answer, 403, "stale_form")
        answer = await client.post(
            "/api/v1/sites", headers={**cookie, "x-csrf-token": "ours"}, json=body
        )
        assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "X", "colour": "red"}, "colour"),
        ({}, "name"),
        ({"name": "X", "timezone": "Mars/Base"}, "timezone"),
        ({"name": "X", "unknown_vehicle_priority": 12}, "unknown_vehicle_priority"),
        ({"name": "X", "unknown_token": "maybe"}, "unknown_token"),
    ],
)
async def test_each_wrong_field_is_named(tenant: Tenant, body: Any, field: str) -> None:
    found = is_problem(await tenant.call("POST", "/sites", json=body), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == [field]
    assert found["errors"][0]["reason"]


async def test_malformed_requests_are_problems_too(tenant: Tenant) -> None:
    is_problem(await tenant.call("POST", "/sites", content=b"{"), 400, "malformed")
    is_problem(await tenant.call("GET", "/sites?limit=0"), 422, "invalid")
    is_problem(await tenant.call("GET", "/sites?limit=many"), 422, "invalid")
    is_problem(await tenant.call("GET", "/sites/not-an-id"), 404, "not_found")
    is_problem(await tenant.call("GET", "/nothing/here"), 404, "not_found")
    is_problem(await tenant.call("GET", "/alerts?cursor=x"), 422, "invalid")
    naive = {
        "arrival_at": "2026-01-15T18:30:00",
        "departure_at": "2026-01-16T05:00:00+01:00",
        "vehicle_class": "12m",
        "target_soc_pct": 90,
    }
    ids = await tenant.post("/sites", {"name": "Nord"})
    found = is_problem(
        await tenant.call("POST", f"/sites/{ids['id']}/duties", json=naive), 422, "invalid"
    )
    assert [error["field"] for error in found["errors"]] == ["arrival_at"]


async def test_clashes_are_conflicts(tenant: Tenant) -> None:
    await tenant.post("/sites", {"name": "Nord"})
    is_problem(await tenant.call("POST", "/sites", json={"name": "Nord"}), 409, "conflict")


async def test_a_command_to_a_charger_that_is_not_there(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    path = f"/stations/{ids['station']}/commands"
    answer = await tenant.call("POST", path, json={"command": "reset", "hard": True})
    is_problem(answer, 409, "charger_offline")
    record = (await tenant.get(path))["items"][0]
    assert (record["action"], record["status"]) == ("Reset", "charger_offline")
    answer = await tenant.call("POST", path, json={"command": "dance"})
    is_problem(answer, 422, "invalid")
    answer = await tenant.call("POST", path, json={"command": "unlock", "evse_number": 0})
    is_problem(answer, 422, "invalid")


async def test_health_and_metrics(world: World) -> None:
    assert (await world.client.get("/health/live")).json()["status"] == "ok"
    ready = await world.client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")
    world.parts.parts = (Part("database", False, "not reached"),)
    failing = await world.client.get("/health/ready")
    assert (failing.status_code, failing.json()["parts"][0]["why"]) == (503, "not reached")
    metrics = await world.client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = metrics.text.splitlines()
    assert "# TYPE voltyard_test_total counter" in lines
    assert 'voltyard_test_total{kind="a\\"b"} 3' in lines
    assert "voltyard_evses 0" in lines
