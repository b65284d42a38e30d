"""Answers why a vehicle charges as it does, for people and REST: computed when asked, not before.

Nothing is read from the database but the names of what was asked about and the last refusal.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from voltyard.chargers.service import ChargerService
from voltyard.clock import Clock
from voltyard.energy import explaining
from voltyard.energy.control import SiteController
from voltyard.energy.explanation import Explanation, Fact, Line, State, Who, Why
from voltyard.energy.inputs import outlook
from voltyard.energy.scene import Refused, Scene, Subject
from voltyard.energy.service import EnergyService
from voltyard.errors import Invalid, NotFound
from voltyard.fleets.model import Vehicle
from voltyard.fleets.service import FleetService
from voltyard.sessions.reading import SessionReads
from voltyard.sessions.refusals import Refusal, RefusalFilter
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.timetable.model import Duty, DutyState
from voltyard.timetable.service import DutyFilter, TimetableService

REFUSED_WITHIN = timedelta(minutes=30)
REFUSALS_READ = 50
FOUND_MAX = 20
ASK_ONE = "Say one vehicle, duty, session or outlet."


@dataclass(frozen=True, slots=True)
class Question:
    """Exactly one of them is what is asked about."""

    vehicle_id: UUID | None = None
    duty_id: UUID | None = None
    session_id: UUID | None = None
    evse_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    controller: SiteController
    scene: Scene


class ExplainDesk:
    """The way from a question to the site that can answer it."""

    def __init__(
        self,
        energy: EnergyService,
        fleets: FleetService,
        timetable: TimetableService,
        sessions: SessionReads,
        chargers: ChargerService,
        clock: Clock,
    ) -> None:
        self._energy = energy
        self._fleets = fleets
        self._timetable = timetable
        self._sessions = sessions
        self._chargers = chargers
        self._clock = clock

    async def named(self, who: Principal, text: str) -> Sequence[Vehicle]:
        """Vehicles by name, licence plate or VIN; one of exactly that name stands alone."""
        require(who, Permission.VIEW)
        exact = await self._fleets.by_name(who.org_id, text.strip())
        if exact is not None:
            return (exact,)
        found, _ = await self._fleets.list_vehicles(who, text=text.strip(), limit=FOUND_MAX)
        return found

    async def explain(self, who: Principal, asked: Question) -> Explanation:
        """Raises Forbidden, NotFound, Invalid (not exactly one thing was asked about)."""
        require(who, Permission.VIEW)
        ids = (asked.vehicle_id, asked.duty_id, asked.session_id, asked.evse_id)
        if sum(one is not None for one in ids) != 1:
            raise Invalid(ASK_ONE)
        if asked.duty_id is not None:
            return await self._of_duty(who, await self._timetable.duty(who.org_id, asked.duty_id))
        if asked.vehicle_id is not None:
            vehicle = await self._fleets.vehicle(who, asked.vehicle_id)
            return await self._of_vehicle(who, vehicle)
        return await self._of_outlet(who, asked)

    async def _of_duty(self, who: Principal, duty: Duty) -> Explanation:
        vehicle = None
        if duty.vehicle_id is not None:
            vehicle = await self._fleets.vehicle_of(who.org_id, duty.vehicle_id)
        if duty.state in (DutyState.DEPARTED, DutyState.CANCELLED) or duty.departed_at is not None:
            return departed(duty, vehicle, self._clock)
        controller = self._at(who, duty.site_id)
        if controller is None:
            return uncontrolled(duty, vehicle, self._clock)
        return await self._ask(who, scene_of(controller), Subject(vehicle, duty))

    async def _of_vehicle(self, who: Principal, vehicle: Vehicle) -> Explanation:
        """Where it is; else where its next duty expects it; else nowhere."""
        subject = Subject(vehicle)
        scenes = [scene_of(controller) for controller in self._energy.controllers(who.org_id)]
        for scene in scenes:
            if scene.present_of(subject) is not None:
                return await self._ask(who, scene, subject)
        expected = [
            (stay.departure_at, i)
            for i, stay in enumerate(scene.expected(subject) for scene in scenes)
            if stay is not None
        ]
        if expected:
            return await self._ask(who, scenes[min(expected)[1]], subject)
        if scenes:
            return await self._ask(who, scenes[0], subject)
        return await self._without_site(who, vehicle)

    async def _without_site(self, who: Principal, vehicle: Vehicle) -> Explanation:
        """No controller runs: its next duty tells at which site one is missing."""
        wanted = DutyFilter(
            vehicle_id=vehicle.id,
            since=self._clock.now(),
            states=(DutyState.PLANNED, DutyState.PRESENT),
            limit=1,
        )
        duties, _ = await self._timetable.find(who.org_id, wanted)
        return uncontrolled(duties[0] if duties else None, vehicle, self._clock)

    async def _of_outlet(self, who: Principal, asked: Question) -> Explanation:
        for controller in self._energy.controllers(who.org_id):
            for outlet in controller.board:
                running = None if outlet.session is None else outlet.session.session_id
                if outlet.evse.id == asked.evse_id or (
                    running is not None and running == asked.session_id
                ):
                    subject = Subject(session_id=asked.session_id, evse_id=outlet.evse.id)
                    return await self._ask(who, scene_of(controller), subject)
        if asked.session_id is not None:
            return await self._unseen(who, asked.session_id)
        for evse in self._chargers.evses():
            if evse.id == asked.evse_id and evse.org_id == who.org_id:
                made = uncontrolled(None, None, self._clock)
                known = Who("", evse_id=evse.id, station_id=evse.station_id, outlet=evse.name)
                return replace(made, site_id=evse.site_id, who=known)
        raise NotFound("There is no such outlet.")

    async def _unseen(self, who: Principal, session_id: UUID) -> Explanation:
        """A session that no controller sees (yet): its outlet tells."""
        session = None
        with suppress(NotFound):
            session = await self._sessions.session(who.org_id, session_id)
        if session is None or not session.open or session.evse_id is None:
            raise NotFound("This session does not run.")
        return await self._of_outlet(who, Question(evse_id=session.evse_id))

    async def _ask(self, who: Principal, scene: Scene, subject: Subject) -> Explanation:
        """A refused token matters only to one that has no session."""
        if scene.present_of(subject) is None:
            refused = await self._refused(who, scene, subject)
            subject = Subject(
                subject.vehicle, subject.duty, subject.session_id, subject.evse_id, refused
            )
        return explaining.explain(scene, subject)

    async def _refused(self, who: Principal, scene: Scene, subject: Subject) -> Refused | None:
        tokens: set[str] = set()
        if subject.vehicle is not None:
            every = await self._fleets.all_tokens(who.org_id)
            tokens = {t.value.upper() for t in every if t.vehicle_id == subject.vehicle.id}
        if not tokens and subject.evse_id is None:
            return None
        wanted = RefusalFilter(site_id=scene.setup.site.id, from_at=scene.now - REFUSED_WITHIN)
        recent, _ = await self._sessions.refusals(who.org_id, wanted, limit=REFUSALS_READ)
        for refusal in recent:
            if refusal.status.value != "accepted" and _concerns(refusal, tokens, subject):
                return Refused(refusal.at, refusal.token, refusal.reason or refusal.status.value)
        return None

    def _at(self, who: Principal, site_id: UUID) -> SiteController | None:
        for controller in self._energy.controllers(who.org_id):
            if controller.site_id == site_id:
                return controller
        return None


def _concerns(refusal: Refusal, tokens: set[str], subject: Subject) -> bool:
    if subject.vehicle is not None:
        return refusal.token.upper() in tokens
    return subject.evse_id is not None and refusal.evse_id == subject.evse_id


def scene_of(controller: SiteController) -> Scene:
    """All that the controller knows at this moment; it is not changed by being looked at."""
    view = controller.view()
    setup = controller.overrides.applied(controller.board.setup, view.at)
    sessions = [outlet.session for outlet in controller.board if outlet.session is not None]
    found = outlook(controller.planning.situation(view.at, setup, sessions))
    return Scene(
        now=view.at,
        setup=setup,
        board=controller.board,
        found=found,
        view=view,
        plan=controller.planning.plan,
        allocation=controller.allocation,
    )


def departed(duty: Duty, vehicle: Vehicle | None, clock: Clock) -> Explanation:
    """How a duty ended."""
    at = duty.departed_at or duty.departure_at
    facts: dict[str, Fact] = {"departed_at": at}
    code = Why.LEFT if duty.ready is None else Why.LEFT_READY if duty.ready else Why.LEFT_SHORT
    if code is Why.LEFT_SHORT:
        facts["shortfall_wh"] = duty.shortfall_wh or 0.0
    return Explanation(
        duty.site_id,
        clock.now(),
        _named(duty, vehicle),
        State.DEPARTED,
        (Line(code, facts),),
        soc_departure_pct=duty.soc_departure_pct,
        target_soc_pct=duty.target_soc_pct,
        priority=duty.priority,
        arrives_at=duty.arrival_at,
        departs_at=at,
    )


def uncontrolled(duty: Duty | None, vehicle: Vehicle | None, clock: Clock) -> Explanation:
    return Explanation(
        None if duty is None else duty.site_id,
        clock.now(),
        _named(duty, vehicle),
        State.UNCONTROLLED,
        (Line(Why.NO_CONTROLLER),),
        target_soc_pct=None if duty is None else duty.target_soc_pct,
        arrives_at=None if duty is None else duty.arrival_at,
        departs_at=None if duty is None else duty.departure_at,
    )


def _named(duty: Duty | None, vehicle: Vehicle | None) -> Who:
    name = "" if duty is None else duty.vehicle_class or duty.external_id
    return Who(
        name if vehicle is None else vehicle.name,
        vehicle_id=None if vehicle is None else vehicle.id,
        duty_id=None if duty is None else duty.id,
    )
