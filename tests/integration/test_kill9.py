"""Kill -9 of a real server in the middle: nothing acknowledged is lost, no limit is passed."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kill_yard import (
    LIMIT_W,
    ServerProcess,
    Value,
    Yard,
    embedded,
    enter,
    until,
    utc_now,
    yard,
)
from voltyard.simulator import ordeals, truth, uplink
from voltyard.simulator.faults import Fault, FaultKind
from voltyard.simulator.night import power_steps
from voltyard.storage.embedded import APP_ROLE
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope

ENOUGH = 3
"""Readings of each outlet that must have been answered before the story goes on."""


async def test_a_killed_server_loses_nothing_and_lets_nobody_take_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "_LONGEST_BACKOFF_S", 2.0)
    began_at = utc_now()
    depot = yard(began_at)
    await enter(tmp_path / "data", depot)
    server = ServerProcess(tmp_path / "data", tmp_path / "serve.log")
    await server.start()
    there = Yard.at(server.url, depot)
    there.start()
    try:
        await _charge_until_the_limit_binds(there, server)
        await _go_on_without_a_server(there, server)
        await server.start()
        await _go_on_with_the_next_server(there, server)
        assert await server.stop() == 0, server.said()
    finally:
        await there.close()
        if server.process is not None and server.process.poll() is None:
            server.kill()
    _check_power(there, began_at)
    assert not there.wire.errors
    await _check_database(tmp_path / "data", there)


async def _charge_until_the_limit_binds(there: Yard, server: ServerProcess) -> None:
    await until(lambda: there.fenced, server.said)
    places = [there.plug_in(place) for place in range(4)]
    since = utc_now()
    await until(lambda: there.power_w > 0.8 * LIMIT_W, lambda: (there.powers(), server.said()))
    await until(
        lambda: all(there.readings(where, since) >= ENOUGH for where in places), server.said
    )


async def _go_on_without_a_server(there: Yard, server: ServerProcess) -> None:
    """One leaves, one comes, one charger loses power: all while nobody answers."""
    server.kill()
    await until(lambda: not any(c.uplink.online for c in there.chargers.values()))
    leaves = next(iter(there.plugged))
    there.unplug(leaves)
    come_late = there.plug_in(4)
    charger = there.chargers[next(reversed(there.plugged))[0]]
    stays_on = there.chargers[list(there.plugged)[1][0]]
    outage = Fault(utc_now(), FaultKind.REBOOT, duration_s=1.0)
    stays_on.spawn(ordeals.suffer(stays_on, outage))
    await until(lambda: charger.evse(come_late[1]).transaction is not None)
    await until(lambda: all(len(c.uplink.kept) >= ENOUGH for c in there.chargers.values()))
    _check_left_alone(there, come_late)


def _check_left_alone(there: Yard, come_late: tuple[str, int]) -> None:
    """Now, and when every limit that somebody keeps up has run out, the sum fits each node."""
    for wait in (timedelta(0), timedelta(hours=1)):
        at = utc_now() + wait
        powers = {
            evse.spec.id: [(at, charger.stage.limit_w(evse, at) if evse.transaction else 0.0)]
            for charger in there.chargers.values()
            for evse in charger.evses
        }
        checked = truth.check(there.depot.tree, powers, at, at + timedelta(seconds=1))
        assert not checked.exceedances, (wait, checked.exceedances)
    late = there.chargers[come_late[0]].evse(come_late[1])
    assert late.power_w < LIMIT_W / 4, "who comes while nobody answers gets the fail-safe level"


async def _go_on_with_the_next_server(there: Yard, server: ServerProcess) -> None:
    await until(lambda: there.told_all, server.said)
    there.plug_in(5)
    back_at = utc_now()
    await until(
        lambda: all(there.readings(where, back_at) >= ENOUGH for where in there.plugged),
        server.said,
    )
    await until(lambda: there.power_w > 0.6 * LIMIT_W, lambda: (there.powers(), server.said()))
    for where in list(there.plugged):
        there.unplug(where)
    await until(lambda: there.told_all, server.said)


def _check_power(there: Yard, began_at: datetime) -> None:
    steps = power_steps(there.chargers)
    checked = truth.check(there.depot.tree, steps, began_at, utc_now())
    assert not checked.exceedances
    assert checked.root_peak_w > 0.8 * LIMIT_W


async def _check_database(data_dir: Path, there: Yard) -> None:
    with embedded(data_dir) as postgres:
        database = PostgresDatabase(postgres.url(APP_ROLE), pool_size=2)
        async with scope.transaction(database, scope.SYSTEM) as tx:
            sessions = await tx.all(
                "SELECT t.identity, s.transaction_ref, s.state, e.number, s.vehicle_id, s.duty_id"
                " FROM sessions s JOIN stations t ON t.id = s.station_id"
                " LEFT JOIN evses e ON e.id = s.evse_id"
            )
            values = await tx.all(
                "SELECT t.identity, e.number, m.at, m.context, m.energy_wh, s.transaction_ref"
                " FROM meter_values m JOIN stations t ON t.id = m.station_id"
                " LEFT JOIN evses e ON e.id = m.evse_id"
                " LEFT JOIN sessions s ON s.id = m.session_id"
            )
        await database.close()
    _check_sessions(there, sessions)
    _check_values(there, values)


def _check_sessions(there: Yard, rows: Sequence[Any]) -> None:
    stored = Counter((row["identity"], row["transaction_ref"]) for row in rows)
    assert set(stored) == there.wire.started == there.wire.stopped
    assert len(rows) == there.begun == 6, "exactly one session for each plug-in"
    assert {row["state"] for row in rows} == {"ended"}
    assert all(row["vehicle_id"] and row["duty_id"] for row in rows), "each one is recognised"


def _check_values(there: Yard, rows: Sequence[Any]) -> None:
    stored = Counter(
        Value(row["identity"], row["number"], row["at"], row["context"], row["energy_wh"])
        for row in rows
        if row["energy_wh"] is not None and row["transaction_ref"] is not None
    )
    missing = [value for value in there.wire.values if stored[value] == 0]
    assert not missing, f"{len(missing)} of {len(there.wire.values)} acknowledged: {missing[:3]}"
    assert max(stored.values()) == 1, stored.most_common(3)
