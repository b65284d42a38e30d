"""Duties: kept, imported all or nothing, matched at plug-in, closed at departure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.fleets.model import Vehicle
from voltyard.sessions.events import SessionEnded, SessionStarted, SessionUpdated
from voltyard.storage.engine import Database, Row, Tx
from voltyard.tenancy import audit
from voltyard.tenancy.access import on_behalf, require
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction
from voltyard.timetable import store
from voltyard.timetable.events import DutiesChanged, DutyDeparted
from voltyard.timetable.intake import Intake
from voltyard.timetable.model import Departing, Duty, DutyState, problems
from voltyard.timetable.ports import Sessions, Sites, Vehicles
from voltyard.timetable.store import DutyFilter

__all__ = ["DutyFilter", "TimetableService"]

EARLY = timedelta(hours=6)
"""How long before its planned arrival a vehicle may plug in and still be on that duty."""

LATE = timedelta(minutes=15)
"""How long after its departure a vehicle that is still plugged in is waited for."""

READY_TOLERANCE_PCT = 1.0
LEAST_FLOW_W = 500.0


@dataclass(frozen=True, slots=True)
class _Outcome:
    soc_pct: float | None
    ready: bool | None
    shortfall_wh: float | None


class TimetableService(Intake):
    """``sessions`` is set by the composition root (the rooms need each other's services)."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, *, sites: Sites, vehicles: Vehicles
    ) -> None:
        super().__init__(database, sites, vehicles)
        self._bus = bus
        self._clock = clock
        self.sessions: Sessions | None = None

    def listen(self) -> None:
        """Match on plug-in and when a session's vehicle becomes known."""
        self._bus.subscribe(SessionStarted, self._on_started, name="timetable.match")
        self._bus.subscribe(SessionUpdated, self._on_updated, name="timetable.rematch")
        self._bus.subscribe(SessionEnded, self._on_ended, name="timetable.session_ended")
        self._bus.subscribe(DutiesChanged, self._on_changed, name="timetable.waiting")

    # Reading

    async def find(self, org_id: UUID, wanted: DutyFilter) -> tuple[list[Duty], int]:
        async with transaction(self._database, of(org_id)) as tx:
            return await store.find(tx, wanted)

    async def duty(self, org_id: UUID, duty_id: UUID) -> Duty:
        async with transaction(self._database, of(org_id)) as tx:
            return await _existing(tx, duty_id)

    async def duties(
        self, org_id: UUID, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> Sequence[Duty]:
        """Open duties that meet the window, by departure."""
        async with transaction(self._database, of(org_id)) as tx:
            return await store.open_between(tx, site_id, from_at, until_at)

    async def departing(self, from_at: datetime, until_at: datetime) -> Sequence[Departing]:
        """Of all organisations, by departure; departed ones too, cancelled ones not."""
        async with transaction(self._database, SYSTEM) as tx:
            found = await store.departing(tx, from_at, until_at)
        names: dict[UUID, dict[UUID, Vehicle]] = {}
        for org_id in sorted({duty.org_id for duty, _ in found}):
            names[org_id] = {each.id: each for each in await self._vehicles.all(org_id)}
        return [_departing(duty, row, names[duty.org_id]) for duty, row in found]

    async def duties_of(self, org_id: UUID, duty_ids: Sequence[UUID]) -> list[Duty]:
        """Those of these that exist, whatever their state."""
        async with transaction(self._database, of(org_id)) as tx:
            return await store.by_ids(tx, duty_ids)

    # Changing

    async def save(
        self, who: Principal, duty: Duty, *, expect_new: bool | None = None, remote: str = ""
    ) -> Duty:
        """Create or change one duty. Raises Invalid with fields, NotFound, Conflict."""
        if duty.org_id != who.org_id:
            before = await self.duty(who.org_id, duty.id)
            who = on_behalf(who, before.org_id)
        saved = await self.save_all(who, [duty], expect_new=expect_new, remote=remote)
        return saved[0]

    async def save_all(
        self,
        who: Principal,
        duties: Sequence[Duty],
        *,
        expect_new: bool | None = None,
        remove: Sequence[UUID] = (),
        remote: str = "",
    ) -> list[Duty]:
        """All or none. A duty of a known (site, source, external id) replaces that duty, unless
        it has departed. ``remove`` go in the same transaction."""
        require(who, Permission.DUTIES_WRITE)
        await self._check(who, duties)
        now = self._clock.now()
        saved: list[Duty] = []
        async with transaction(self._database, of(who.org_id)) as tx:
            for site_id, source in sorted({(duty.site_id, duty.source) for duty in duties}):
                group = [d for d in duties if (d.site_id, d.source) == (site_id, source)]
                saved += await self._merge(tx, who.org_id, site_id, source, group, expect_new)
            await store.upsert(tx, saved, now)
            await store.delete(tx, remove)
            detail = {
                "count": len(saved),
                "removed": len(remove),
                "external_ids": [d.external_id for d in saved[:50]],
            }
            subject = saved[0].id if len(saved) == 1 else "many"
            await audit.write(tx, who, "duty.save", "duty", subject, detail, at=now, remote=remote)
        await self._publish_changed(who.org_id, saved, remove)
        return saved

    async def delete(self, who: Principal, duty_ids: Sequence[UUID], *, remote: str = "") -> None:
        require(who, Permission.DUTIES_WRITE)
        now = self._clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            gone = [await _existing(tx, duty_id) for duty_id in duty_ids]
        if any(duty.state is DutyState.DEPARTED for duty in gone):
            raise Conflict("a departed duty is history and stays", code="duty_departed")
        for org_id in sorted({duty.org_id for duty in gone}):
            own = [duty for duty in gone if duty.org_id == org_id]
            actor = on_behalf(who, org_id)
            async with transaction(self._database, of(org_id)) as tx:
                await store.delete(tx, [duty.id for duty in own])
                for duty in own:
                    detail = {"external_id": duty.external_id}
                    await audit.write(
                        tx, actor, "duty.delete", "duty", duty.id, detail, at=now, remote=remote
                    )
            await self._publish_changed(org_id, own)

    # Matching and closing

    async def _on_started(self, event: SessionStarted) -> None:
        if event.vehicle_id is not None and event.site_id is not None:
            await self._match(
                event.org_id, event.site_id, event.session_id, event.vehicle_id, event.at
            )

    async def _on_updated(self, event: SessionUpdated) -> None:
        if event.vehicle_id is not None and event.site_id is not None:
            await self._match(
                event.org_id, event.site_id, event.session_id, event.vehicle_id, event.at
            )

    async def _on_changed(self, event: DutiesChanged) -> None:
        """A list that comes late finds the vehicles that already stand there."""
        if self.sessions is None or event.claimed:
            return
        now = self._clock.now()
        for session in self.sessions.open_sessions(org_id=event.org_id, site_id=event.site_id):
            if session.duty_id is None and session.vehicle_id is not None:
                await self._match(
                    session.org_id, event.site_id, session.id, session.vehicle_id, now
                )

    async def _on_ended(self, event: SessionEnded) -> None:
        """Unplugged at its departure it is gone; earlier it is expected back at another EVSE."""
        now = self._clock.now()
        org_id = await self._fleet_of(event.org_id, event.vehicle_id)
        async with transaction(self._database, of(org_id)) as tx:
            duty = await store.left_alone(tx, event.session_id)
            if duty is not None and duty.departure_at > now:
                await store.release(tx, duty.id, now)
        if duty is None:
            return
        if duty.departure_at <= now:
            await self._depart(duty, event.at)
        else:
            await self._publish_changed(duty.org_id, [duty])

    async def _match(
        self, org_id: UUID, site_id: UUID, session_id: UUID, vehicle_id: UUID, at: datetime
    ) -> None:
        """Find the duty the vehicle serves and tell the session; nothing when there is none."""
        vehicle = await self._vehicles.vehicle_of(org_id, vehicle_id)
        vehicle_class = vehicle.vehicle_class if vehicle else ""
        fleet_id = vehicle.org_id if vehicle else org_id
        async with transaction(self._database, of(fleet_id)) as tx:
            serves, ended_at = await store.served(tx, session_id)
            if serves is not None and _settled(serves, vehicle_id, ended_at, at):
                return
            at = at if ended_at is None else min(at, ended_at)
            found = await store.candidates(tx, site_id, vehicle_id, vehicle_class, at, at + EARLY)
            duty, changed = await self._claim(tx, found, vehicle_id)
        if duty is None:
            return
        if self.sessions is not None:
            await self.sessions.attach(session_id, duty_id=duty.id)
        if changed:
            await self._publish_changed(duty.org_id, [duty], claimed=True)

    async def _fleet_of(self, org_id: UUID, vehicle_id: UUID | None) -> UUID:
        """Whose duties a vehicle at an organisation's charger serves: those of its own fleet."""
        if vehicle_id is None:
            return org_id
        vehicle = await self._vehicles.vehicle_of(org_id, vehicle_id)
        return org_id if vehicle is None else vehicle.org_id

    async def _claim(
        self, tx: Tx, found: Sequence[Duty], vehicle_id: UUID
    ) -> tuple[Duty | None, bool]:
        """The first duty no other vehicle takes at this moment, and whether that is news."""
        for duty in found:
            if duty.state is DutyState.PRESENT and duty.vehicle_id == vehicle_id:
                return duty, False
            if await store.claim(tx, duty.id, vehicle_id, self._clock.now()):
                return duty, True
        return None, False

    async def close_overdue(self) -> int:
        """Close the books of every duty whose departure has come; run once a minute.

        A vehicle that is still plugged in has ``LATE`` to leave.
        """
        now = self._clock.now()
        async with transaction(self._database, SYSTEM) as tx:
            due = await store.overdue(tx, now, now - LATE)
        for duty in due:
            await self._depart(duty, duty.departure_at)
        await self._stay({duty.id: duty for duty in due})
        return len(due)

    async def _stay(self, closed: Mapping[UUID, Duty]) -> None:
        """A vehicle that has not left when its duty is closed serves its next one."""
        if self.sessions is None or not closed:
            return
        now = self._clock.now()
        for session in self.sessions.open_sessions():
            if session.duty_id is None or session.vehicle_id is None:
                continue
            duty = closed.get(session.duty_id)
            if duty is not None:
                place, vehicle_id = duty.site_id, session.vehicle_id
                await self._match(session.org_id, place, session.id, vehicle_id, now)

    async def _depart(self, duty: Duty, at: datetime) -> None:
        vehicle = None
        if duty.vehicle_id is not None:
            vehicle = await self._vehicles.vehicle_of(duty.org_id, duty.vehicle_id)
        async with transaction(self._database, of(duty.org_id)) as tx:
            row = await store.session_energy(tx, duty.id)
            energy_wh = float(row["energy_wh"]) if row else 0.0
            outcome = _outcome(duty, vehicle, energy_wh, row["soc_pct"] if row else None)
            closed = await store.close(
                tx,
                duty.id,
                at=max(at, duty.departure_at),
                soc_pct=outcome.soc_pct,
                ready=outcome.ready,
                shortfall_wh=outcome.shortfall_wh,
            )
        if not closed:
            return
        await self._bus.publish(
            DutyDeparted(
                duty.org_id,
                duty.site_id,
                duty.id,
                duty.vehicle_id,
                bool(outcome.ready),
                outcome.shortfall_wh or 0.0,
                duty.departure_at,
            )
        )

    # Inside

    async def _check(self, who: Principal, duties: Sequence[Duty]) -> None:
        wrong: dict[str, str] = {}
        vehicles = {vehicle.id for vehicle in await self._vehicles.own(who.org_id)}
        bays: dict[UUID, set[UUID]] = {}
        for site_id in sorted({duty.site_id for duty in duties}):
            bays[site_id] = {bay.id for bay in await self._sites.charging_bays(who, site_id)}
        for index, duty in enumerate(duties):
            found = problems(duty)
            if duty.vehicle_id is not None and duty.vehicle_id not in vehicles:
                found["vehicle"] = "there is no such vehicle"
            if duty.bay_id is not None and duty.bay_id not in bays[duty.site_id]:
                found["bay_id"] = "there is no such bay at this site"
            prefix = "" if len(duties) == 1 else f"duties[{index}]."
            wrong.update({prefix + name: reason for name, reason in found.items()})
        seen: set[tuple[UUID, str, str]] = set()
        for index, duty in enumerate(duties):
            key = (duty.site_id, duty.source, duty.external_id)
            if key in seen:
                wrong[f"duties[{index}].external_id"] = "occurs twice"
            seen.add(key)
        if wrong:
            raise Invalid("the duty is not valid", code="duty_invalid", fields=wrong)

    async def _merge(
        self,
        tx: Tx,
        org_id: UUID,
        site_id: UUID,
        source: str,
        duties: Sequence[Duty],
        expect_new: bool | None,
    ) -> list[Duty]:
        known = await store.by_external_ids(
            tx, org_id, site_id, source, [d.external_id for d in duties]
        )
        merged: list[Duty] = []
        for duty in duties:
            before = known.get(duty.external_id)
            if before is None and expect_new is False:
                before = await _existing(tx, duty.id)
            if before is None:
                merged.append(duty)
            else:
                merged.append(_merged(before, duty, expect_new))
        return merged

    async def _publish_changed(
        self,
        org_id: UUID,
        duties: Sequence[Duty],
        removed: Sequence[UUID] = (),
        *,
        claimed: bool = False,
    ) -> None:
        """``removed`` are of the site of the duties they were replaced by."""
        now = self._clock.now()
        for site_id in sorted({duty.site_id for duty in duties}):
            ids = (*(duty.id for duty in duties if duty.site_id == site_id), *removed)
            await self._bus.publish(DutiesChanged(org_id, site_id, ids, now, claimed))


async def _existing(tx: Tx, duty_id: UUID) -> Duty:
    duty = await store.by_id(tx, duty_id)
    if duty is None:
        raise NotFound("there is no such duty", detail=str(duty_id))
    return duty


def _settled(duty: Duty, vehicle_id: UUID, ended_at: datetime | None, at: datetime) -> bool:
    """Whether a session keeps its duty, whatever is told of it: it is over, or its vehicle is due
    and has not left yet."""
    if duty.vehicle_id != vehicle_id:
        return False
    due = duty.departure_at <= at and duty.state in (DutyState.PLANNED, DutyState.PRESENT)
    return ended_at is not None or due


def _merged(before: Duty, duty: Duty, expect_new: bool | None) -> Duty:
    """What is asked for, on the duty that is there; a departed one is history."""
    if expect_new:
        raise Conflict(f"duty {duty.external_id} exists already", code="duty_exists")
    if before.state is DutyState.DEPARTED:
        if expect_new is False:
            raise Conflict("a departed duty is history and stays", code="duty_departed")
        return before
    state = before.state if duty.state is DutyState.PLANNED else duty.state
    # A duty of a class keeps the vehicle that already came for it.
    keeps = duty.vehicle_id is None and duty.vehicle_class == before.vehicle_class
    vehicle_id = before.vehicle_id if keeps else duty.vehicle_id
    return replace(duty, id=before.id, state=state, vehicle_id=vehicle_id)


def _departing(duty: Duty, row: Row, vehicles: Mapping[UUID, Vehicle]) -> Departing:
    vehicle = None if duty.vehicle_id is None else vehicles.get(duty.vehicle_id)
    outcome = _outcome(duty, vehicle, float(row["energy_wh"]), row["soc_pct"])
    return Departing(
        duty,
        vehicle.name if vehicle else duty.vehicle_class or duty.external_id,
        plugged=row["active"] > 0,
        charging=(row["flows_w"] or 0.0) > LEAST_FLOW_W,
        came=row["sessions"] > 0,
        ready=outcome.ready,
        soc_pct=outcome.soc_pct,
        shortfall_wh=outcome.shortfall_wh,
        depot_id=row["depot_id"],
    )


def _outcome(
    duty: Duty, vehicle: Vehicle | None, energy_wh: float, soc_pct: float | None
) -> _Outcome:
    """Whether it left with what it needed, from its last state of charge or its energy."""
    if duty.target_energy_wh is not None:
        short_wh = max(0.0, duty.target_energy_wh - energy_wh)
        return _Outcome(soc_pct, short_wh <= 0.01 * duty.target_energy_wh, short_wh)
    battery_wh = vehicle.battery_wh if vehicle else None
    if soc_pct is None and duty.soc_arrival_pct is not None and battery_wh and vehicle:
        gained_pct = energy_wh * vehicle.efficiency / battery_wh * 100.0
        soc_pct = min(100.0, duty.soc_arrival_pct + gained_pct)
    if soc_pct is None or duty.target_soc_pct is None:
        return _Outcome(soc_pct, None, None)
    short_pct = max(0.0, duty.target_soc_pct - soc_pct)
    efficiency = vehicle.efficiency if vehicle else 1.0
    shortfall_wh = short_pct / 100.0 * battery_wh / efficiency if battery_wh else None
    return _Outcome(soc_pct, short_pct <= READY_TOLERANCE_PCT, shortfall_wh)
