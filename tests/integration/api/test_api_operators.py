"""Fleet operators at a shared depot: each sees its own, the depot operator all of them."""

import re
from uuid import UUID, uuid4

import pytest
from api_world import PASSWORD, World, deps_of
from shared_depot import Fleet, SharedDepot, shared_depot
from sqlalchemy.exc import DBAPIError
from test_api_tenant_wall import body_of

from voltyard.api.app import api_router
from voltyard.api.docs import describe, operations
from voltyard.errors import Unauthenticated
from voltyard.sessions.model import AuthorisationStatus, IdToken
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope

AT_THE_SITE = re.compile(r"/sites/\{site_id\}/duties(\.csv|/import.*)?$")
"""What a fleet operator may do at a site it is admitted to."""


@pytest.fixture
async def depot(world: World) -> SharedDepot:
    return await shared_depot(world)


async def foreign_ids(depot: SharedDepot, sibling: Fleet) -> dict[str, object]:
    """Everything of a sibling, and of the depot."""
    session = await depot.charge(sibling.token, 1)
    ids = dict(await depot.world.furnish(depot.depot))
    return {**ids, **sibling.ids, "session": session.id, "site": depot.closed}


async def test_every_address_with_an_id_of_a_sibling_or_the_depot_is_closed(
    depot: SharedDepot,
) -> None:
    alpha, beta = await depot.operator("Alpha"), await depot.operator("Beta")
    ids = await foreign_ids(depot, beta)
    world = depot.world
    document = describe(api_router(lambda: deps_of(world.core, world.people, world.parts)))
    asked, open_ones = 0, []
    for site in (depot.closed, depot.site):
        ids["site"] = site
        for template, method, _ in operations(document):
            names = re.findall(r"{(\w+)}", template)
            of_a_site = "site_id" in names
            if site == depot.site and (not of_a_site or AT_THE_SITE.search(template)):
                continue
            if not any(name.endswith("_id") for name in names):
                continue
            path = template.removeprefix("/api/v1")
            for name in names:
                value = ids.get(name.removesuffix("_id"), uuid4() if name != "number" else 1)
                path = path.replace("{" + name + "}", str(value))
            options = {"json": body_of(path, method)} if method not in ("get", "delete") else {}
            if "/import." in path:
                options = {"content": b"id"}
            answer = await alpha.tenant.call(method.upper(), path, **options)
            asked += 1
            if answer.status_code not in (403, 404):
                open_ones.append(f"{answer.status_code} {method} {template} {answer.text}")
    assert open_ones == []
    assert asked >= 100
    assert (await beta.tenant.get(f"/vehicles/{beta.vehicle}"))["name"] == "Bus 1"


async def test_lists_and_exports_hold_only_ones_own(depot: SharedDepot) -> None:
    alpha, beta = await depot.operator("Alpha"), await depot.operator("Beta")
    mine = await depot.charge(alpha.token, 1)
    theirs = await depot.charge(beta.token, 2)
    guest = await depot.charge("GUEST", 3)
    shown = (await alpha.tenant.get("/sessions"))["items"]
    assert [session["id"] for session in shown] == [str(mine.id)]
    assert (shown[0]["charger"], shown[0]["duty_id"]) == ("CP-SHARED", alpha.ids["duty"])
    curve = await alpha.tenant.get(f"/sessions/{mine.id}/curve")
    assert len(curve["samples"]) == 1
    text = (await alpha.tenant.call("GET", "/sessions.csv")).text
    assert str(mine.id) in text
    assert str(theirs.id) not in text
    assert str(guest.id) not in text
    duties = (await alpha.tenant.get(f"/sites/{depot.site}/duties"))["items"]
    assert [duty["id"] for duty in duties] == [alpha.ids["duty"]]
    assert (await alpha.tenant.call("GET", "/sites")).json()["items"] == []
    sites = (await alpha.tenant.get("/charging-sites"))["items"]
    assert [site["name"] for site in sites] == ["Shared"]
    for path in ("/stations", "/alerts", "/operators"):
        assert (await alpha.tenant.get(path))["items"] == [], path
    users = (await alpha.tenant.get("/users"))["items"]
    assert [user["email"] for user in users] == ["alpha@fleet.example"]


