"""Every page, export, live topic and form of the console over the real rooms."""

import csv
import re
from io import StringIO

import pytest
from console_world import World, data_of

from voltyard.errors import NotFound
from voltyard.fleets.commands import VehicleDraft
from voltyard.ids import new_id
from voltyard.sites.commands import AreaDraft, BayDraft
from voltyard.tenancy.model import ROLE_PERMISSIONS, Principal, Role
from voltyard.web.console.topics import TopicReader

LISTS = ("/sessions", "/chargers", "/duties", "/vehicles", "/tokens", "/alerts", "/people")
OTHERS = ("/keys", "/audit", "/duties/new", "/duties/import", "/vehicles/new", "/tokens/new")
OF_SITE = ("board", "board?view=table", "board/lists", "load", "load.json", "timetable", "tree")


async def test_every_page_is_served_and_so_is_what_it_links_to(world: World) -> None:
    """From each list on, every page of the console that is linked answers."""
    site = f"/sites/{world.site_id}"
    waiting = [*LISTS, *OTHERS, *(f"{site}/{name}" for name in OF_SITE)]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or sum(_shape(path) == shape for shape in map(_shape, seen)) > 3:
            continue
        seen.add(path)
        html = await world.page(path)
        assert "That did not work" not in html
        links = re.findall(r'href="(/[^"#]*)"', html)
        waiting += [link.replace("&amp;", "&") for link in links if _is_ours(link)]
    shapes = {_shape(path) for path in seen}
    assert {"/sessions/*", "/chargers/*", "/chargers/*/log", "/duties/*", "/vehicles/*"} <= shapes
    assert {"/sites/*/tree/*", "/tokens/*", "/people/*", "/sessions.csv"} <= shapes


def _shape(path: str) -> str:
    return re.sub(r"[0-9a-f-]{36}", "*", path.partition("?")[0])


def _is_ours(link: str) -> bool:
    return link != "/" and not link.startswith(("/assets/", "/schema", "/api"))


@pytest.mark.parametrize(
    ("path", "rows"),
    [("/chargers.csv", 4), ("/duties.csv", 8), ("/vehicles.csv", 8), ("/sessions.csv", 2)],
)
async def test_exports_hold_every_row(world: World, path: str, rows: int) -> None:
    lines = list(csv.reader(StringIO(await world.page(path))))
    assert len(lines) == rows + 1


async def test_every_live_topic_is_read(world: World) -> None:
    reader = TopicReader(data_of(world.core))
    station = world.core.chargers.list_stations(world.who.org_id)[0].station
    for topic in (f"board:{world.site_id}", f"load:{world.site_id}", f"tree:{world.site_id}"):
        assert isinstance(await reader(world.who, topic), dict)
    for topic in (f"station:{station.id}", f"log:{station.id}", "alerts"):
        assert isinstance(await reader(world.who, topic), dict)
    board = await reader(world.who, f"board:{world.site_id}")
    assert len(board) == 9
    assert any(record.get("s") == 48 for record in board.values())


async def test_the_board_shows_the_charge(world: World) -> None:
    html = await world.page(f"/sites/{world.site_id}/board")
    assert html.count('class="tile"') == 8
    assert "04A11" in html


async def test_the_board_shows_a_new_name_of_its_site_and_bays_at_once(world: World) -> None:
    """What is kept for the live topics is forgotten when it changes."""
    path = f"/sites/{world.site_id}/board"
    await world.page(path)
    sites, area = world.core.sites, (await world.core.sites.areas(world.who, world.site_id))[0]
    await sites.save_area(world.who, world.site_id, AreaDraft("Hall seven"), area.id)
    bay = (await sites.bays(world.who, world.site_id))[0]
    await sites.save_bay(world.who, world.site_id, BayDraft("Bay-77", bay.area_id), bay.id)
    html = await world.page(path)
    assert "Hall seven" in html
    assert "Bay-77" in html
    vehicle = (await world.core.fleets.all(world.who.org_id))[0]
    draft = VehicleDraft("Bus 4711", battery_wh=300e3, max_power_w=150e3)
    await world.core.fleets.save_vehicle(world.who, draft, vehicle.id)
    assert "Bus 4711" in await world.page(f"/sites/{world.site_id}/timetable")


async def test_the_board_is_filtered_by_area_and_drawn_densely(world: World) -> None:
    path = f"/sites/{world.site_id}/board"
    area = (await world.core.sites.areas(world.who, world.site_id))[0]
    assert (await world.page(f"{path}?area={area.name}")).count('class="tile"') == 8
    assert "Nothing matches" in await world.page(f"{path}?area=elsewhere")
    assert (await world.page(f"{path}?view=compact")).count('class="tile"') == 8
    assert (await world.page(f"{path}?state=at_risk")).count('class="tile"') == 0


