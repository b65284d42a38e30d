"""Whether a charger is needed now or soon: a vehicle charges there, or one leaves from there."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from voltyard.chargers.model import Station
from voltyard.clock import Clock
from voltyard.sessions.live import EvseLive
from voltyard.timetable.model import Duty


class Live(Protocol):
    """``LiveBoard`` is one."""

    def station(self, station_id: UUID) -> Sequence[EvseLive]: ...


class Duties(Protocol):
    """``TimetableService`` is one."""

    async def duties(
        self, org_id: UUID, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> Sequence[Duty]: ...


class YardOccupancy:
    """From the live board and the timetable.

    A departure belongs to a charger when its vehicle is plugged in there, or when the duty's bay
    is one of the charger's.
    """

    def __init__(self, live: Live, duties: Duties, clock: Clock) -> None:
        self._live = live
        self._duties = duties
        self._clock = clock

    async def occupied(self, station: Station, margin_s: int) -> str:
        outlets = self._live.station(station.id)
        if any(live.session is not None and live.session.open for live in outlets):
            return "session"
        if margin_s <= 0 or station.site_id is None:
            return ""
        now = self._clock.now()
        until = now + timedelta(seconds=margin_s)
        bays = {live.bay_id for live in outlets if live.bay_id is not None}
        here = {live.duty_id for live in outlets if live.duty_id is not None}
        for duty in await self._duties.duties(station.org_id, station.site_id, now, until):
            mine = duty.id in here or (duty.bay_id is not None and duty.bay_id in bays)
            if mine and duty.departure_at <= until:
                return "departure"
        return ""
