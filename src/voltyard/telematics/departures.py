"""Departures that telematics tells: shown, or duties by them. What others entered goes first."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.clock import Clock
from voltyard.errors import VoltyardError
from voltyard.ids import new_id
from voltyard.telematics.model import Connection, Departures
from voltyard.telematics.ports import Duties
from voltyard.tenancy.access import system_principal
from voltyard.timetable.model import Duty, DutyState
from voltyard.timetable.service import DutyFilter

log = logging.getLogger(__name__)

SOURCE = "telematics"
NEAR = timedelta(hours=6)
"""A told departure is meant to be that of a duty that departs within so long of it."""
SAME = timedelta(seconds=60)
OPEN = (DutyState.PLANNED, DutyState.PRESENT)


def step(
    told_at: datetime,
    duties: Sequence[Duty],
    connection: Connection,
    vehicle_id: UUID,
    now: datetime,
) -> Duty | None:
    """The duty as it is to be saved: moved, or new; None when nothing is to be done.

    A duty of another source (VDV 463, a file, a person) stays unless the connection may move it.
    """
    if connection.departures is Departures.SHOWN or told_at <= now:
        return None
    mine = [duty for duty in duties if duty.vehicle_id == vehicle_id and duty.departure_at > now]
    near = [duty for duty in mine if abs(duty.departure_at - told_at) <= NEAR]
    if near:
        meant = min(near, key=lambda duty: (abs(duty.departure_at - told_at), duty.id))
        movable = meant.source == SOURCE or connection.departures is Departures.MOVE
        if not movable or abs(meant.departure_at - told_at) < SAME:
            return None
        return replace(meant, departure_at=told_at) if told_at > meant.arrival_at else None
    if any(duty.arrival_at < told_at for duty in mine) or connection.site_id is None:
        return None
    return Duty(
        id=new_id(),
        org_id=connection.org_id,
        site_id=connection.site_id,
        external_id=f"{vehicle_id.hex} {told_at:%Y-%m-%dT%H:%MZ}",
        arrival_at=now,
        departure_at=told_at,
        vehicle_id=vehicle_id,
        target_soc_pct=connection.target_soc_pct,
        source=SOURCE,
        note=connection.name,
    )


class Follower:
    """Each departure that is told anew is followed once: a duty that its own source moves back
    afterwards stays there."""

    def __init__(self, clock: Clock, duties: Duties) -> None:
        self._clock = clock
        self._duties = duties
        self._followed: dict[tuple[UUID, UUID], datetime] = {}

    def remember(self, connection_id: UUID, vehicle_id: UUID, told_at: datetime) -> None:
        self._followed[connection_id, vehicle_id] = told_at

    async def follow(self, connection: Connection, vehicle_id: UUID, told_at: datetime) -> str:
        """Why it could not be entered; empty when it was, or nothing was to be done."""
        if self._followed.get((connection.id, vehicle_id)) == told_at:
            return ""
        self.remember(connection.id, vehicle_id, told_at)
        if connection.departures is Departures.SHOWN:
            return ""
        now = self._clock.now()
        wanted = DutyFilter(vehicle_id=vehicle_id, since=now, states=OPEN)
        duties, _ = await self._duties.find(connection.org_id, wanted)
        own = [duty for duty in duties if duty.org_id == connection.org_id]
        duty = step(told_at, own, connection, vehicle_id, now)
        if duty is None:
            return ""
        try:
            await self._duties.save(system_principal(connection.org_id, SOURCE), duty)
        except VoltyardError as error:
            reasons = "; ".join(f"{name} {why}" for name, why in error.fields.items())
            log.info("a departure of %s is not entered: %s", vehicle_id, error.message)
            return f"{error.message} {reasons}".strip()[:300]
        return ""
