"""What is known of a vehicle's charge, by whom, and which of them is used; for pages and REST."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from voltyard.errors import NotFound
from voltyard.sessions.model import Session
from voltyard.telematics.departures import OPEN
from voltyard.telematics.model import Observation
from voltyard.telematics.ports import Duties, Sessions, Vehicles
from voltyard.telematics.rule import Claim, Plugged, Verdict, at_arrival_pct, claims
from voltyard.telematics.service import TelematicsService
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.timetable.model import Duty
from voltyard.timetable.service import DutyFilter


@dataclass(frozen=True, slots=True)
class Standing:
    """``claims`` in the order of belief; ``newest`` by signal, what telematics told last and is
    credible; ``names`` of sources. ``arrival_pct`` is planned with for a vehicle that is to come
    (to ``duty``), where telematics says something."""

    vehicle_id: UUID
    claims: tuple[Claim, ...]
    session_id: UUID | None = None
    duty: Duty | None = None
    arrival_pct: float | None = None
    newest: Mapping[str, Observation] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def used(self) -> Claim | None:
        return next((claim for claim in self.claims if claim.verdict is Verdict.USED), None)

    def name(self, source: str) -> str:
        return self.names.get(source, source)


class StandingDesk:
    """``assumed_pct`` is what planning assumes where nobody says anything."""

    def __init__(
        self,
        room: TelematicsService,
        vehicles: Vehicles,
        sessions: Sessions,
        duties: Duties,
        assumed_pct: float,
    ) -> None:
        self._room = room
        self._vehicles = vehicles
        self._sessions = sessions
        self._duties = duties
        self._assumed_pct = assumed_pct

    async def of_vehicle(self, who: Principal, vehicle_id: UUID) -> Standing:
        """Raises NotFound for a vehicle that one does not see."""
        require(who, Permission.VIEW)
        vehicle = await self._vehicles.vehicle_of(who.org_id, vehicle_id)
        if vehicle is None:
            raise NotFound("There is no such vehicle.")
        now, known = self._room.clock.now(), self._room.intake.known(vehicle_id)
        session = self._session(vehicle.org_id, vehicle_id)
        duty = await self._duty(vehicle.org_id, vehicle_id)
        found = claims(
            [*known.charges.values(), *known.doubts.values()],
            None if session is None else _plugged(session),
            None if duty is None else duty.soc_arrival_pct,
            self._assumed_pct,
            now,
        )
        return Standing(
            vehicle_id,
            tuple(found),
            None if session is None else session.id,
            duty,
            None if session is not None or duty is None else self._arrival_pct(duty, vehicle_id),
            dict(known.newest),
            self._room.names(vehicle.org_id),
        )

    def _arrival_pct(self, duty: Duty, vehicle_id: UUID) -> float | None:
        expected_pct = duty.soc_arrival_pct
        if expected_pct is None:
            expected_pct = self._assumed_pct
        points, now = self._room.intake.told(vehicle_id), self._room.clock.now()
        return at_arrival_pct(points, duty.arrival_at, expected_pct, now)

    def _session(self, org_id: UUID, vehicle_id: UUID) -> Session | None:
        open_now = self._sessions.open_sessions(org_id=org_id)
        mine = [session for session in open_now if session.vehicle_id == vehicle_id]
        return mine[-1] if mine else None

    async def _duty(self, org_id: UUID, vehicle_id: UUID) -> Duty | None:
        now = self._room.clock.now()
        wanted = DutyFilter(vehicle_id=vehicle_id, since=now, states=OPEN)
        duties, _ = await self._duties.find(org_id, wanted)
        near = [duty for duty in duties if duty.departure_at > now]
        return min(near, key=lambda duty: (duty.departure_at, duty.id), default=None)


def _plugged(session: Session) -> Plugged:
    needs = session.needs
    return Plugged(
        session.id,
        session.started_at,
        session.soc_last_pct,
        session.last_reading_at,
        None if needs is None else needs.soc_pct,
        None if needs is None else needs.told_at,
    )
