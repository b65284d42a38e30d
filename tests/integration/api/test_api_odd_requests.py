"""What integrators send by mistake: each is told what is wrong, none meets a 500."""

from typing import Any

import pytest
from api_world import Tenant, World

JSON = {"content-type": "application/json"}
STAY = {"arrival_at": "2026-12-01T10:00:00Z", "departure_at": "2026-12-01T20:00:00Z"}
DUTY: dict[str, Any] = {**STAY, "vehicle_class": "12m", "target_soc_pct": 80}


async def told(tenant: Tenant, method: str, path: str, **options: Any) -> tuple[int, str, Any]:
    """Status, code, and reasons by field; always a problem."""
    answer = await tenant.call(method, path, **options)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    errors = {error["field"]: error["reason"] for error in body.get("errors", [])}
    return answer.status_code, body["code"], errors


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b'{"name":"\xff"}', 400, "malformed", None),
        (b'{"name":', 400, "malformed", None),
        (b"", 422, "invalid", "body"),
        (b"null", 422, "invalid", "body"),
        (b"[1]", 422, "invalid", "body"),
        (b'{"name":"a\\u0000b"}', 422, "invalid", None),
        (b'{"name":5}', 422, "invalid", "name"),
        (b'{"name":"x","colour":1}', 422, "invalid", "colour"),
        (b'{"name":"x","unknown_vehicle_power_w":1e400}', 400, "malformed", None),
    ],
)
async def test_bodies(
    tenant: Tenant, body: bytes, status: int, code: str, field: str | None
) -> None:
    found = await told(tenant, "POST", "/sites", content=body, headers=JSON)
    assert found[:2] == (status, code)
    assert list(found[2]) == ([] if field is None else [field])


async def test_an_escaped_backslash_before_u0000_is_no_nul(tenant: Tenant) -> None:
    answer = await tenant.call("POST", "/sites", content=b'{"name":"a\\\\u0000"}', headers=JSON)
    assert (answer.status_code, answer.json()["name"]) == (201, "a\\u0000")


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("limit=0", "limit", ">= 1"),
        ("offset=" + "9" * 30, "offset", "<="),
        ("text=%00", "text", "NUL"),
        ("since=2026-01-01T00:00:00", "since", "offset"),
        ("since=2026-01-01T00:00:00+01:00", "since", "%2B"),
        ("since=yesterday", "since", "RFC3339"),
        ("state=flying", "state", "flying"),
    ],
)
async def test_parameters(world: World, tenant: Tenant, query: str, field: str, says: str) -> None:
    ids = await world.furnish(tenant)
    status, _, errors = await told(tenant, "GET", f"/sites/{ids['site']}/duties?{query}")
    assert (status, list(errors)) == (422, [field])
    assert says in errors[field]


async def test_instants_beyond_the_calendar(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    path = f"/sites/{ids['site']}/duties"
    early = {**DUTY, "arrival_at": "0001-01-01T00:00:00+12:00"}
    status, code, errors = await told(tenant, "POST", path, json=early)
    assert (status, code) == (422, "duty_invalid")
    assert "2000" in errors["arrival_at"]
    late = "9999-12-31T23:59:59-12:00"
    status, code, _ = await told(tenant, "GET", f"{path}?until={late}")
    assert (status, code) == (422, "out_of_range")
    row = f"id,vehicle,arrival,departure,target_soc_pct\n1,Bus 1,{early['arrival_at']},{late},80\n"
    _, _, errors = await told(tenant, "POST", f"{path}/import.csv", content=row.encode())
    assert set(errors) == {"row 2 arrival", "row 2 departure"}


async def test_a_file_in_a_form_is_asked_for_as_it_is(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    path = f"/sites/{ids['site']}/duties/import.csv"
    found = await told(tenant, "POST", path, files={"file": ("a.csv", b"id\n")})
    assert found[:2] == (415, "unsupported_media_type")


async def test_imported_duties_need_keys_and_a_source_of_their_own(
    world: World, tenant: Tenant
) -> None:
    ids = await world.furnish(tenant)
    path = f"/sites/{ids['site']}/duties/import"
    status, code, errors = await told(tenant, "POST", path, json={"duties": [DUTY]})
    assert (status, code, list(errors)) == (422, "import_faults", ["row 1 external_id"])
    for source in ("manual", "csv", "spice_ev"):
        body = {"source": source, "duties": [{**DUTY, "external_id": "a"}]}
        status, _, errors = await told(tenant, "POST", path, json=body)
        assert (status, list(errors)) == (422, ["source"])


async def test_a_quotation_mark_that_is_never_closed(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    path = f"/sites/{ids['site']}/duties/import.csv"
    rows = 'id,vehicle,arrival,departure\n1,Bus 1,x,y\n"2,Bus 1,x,y\n3,Bus 1,x,y\n'
    _, code, errors = await told(tenant, "POST", path, content=rows.encode())
    assert code == "import_faults"
    assert "never closed" in errors["row 3"]
