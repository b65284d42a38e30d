"""OCPP 2.0.1 transactions against the real database: lost, late, repeated and reordered events."""

import random
from typing import Any

import pytest
from session_yard import Yard

from voltyard.sessions.events import SessionEnded, SessionQuarantined, SessionUpdated
from voltyard.sessions.model import (
    ChargingState,
    Flag,
    IdToken,
    MeterReading,
    Phase,
    SessionState,
)

S, U, E = Phase.STARTED, Phase.UPDATED, Phase.ENDED


async def test_plug_in_authorise_charge_and_leave(yard: Yard) -> None:
    bus = yard.tokens.add(yard.org_id, "BUS1")
    first = await yard.event(S, 0, 0, meter_wh=500_000)
    assert first.authorisation is None
    ack = await yard.event(U, 1, 1, id_token=IdToken("BUS1"), charging_state=ChargingState.CHARGING)
    assert ack.authorisation is not None
    assert ack.authorisation.vehicle_id == bus.id
    await yard.event(U, 2, 30, meter_wh=530_000, outlet=None)
    await yard.event(E, 3, 60, meter_wh=560_000, outlet=None, stop_reason="EVDisconnected")
    session = await yard.only()
    assert (session.state, session.energy_wh) == (SessionState.ENDED, 60_000)
    assert (session.vehicle_id, session.last_seq_no, session.flags) == (bus.id, 3, ())
    assert session.evse_id == yard.evse().id
    assert yard.seen(SessionUpdated)[0].vehicle_id == bus.id


async def test_ended_before_started(yard: Yard) -> None:
    await yard.event(E, 2, 60, meter_wh=560_000)
    assert (await yard.only()).state is SessionState.QUARANTINED
    assert len(yard.seen(SessionQuarantined)) == 1
    await yard.event(S, 0, 0, meter_wh=500_000)
    session = await yard.only()
    assert (session.state, session.energy_wh) == (SessionState.ENDED, 60_000)
    assert (session.started_at, session.flags) == (yard.at(0), (Flag.SEQUENCE_GAP,))
    await yard.event(U, 1, 30, meter_wh=530_000)
    assert (await yard.only()).flags == ()
    assert len(yard.seen(SessionEnded)) == 1


async def test_an_id_used_again_after_a_reboot_is_another_session(yard: Yard) -> None:
    await yard.event(S, 0, 0, meter_wh=500_000)
    await yard.event(E, 1, 60, meter_wh=560_000)
    await yard.event(S, 0, 120, meter_wh=560_000)
    await yard.event(U, 1, 130, meter_wh=570_000)
    former, latter = await yard.stored()
    assert (former.energy_wh, latter.energy_wh) == (60_000, 10_000)
    assert Flag.REUSED_TRANSACTION in former.flags
    assert latter.transaction_ref == "tx-1"
    await yard.restart()
    await yard.event(E, 2, 180, meter_wh=580_000)
    assert [found.energy_wh for found in await yard.stored()] == [60_000, 20_000]


async def test_an_id_used_again_while_it_runs_ends_the_former(yard: Yard) -> None:
    await yard.event(S, 0, 0, meter_wh=500_000)
    await yard.event(S, 0, 120, meter_wh=540_000)
    former, latter = await yard.stored()
    assert (former.state, former.ended_at) == (SessionState.ENDED, yard.at(120))
    assert latter.state is SessionState.ACTIVE


@pytest.mark.parametrize("seed", range(5))
async def test_any_order_with_repeats_and_restarts_converges(yard: Yard, seed: int) -> None:
    chance = random.Random(seed)
    told: list[dict[str, Any]] = [
        {"phase": S, "seq_no": 0, "minute": 0, "meter_wh": 500_000},
        *(
            {"phase": U, "seq_no": n, "minute": n * 5, "meter_wh": 500_000 + n * 3_000}
            for n in range(1, 8)
        ),
        {"phase": E, "seq_no": 8, "minute": 40, "meter_wh": 524_000, "stop_reason": "Local"},
    ]
    told[2]["id_token"] = IdToken("BUS1")
    order = [*told, *chance.choices(told, k=len(told))]
    chance.shuffle(order)
    yard.clock.reach(yard.at(41))
    for message in order:
        await yard.event(**message)
        if chance.random() < 0.3:
            await yard.restart()
    session = await yard.only()
    assert (session.state, session.energy_wh) == (SessionState.ENDED, 24_000)
    assert (session.started_at, session.ended_at) == (yard.at(0), yard.at(40))
    assert (session.id_token, session.stop_reason) == ("BUS1", "Local")
    assert (session.meter_start_wh, session.meter_last_wh) == (500_000, 524_000)
    assert len(await yard.rows("SELECT 1 AS x FROM meter_values")) == 9


async def test_values_of_the_evse_go_to_its_session(yard: Yard) -> None:
    """J01: MeterValues carry no transaction."""
    await yard.event(S, 0, 0, meter_wh=500_000)
    readings = [MeterReading(yard.told(10), 510_000, 60_000.0, context="clock")]
    await yard.sessions.meter(yard.station.ref, 1, None, readings)
    assert (await yard.only()).energy_wh == 10_000


async def test_a_zero_id_is_an_id_in_201(yard: Yard) -> None:
    await yard.event(S, 0, 0, ref="0", meter_wh=500_000)
    await yard.event(E, 1, 10, ref="0", meter_wh=501_000)
    assert (await yard.only()).energy_wh == 1_000


async def test_the_vehicle_set_by_hand_stays(yard: Yard) -> None:
    bus, other = yard.tokens.add(yard.org_id, "BUS1"), yard.tokens.add(yard.org_id, "BUS2")
    await yard.event(S, 0, 0)
    session = await yard.only()
    await yard.sessions.assign_vehicle(yard.principal(), session.id, other)
    await yard.event(U, 1, 1, id_token=IdToken("BUS1"))
    session = await yard.only()
    assert session.vehicle_id == other.id
    assert session.vehicle_id != bus.id
    assert Flag.VEHICLE_ASSIGNED in session.flags
    assert yard.audited == ["session.vehicle"]
