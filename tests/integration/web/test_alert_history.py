"""What has been resolved long ago is found, page by page and in the export."""

from console_world import World

from voltyard.tenancy import scope

SOME = 1_203
INSERT = """
INSERT INTO alerts (id, org_id, site_id, kind, severity, key, params, object_kind, object_id,
 opened_at, updated_at, resolved_at, stage)
SELECT gen_random_uuid(), :org, :site, 'limit_changed', 'info', 'past:' || n,
 jsonb_build_object('node', 'Node ' || n, 'at', '2026-01-01T00:00:00+00:00'), 'node', '',
 CAST(:at AS timestamptz) - n * interval '1 minute', :at, :at, 0 FROM generate_series(1, :some) n
"""


async def test_no_alert_of_the_past_is_out_of_reach(world: World) -> None:
    values = {"org": world.who.org_id, "site": world.site_id, "at": world.core.clock.now()}
    async with scope.transaction(world.core.database, scope.of(world.who.org_id)) as tx:
        await tx.execute(INSERT, {**values, "some": SOME})
    export = await world.client.get("/alerts.csv?status=resolved")
    assert export.text.count("past") == 0
    assert len(export.text.splitlines()) == 1 + SOME
    last = await world.page("/alerts?status=resolved&page=13&size=100")
    found = {n for n in range(1, SOME + 1) if f"Node {n}<" in last or f"Node {n} " in last}
    assert found == {SOME - 2, SOME - 1, SOME}, last[-3000:]
    assert f"Node {SOME}" in await world.page(f"/alerts?status=resolved&q=node+{SOME}")
