"""The console of a depot operator and of a fleet operator at its depot."""

import re
from datetime import timedelta
from uuid import UUID

import httpx
from console_world import PASSWORD, World, data_of

from voltyard.errors import NotFound
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.sessions.model import IdToken, MeterReading, Phase, TransactionReport
from voltyard.tenancy.model import AdmittedSite, Principal, Role
from voltyard.tenancy.operators import Operator
from voltyard.tenancy.service import NewUser
from voltyard.web.console.topics import TopicReader

CLOSED = (
    "/chargers", "/alerts", "/tariffs", "/operators", "/operators/new", "/security", "/firmware",
)  # fmt: skip
OPEN = ("/", "/duties", "/sessions", "/vehicles", "/tokens", "/people", "/keys", "/audit")


async def operator(world: World, name: str) -> tuple[Operator, Principal]:
    """With a bus, its token and its administrator."""
    email = f"{name.lower()}@fleet.example"
    core = world.core
    made = await core.operators.create(
        world.who,
        name,
        NewUser(email, f"{name} Admin", Role.ADMIN, PASSWORD),
        places=[AdmittedSite(world.site_id)],
    )
    who = await core.operators.acting(world.who, made.organisation.id)
    bus = await core.fleets.save_vehicle(who, VehicleDraft(f"{name} bus", "12m", 300_000.0))
    await core.fleets.save_token(who, TokenDraft(f"TAG{name.upper()}", vehicle_id=bus.id))
    return made, who


async def charge(world: World, token: str, outlet: int) -> UUID:
    core, now = world.core, world.core.clock.now()
    station = core.chargers.list_stations(world.who.org_id)[1].station.ref
    ack = await core.sessions.report(
        station,
        TransactionReport(
            Phase.STARTED,
            now - timedelta(minutes=5),
            f"{token}-start",
            evse_number=outlet,
            connector_number=1,
            id_token=IdToken(token),
            readings=(MeterReading(now - timedelta(minutes=5), 1_000.0, 60_000.0, 40.0),),
        ),
    )
    page = await core.sessions.page(world.who.org_id)
    return next(s.id for s in page.sessions if s.transaction_ref == ack.transaction_ref)


async def signed_in(world: World, name: str) -> World:
    """The same server, seen by somebody of an operator."""
    client = httpx.AsyncClient(
        transport=world.client._transport, base_url=str(world.client.base_url)
    )
    theirs = World(world.core, client, world.who, world.site_id, world.depot)
    values = {"email": f"{name.lower()}@fleet.example", "password": PASSWORD}
    answer = await theirs.post("/login", "/login", **values)
    assert answer.status_code == 303
    return theirs


async def test_a_fleet_operators_pages_hold_only_its_own(world: World) -> None:
    await operator(world, "Alpha")
    await operator(world, "Beta")
    mine, theirs = await charge(world, "TAGALPHA", 1), await charge(world, "TAGBETA", 2)
    alpha = await signed_in(world, "Alpha")
    pages = [path for path in OPEN if path != "/"] + [f"/sites/{world.site_id}/timetable"]
    pages += [f"/sites/{world.site_id}/board", "/sessions.csv", "/vehicles.csv", "/duties.csv"]
    pages += [f"/sites/{world.site_id}/board.csv", f"/sessions/{mine}"]
    for path in pages:
        html = await alpha.page(path)
        assert "Beta bus" not in html, path
        assert "TAGBETA" not in html, path
        assert str(theirs) not in html, path
    board = await alpha.page(f"/sites/{world.site_id}/board")
    assert "Alpha bus" in board
    assert "04A11" not in board
    for path in CLOSED:
        html = (await alpha.client.get(path)).text
        for name in ("Beta", "Demo", "CP-"):
            assert name not in html.split("<main")[-1], path
    for path in ("load", "load.json", "load.csv", "tree", "access", "meters"):
        answer = await alpha.client.get(f"/sites/{world.site_id}/{path}")
        assert answer.status_code in (403, 404), path
    await alpha.page(f"/sessions/{theirs}", 404)


