"""Discharging by REST (OCPP 2.1 Q): who may order it, of what, and what stands."""

from datetime import timedelta
from uuid import UUID, uuid4

from api_world import Tenant, World

from voltyard.chargers.model import PowerMode
from voltyard.energy import store
from voltyard.energy.discharging import Order
from voltyard.energy.ledger import StoredLedger
from voltyard.sessions.model import Phase, TransactionReport
from voltyard.tenancy import scope


async def test_a_vehicle_that_is_not_on_the_tree_is_not_discharged(
    world: World, tenant: Tenant
) -> None:
    made = await tenant.post("/stations", {"identity": "CP-1"})
    station = world.core.chargers.station_view(tenant.who.org_id, UUID(made["id"])).station
    now = world.core.clock.now()
    report = TransactionReport(
        Phase.STARTED, now, "m0", evse_number=1, transaction_ref="tx-1", seq_no=0
    )
    await world.core.sessions.report(station.ref, report)
    [session] = (await tenant.get("/sessions"))["items"]
    assert session["energy_exported_wh"] == 0.0
    path = f"/sessions/{session['id']}/discharge"
    order = {
        "power_w": 20_000,
        "until": (now + timedelta(hours=1)).isoformat(),
        "soc_floor_pct": 40,
    }
    assert (await tenant.call("PUT", path, json=order)).status_code == 404
    assert (await tenant.call("GET", path)).status_code == 404
    assert (await tenant.call("DELETE", path)).status_code == 404
    assert (await tenant.call("PUT", path, json=order | {"power_w": -1})).status_code in (400, 422)
    stranger = await world.tenant("Other")
    assert (await stranger.call("PUT", path, json=order)).status_code == 404
    missing = f"/sessions/{uuid4()}/discharge"
    assert (await tenant.call("PUT", missing, json=order)).status_code == 404


async def test_orders_outlive_their_controller(world: World, tenant: Tenant) -> None:
    """A successor follows what stands, and forgets what was ended."""
    site = await tenant.post("/sites", {"name": "Depot", "timezone": "Europe/Berlin"})
    made = await tenant.post("/stations", {"identity": "CP-1", "site_id": site["id"]})
    station = world.core.chargers.station_view(tenant.who.org_id, UUID(made["id"])).station
    now = world.core.clock.now()
    report = TransactionReport(
        Phase.STARTED, now, "m0", evse_number=1, transaction_ref="tx-1", seq_no=0
    )
    await world.core.sessions.report(station.ref, report)
    [session] = world.core.sessions.open_sessions()
    order = Order(
        session.id, PowerMode.SETPOINT, 5_000.0, now + timedelta(hours=1), 40.0, "A. Brandt"
    )
    ledger = StoredLedger(world.core.database, world.core.commits)
    org_id, site_id = tenant.who.org_id, UUID(site["id"])
    async with scope.transaction(world.core.database, scope.of(org_id)) as tx:
        await store.save_discharge(tx, org_id, site_id, order, now)
    assert await ledger.discharges(site_id) == [order]
    async with scope.transaction(world.core.database, scope.of(org_id)) as tx:
        await store.drop_discharge(tx, session.id)
    assert await ledger.discharges(site_id) == []
