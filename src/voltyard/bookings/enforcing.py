"""Sessions that a booking ends: looked for often, told to the charger, noted, alerted."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.alerts.model import Severity
from voltyard.alerts.service import AlertService, Cause
from voltyard.bookings import judging, store
from voltyard.bookings.diary import Diary
from voltyard.bookings.events import BookingEnforced
from voltyard.bookings.gate import place_of
from voltyard.bookings.judging import Conflict
from voltyard.bookings.model import Action, Booking, Decision, Mode, Shown, SiteRules
from voltyard.bookings.ports import Sessions, Stations, Vehicles
from voltyard.bus import Bus
from voltyard.chargers.commands import RemoteStop
from voltyard.clock import Clock
from voltyard.errors import VoltyardError
from voltyard.ids import new_id
from voltyard.sessions.model import Session
from voltyard.storage.engine import Database
from voltyard.tenancy.scope import of, transaction

log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(minutes=1)
BY_ITSELF = timedelta(seconds=20)
"""How long a charger has to end by itself what it began and we refused (1.6 StopTransaction with
DeAuthorized)."""
TIMEOUT_S = 30.0
ALERTS = ("booking_blocked", "booking_overstayed")


@dataclass(frozen=True, slots=True)
class Finding:
    """A session that should not go on."""

    session: Session
    conflict: Conflict
    rules: SiteRules

    @property
    def action(self) -> Action:
        own = self.conflict.own
        return Action.ENDED_AT_DEPARTURE if own else Action.ENDED_FOR_ANOTHER

    @property
    def mark(self) -> tuple[UUID, UUID]:
        return self.session.id, self.conflict.booking.id


class Enforcer:
    """Ends what must end by strict rules; by soft ones it is noted and told alone."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        diary: Diary,
        *,
        stations: Stations,
        sessions: Sessions,
        vehicles: Vehicles,
        alerts: AlertService,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._diary = diary
        self._stations = stations
        self._sessions = sessions
        self._vehicles = vehicles
        self._alerts = alerts
        self._asked: dict[tuple[UUID, UUID], datetime] = {}
        self._refused: set[tuple[UUID, UUID]] = set()
        self._noted: set[tuple[tuple[UUID, UUID], Action]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Until every stop on its way has its answer: for tests."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def tick(self) -> None:
        now = self._clock.now()
        self._asked = {m: at for m, at in self._asked.items() if now - at < AGAIN_AFTER}
        self._forget_ended()
        for rules in self._diary.all_rules():
            found = self._findings(rules, now)
            for finding in found:
                await self._act(finding, now)
            causes = [await self._cause(finding) for finding in found]
            await self._alerts.sync(rules.org_id, rules.site_id, ALERTS, causes)

    def _forget_ended(self) -> None:
        """What was noted of sessions that are over is not needed any more."""
        if self._noted or self._refused:
            open_now = {session.id for session in self._sessions.open_sessions()}
            self._refused = {mark for mark in self._refused if mark[0] in open_now}
            self._noted = {noted for noted in self._noted if noted[0][0] in open_now}

    def _findings(self, rules: SiteRules, now: datetime) -> list[Finding]:
        if rules.mode is Mode.OFF:
            return []
        found: list[Finding] = []
        for session in self._sessions.open_sessions(site_id=rules.site_id):
            if now - session.started_at < BY_ITSELF:
                continue
            conflict = self._conflict(session, rules, now)
            if conflict is not None:
                found.append(Finding(session, conflict, rules))
        return found

    def _conflict(self, session: Session, rules: SiteRules, now: datetime) -> Conflict | None:
        evse = None if session.evse_id is None else self._stations.evse(session.evse_id)
        if evse is None or self._diary.allowed(session.id):
            return None
        return judging.of_session(
            self._diary.at(place_of(evse)),
            Shown(session.id_token or "", session.vehicle_id),
            session.started_at,
            now,
            end_at_departure=rules.end_at_departure,
        )

    async def _act(self, finding: Finding, now: datetime) -> None:
        """A charger that is away is asked when it is back; one that says no, once a minute."""
        strict = finding.rules.mode is Mode.STRICT
        if not strict:
            await self._note(finding, finding.action, now, done=False)
        elif finding.mark not in self._asked and self._stations.is_connected(
            finding.session.station_id
        ):
            self._asked[finding.mark] = now
            task = asyncio.get_running_loop().create_task(self._stop(finding))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _stop(self, finding: Finding) -> None:
        session = finding.session
        try:
            answer = await self._stations.command(
                session.station_id,
                RemoteStop(session.transaction_ref),
                "voltyard",
                timeout_s=TIMEOUT_S,
            )
        except VoltyardError as error:
            word = error.message
        else:
            word = "" if answer.accepted else answer.word or answer.status.value
        now = self._clock.now()
        if word and finding.mark not in self._refused:
            self._refused.add(finding.mark)  # perhaps it was just ending by itself
        elif word:
            log.warning("a booking ends session %s, but its charger: %s", session.id, word)
            await self._note(finding, Action.NOT_STOPPED, now, done=False, reason=word)
        else:
            await self._note(finding, finding.action, now, done=True)

    async def _note(
        self, finding: Finding, action: Action, now: datetime, *, done: bool, reason: str = ""
    ) -> None:
        """Once for each session, booking and action."""
        if (finding.mark, action) in self._noted:
            return
        self._noted.add((finding.mark, action))
        session, booking = finding.session, finding.conflict.booking
        decision = decided(session, booking, action, now, done=done)
        decision = replace(decision, reason=reason)
        async with transaction(self._database, of(booking.org_id)) as tx:
            await store.insert_decision(tx, decision)
        await self._bus.publish(
            BookingEnforced(
                booking.org_id, booking.site_id, session.station_id, session.evse_id, session.id,
                booking.id, action.value, done, now,
            )
        )  # fmt: skip

    async def _cause(self, finding: Finding) -> Cause:
        session, booking = finding.session, finding.conflict.booking
        kind = ALERTS[1] if finding.conflict.own else ALERTS[0]
        evse = None if session.evse_id is None else self._stations.evse(session.evse_id)
        params = {
            "evse": "" if evse is None else evse.name,
            "vehicle": await self._name(session.org_id, session.vehicle_id, session.id_token),
            "due": await self._name(booking.org_id, booking.vehicle_id, booking.token),
            "from_at": booking.from_at.isoformat(),
            "until_at": booking.until_at.isoformat(),
        }
        severity = Severity.INFO if finding.conflict.own else Severity.WARNING
        key = f"{kind}:{session.id}:{booking.id}"
        return Cause(kind, severity, key, "session", str(session.id), params)

    async def _name(self, org_id: UUID, vehicle_id: UUID | None, token: str | None) -> str:
        vehicle = None
        if vehicle_id is not None:
            vehicle = await self._vehicles.vehicle_of(org_id, vehicle_id)
        return vehicle.name if vehicle is not None else token or "?"


def decided(
    session: Session, booking: Booking | None, action: Action, now: datetime, *, done: bool
) -> Decision:
    """What is kept of it with the session."""
    assert session.site_id is not None
    return Decision(
        id=new_id(),
        org_id=session.org_id,
        site_id=session.site_id,
        station_id=session.station_id,
        evse_id=session.evse_id,
        at=now,
        action=action,
        done=done,
        session_id=session.id,
        booking_id=None if booking is None else booking.id,
        token=session.id_token or "",
        vehicle_id=session.vehicle_id,
        due_vehicle_id=None if booking is None else booking.vehicle_id,
        due_at=None if booking is None else booking.from_at,
        by="voltyard",
    )
