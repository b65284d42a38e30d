"""Tokens, their rules, lists on chargers and reservations over the real rooms, by role and wall."""

import base64
import csv
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from console_world import PASSWORD, World

from voltyard.chargers.commands import Command, CommandResult, CommandStatus, ReserveNow
from voltyard.chargers.model import Station, StationRef
from voltyard.errors import NotFound
from voltyard.fleets.commands import TokenDraft
from voltyard.ids import new_id
from voltyard.locallists.model import ListState
from voltyard.reservations.commands import NewReservation
from voltyard.sessions.model import IdToken
from voltyard.sessions.refusals import RefusalFilter
from voltyard.sites.commands import AreaDraft
from voltyard.tenancy.model import Role
from voltyard.tenancy.service import NewUser

MINE = ("/tokens", "/tokens/refused", "/tokens/rules", "/tokens/lists", "/reservations")
LATER = "2027-01-20T20:00"

ACCEPTED = CommandResult(CommandStatus.ACCEPTED, "Accepted")


@dataclass
class Link:
    """A charger at the other end with one answer for everything."""

    station: StationRef
    version: str = "2.0.1"
    sent: list[Command] = field(default_factory=list)
    answer: CommandResult = ACCEPTED

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        self.sent.append(command)
        return self.answer

    async def close(self, reason: str) -> None:
        pass


@pytest.fixture
def station(world: World) -> Station:
    return world.core.chargers.list_stations(world.who.org_id)[1].station


@pytest.fixture
async def link(world: World, station: Station) -> Link:
    made = Link(station.ref)
    await world.core.chargers.connected(made)
    return made


async def as_role(world: World, role: Role) -> None:
    email = f"{role.value}@example.com"
    new = NewUser(email, role.value, role, PASSWORD)
    await world.core.tenancy.create_user(world.who, new)
    await signed_in(world, email)


async def as_stranger(world: World) -> None:
    """Somebody of another organisation of the same server."""
    admin = NewUser("far@example.com", "A. Stranger", Role.ADMIN, PASSWORD)
    await world.core.tenancy.create_organisation("Far away", admin)
    await signed_in(world, "far@example.com")


async def signed_in(world: World, email: str) -> None:
    world.client.cookies.clear()
    answer = await world.post("/login", "/login", email=email, password=PASSWORD)
    assert answer.status_code == 303


async def refused(world: World, station: Station, token: str) -> None:
    await world.core.sessions.authorise(station.ref, 1, IdToken(token))
    await world.core.commits.flush()


async def test_a_token_has_a_time_and_places_and_is_blocked_and_deleted(world: World) -> None:
    area = await world.core.sites.save_area(world.who, world.site_id, AreaDraft("Hall nine"))
    values = {
        "kind": "rfid",
        "value": "04FF77",
        "label": "=Porter",
        "valid_until": LATER,
        "group_id": "NIGHT",
        "site": str(world.site_id),
        "area": str(area.id),
        "concurrent": "on",
    }
    assert (await world.post("/tokens/new", "/tokens/new", **values)).status_code == 303
    (row,), _ = await world.core.fleets.list_tokens(world.who, text="04ff77")
    assert (row.site_ids, row.area_ids) == ((world.site_id,), (area.id,))
    assert row.valid_until is not None
    page = await world.page(f"/tokens/{row.id}")
    assert f'value="{LATER}"' in page
    assert f'name="area" value="{area.id}" checked' in page
    listed = await world.page("/tokens?q=night&state=valid&concurrent=1")
    assert "2 places" in listed

    blocked = await world.post(f"/tokens/{row.id}/block", "/tokens", blocked="on")
    assert blocked.status_code == 303
    assert "04FF77" in await world.page("/tokens?state=blocked")
    assert "04FF77" not in await world.page("/tokens?state=valid")
    assert (await world.post(f"/tokens/{row.id}/block", "/tokens", blocked="")).status_code == 303
    sheet = list(csv.DictReader(StringIO(await world.page("/tokens.csv?q=04FF77"))))
    assert sheet[0]["label"] == "'=Porter"
    assert sheet[0]["state"] == "valid"
    assert (await world.post(f"/tokens/{row.id}/delete", "/tokens")).status_code == 303
    await world.page(f"/tokens/{row.id}", 404)
    log = await world.page("/audit?q=token")
    for action in ("token.create", "token.update", "token.delete"):
        assert action in log


async def test_a_wrong_token_says_where(world: World) -> None:
    values = {"kind": "rfid", "value": "", "valid_until": "tomorrow", "site": "Rome"}
    answer = await world.post("/tokens/new", "/tokens/new", **values)
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 2
    values = {"kind": "rfid", "value": "FAR", "site": str(new_id())}
    assert (await world.post("/tokens/new", "/tokens/new", **values)).status_code == 422