async def test_live_topics_are_filtered_by_the_same_wall(world: World) -> None:
    _, alpha = await operator(world, "Alpha")
    await operator(world, "Beta")
    await charge(world, "TAGALPHA", 1)
    await charge(world, "TAGBETA", 2)
    read = TopicReader(data_of(world.core))
    records = await read(alpha, f"board:{world.site_id}")
    vehicles = {record.get("v") for key, record in records.items() if key != "head"}
    assert vehicles == {"Alpha bus"}
    station = world.core.chargers.list_stations(world.who.org_id)[1].station.id
    for topic in ("load", "tree"):
        await _refused(read, alpha, f"{topic}:{world.site_id}")
    for topic in ("station", "log"):
        await _refused(read, alpha, f"{topic}:{station}")
    assert (await read(alpha, "alerts"))["sum"]["n"] == 0


async def _refused(read: TopicReader, who: Principal, topic: str) -> None:
    try:
        await read(who, topic)
    except NotFound:
        return
    raise AssertionError(f"{topic} was shown")


async def test_the_depot_operator_sees_flags_and_filters(world: World) -> None:
    made, _ = await operator(world, "Alpha")
    await charge(world, "TAGALPHA", 1)
    html = await world.page("/sessions")
    assert "Alpha bus" in html
    assert 'data-kind="operator">Alpha<' in html
    only = await world.page(f"/sessions?operator={made.organisation.id}")
    assert "04A11" not in only
    board = await world.page(f"/sites/{world.site_id}/board?operator={made.organisation.id}")
    assert board.count('class="tile"') == 1
    assert "Alpha bus" in await world.page("/vehicles")
    row = await world.page("/operators")
    assert "Alpha" in row


async def test_an_operator_is_created_entered_and_left(world: World) -> None:
    answer = await world.post(
        "/operators/new",
        "/operators/new",
        name="Gamma",
        admin_name="Gam",
        email="gam@fleet.example",
        password=PASSWORD,
        site=str(world.site_id),
    )
    assert answer.status_code == 303, answer.text[-600:]
    page = answer.headers["location"].partition("?")[0]
    assert "checked" in await world.page(page)
    wrong = await world.post("/operators/new", "/operators/new", name="")
    assert wrong.status_code == 422
    entered = await world.post(f"{page}/enter", page)
    assert entered.status_code == 303
    people = await world.page("/people")
    assert "gam@fleet.example" in people
    assert "at work in a fleet operator" in people
    await world.page("/operators", 404)
    left = await world.post("/operators/leave", "/people")
    assert left.status_code == 303
    assert "gam@fleet.example" not in await world.page("/people")


async def test_an_access_rule_is_made_changed_and_deleted(world: World) -> None:
    site = f"/sites/{world.site_id}/access"
    values = {"name": "Nights", "whom": "guests", "position": "5", "active": "on"}
    values |= {"from": "22:00", "until": "05:00", "day": "0", "keep_free": "0"}
    assert (await world.post(f"{site}/new", f"{site}/new", **values)).status_code == 303
    html = await world.page(site)
    assert "Nights" in html
    assert "22:00–05:00" in html
    found = re.search(r'href="(/access/[0-9a-f-]{36})"', html)
    assert found
    wrong = await world.post(found[1], found[1], **(values | {"until": ""}))
    assert wrong.status_code == 422
    german = await world.client.get(site, headers={"cookie": "voltyard_locale=de"})
    assert german.status_code in (200, 303)
    changed = await world.post(found[1], found[1], **(values | {"name": "Late"}))
    assert changed.status_code == 303
    assert "Late" in await world.page(site)
    assert (await world.post(f"{found[1]}/delete", found[1])).status_code == 303
    assert "Late" not in await world.page(site)
