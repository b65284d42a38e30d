"""Sites, bays and the electrical tree as kept in the database."""

from datetime import UTC, date, datetime, time
from uuid import UUID, uuid4

import pytest

from voltyard.bus import Bus
from voltyard.clock import ScaledClock
from voltyard.errors import Conflict, Forbidden, Invalid, NotFound
from voltyard.sites.commands import AreaDraft, BayDraft, NodeDraft, SiteDraft, UnknownToken
from voltyard.sites.events import LimitChanged, SiteChanged, TreeChanged
from voltyard.sites.model import Node, NodeKind, NodeLimit
from voltyard.sites.service import SiteService
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import ROLE_PERMISSIONS, Principal, Role
from voltyard.tenancy.passwords import PasswordBook, in_place
from voltyard.tenancy.scope import SYSTEM, transaction
from voltyard.tenancy.service import NewUser, TenancyService

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)


class Heard:
    """Remembers what was published."""

    def __init__(self, bus: Bus) -> None:
        self.events: list[object] = []
        for kind in (LimitChanged, TreeChanged, SiteChanged):
            bus.subscribe(kind, self._hear, name="heard")

    async def _hear(self, event: object) -> None:
        self.events.append(event)

    def kinds(self) -> list[str]:
        kinds = [type(event).__name__ for event in self.events]
        self.events.clear()
        return kinds


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
def heard(bus: Bus) -> Heard:
    return Heard(bus)


@pytest.fixture
def sites(database: PostgresDatabase, bus: Bus) -> SiteService:
    return SiteService(database, bus, ScaledClock(AT))


async def an_evse(database: PostgresDatabase, org_id: UUID, site_id: UUID | None) -> UUID:
    station, evse = uuid4(), uuid4()
    async with transaction(database, SYSTEM) as tx:
        await tx.execute(
            "INSERT INTO stations (id, org_id, site_id, identity, state, created_at)"
            " VALUES (:id, :org, :site, :name, 'approved', :at)",
            {"id": station, "org": org_id, "site": site_id, "name": station.hex, "at": AT},
        )
        await tx.execute(
            "INSERT INTO evses (id, org_id, site_id, station_id, number, name, max_power_w)"
            " VALUES (:id, :org, :site, :station, 1, 'A1', 150000)",
            {"id": evse, "org": org_id, "site": site_id, "station": station},
        )
    return evse


def grid(power_w: float = 1e6) -> Node:
    return Node(uuid4(), NodeKind.GRID, "Grid", None, (NodeLimit(power_w=power_w),))


async def test_a_site_is_made_changed_and_deleted_with_its_audit(
    sites: SiteService, who: Principal, heard: Heard, database: PostgresDatabase
) -> None:
    site = await sites.create_site(who, SiteDraft("  Nord  depot "), remote="192.0.2.1")
    assert site.name == "Nord depot"
    assert await sites.get(site.id) == site
    changed = await sites.update_site(
        who, site.id, SiteDraft("Nord", unknown_vehicle_power_w=22_000.0)
    )
    assert await sites.get(site.id) == changed
    await sites.delete_site(who, site.id)
    with pytest.raises(NotFound):
        await sites.get(site.id)
    assert heard.kinds() == ["SiteChanged"] * 3
    async with transaction(database, SYSTEM) as tx:
        rows = await tx.all("SELECT action, remote FROM audit_log WHERE object_kind = 'site'")
    assert [row["action"] for row in rows] == ["site.create", "site.update", "site.delete"]
    assert rows[0]["remote"] == "192.0.2.1"


async def test_a_site_says_all_that_is_wrong_with_it(sites: SiteService, who: Principal) -> None:
    draft = SiteDraft("x", "Europe/Atlantis", "Germany", "€", unknown_vehicle_priority=0)
    with pytest.raises(Invalid) as refused:
        await sites.create_site(who, draft)
    assert set(refused.value.fields) == {
        "timezone",
        "country",
        "currency",
        "unknown_vehicle_priority",
    }


async def test_two_sites_of_one_name_clash(sites: SiteService, who: Principal) -> None:
    await sites.create_site(who, SiteDraft("Nord"))
    with pytest.raises(Conflict) as refused:
        await sites.create_site(who, SiteDraft("Nord"))
    assert set(refused.value.fields) == {"name"}