async def test_a_file_is_checked_and_then_imported_whole_or_not_at_all(world: World) -> None:
    async def checked(text: str) -> str:
        page = await world.page("/tokens/import")
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
        assert found
        files = {"file": ("tokens.csv", text.encode(), "text/csv")}
        data = {"csrf": found[1]}
        return (await world.client.post("/tokens/import", data=data, files=files)).text

    assert "there is no vehicle of this name" in await checked("value,vehicle\nN1,\nN2,Nobody\n")
    assert "Import 2 tokens" in await checked("value;blocked\nN1;no\nN2;yes\n")
    content = base64.b64encode(b"value;blocked\nN1;no\nN2;yes\n").decode()
    done = await world.post("/tokens/import/confirm", "/tokens/import", content=content)
    assert done.status_code == 303
    assert "N2" in await world.page("/tokens?state=blocked")
    assert "nothing to import" in await checked("value;blocked\nN1;no\nN2;yes\n")
    for content in ("", "no base64!", base64.b64encode(b"colour\nred\n").decode()):
        bad = await world.post("/tokens/import/confirm", "/tokens/import", content=content)
        assert bad.status_code == 422
    assert "value,kind,vehicle" in await world.page("/tokens/all.csv")


async def test_where_a_token_was_used_last_is_shown(world: World) -> None:
    await world.core.fleets.save_token(world.who, TokenDraft("04A11"))
    first = world.core.chargers.list_stations(world.who.org_id)[0].station
    page = await world.page("/tokens?q=04A11")
    assert f'href="/chargers/{first.id}"' in page


async def test_why_a_token_was_refused_and_what_would_help(world: World, station: Station) -> None:
    lost = await world.core.fleets.save_token(world.who, TokenDraft("LOST", blocked=True))
    await refused(world, station, "LOST")
    await refused(world, station, "<GUEST>")
    page = await world.page("/tokens/refused")
    assert "The token is blocked." in page
    assert f'href="/tokens/{lost.id}"' in page
    assert "/tokens/new?value=%3CGUEST%3E&amp;kind=rfid" in page
    assert "Nothing matches" in await world.page("/tokens/refused?status=expired")
    assert "Nothing matches" in await world.page("/tokens/refused?since=2030-01-01T00:00")
    sheet = list(csv.DictReader(StringIO(await world.page("/tokens/refused.csv?q=lost"))))
    assert [row["status"] for row in sheet] == ["blocked"]
    assert "Last refused" in await world.page(f"/tokens/{lost.id}")
    await world.core.fleets.save_token(world.who, TokenDraft("<GUEST>"))
    assert "The token is on record by now." in await world.page("/tokens/refused?q=guest")


async def test_the_rule_of_a_site_is_changed_and_nothing_else_of_it(world: World) -> None:
    before = await world.core.sites.site(world.who, world.site_id)
    path = f"/tokens/rules/{world.site_id}"
    wanted = "reject" if before.unknown_token == "accept" else "accept"
    assert (await world.post(path, "/tokens/rules", unknown_token=wanted)).status_code == 303
    after = await world.core.sites.site(world.who, world.site_id)
    assert after == replace(before, unknown_token=wanted)
    assert (await world.post(path, "/tokens/rules", unknown_token="maybe")).status_code == 422
    assert "site.update" in await world.page("/audit")


async def test_a_list_on_a_charger_beside_what_should_be_on_it(
    world: World, station: Station, link: Link
) -> None:
    await world.core.fleets.save_token(world.who, TokenDraft("04AA", group_id="A|B"))
    listed = await world.page("/tokens/lists")
    assert station.identity in listed
    path = f"/chargers/{station.id}/local-list"
    page = await world.page(path)
    assert "04AA" in page
    assert "A|B" in page
    assert "To be added" in page
    assert "Nothing matches" in await world.page(f"{path}?difference=extra")
    sheet = list(csv.DictReader(StringIO(await world.page(f"{path}.csv?q=04AA"))))
    assert [(row["token"], row["standing"]) for row in sheet] == [("04AA", "missing")]
    asked = await world.post(path, path, how="changes")
    assert asked.status_code == 303
    assert world.core.local_lists.under_way(station.id)
    assert "Under way" in await world.page(path)
    assert "locallist.sync" in await world.page("/audit")


async def test_all_lists_are_asked_for_at_once_and_who_is_away_is_told(
    world: World, station: Station, link: Link
) -> None:
    asked = await world.post("/tokens/lists?link=", "/tokens/lists", how="whole")
    assert asked.status_code == 303
    page = await world.page(asked.headers["location"])
    assert "not connected" in page
    assert "under way" in page
    offline = world.core.chargers.list_stations(world.who.org_id)[0].station
    path = f"/chargers/{offline.id}/local-list"
    answer = await world.post(path, path, how="whole")
    assert answer.status_code == 422
    assert "The charger is not connected." in answer.text
    (unknown,) = {world.core.local_lists.known(offline).state}
    assert unknown is ListState.UNKNOWN
    rows = list(csv.DictReader(StringIO(await world.page("/tokens/lists.csv"))))
    assert len(rows) == 4


