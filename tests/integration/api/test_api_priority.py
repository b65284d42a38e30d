"""A session that is to be charged first, by REST (OCPP 2.1 K21)."""

from uuid import UUID, uuid4

from api_world import Tenant, World

from voltyard.sessions.model import Phase, TransactionReport
from voltyard.tenancy.model import Permission


async def test_one_of_ours_says_who_is_charged_first(world: World, tenant: Tenant) -> None:
    made = await tenant.post("/stations", {"identity": "CP-1"})
    station = world.core.chargers.station_view(tenant.who.org_id, UUID(made["id"])).station
    now = world.core.clock.now()

    async def told(phase: Phase, seq_no: int) -> None:
        report = TransactionReport(
            phase, now, f"m{seq_no}", evse_number=1, transaction_ref="tx-1", seq_no=seq_no
        )
        await world.core.sessions.report(station.ref, report)

    await told(Phase.STARTED, 0)
    [session] = (await tenant.get("/sessions"))["items"]
    assert session["needs"] is None
    path = f"/sessions/{session['id']}/priority"
    assert (await tenant.put(path, {"first": True}))["needs"]["urgency"] == 2
    assert (await tenant.get(f"/sessions/{session['id']}"))["needs"]["urgency"] == 2
    assert (await tenant.put(path, {"first": False}))["needs"]["urgency"] == 0
    actions = {entry["action"] for entry in (await tenant.get("/audit"))["items"]}
    assert "session.priority" in actions
    reader = await world.key(tenant.who, "reader@example.com", frozenset({Permission.VIEW}))
    assert (await reader.call("PUT", path, json={"first": True})).status_code == 403
    stranger = await world.tenant("Other")
    assert (await stranger.call("PUT", path, json={"first": True})).status_code == 404
    missing = f"/sessions/{uuid4()}/priority"
    assert (await tenant.call("PUT", missing, json={"first": True})).status_code == 404
    await told(Phase.ENDED, 1)
    assert (await tenant.call("PUT", path, json={"first": True})).status_code == 409
