"""Sessions: authorisation, exactly one session per plug-in, live state, who they belong to."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.model import EvseStatus, StationRef
from voltyard.clock import Clock
from voltyard.errors import Conflict, Forbidden, Invalid, NotFound
from voltyard.fleets.model import Vehicle
from voltyard.sessions import fold, store
from voltyard.sessions.authorisation import Authoriser, Place
from voltyard.sessions.book import Book, Change
from voltyard.sessions.events import SessionUpdated
from voltyard.sessions.fold import Tracked
from voltyard.sessions.intake import Intake
from voltyard.sessions.live import LiveBoard
from voltyard.sessions.model import (
    Authorisation,
    Flag,
    IdToken,
    MeterReading,
    Session,
    TransactionAck,
    TransactionReport,
    Urgency,
    VehicleNeeds,
)
from voltyard.sessions.ports import (
    AccessRules,
    Booked,
    Credit,
    Outlets,
    Reserved,
    SitePolicies,
    TokenDirectory,
)
from voltyard.sessions.reading import SessionReads
from voltyard.sessions.refusals import KEPT_FOR, RefusalLog
from voltyard.sessions.sweep import SessionRules, judge
from voltyard.storage.engine import Database, Tx
from voltyard.storage.groupcommit import GroupCommit
from voltyard.tenancy import scope
from voltyard.tenancy.admission import admissions
from voltyard.tenancy.model import Permission, Principal

Audit = Callable[[Tx, Principal, str, str, str, Mapping[str, Any]], Awaitable[None]]
"""Notes (action, object kind, object id, detail) in the transaction of the change."""
BUSY_FOR = timedelta(minutes=15)
DEFAULT_RULES = SessionRules()


class Keep:
    """The type of ``KEEP``: leave this as it is."""


KEEP: Final = Keep()


class SessionService(SessionReads):
    """Implements ``voltyard.ocpp.ports.Sessions``; ``live`` is the state of every EVSE now."""

    def __init__(
        self,
        database: Database,
        commits: GroupCommit,
        bus: Bus,
        clock: Clock,
        *,
        outlets: Outlets,
        tokens: TokenDirectory,
        policies: SitePolicies,
        audit: Audit,
        rules: SessionRules = DEFAULT_RULES,
    ) -> None:
        super().__init__(database)
        self.live = LiveBoard(outlets)
        self.live.subscribe(bus)
        self._bus = bus
        self._clock = clock
        self._outlets = outlets
        self._audit = audit
        self._rules = rules
        self._book = Book(database, commits, bus, clock, outlets, self.live)
        self._authoriser = Authoriser(tokens, policies, outlets, self._busy, self._runs_here)
        self._intake = Intake(
            self._book, commits, bus, clock, outlets, self.live, self._authoriser,
            RefusalLog(commits),
        )  # fmt: skip

    async def load(self) -> None:
        """At start, after the chargers and before the first connection; commits must run.

        What was committed but not yet told when the process died is told now: sessions that
        serve no duty are announced again, so that the timetable can match them.
        """
        await self._book.load()
        now = self._clock.now()
        for session in self.open_sessions():
            if session.duty_id is None:
                await self._bus.publish(
                    SessionUpdated(
                        session.org_id,
                        session.site_id,
                        session.station_id,
                        session.evse_id,
                        session.id,
                        session.vehicle_id,
                        session.charging_state,
                        now,
                    )
                )

    async def close(self) -> None:
        """Wait for commits that are under way; close the group commit after this."""
        await self._book.drained()

    async def authorise(
        self, station: StationRef, evse_number: int | None, token: IdToken
    ) -> Authorisation:
        return await self._intake.authorise(station, evse_number, token)

    async def report(self, station: StationRef, report: TransactionReport) -> TransactionAck:
        return await self._intake.report(station, report)

    async def meter(
        self,
        station: StationRef,
        evse_number: int,
        transaction_ref: str | None,
        readings: Sequence[MeterReading],
    ) -> None:
        await self._intake.meter(station, evse_number, transaction_ref, readings)

    async def needs(self, station: StationRef, evse_number: int, needs: VehicleNeeds) -> bool:
        """What the vehicle at an outlet asks for; False while no session runs there."""
        return await self._intake.needs(station, evse_number, needs)

    async def urgent(self, station: StationRef, transaction_ref: str, *, urgent: bool) -> bool:
        """A driver asks at the charger to be charged first; False without such a session."""
        return await self._intake.urgent(station, transaction_ref, urgent=urgent)

    async def prioritise(self, who: Principal, session_id: UUID, *, first: bool) -> Session:
        """One of ours says that it is charged before all others, or not any more (2.1 K21)."""
        if not who.may(Permission.SESSIONS_CONTROL):
            raise Forbidden("you may not change sessions")
        tracked = await self._tracked(session_id)
        before = tracked.session
        if before.org_id != who.org_id:
            raise NotFound("no such session", detail=str(session_id))
        if not before.open:
            raise Conflict("the session is over")
        detail = {"first": str(first)}
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await self._audit(tx, who, "session.priority", "session", str(session_id), detail)
        before = tracked.session
        known = before.needs or VehicleNeeds(self._clock.now(), delivered_wh=before.net_wh)
        urgency = Urgency.PERSON if first else Urgency.NONE
        tracked.session = replace(before, needs=replace(known, urgency=urgency))
        await self._book.save([Change(tracked, before)])
        return tracked.session

    def honour(self, reserved: Reserved) -> None:
        """Reservations count from now on; before the first connection."""
        self._authoriser.reserved = reserved

    def booked_by(self, booked: Booked) -> None:
        """Bookings of bays and outlets count from now on; before the first connection."""
        self._authoriser.booked = booked

    def credited_by(self, credit: Credit) -> None:
        """Prepaid balances and cards count from now on; before the first connection."""
        self._authoriser.credit = credit

    def governed_by(self, access: AccessRules) -> None:
        """Access rules count from now on; before the first connection."""
        self._authoriser.access = access

    def occupied(self, station_id: UUID, evse_id: UUID) -> bool:
        """Whether a session runs on an outlet."""
        return bool(self._book.index.open_on(station_id, evse_id))

    def expect_remote(
        self, station_id: UUID, token: IdToken, *, vehicle_id: UUID | None = None
    ) -> None:
        """Call before a remote start: its token may charge there, known to the site or not."""
        self._authoriser.expect(station_id, token, self._clock.now(), vehicle_id)

    async def attach(
        self,
        session_id: UUID,
        *,
        vehicle_id: UUID | Keep | None = KEEP,
        duty_id: UUID | Keep | None = KEEP,
        fleet_org_id: UUID | Keep | None = KEEP,
    ) -> Session:
        """Say whose session it is or which duty it serves; None takes that away.

        Whoever names a vehicle of a fleet operator names its ``fleet_org_id`` too.
        """
        tracked = await self._tracked(session_id)
        before = tracked.session
        changes: dict[str, Any] = {}
        if not isinstance(vehicle_id, Keep):
            changes["vehicle_id"] = vehicle_id
        if not isinstance(duty_id, Keep):
            changes["duty_id"] = duty_id
        if not isinstance(fleet_org_id, Keep):
            changes["fleet_org_id"] = fleet_org_id
        tracked.session = replace(before, **changes)
        await self._book.save([Change(tracked, before)])
        return tracked.session

    async def assign_vehicle(
        self, who: Principal, session_id: UUID, vehicle: Vehicle | None
    ) -> Session:
        """A person says which vehicle it is; no token changes that afterwards."""
        if not who.may(Permission.SESSIONS_CONTROL):
            raise Forbidden("you may not change sessions")
        tracked = await self._tracked(session_id)
        if tracked.session.org_id != who.org_id:
            raise NotFound("no such session", detail=str(session_id))
        vehicle_id = None if vehicle is None else vehicle.id
        fleet_org_id = None if vehicle is None else vehicle.org_id
        if fleet_org_id == who.org_id:
            fleet_org_id = None
        detail = {"from": str(tracked.session.vehicle_id), "to": str(vehicle_id)}
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            if fleet_org_id is not None and fleet_org_id not in await admissions(tx, who.org_id):
                raise Invalid("no such vehicle", fields={"vehicle_id": "unknown"})
            await self._audit(tx, who, "session.vehicle", "session", str(session_id), detail)
        before = tracked.session
        tracked.repair(Flag.VEHICLE_ASSIGNED, self._clock.now(), before.vehicle_id, vehicle_id)
        tracked.session = replace(
            tracked.session, vehicle_id=vehicle_id, duty_id=None, fleet_org_id=fleet_org_id
        )
        await self._book.save([Change(tracked, before)])
        return tracked.session

    async def sweep(self) -> list[Session]:
        """Every minute or so: close what nobody stopped; returns the sessions closed."""
        if self._book.forgetful:
            await self._book.recover()
        now = self._clock.now()
        changes = []
        for tracked in self._book.index.open():
            session = tracked.session
            evse = None if session.evse_id is None else self._outlets.evse(session.evse_id)
            online = self._outlets.is_connected(session.station_id)
            verdict = judge(tracked, evse, online=online, now=now, rules=self._rules)
            if verdict is not None:
                changes.append(Change(tracked, session))
                fold.end_by_repair(tracked, verdict.flag, verdict.at)
        if changes:
            await self._book.save(changes)
        return [change.tracked.session for change in changes]

    async def drop_old_refusals(self) -> None:
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await store.drop_refusals_before(tx, self._clock.now() - KEPT_FOR)

    def open_sessions(
        self, *, org_id: UUID | None = None, site_id: UUID | None = None
    ) -> list[Session]:
        """From memory, by start. ``org_id``: at its chargers, or of its vehicles elsewhere."""
        found = (tracked.session for tracked in self._book.index.open())
        wanted = [
            session
            for session in found
            if (org_id is None or org_id in (session.org_id, session.fleet_org_id))
            and (site_id is None or session.site_id == site_id)
        ]
        return sorted(wanted, key=lambda session: (session.started_at, session.id))

    def current(self, evse_id: UUID) -> Session | None:
        """The session that runs on an EVSE now."""
        tracked = self._book.index.current(evse_id)
        return None if tracked is None else tracked.session

    async def _tracked(self, session_id: UUID) -> Tracked:
        tracked = await self._book.get(session_id)
        if tracked is None:
            raise NotFound("no such session", detail=str(session_id))
        return tracked

    def _busy(self, place: Place, value: str) -> bool:
        """Whether the token charges at another outlet that was heard of lately.

        A stale session must not keep a vehicle from charging; and at the same station a token
        shown with no outlet named is how one stops what one has started.
        """
        now = self._clock.now()
        for tracked in self._book.index.open_with_token(place.org_id, value):
            session = tracked.session
            elsewhere = session.station_id != place.station_id or (
                place.evse_id is not None and session.evse_id != place.evse_id
            )
            recent = now - (tracked.heard_at or session.started_at) <= BUSY_FOR
            online = self._outlets.is_connected(session.station_id)
            if elsewhere and recent and online and not self._left(session):
                return True
        return False

    def _runs_here(self, place: Place, value: str) -> bool:
        """Whether a session of the token runs at the station, at the outlet if one is named."""
        return any(
            tracked.session.station_id == place.station_id
            and place.evse_id in (None, tracked.session.evse_id)
            for tracked in self._book.index.open_with_token(place.org_id, value)
        )

    def _left(self, session: Session) -> bool:
        """Whether the outlet says that nobody is plugged in there any more."""
        evse = None if session.evse_id is None else self._outlets.evse(session.evse_id)
        return evse is not None and evse.status is EvseStatus.AVAILABLE