async def test_a_session_has_its_curve(world: World) -> None:
    found = re.search(r'href="(/sessions/[0-9a-f-]{36})"', await world.page("/sessions"))
    assert found
    answer = await world.client.get(f"{found[1]}/curve.json")
    assert 90.0 in answer.json()["p"]


async def test_a_duty_is_made_changed_and_deleted(world: World) -> None:
    values = {
        "arrives_at": "2027-01-20T20:00",
        "departs_at": "2027-01-21T05:00",
        "vehicle_class": "solo",
        "target_soc_pct": "90",
        "external_id": "B-77",
        "priority": "2",
    }
    assert (await world.post("/duties/new", **values)).status_code == 303
    found = re.search(r'href="(/duties/[0-9a-f-]{36})"', await world.page("/duties?q=B-77"))
    assert found
    place = found[1]
    assert (await world.post(place, **(values | {"priority": "1"}))).status_code == 303
    assert 'name="priority" type="number" value="1"' in await world.page(place)
    assert (await world.post(f"{place}/delete")).status_code == 303
    await world.page(place, 404)


async def test_vehicles_and_tokens_are_made(world: World) -> None:
    values = {"name": "Bus 900", "battery_kwh": "350", "charge_curve": "0 150, 100 20"}
    assert (await world.post("/vehicles/new", **values, active="on")).status_code == 303
    found = re.search(r'href="/vehicles/([0-9a-f-]{36})"', await world.page("/vehicles?q=Bus+900"))
    assert found
    token = {"kind": "rfid", "value": "04FF77", "vehicle_id": found[1]}
    assert (await world.post("/tokens/new", **token)).status_code == 303
    assert "04FF77" in await world.page("/vehicles?q=Bus+900")
    twice = await world.post("/tokens/new", **token)
    assert twice.status_code in {409, 422}


async def test_a_limit_is_added_and_removed(world: World) -> None:
    tree = await world.page(f"/sites/{world.site_id}/tree")
    found = re.search(r'href="(/sites/[0-9a-f-]{36}/tree/[0-9a-f-]{36})"', tree)
    assert found
    added = await world.post(found[1], power_kw="250", from_time="16:00", to_time="20:00")
    assert added.status_code == 303, added.text[-500:]
    page = await world.page(found[1])
    assert 'value="16:00"' in page
    index = max(map(int, re.findall(r'name="index" value="(\d+)"', page)))
    assert (await world.post(found[1], index=str(index), remove="1")).status_code == 303
    assert 'value="16:00"' not in await world.page(found[1])


async def test_a_person_and_a_key_are_made(world: World) -> None:
    person = {"name": "M. P.", "email": "mp@nord.example", "role": "viewer", "active": "on"}
    made = await world.post("/people/new", **person, password="long enough 1")
    assert made.status_code == 303, made.text[-500:]
    key = await world.post("/keys", "/keys", name="Depot system", scope="view")
    assert key.status_code == 201
    secret = re.search(r'<code class="mono" tabindex="0">([^<]+)</code>', key.text)
    assert secret
    headers = {"authorization": f"Bearer {secret[1]}"}
    answer = await world.client.get("/api/v1/sites", headers=headers)
    assert answer.status_code == 200
    assert "Depot system" in await world.page("/audit")


async def test_a_command_to_an_offline_charger_says_so(world: World) -> None:
    station = world.core.chargers.list_stations(world.who.org_id)[0].station
    path = f"/chargers/{station.id}"
    given = await world.post(f"{path}/commands/trigger", message="status", evse="1")
    assert given.status_code == 303, given.text[-500:]


async def test_another_organisation_sees_nothing_of_ours(world: World) -> None:
    station = world.core.chargers.list_stations(world.who.org_id)[0].station
    permissions = ROLE_PERMISSIONS[Role.ADMIN]
    stranger = Principal(new_id(), "user", new_id(), "Stranger", permissions, Role.ADMIN)
    reader = TopicReader(data_of(world.core))
    for topic in (f"board:{world.site_id}", f"load:{world.site_id}", f"tree:{world.site_id}"):
        with pytest.raises(NotFound):
            await reader(stranger, topic)
    for topic in (f"station:{station.id}", f"log:{station.id}"):
        with pytest.raises(NotFound):
            await reader(stranger, topic)