async def test_the_depot_operator_sees_all_flagged_by_operator(depot: SharedDepot) -> None:
    alpha, beta = await depot.operator("Alpha"), await depot.operator("Beta")
    for place, fleet in enumerate((alpha, beta), start=1):
        await depot.charge(fleet.token, place)
    await depot.charge("GUEST", 3)
    sessions = (await depot.depot.get("/sessions"))["items"]
    flags = {session["id_token"]: session["operator_id"] for session in sessions}
    assert flags == {alpha.token: str(alpha.id), beta.token: str(beta.id), "GUEST": None}
    only = await depot.depot.get(f"/sessions?operator_id={beta.id}")
    assert [session["id_token"] for session in only["items"]] == [beta.token]
    vehicles = (await depot.depot.get("/vehicles"))["items"]
    assert {vehicle["operator_id"] for vehicle in vehicles} == {str(alpha.id), str(beta.id)}
    planned = await depot.world.core.timetable.duties(
        depot.depot.who.org_id,
        depot.site,
        depot.world.core.clock.now(),
        depot.world.core.clock.now(),
    )
    assert {str(duty.id) for duty in planned} == {alpha.ids["duty"], beta.ids["duty"]}
    users = (await depot.depot.get("/users"))["items"]
    assert [user["email"] for user in users] == [depot.depot.email]


async def test_an_operators_duties_count_no_more_than_it_is_granted(depot: SharedDepot) -> None:
    alpha, beta = await depot.operator("Alpha"), await depot.operator("Beta")
    await depot.depot.call("PATCH", f"/operators/{beta.id}", json={"best_priority": 7})
    now = depot.world.core.clock.now()
    planned = await depot.world.core.timetable.duties(depot.depot.who.org_id, depot.site, now, now)
    assert {duty.org_id: duty.priority for duty in planned} == {alpha.id: 5, beta.id: 7}
    wrong = await depot.depot.call("PATCH", f"/operators/{beta.id}", json={"best_priority": 10})
    assert wrong.status_code == 422


async def test_the_depot_operator_changes_what_is_an_operators_in_its_name(
    depot: SharedDepot,
) -> None:
    alpha = await depot.operator("Alpha")
    await depot.depot.put(f"/vehicles/{alpha.vehicle}", {"name": "Bus 7"})
    assert (await alpha.tenant.get(f"/vehicles/{alpha.vehicle}"))["name"] == "Bus 7"
    duty = await depot.depot.get(f"/duties/{alpha.ids['duty']}")
    await depot.depot.put(
        f"/duties/{duty['id']}",
        {
            "arrival_at": duty["arrival_at"],
            "departure_at": duty["departure_at"],
            "vehicle_id": alpha.vehicle,
            "target_soc_pct": 90,
            "priority": 1,
        },
    )
    assert (await alpha.tenant.get(f"/duties/{duty['id']}"))["priority"] == 1
    audit = (await alpha.tenant.get("/audit"))["items"]
    assert {"vehicle.update", "duty.save", "key.create"} <= {entry["action"] for entry in audit}
    assert any("(Depot)" in entry["actor_name"] for entry in audit)
    own = await depot.depot.post("/vehicles", {"name": "Bus 7"})
    refused = await depot.depot.call(
        "POST", "/tokens", json={"value": "MIXED", "vehicle_id": alpha.vehicle}
    )
    assert refused.status_code == 422
    assert own["operator_id"] is None
    await depot.depot.call("DELETE", f"/duties/{duty['id']}")
    assert (await alpha.tenant.call("GET", f"/duties/{duty['id']}")).status_code == 404


