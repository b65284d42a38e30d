"""Promise 2's machinery: an answer after the commit, one bad row harms one message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from voltyard.clock import SystemClock
from voltyard.storage import partitions
from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.groupcommit import GroupCommit, Write
from voltyard.storage.writes import Group, merge, together
from voltyard.tenancy import scope

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ORG = uuid4()


@pytest.fixture
async def commits(database: PostgresDatabase) -> AsyncIterator[GroupCommit]:
    async with scope.transaction(database, scope.of(ORG)) as tx:
        await tx.execute(
            "INSERT INTO organisations (id, name, slug, created_at) VALUES (:id, 'x', 'x', :at)",
            {"id": ORG, "at": NOW},
        )
    group = GroupCommit(database, SystemClock())
    task = asyncio.create_task(group.run())
    yield group
    await group.close()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def station(station_id: UUID, identity: str = "", **more: Any) -> Write:
    row = {
        "id": station_id,
        "org_id": ORG,
        "identity": identity or station_id.hex,
        "state": "approved",
        "created_at": NOW,
        **more,
    }
    return Write("stations", row, key=("id",))


def value(station_id: UUID, energy_wh: float | None, at: datetime = NOW) -> Write:
    return Write(
        "meter_values",
        {"at": at, "org_id": ORG, "station_id": station_id, "energy_wh": energy_wh},
    )


def nested(depth: int) -> Any:
    found: Any = {}
    for _ in range(depth):
        found = {"a": found}
    return found


async def count(database: PostgresDatabase, table: str) -> int:
    async with scope.transaction(database, scope.of(ORG)) as tx:
        row = await tx.one(f"SELECT count(*) AS n FROM {table}")
    assert row is not None
    return int(row["n"])


async def test_a_submit_returns_only_when_another_connection_sees_it(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    station_id = uuid4()
    await commits.submit([station(station_id), value(station_id, 1.0)])
    assert await count(database, "stations") == 1
    assert await count(database, "meter_values") == 1


async def test_a_thousand_messages_share_few_commits(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    station_id = uuid4()
    await asyncio.gather(*(commits.submit([value(station_id, float(i))]) for i in range(1000)))
    assert await count(database, "meter_values") == 1000
    assert commits.stats.batches < 50


async def test_one_refused_row_harms_only_its_own_message(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    first, second = uuid4(), uuid4()
    await commits.submit([station(first, "CP-1")])
    results = await asyncio.gather(
        commits.submit([value(first, 1.0)]),
        commits.submit([station(second, "CP-1"), value(second, 2.0)]),
        commits.submit([value(first, 3.0)]),
        return_exceptions=True,
    )
    assert [isinstance(result, Exception) for result in results] == [False, True, False]
    assert await count(database, "meter_values") == 2


READING = Group("meter_values", ("context", "at", "org_id", "station_id", "energy_wh"))


@pytest.mark.parametrize(
    "bad",
    [
        Write("stations", {"id": uuid4(), "colour": "red"}, ("id",)),
        Write("no_such_table", {"id": uuid4()}, ("id",)),
        Write("event_log", {"org_id": ORG, "at": NOW, "kind": "x", "payload": nested(5_000)}),
    ],
    ids=["no such column", "no such table", "too deep"],
)
async def test_a_mistake_of_ours_does_not_end_the_writer(
    commits: GroupCommit, database: PostgresDatabase, bad: Write
) -> None:
    async with asyncio.timeout(10):
        said = await asyncio.gather(
            commits.submit([bad]), commits.submit([station(uuid4())]), return_exceptions=True
        )
        assert isinstance(said[0], Exception)
        assert said[1] is None
        await commits.submit([station(uuid4())])
    assert await count(database, "stations") == 2


async def test_rows_of_a_shape_are_written_whatever_the_order_of_their_columns(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    station_id = uuid4()
    async with scope.transaction(database, scope.of(ORG)) as tx:
        rows = await tx.all(
            "SELECT column_name AS name FROM information_schema.columns"
            " WHERE table_name = 'meter_values' ORDER BY ordinal_position DESC"
        )
    backwards = tuple(row["name"] for row in rows)
    known = {"at": NOW, "org_id": ORG, "station_id": station_id, "context": "clock"}
    whole = Group("meter_values", backwards)
    await commits.submit(
        [
            READING.insert(("trigger", NOW, ORG, station_id, 1.0)),
            whole.insert(tuple((known | {"energy_wh": 2.0}).get(name) for name in backwards)),
            value(station_id, 3.0),
            READING.insert(("trigger", NOW, ORG, station_id, None)),
        ]
    )
    async with scope.transaction(database, scope.of(ORG)) as tx:
        saved = await tx.all("SELECT context, energy_wh FROM meter_values ORDER BY energy_wh")
    found = [(row["context"], row["energy_wh"]) for row in saved]
    assert found == [("trigger", 1.0), ("clock", 2.0), ("sample", 3.0), ("trigger", None)]


async def test_an_update_changes_only_what_it_names(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    station_id = uuid4()
    await commits.submit([station(station_id, "CP-9", vendor="Acme")])
    await commits.submit(
        [Write("stations", {"id": station_id, "model": "X"}, key=("id",), update=True)]
    )
    async with scope.transaction(database, scope.of(ORG)) as tx:
        row = await tx.one("SELECT identity, vendor, model FROM stations")
    assert row == {"identity": "CP-9", "vendor": "Acme", "model": "X"}


async def test_json_and_arrays_survive_quotes_and_commas(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    station_id = uuid4()
    flags = ["a,b", 'c"d', "e\\f", ""]
    frame = {
        "at": NOW,
        "org_id": ORG,
        "station_id": station_id,
        "direction": "in",
        "kind": "call",
        "message_id": "1",
        "action": "x",
        "payload": "{}",
        "flags": flags,
    }
    await commits.submit([station(station_id, flags={"a": [1, "ü"]}), Write("ocpp_frames", frame)])
    async with scope.transaction(database, scope.of(ORG)) as tx:
        saved = await tx.one("SELECT flags FROM ocpp_frames")
        row = await tx.one("SELECT flags FROM stations")
    assert saved == {"flags": flags}
    assert row == {"flags": {"a": [1, "ü"]}}


async def test_an_offer_over_half_the_capacity_is_dropped_and_counted(
    database: PostgresDatabase,
) -> None:
    group = GroupCommit(database, SystemClock(), capacity=4)
    taken = [group.offer([value(uuid4(), 1.0)]) for _ in range(3)]
    assert taken == [True, True, False]
    assert group.stats.dropped == 1


async def test_odd_instants_land_in_the_default_partition(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    station_id = uuid4()
    await commits.submit([value(station_id, 1.0, at=datetime(1970, 1, 1, tzinfo=UTC))])
    assert await count(database, "meter_values") == 1


async def test_days_that_began_before_they_were_made_hinder_neither_start_nor_later_days(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    """A machine whose clock was wrong until it had the time from the network."""
    later = NOW + timedelta(days=400)
    await commits.submit([value(uuid4(), 1.0, later)])
    await partitions.make_ahead(database, later.date())
    await commits.submit(
        [value(uuid4(), 2.0, later), value(uuid4(), 3.0, later + timedelta(days=1))]
    )
    async with scope.transaction(database, scope.SYSTEM) as tx:
        rows = await tx.all(
            "SELECT tableoid::regclass::text AS part FROM meter_values ORDER BY energy_wh"
        )
    assert [row["part"] for row in rows] == [
        "meter_values_other", "meter_values_other", f"meter_values_{later + timedelta(1):%Y%m%d}",
    ]  # fmt: skip


async def test_retention_drops_whole_days_and_odd_old_rows(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    station_id = uuid4()
    await partitions.make_ahead(database, (NOW - timedelta(days=40)).date(), days=2)
    old, ancient = NOW - timedelta(days=40), datetime(1970, 1, 1, tzinfo=UTC)
    for at in (NOW, old, ancient):
        await commits.submit([value(station_id, 1.0, at=at)])
    assert await partitions.drop_old(database, NOW.date(), {"meter_values": 30}) >= 1
    assert await count(database, "meter_values") == 1


def test_a_full_write_and_later_updates_of_one_key_become_one_row() -> None:
    station_id = uuid4()
    late = Write("stations", {"id": station_id, "model": "X"}, key=("id",), update=True)
    groups = merge([station(station_id, "CP-1"), late])
    ((group, rows),) = groups.items()
    assert not group.update
    assert rows[0]["model"] == "X"
    assert rows[0]["identity"] == "CP-1"


def test_rows_of_two_keys_of_one_table_do_not_share_a_statement() -> None:
    station_id = uuid4()
    by_id = station(station_id, "CP1")
    by_name = Write(
        "stations", {"identity": "CP1", "org_id": ORG, "state": "held"}, ("org_id", "identity")
    )
    assert together(tuple(merge([by_id, value(station_id, 1.0)])))
    assert not together(tuple(merge([by_id, by_name])))


async def test_what_one_statement_writes_may_refer_to_itself(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    known, fresh = uuid4(), uuid4()
    await commits.submit([station(known)])
    evse = {"station_id": fresh, "number": 1, "org_id": ORG, "name": "1", "max_power_w": 1e5}
    await commits.submit(
        [
            Write("evses", {**evse, "id": uuid4()}, key=("station_id", "number")),
            station(fresh),
            Write("stations", {"id": known, "org_id": ORG, "state": "blocked"}, ("id",), True),
            value(fresh, 2.0),
        ]
    )
    assert commits.stats.batches == 2
    assert commits.stats.retried_alone == 0
    assert [await count(database, name) for name in ("stations", "evses", "meter_values")] == [
        2,
        1,
        1,
    ]


async def test_after_a_lost_connection_the_next_write_connects_anew(
    commits: GroupCommit, database: PostgresDatabase
) -> None:
    await commits.submit([station(uuid4())])
    async with scope.transaction(database, scope.SYSTEM) as tx:
        await tx.all(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            " AND usename = current_user AND state = 'idle'"
        )
    await commits.submit([station(uuid4())])
    assert await count(database, "stations") == 2
