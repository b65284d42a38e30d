"""What the timetable tells of vehicles about to leave."""

from datetime import timedelta

import pytest
from test_timetable_service import NOW, Room

from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.scope import SYSTEM, transaction


@pytest.fixture
async def room(database: PostgresDatabase) -> Room:
    return await Room(database).furnish()


async def test_who_departs_is_told_with_what_its_sessions_say(room: Room) -> None:
    bus, absent = await room.vehicle("Bus 1"), await room.vehicle("Bus 2")
    soon = NOW + timedelta(hours=1)
    duties = [
        room.duty("here", vehicle_id=bus.id, departure_at=soon),
        room.duty("absent", vehicle_id=absent.id, departure_at=soon + timedelta(minutes=1)),
        room.duty("later", vehicle_class="18m"),
    ]
    await room.timetable.save_all(room.who, duties)
    session = await room.plug_in(bus)
    async with transaction(room.database, SYSTEM) as tx:
        await tx.execute(
            "UPDATE sessions SET soc_last_pct = 70, power_w = 90000, energy_wh = 1000,"
            " last_reading_at = started_at WHERE id = :id",
            {"id": session.id},
        )
    here, away = await room.timetable.departing(NOW, NOW + timedelta(hours=2))
    assert (here.vehicle, here.plugged, here.charging, here.came) == ("Bus 1", True, True, True)
    assert (here.ready, here.soc_pct) == (False, 70)
    assert (away.vehicle, away.plugged, away.came, away.ready) == ("Bus 2", False, False, None)
    async with transaction(room.database, SYSTEM) as tx:
        await tx.execute("UPDATE sessions SET soc_last_pct = 90, state = 'ended'")
    here, _ = await room.timetable.departing(NOW, NOW + timedelta(hours=2))
    assert (here.plugged, here.charging, here.came, here.ready) == (False, False, True, True)