async def test_areas_and_bays(sites: SiteService, who: Principal) -> None:
    site = await sites.create_site(who, SiteDraft("Nord"))
    other = await sites.create_site(who, SiteDraft("Süd"))
    hall = await sites.save_area(who, site.id, AreaDraft("Hall 1"))
    bay = await sites.save_bay(who, site.id, BayDraft("A1", hall.id, 2))
    await sites.save_bay(who, site.id, BayDraft("A0", hall.id, 1))
    assert [b.name for b in await sites.bays(who, site.id)] == ["A0", "A1"]
    moved = await sites.save_bay(who, site.id, BayDraft("A1b", None, 3), bay.id)
    assert (moved.id, moved.area_id) == (bay.id, None)
    with pytest.raises(Invalid):
        await sites.save_bay(who, other.id, BayDraft("B1", hall.id))
    with pytest.raises(NotFound):
        await sites.delete_bay(who, other.id, bay.id)
    await sites.delete_area(who, site.id, hall.id)
    assert {b.area_id for b in await sites.bays(who, site.id)} == {None}
    await sites.delete_bay(who, site.id, bay.id)
    assert [b.name for b in await sites.bays(who, site.id)] == ["A0"]


async def test_the_tree_comes_back_as_it_was_given(
    sites: SiteService, who: Principal, database: PostgresDatabase
) -> None:
    site = await sites.create_site(who, SiteDraft("Nord"))
    evse = await an_evse(database, who.org_id, site.id)
    root = grid()
    night = NodeLimit(
        current_a=250.0,
        phases=3,
        from_time=time(22),
        to_time=time(6, 30),
        weekdays=frozenset({0, 4}),
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 3, 31),
        source="operator",
    )
    feeder = Node(uuid4(), NodeKind.FEEDER, "F1", root.id, (night, NodeLimit(power_w=2e5)))
    leaf = Node(uuid4(), NodeKind.EVSE, "A1", feeder.id, (), evse)
    await sites.replace_tree(who, site.id, [leaf, feeder, root])
    fresh = SiteService(database, Bus(), ScaledClock(AT))
    built = await fresh.tree(site.id)
    assert built.nodes == (root, feeder, leaf)
    assert built.leaf_of_evse[evse] == leaf


async def test_a_tree_with_faults_is_refused_whole_by_path(
    sites: SiteService, who: Principal
) -> None:
    site = await sites.create_site(who, SiteDraft("Nord"))
    root = grid()
    lost = Node(uuid4(), NodeKind.FEEDER, "F", uuid4(), (NodeLimit(power_w=-1),))
    stranger = Node(uuid4(), NodeKind.EVSE, "E", root.id, (), uuid4())
    with pytest.raises(Invalid) as refused:
        await sites.replace_tree(who, site.id, [root, lost])
    assert {"nodes[1].parent_id", "nodes[1].limits[0].power_w"} <= set(refused.value.fields)
    with pytest.raises(Invalid) as refused:
        await sites.replace_tree(who, site.id, [root, stranger])
    assert set(refused.value.fields) == {"nodes[1].evse_id"}
    assert await sites.nodes(who, site.id) == []


async def test_a_changed_limit_is_told_and_seen_at_once(
    sites: SiteService, who: Principal, heard: Heard
) -> None:
    site = await sites.create_site(who, SiteDraft("Nord"))
    root = grid()
    await sites.replace_tree(who, site.id, [root])
    assert (await sites.tree(site.id)).root.limits[0].power_w == 1e6
    heard.kinds()
    await sites.set_limits(who, site.id, root.id, [NodeLimit(power_w=5e5)])
    assert heard.kinds() == ["LimitChanged"]
    assert (await sites.tree(site.id)).root.limits[0].power_w == 5e5
    with pytest.raises(Invalid):
        await sites.set_limits(who, site.id, root.id, [])