async def test_an_outlet_is_reserved_released_and_its_past_is_seen(
    world: World, station: Station, link: Link
) -> None:
    new = "/reservations/new"
    values = {"station_id": str(station.id), "token": "04AA", "outlet": "2", "token_kind": "rfid"}
    until = (world.core.clock.now() + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%MZ")
    made = await world.post(new, f"{new}?station={station.id}", **values, until_at=until)
    assert made.status_code == 303, made.text[-900:]
    (sent,) = [command for command in link.sent if isinstance(command, ReserveNow)]
    page = await world.page(f"/reservations?when=open&station={station.id}")
    assert "Active" in page
    found = re.search(r'action="(/reservations/[0-9a-f-]{36}/cancel)"', page)
    assert found
    assert "station-reservations" in await world.page(f"/chargers/{station.id}/reservations")
    twice = await world.post(new, new, **values, until_at=until)
    assert twice.status_code == 422
    assert "The outlet is reserved at that time already." in twice.text
    back = f"/chargers/{station.id}"
    over = await world.post(found[1], "/reservations", back=back)
    assert over.headers["location"] == back
    assert "Released" in await world.page("/reservations?when=over")
    assert "No entry fits" in await world.page("/reservations?when=open")
    rows = list(csv.DictReader(StringIO(await world.page("/reservations.csv"))))
    assert [(row["number"], row["state"]) for row in rows] == [
        (str(sent.reservation_id), "cancelled")
    ]
    log = await world.page("/audit?q=reservation")
    assert "reservation.create" in log
    assert "reservation.cancel" in log


async def test_what_the_charger_refuses_and_what_makes_no_sense_is_told_on_the_form(
    world: World, station: Station, link: Link
) -> None:
    link.answer = CommandResult(CommandStatus.REJECTED, "Occupied")
    new = "/reservations/new"
    until = (world.core.clock.now() + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%MZ")
    values = {"station_id": str(station.id), "token": "04AA", "until_at": until}
    answer = await world.post(new, new, **values, outlet="2")
    assert answer.status_code == 422
    assert "Occupied" in answer.text
    assert "Refused" in await world.page("/reservations")
    answer = await world.post(new, new, **values, outlet="77")
    assert "This charger has no such outlet." in answer.text
    answer = await world.post(new, new, station_id="", token="", until_at="")
    assert answer.text.count('aria-invalid="true"') == 3
    answer = await world.post(new, new, **(values | {"station_id": str(new_id())}))
    assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)


async def test_who_may_only_look_is_offered_nothing_and_may_do_nothing(
    world: World, station: Station, link: Link
) -> None:
    token = await world.core.fleets.save_token(world.who, TokenDraft("04AA"))
    later = world.core.clock.now() + timedelta(hours=2)
    kept = await world.core.reservations.reserve(
        world.who, NewReservation(station.id, "04AA", later)
    )
    await as_role(world, Role.VIEWER)
    paths = (f"/chargers/{station.id}/local-list", f"/tokens/{token.id}")
    for path in (*MINE, *paths, f"/chargers/{station.id}"):
        main = (await world.page(path)).partition("<main")[2]
        forms = main.replace('<form method="post" class="panel form">', "")
        assert 'method="post"' not in forms, path
    for path in (
        f"/tokens/{token.id}/block",
        f"/tokens/{token.id}/delete",
        "/tokens/import/confirm",
        f"/tokens/rules/{world.site_id}",
        "/tokens/lists",
        f"/chargers/{station.id}/local-list",
        "/reservations/new",
        f"/reservations/{kept.id}/cancel",
    ):
        answer = await world.post(path, "/tokens", unknown_token="reject")
        assert answer.status_code == 403, path
    assert await world.core.fleets.token(world.who, token.id) == token


async def test_another_organisation_sees_and_does_nothing(
    world: World, station: Station, link: Link
) -> None:
    token = await world.core.fleets.save_token(world.who, TokenDraft("LOST", blocked=True))
    await refused(world, station, "LOST")
    later = world.core.clock.now() + timedelta(hours=2)
    kept = await world.core.reservations.reserve(
        world.who, NewReservation(station.id, "04AA", later)
    )
    await as_stranger(world)
    for path in MINE:
        page = await world.page(path)
        assert "LOST" not in page
        assert station.identity not in page
        assert "04AA" not in page
    for path in ("/tokens.csv", "/tokens/all.csv", "/tokens/refused.csv", "/reservations.csv"):
        assert (await world.page(path)).count("\n") == 1
    for path in (f"/chargers/{station.id}/local-list", f"/chargers/{station.id}/reservations"):
        await world.page(path, 404)
    await world.page(f"/tokens/{token.id}", 404)
    for path in (
        f"/tokens/{token.id}/block",
        f"/tokens/{token.id}/delete",
        f"/tokens/rules/{world.site_id}",
        f"/chargers/{station.id}/local-list",
        f"/reservations/{kept.id}/cancel",
    ):
        answer = await world.post(path, "/tokens/new", unknown_token="reject")
        assert answer.status_code == 404, path
    assert await refusals_of(world, new_id()) == 0
    with pytest.raises(NotFound):
        await world.core.local_lists.of_station(replace(world.who, org_id=new_id()), station.id)


async def refusals_of(world: World, org_id: UUID) -> int:
    return (await world.core.sessions.refusals(org_id, RefusalFilter()))[1]
