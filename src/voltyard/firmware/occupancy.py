"""Whether a charger is needed now or soon: a vehicle charges there, or one leaves from there."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from voltyard.chargers.model import Station
from voltyard.clock import Clock
from voltyard.sessions.live import EvseLive
from voltyard.timetable.model import Duty

KNOWN_FOR = timedelta(seconds=3)


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
        self._known: dict[tuple[UUID, int], tuple[datetime, Sequence[Duty]]] = {}

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
        for duty in await self._coming(station.org_id, station.site_id, margin_s):
            mine = duty.id in here or (duty.bay_id is not None and duty.bay_id in bays)
            if mine and duty.departure_at <= until:
                return "departure"
        return ""

    async def _coming(self, org_id: UUID, site_id: UUID, margin_s: int) -> Sequence[Duty]:
        """Asked of the timetable once for all chargers of a site that are looked at together."""
        now = self._clock.now()
        at, found = self._known.get((site_id, margin_s), (None, ()))
        if at is None or now - at >= KNOWN_FOR:
            until = now + timedelta(seconds=margin_s)
            found = await self._duties.duties(org_id, site_id, now, until)
            self._known = {key: k for key, k in self._known.items() if now - k[0] < KNOWN_FOR}
            self._known[site_id, margin_s] = (now, found)
        return found