async def test_nodes_are_added_moved_and_removed_one_by_one(
    sites: SiteService, who: Principal, heard: Heard
) -> None:
    site = await sites.create_site(who, SiteDraft("Nord"))
    limits = (NodeLimit(power_w=1e6),)
    root = await sites.add_node(who, site.id, NodeDraft(NodeKind.GRID, "Grid", None, limits))
    first = await sites.add_node(who, site.id, NodeDraft(NodeKind.FEEDER, "F1", root.id))
    second = await sites.add_node(who, site.id, NodeDraft(NodeKind.FEEDER, "F2", root.id))
    heard.kinds()
    await sites.update_node(
        who, site.id, second.id, NodeDraft(NodeKind.FEEDER, "F2", first.id, limits)
    )
    assert heard.kinds() == ["LimitChanged", "TreeChanged"]
    with pytest.raises(Conflict):
        await sites.delete_node(who, site.id, first.id)
    await sites.delete_node(who, site.id, second.id)
    assert [n.name for n in await sites.nodes(who, site.id)] == ["Grid", "F1"]
    with pytest.raises(NotFound):
        await sites.delete_node(who, site.id, second.id)


async def test_evses_may_change_places_and_the_root_may_be_another(
    sites: SiteService, who: Principal, database: PostgresDatabase
) -> None:
    site = await sites.create_site(who, SiteDraft("Nord"))
    one = await an_evse(database, who.org_id, site.id)
    two = await an_evse(database, who.org_id, None)
    root = grid()
    a, b = (Node(uuid4(), NodeKind.EVSE, n, root.id, (), e) for n, e in (("A", one), ("B", two)))
    await sites.replace_tree(who, site.id, [root, a, b])
    swapped = [
        root,
        Node(a.id, NodeKind.EVSE, "A", root.id, (), two),
        Node(b.id, NodeKind.EVSE, "B", root.id, (), one),
    ]
    await sites.replace_tree(who, site.id, swapped)
    assert (await sites.tree(site.id)).leaf_of_evse[one].id == b.id
    new = grid(2e6)
    await sites.replace_tree(who, site.id, [new])
    assert (await sites.tree(site.id)).nodes == (new,)


async def test_a_foreign_site_does_not_exist(
    sites: SiteService, who: Principal, database: PostgresDatabase
) -> None:
    site = await sites.create_site(who, SiteDraft("Nord"))
    await sites.replace_tree(who, site.id, [grid()])
    other = await an_organisation(database, "Other")
    assert await sites.sites(other) == []
    for call in (
        sites.site(other, site.id),
        sites.update_site(other, site.id, SiteDraft("Mine")),
        sites.delete_site(other, site.id),
        sites.bays(other, site.id),
        sites.save_bay(other, site.id, BayDraft("A1")),
        sites.nodes(other, site.id),
        sites.replace_tree(other, site.id, [grid()]),
    ):
        with pytest.raises(NotFound):
            await call


async def test_a_foreign_evse_has_no_place_in_my_tree(
    sites: SiteService, who: Principal, database: PostgresDatabase
) -> None:
    site = await sites.create_site(who, SiteDraft("Nord"))
    other = await an_organisation(database, "Other")
    foreign = await an_evse(database, other.org_id, None)
    root = grid()
    with pytest.raises(Invalid):
        await sites.replace_tree(
            who, site.id, [root, Node(uuid4(), NodeKind.EVSE, "E", root.id, (), foreign)]
        )


async def test_a_viewer_changes_nothing(sites: SiteService, who: Principal) -> None:
    viewer = Principal(who.org_id, "user", uuid4(), "V", ROLE_PERMISSIONS[Role.VIEWER], Role.VIEWER)
    site = await sites.create_site(who, SiteDraft("Nord"))
    assert (await sites.site(viewer, site.id)).name == "Nord"
    with pytest.raises(Forbidden):
        await sites.create_site(viewer, SiteDraft("Süd"))
    with pytest.raises(Forbidden):
        await sites.replace_tree(viewer, site.id, [grid()])


async def test_the_policy_for_unknown_tokens_is_the_sites(
    sites: SiteService, who: Principal
) -> None:
    site = await sites.create_site(who, SiteDraft("Nord", unknown_token=UnknownToken.REJECT))
    assert (await sites.policy(site.id)).unknown_token == "reject"