async def test_a_token_of_a_sibling_cannot_be_taken_over(depot: SharedDepot) -> None:
    alpha, beta = await depot.operator("Alpha"), await depot.operator("Beta")
    answer = await alpha.tenant.call("POST", "/tokens", json={"value": beta.token.lower()})
    assert answer.status_code == 409
    session = await depot.charge(beta.token, 1)
    assert session.fleet_org_id == beta.id


async def test_nobody_acts_in_another_depots_operator(depot: SharedDepot) -> None:
    alpha, beta = await depot.operator("Alpha"), await depot.operator("Beta")
    stranger = await depot.world.tenant("Stranger")
    for who in (stranger, beta.tenant):
        answer = await who.call("GET", "/users", headers={"voltyard-operator": str(alpha.id)})
        assert answer.status_code == 404
    refused = await alpha.tenant.call(
        "POST",
        "/operators",
        json={"name": "Below", "admin": {"email": "b@x.de", "name": "B", "password": PASSWORD}},
    )
    assert refused.status_code == 403
    foreign = {"places": [{"site_id": str(depot.closed), "area_ids": [str(depot.areas[0])]}]}
    answer = await depot.depot.call("PATCH", f"/operators/{alpha.id}", json=foreign)
    assert answer.status_code == 422


async def test_an_operator_that_is_switched_off_gets_in_nowhere(depot: SharedDepot) -> None:
    alpha = await depot.operator("Alpha")
    people = depot.world.core.tenancy.login
    logged_in = await people.log_in("alpha@fleet.example", PASSWORD)
    assert logged_in.principal.parent_id == depot.depot.who.org_id
    changed = await depot.depot.call("PATCH", f"/operators/{alpha.id}", json={"active": False})
    assert changed.json()["active"] is False
    assert (await alpha.tenant.call("GET", "/vehicles")).status_code == 401
    assert await people.principal_of_session(logged_in.token) is None
    with pytest.raises(Unauthenticated):
        await people.log_in("alpha@fleet.example", PASSWORD)
    core = depot.world.core
    told = await core.sessions.authorise(depot.station, 1, IdToken(alpha.token))
    assert told.status is AuthorisationStatus.BLOCKED


async def test_bound_operators_charge_in_their_area_and_others_do_not(depot: SharedDepot) -> None:
    alpha = await depot.operator("Alpha", depot.areas[0])
    beta = await depot.operator("Beta")
    core = depot.world.core
    expected = {
        (alpha.token, 1): "accepted",
        (alpha.token, 3): "not_here",
        (beta.token, 1): "not_here",
        (beta.token, 3): "accepted",
        ("GUEST", 2): "not_here",
        ("GUEST", 4): "accepted",
    }
    for (token, outlet), status in expected.items():
        found = await core.sessions.authorise(depot.station, outlet, IdToken(token))
        assert found.status.value == status, (token, outlet, found.reason)
    anywhere = await core.sessions.authorise(depot.station, None, IdToken("GUEST"))
    assert (anywhere.accepted, anywhere.evse_numbers) == (True, (3, 4))


