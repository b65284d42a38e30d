"""The message log: searched, read, exported, and fast with many rows."""

import json
from datetime import timedelta
from typing import Any

from api_world import AT, Tenant, World
from technician import plug

from voltyard.chargers.model import Frame
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope

PAYLOADS = {
    "BootNotification": '{"chargePointVendor":"Maker"}',
    "Heartbeat": "{}",
    "StatusNotification": '{"timestamp":"2026-01-15T11:00:00Z","errorCode":"NoError"}',
}


async def logged(world: World, tenant: Tenant, identity: str) -> Any:
    link = await plug(world, tenant, identity)
    for number, (action, payload) in enumerate(PAYLOADS.items()):
        at = AT + timedelta(seconds=number)
        frame = Frame(
            at, tenant.who.org_id, link.station.id, "in", "call", f"m{number}", action, payload
        )
        world.core.chargers.frame(frame)
    error = Frame(
        AT + timedelta(seconds=9),
        tenant.who.org_id,
        link.station.id,
        "out",
        "error",
        "m9",
        "Dance",
        "not known",
        "NotImplemented",
    )
    world.core.chargers.frame(error)
    await world.core.commits.flush()
    return link


async def test_the_log_is_searched_by_charger_action_time_and_error(
    world: World, tenant: Tenant
) -> None:
    one, two = await logged(world, tenant, "CP-1"), await logged(world, tenant, "CP-2")
    everything = (await tenant.get("/frames"))["items"]
    assert len(everything) == 8
    assert {frame["identity"] for frame in everything} == {"CP-1", "CP-2"}
    mine = (await tenant.get("/frames", params={"station_id": str(one.station.id)}))["items"]
    assert {frame["identity"] for frame in mine} == {"CP-1"}
    assert mine[0]["action"] == "Dance"
    errors = (await tenant.get("/frames", params={"errors_only": True}))["items"]
    assert {frame["error_code"] for frame in errors} == {"NotImplemented"}
    boots = await tenant.get("/frames", params={"action": "BootNotification", "direction": "in"})
    assert len(boots["items"]) == 2
    since = (AT + timedelta(seconds=2)).isoformat()
    late = (await tenant.get("/frames", params={"since": since, "until": since}))["items"]
    assert late == []
    other = await world.tenant("Other")
    assert (await other.get("/frames"))["items"] == []
    assert two.station.id != one.station.id


async def test_a_frame_reads_as_fields_on_the_local_clock(world: World, tenant: Tenant) -> None:
    link = await logged(world, tenant, "CP-1")
    path = f"/stations/{link.station.id}/frames/readable"
    (told,) = (await tenant.get(path, params={"action": "StatusNotification"}))["items"]
    assert told["local"].endswith("CET")
    assert told["fields"] == [
        {
            "depth": 0,
            "name": "Timestamp",
            "text": "2026-01-15 12:00:00 CET",
            "note": "2026-01-15T11:00:00Z",
        },
        {"depth": 0, "name": "Error code", "text": "NoError", "note": ""},
    ]


async def test_a_stretch_is_exported_oldest_first(world: World, tenant: Tenant) -> None:
    link = await logged(world, tenant, "CP-1")
    path = f"/stations/{link.station.id}/frames/stretch"
    since = (AT - timedelta(minutes=1)).isoformat()
    until = (AT + timedelta(minutes=1)).isoformat()
    answer = await tenant.call("GET", f"{path}.jsonl", params={"since": since, "until": until})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["action"] for line in lines] == [*PAYLOADS, "Dance"]
    assert lines[0]["payload"] == {"chargePointVendor": "Maker"}
    assert (lines[0]["station"], lines[0]["version"]) == ("CP-1", "1.6")
    assert lines[-1]["error_code"] == "NotImplemented"
    table = await tenant.call("GET", f"{path}.csv", params={"since": since, "until": until})
    assert len(table.text.splitlines()) == 5
    wrong = await tenant.call("GET", f"{path}.csv", params={"since": until, "until": since})
    assert wrong.status_code == 422


async def test_searches_use_an_index_however_many_rows_there_are(
    world: World, tenant: Tenant, database: PostgresDatabase
) -> None:
    link = await plug(world, tenant)
    async with scope.transaction(database, scope.of(tenant.who.org_id)) as tx:
        await tx.execute(
            "INSERT INTO ocpp_frames (at, org_id, station_id, direction, kind, message_id, action,"
            " payload) SELECT CAST(:at AS timestamptz) + n * interval '1 second', :org,"
            " CASE WHEN n % 50 = 0 THEN CAST(:station AS uuid) ELSE gen_random_uuid() END,"
            " 'in', 'call', n::text, 'Heartbeat', '{}' FROM generate_series(1, 20000) n",
            {"at": AT, "org": tenant.who.org_id, "station": link.station.id},
        )
        for where, by in (
            (f"station_id = '{link.station.id}'", "station_id"),
            (f"org_id = '{tenant.who.org_id}'", "org_id"),
        ):
            plan = await tx.all(
                f"EXPLAIN SELECT * FROM ocpp_frames WHERE {where} AND at >= '2026-01-15'"
                " ORDER BY at DESC, direction LIMIT 100"
            )
            text = "\n".join(str(row["QUERY PLAN"]) for row in plan)
            assert "Seq Scan on ocpp_frames_2" not in text, (by, text)
            assert f"{by}_at_idx" in text, (by, text)
