"""Whether a charger may be taken out of service: sessions, and departures that concern it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from voltyard.chargers.model import Station, StationState
from voltyard.clock import ScaledClock
from voltyard.firmware.occupancy import YardOccupancy
from voltyard.sessions.live import EvseLive
from voltyard.timetable.model import Duty

NOW = datetime(2026, 1, 15, 22, 0, tzinfo=UTC)
ORG, SITE, BAY, ELSEWHERE, DUTY = (UUID(int=n) for n in range(1, 6))
STATION = Station(UUID(int=9), ORG, SITE, "CP1", StationState.APPROVED)


@dataclass
class Yard:
    outlets: list[EvseLive] = field(default_factory=list)
    known: list[Duty] = field(default_factory=list)
    asked: int = 0

    def station(self, station_id: UUID) -> list[EvseLive]:
        return self.outlets

    async def duties(
        self, org_id: UUID, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> list[Duty]:
        self.asked += 1
        return self.known


def outlet(**changes: Any) -> EvseLive:
    return EvseLive(uuid4(), ORG, SITE, STATION.id, 1, bay_id=BAY, **changes)


def duty(minutes: float, bay_id: UUID | None = None, duty_id: UUID = DUTY) -> Duty:
    departure_at = NOW + timedelta(minutes=minutes)
    arrival_at = NOW - timedelta(hours=5)
    return Duty(duty_id, ORG, SITE, "D1", arrival_at, departure_at, bay_id=bay_id)


async def occupied(yard: Yard, margin_s: int = 3600, station: Station = STATION) -> str:
    return await YardOccupancy(yard, yard, ScaledClock(NOW)).occupied(station, margin_s)


async def test_a_running_session_comes_first() -> None:
    running: Any = SimpleNamespace(open=True, duty_id=None)
    assert await occupied(Yard([outlet(session=running)])) == "session"
    over: Any = SimpleNamespace(open=False, duty_id=None)
    assert await occupied(Yard([outlet(session=over)])) == ""


@pytest.mark.parametrize(("minutes", "why"), [(59, "departure"), (61, "")])
async def test_a_departure_from_its_bay_within_the_margin(minutes: float, why: str) -> None:
    assert await occupied(Yard([outlet()], [duty(minutes, BAY)])) == why


async def test_a_departure_of_the_vehicle_that_is_still_plugged_in() -> None:
    over: Any = SimpleNamespace(open=False, duty_id=DUTY)
    assert await occupied(Yard([outlet(session=over)], [duty(30)])) == "departure"


async def test_departures_from_elsewhere_do_not_matter() -> None:
    assert await occupied(Yard([outlet()], [duty(30, ELSEWHERE), duty(30)])) == ""


async def test_without_margin_or_site_only_sessions_count() -> None:
    yard = Yard([outlet()], [duty(30, BAY)])
    assert await occupied(yard, 0) == ""
    nowhere = Station(STATION.id, ORG, None, "CP1", StationState.APPROVED)
    assert await occupied(yard, 3600, nowhere) == ""


async def test_the_timetable_is_asked_once_for_chargers_that_are_looked_at_together() -> None:
    yard = Yard([outlet()], [duty(30, BAY)])
    occupancy = YardOccupancy(yard, yard, ScaledClock(NOW))
    for _ in range(5):
        assert await occupancy.occupied(STATION, 3600) == "departure"
    assert yard.asked == 1