async def test_rules_decide_in_order_and_their_reason_is_kept(depot: SharedDepot) -> None:
    alpha = await depot.operator("Alpha")
    rules = f"/sites/{depot.site}/access-rules"
    await depot.depot.post(rules, {"name": "No guests", "whom": "guests", "allow": False})
    await depot.depot.post(
        rules,
        {"name": "Guests west", "whom": "guests", "allow": True, "area_id": str(depot.areas[1])},
    )
    always = {"name": "Closed", "whom": "operators", "allow": False, "weekdays": list(range(7))}
    rule = await depot.depot.post(rules, {**always, "evse_id": str(depot.evses[3])})
    core = depot.world.core
    refused = await core.sessions.authorise(depot.station, 1, IdToken("GUEST"))
    assert refused.status is AuthorisationStatus.NOT_HERE
    assert refused.reason == "a rule of the site keeps it out: No guests"
    assert (await core.sessions.authorise(depot.station, 3, IdToken("GUEST"))).accepted
    own = await core.sessions.authorise(depot.station, 4, IdToken(alpha.token))
    assert (own.status, own.until_at is not None) == (AuthorisationStatus.NOT_NOW, True)
    await depot.depot.call("DELETE", f"/access-rules/{rule['id']}")
    assert (await core.sessions.authorise(depot.station, 4, IdToken(alpha.token))).accepted
    await depot.charge("GUEST", 3)
    kept = (await depot.depot.get("/token-refusals"))["items"]
    assert "No guests" in " ".join(entry["reason"] for entry in kept)
    session = await depot.charge("GUEST", 1, "again")
    assert session.authorisation_reason == "a rule of the site keeps it out: No guests"
    assert (session.authorisation, session.fleet_org_id) == ("not_here", None)
    theirs = (await alpha.tenant.get("/token-refusals"))["items"]
    assert {entry["token"] for entry in theirs} <= {alpha.token}


async def test_the_database_keeps_operators_apart_whatever_the_code_asks(
    depot: SharedDepot, database: PostgresDatabase
) -> None:
    alpha, beta = await depot.operator("Alpha"), await depot.operator("Beta")
    await depot.charge(alpha.token, 1)
    await depot.charge(beta.token, 2)
    owner = {"vehicles": "org_id", "tokens": "org_id", "duties": "org_id", "users": "org_id"}
    owner |= {"sessions": "fleet_org_id", "organisations": "id", "operator_sites": "operator_id"}
    for table, column in owner.items():
        async with scope.transaction(database, scope.of(alpha.id)) as tx:
            rows = await tx.all(f"SELECT DISTINCT {column} AS org FROM {table}")
        assert {row["org"] for row in rows} == {alpha.id}, table
    async with scope.transaction(database, scope.of(alpha.id)) as tx:
        assert len(await tx.all("SELECT * FROM meter_values")) == 1
        for closed in ("sites", "areas", "bays", "stations", "evses", "plans", "access_rules"):
            assert await tx.all(f"SELECT 1 FROM {closed}") == [], closed
        assert await tx.execute("UPDATE sessions SET energy_wh = 0") == 0
    async with scope.transaction(database, scope.at_places(alpha.id)) as tx:
        assert [row["name"] for row in await tx.all("SELECT name FROM sites")] == ["Shared"]
        assert await tx.execute("UPDATE sites SET name = 'X'") == 0
    for statement in (
        "UPDATE organisations SET parent_id = NULL WHERE id = :org",
        "INSERT INTO operator_sites (operator_id, site_id, org_id) VALUES (:org, :site, :org)",
        "INSERT INTO duties (id, org_id, site_id, external_id, arrival_at, departure_at,"
        " updated_at) VALUES (:id, :org, :site, 'x', now(), now() + interval '1 h', now())",
    ):
        with pytest.raises(DBAPIError, match=r"row-level security|stays where"):
            async with scope.transaction(database, scope.of(alpha.id)) as tx:
                await tx.execute(statement, {"org": alpha.id, "site": depot.closed, "id": uuid4()})
    async with database.begin(org_id=None) as tx:
        for table in ("organisations", "sessions", "vehicles", "operator_sites", "access_rules"):
            assert await tx.all(f"SELECT 1 FROM {table}") == [], table


async def test_a_fleet_operator_is_below_a_depot_operator_only(
    depot: SharedDepot, database: PostgresDatabase
) -> None:
    alpha: Fleet = await depot.operator("Alpha")
    below: UUID = uuid4()
    with pytest.raises(DBAPIError, match="no operators"):
        async with scope.transaction(database, scope.of(alpha.id)) as tx:
            await tx.execute(
                "INSERT INTO organisations (id, name, slug, created_at, parent_id)"
                " VALUES (:id, 'x', 'x', now(), :parent)",
                {"id": below, "parent": alpha.id},
            )
