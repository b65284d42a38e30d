"""What a site wants of its charging, by REST."""

from uuid import UUID, uuid4

from api_world import Tenant, World

from voltyard.energy.policies import store
from voltyard.energy.policies.registry import SitePolicies
from voltyard.sites.events import SiteChanged
from voltyard.tenancy import scope
from voltyard.tenancy.model import Permission

GROUPS = {
    "groups": [
        {"key": "express", "name": "Express", "who": "fleet", "vehicle_classes": ["articulated"]},
        {"key": "public", "name": "Public", "who": "visitors"},
    ]
}
POLICIES = {
    "groups": GROUPS,
    "ready_by": {"minimum_soc_pct": 60.0, "groups": ["express"]},
    "cheapest": {"groups": ["public"], "hours": 3.0},
    "blocks": {
        "blocks": [
            {
                "kind": "reserve",
                "power_w": 50_000.0,
                "group": "express",
                "from_time": "22:00:00",
                "to_time": "05:00:00",
                "weekdays": [0, 1, 2, 3, 4],
            },
            {"kind": "cap", "power_w": 90_000.0, "from_time": "17:00:00", "to_time": "20:00:00"},
        ]
    },
    "charge_now": {"enabled": False},
    "visitors": {"order": "equal", "share_pct": 80.0},
}


async def test_policies_are_set_told_audited_and_obeyed(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    path = f"/sites/{ids['site']}/policies"
    before = await tenant.get(path)
    assert before["groups"] == {"groups": []}
    assert before["charge_now"] == {"enabled": True}
    told: list[SiteChanged] = []

    async def hear(event: SiteChanged) -> None:
        told.append(event)

    world.core.bus.subscribe(SiteChanged, hear, name="test.policies")
    made = await tenant.put(path, POLICIES)
    assert made["ready_by"] == POLICIES["ready_by"]
    assert made["blocks"]["blocks"][1]["weekdays"] == list(range(7))
    assert await tenant.get(path) == made
    assert len(told) == 1
    setup = await world.core.inputs.policies.of_site(told[0].site_id)
    assert setup.visitors.share_pct == 80.0
    entries = (await tenant.get("/audit"))["items"]
    entry = next(entry for entry in entries if entry["action"] == "site.policies")
    assert entry["detail"]["visitors"][1] == {"order": "equal", "share_pct": 80.0}
    assert (await tenant.put(path, {}))["groups"] == {"groups": []}


async def test_what_makes_no_sense_is_refused_and_nobody_else_may(
    world: World, tenant: Tenant
) -> None:
    ids = await world.furnish(tenant)
    path = f"/sites/{ids['site']}/policies"
    groups = {"groups": [{"key": "g", "name": "G", "node_ids": [str(uuid4())]}]}
    blocks = {"blocks": [{"kind": "reserve", "power_w": 1.0, "group": "nobody"}]}
    for wrong, where in (
        ({"groups": groups}, "groups.0.node_ids"),
        ({"blocks": blocks}, "blocks.0.group"),
        ({"blocks": {"blocks": [{"kind": "cap", "power_w": 0.0}]}}, "blocks.0.power_w"),
        ({"visitors": {"share_pct": 101.0}}, "visitors.share_pct"),
        ({"cheapest": {"hours": 25.0}}, "cheapest.hours"),
    ):
        answer = await tenant.call("PUT", path, json=wrong)
        assert answer.status_code == 422, answer.text
        assert where in answer.text
    viewer = await world.key(tenant.who, tenant.email, frozenset({Permission.VIEW}))
    assert (await viewer.call("PUT", path, json={})).status_code == 403
    other = await world.tenant("Other")
    assert (await other.call("GET", path)).status_code == 404
    assert (await other.call("PUT", path, json={})).status_code == 404


async def test_a_site_whose_policies_cannot_be_read_is_controlled_all_the_same(
    world: World, tenant: Tenant
) -> None:
    ids = await world.furnish(tenant)
    site_id = UUID(str(ids["site"]))
    async with scope.transaction(world.core.database, scope.of(tenant.who.org_id)) as tx:
        newer = {"of_a_newer_version": {"x": 1}}
        await store.put(tx, tenant.who.org_id, site_id, newer, world.core.clock.now())
    assert await world.core.inputs.policies.of_site(site_id) == SitePolicies()
