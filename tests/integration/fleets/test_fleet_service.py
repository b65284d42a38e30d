"""Vehicles and tokens in the database and in memory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from voltyard.bus import Bus
from voltyard.clock import ScaledClock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.fleets.events import TokensChanged, VehiclesChanged
from voltyard.fleets.model import TokenFilter, TokenState
from voltyard.fleets.service import FleetService
from voltyard.ids import new_id
from voltyard.sessions.model import IdToken
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Principal, Role
from voltyard.tenancy.passwords import PasswordBook, in_place
from voltyard.tenancy.service import NewUser, TenancyService

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)


async def an_organisation(database: PostgresDatabase, name: str) -> Principal:
    people = TenancyService(
        database, ScaledClock(AT), PasswordBook(in_place, time_cost=1, memory_kib=64)
    )
    admin = NewUser(f"{name}@example.org", name, Role.ADMIN, "seven buses at dawn")
    organisation, _ = await people.create_organisation(name, admin)
    return system_principal(organisation.id)


@pytest.fixture
async def who(database: PostgresDatabase) -> Principal:
    return await an_organisation(database, "Depot")


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def fleets(database: PostgresDatabase, bus: Bus) -> FleetService:
    return FleetService(database, bus, ScaledClock(AT))


async def test_a_token_is_found_whatever_its_case_with_its_vehicle(
    fleets: FleetService, who: Principal
) -> None:
    vehicle = await fleets.save_vehicle(who, VehicleDraft("Bus 1", battery_wh=350e3))
    token = await fleets.save_token(who, TokenDraft("04a2B1", vehicle_id=vehicle.id))
    assert await fleets.lookup(who.org_id, IdToken(" 04A2b1 ")) == (token, vehicle)
    assert await fleets.lookup_token(who.org_id, IdToken("04A2B1")) == token
    assert await fleets.lookup(who.org_id, IdToken("unknown")) == (None, None)


async def test_tokens_are_found_by_the_state_they_say_they_are_in(
    fleets: FleetService, who: Principal
) -> None:
    idle = await fleets.save_vehicle(who, VehicleDraft("Bus 2", active=False))
    hour = timedelta(hours=1)
    for draft in (
        TokenDraft("GOOD", concurrent=True),
        TokenDraft("TIMED", valid_from=AT, valid_until=AT + hour, group_id="NIGHT"),
        TokenDraft("BLOCKED", blocked=True, valid_until=AT - hour),
        TokenDraft("OVER", valid_until=AT),
        TokenDraft("EARLY", valid_from=AT + hour),
        TokenDraft("IDLE", vehicle_id=idle.id, kind="mac"),
    ):
        await fleets.save_token(who, draft)
    vehicles = {idle.id: idle}
    seen = []
    for state in TokenState:
        found, total = await fleets.find_tokens(who, TokenFilter(state=state))
        seen += [token.value for token in found]
        assert len(found) == total
        for token in found:
            vehicle = vehicles.get(token.vehicle_id) if token.vehicle_id else None
            assert token.state_at(AT, vehicle) is state
    assert sorted(seen) == ["BLOCKED", "EARLY", "GOOD", "IDLE", "OVER", "TIMED"]
    for wanted, value in (
        (TokenFilter("bus 2"), "IDLE"),
        (TokenFilter("night"), "TIMED"),
        (TokenFilter(kind="mac"), "IDLE"),
        (TokenFilter(concurrent=True), "GOOD"),
    ):
        assert [token.value for token in (await fleets.find_tokens(who, wanted))[0]] == [value]


async def test_a_token_is_blocked_and_let_charge_again(
    fleets: FleetService, who: Principal, bus: Bus
) -> None:
    heard: list[TokensChanged] = []

    async def hear(event: TokensChanged) -> None:
        heard.append(event)

    token = await fleets.save_token(who, TokenDraft("A", label="Porter"))
    bus.subscribe(TokensChanged, hear, name="test")
    assert await fleets.block_token(who, token.id, blocked=True) == replace(token, blocked=True)
    assert (await fleets.lookup_token(who.org_id, IdToken("a"))) == replace(token, blocked=True)
    await fleets.block_token(who, token.id, blocked=True)
    assert len(heard) == 1, "what is so already changes nothing"
    assert await fleets.block_token(who, token.id, blocked=False) == token
    with pytest.raises(NotFound):
        await fleets.block_token(replace(who, org_id=new_id()), token.id, blocked=True)


async def test_memory_follows_every_change(fleets: FleetService, who: Principal, bus: Bus) -> None:
    heard: list[str] = []

    async def hear(event: object) -> None:
        heard.append(type(event).__name__)

    bus.subscribe(VehiclesChanged, hear, name="test")
    bus.subscribe(TokensChanged, hear, name="test")
    vehicle = await fleets.save_vehicle(who, VehicleDraft("Bus 1"))
    token = await fleets.save_token(who, TokenDraft("A1", vehicle_id=vehicle.id))
    assert await fleets.lookup_token(who.org_id, IdToken("a1")) == token
    blocked = await fleets.save_token(who, TokenDraft("A1", blocked=True), token.id)
    assert await fleets.lookup(who.org_id, IdToken("a1")) == (blocked, None)
    await fleets.delete_token(who, token.id)
    assert await fleets.lookup_token(who.org_id, IdToken("a1")) is None
    renamed = await fleets.save_vehicle(who, VehicleDraft("Bus 2"), vehicle.id)
    assert await fleets.by_name(who.org_id, "BUS 2") == renamed
    await fleets.delete_vehicle(who, vehicle.id)
    assert await fleets.all(who.org_id) == []
    assert heard == [
        "VehiclesChanged",
        "TokensChanged",
        "TokensChanged",
        "TokensChanged",
        "VehiclesChanged",
        "VehiclesChanged",
        "TokensChanged",
    ]


async def test_a_vehicle_goes_with_its_tokens(fleets: FleetService, who: Principal) -> None:
    vehicle = await fleets.save_vehicle(who, VehicleDraft("Bus 1"))
    await fleets.save_token(who, TokenDraft("A1", vehicle_id=vehicle.id))
    await fleets.delete_vehicle(who, vehicle.id)
    assert await fleets.all_tokens(who.org_id) == []


async def test_names_and_values_are_used_once(fleets: FleetService, who: Principal) -> None:
    await fleets.save_vehicle(who, VehicleDraft("Bus 1"))
    with pytest.raises(Conflict) as clash:
        await fleets.save_vehicle(who, VehicleDraft("Bus 1"))
    assert set(clash.value.fields) == {"name"}
    await fleets.save_token(who, TokenDraft("A1"))
    with pytest.raises(Conflict) as clash:
        await fleets.save_token(who, TokenDraft("a1"))
    assert set(clash.value.fields) == {"value"}


async def test_a_vehicle_says_all_that_is_wrong_with_it(
    fleets: FleetService, who: Principal
) -> None:
    draft = VehicleDraft(" ", "", -1.0, 10.0, 20.0, ((50, 1), (50, 2)), 0.1)
    with pytest.raises(Invalid) as refused:
        await fleets.save_vehicle(who, draft)
    assert set(refused.value.fields) == {
        "name",
        "battery_wh",
        "min_power_w",
        "charge_curve",
        "efficiency",
    }


async def test_lists_are_filtered_and_paged(fleets: FleetService, who: Principal) -> None:
    for number in range(5):
        kind = "12m" if number % 2 else "18m"
        await fleets.save_vehicle(who, VehicleDraft(f"Bus {number}", kind, vin=f"V%{number}"))
    found, total = await fleets.list_vehicles(who, limit=2, offset=1)
    assert ([v.name for v in found], total) == (["Bus 1", "Bus 2"], 5)
    _, matching = await fleets.list_vehicles(who, vehicle_class="12m")
    assert matching == 2
    found, _ = await fleets.list_vehicles(who, text="v%3")
    assert [v.name for v in found] == ["Bus 3"]
    assert await fleets.classes(who) == ["12m", "18m"]


async def test_a_file_is_imported_whole_or_not_at_all(fleets: FleetService, who: Principal) -> None:
    await fleets.save_vehicle(who, VehicleDraft("Bus 1", battery_wh=1e5))
    bad = b"name,battery_kwh\nBus 1,200\nBus 2,x"
    with pytest.raises(Invalid) as refused:
        await fleets.import_vehicles(who, bad)
    assert dict(refused.value.fields) == {"row 3 battery_kwh": "is not a number"}
    assert [v.battery_wh for v in await fleets.all(who.org_id)] == [1e5]
    report = await fleets.import_vehicles(who, bad.replace(b"x", b"300"))
    assert (len(report.new), len(report.changed)) == (1, 1)
    assert {v.battery_wh for v in await fleets.all(who.org_id)} == {2e5, 3e5}
    tokens = b"value,vehicle\nA1,Bus 1\nA2,Bus 2"
    await fleets.import_tokens(who, tokens, ZoneInfo("Europe/Berlin"))
    token, vehicle = await fleets.lookup(who.org_id, IdToken("a2"))
    assert token is not None
    assert vehicle is not None
    assert vehicle.name == "Bus 2"


async def test_another_organisation_reaches_nothing(
    fleets: FleetService, who: Principal, database: PostgresDatabase
) -> None:
    vehicle = await fleets.save_vehicle(who, VehicleDraft("Bus 1"))
    token = await fleets.save_token(who, TokenDraft("A1", vehicle_id=vehicle.id))
    other = await an_organisation(database, "Other")
    assert await fleets.lookup(other.org_id, IdToken("A1")) == (None, None)
    assert await fleets.vehicles(other.org_id, [vehicle.id]) == []
    for call in (
        fleets.vehicle(other, vehicle.id),
        fleets.save_vehicle(other, VehicleDraft("X"), vehicle.id),
        fleets.delete_vehicle(other, vehicle.id),
        fleets.token(other, token.id),
        fleets.delete_token(other, token.id),
    ):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(Invalid):
        await fleets.save_token(other, TokenDraft("A1", vehicle_id=vehicle.id))
    await fleets.save_token(other, TokenDraft("A1"))
