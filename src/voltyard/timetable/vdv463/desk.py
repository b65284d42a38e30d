"""Requests of all presystems: whole lists compared, arbitrated, made duties, and kept."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from voltyard.chargers.commands import RemoteStop
from voltyard.clock import Clock
from voltyard.errors import VoltyardError
from voltyard.sessions.events import SessionStarted
from voltyard.sessions.model import Session
from voltyard.storage.engine import Database
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction
from voltyard.timetable.events import DutyDeparted
from voltyard.timetable.model import DutyState
from voltyard.timetable.vdv463 import store
from voltyard.timetable.vdv463.comparing import Comparison, Key, arbitrated, compared
from voltyard.timetable.vdv463.model import (
    Kept,
    Kind,
    Preconditioning,
    Presystem,
    State,
)
from voltyard.timetable.vdv463.ports import Chargers, Duties, Plans, Preconditioner, Sessions
from voltyard.timetable.vdv463.reading import Asked
from voltyard.timetable.vdv463.resolving import Unusable, Yard, duty_of, resolved
from voltyard.timetable.vdv463.rows import (
    conditions,
    moved,
    named,
    over,
    reasons,
    refused,
    with_duty,
)

log = logging.getLogger(__name__)

ROWS_MAX = 10_000
"""Requests of one presystem, under all ids it calls itself."""
_OPEN = (DutyState.PLANNED, DutyState.PRESENT)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a list. ``error``: nothing of it was taken, and why. ``rejected``: those
    that were left out (version 2)."""

    error: str = ""
    rejected: Mapping[str, str] = field(default_factory=dict)
    comparison: Comparison = field(default_factory=Comparison)


@dataclass(slots=True)
class _Org:
    """All kept requests of an organisation; one list of it is taken at a time."""

    rows: dict[Key, Kept] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class RequestDesk:
    """Every kept request in memory; the database is written before memory is."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        duties: Duties,
        sessions: Sessions,
        chargers: Chargers,
        plans: Plans,
    ) -> None:
        self._database = database
        self._clock = clock
        self._duties = duties
        self._sessions = sessions
        self._chargers = chargers
        self._plans = plans
        self._orgs: dict[UUID, _Org] = {}
        self._by_duty: dict[UUID, Kept] = {}
        self._kinds: dict[UUID, Kind] = {}
        self._presystems: dict[UUID, Presystem] = {}
        self.preconditioner: Preconditioner | None = None

    async def load(self, presystems: Iterable[Presystem]) -> None:
        """At start. Duties that a crash kept from being saved are saved now."""
        for presystem in presystems:
            self.known(presystem)
        async with transaction(self._database, SYSTEM) as tx:
            rows = await store.requests(tx)
        for row in rows:
            owner = self._presystems.get(row.presystem)
            if owner is not None:
                self._keep(owner.org_id, row)
        for org_id, org in self._orgs.items():
            async with org.turn:
                await self._mend(org_id, org)

    def known(self, presystem: Presystem) -> None:
        """A presystem was set up or changed."""
        self._presystems[presystem.id] = presystem
        if presystem.kind is not Kind.ANY:
            self._kinds[presystem.id] = presystem.kind

    def called(self, presystem: Presystem, kind: Kind) -> None:
        """What a presystem said it is."""
        self._kinds[presystem.id] = kind

    def rows(self, presystem: Presystem) -> list[Kept]:
        """Of one presystem, by departure."""
        org = self._orgs.get(presystem.org_id)
        found = [] if org is None else org.rows.values()
        mine = [row for row in found if row.presystem == presystem.id]
        return sorted(mine, key=lambda row: (str(row.departure_at or ""), row.request_id))

    def row(self, org_id: UUID, key: Key) -> Kept | None:
        org = self._orgs.get(org_id)
        return None if org is None else org.rows.get(key)

    def of_duty(self, duty_id: UUID | None) -> Kept | None:
        return None if duty_id is None else self._by_duty.get(duty_id)

    # taking a list

    async def take(
        self,
        presystem: Presystem,
        presystem_id: str,
        asked: Sequence[Asked],
        yard: Yard,
        *,
        whole: bool,
    ) -> Outcome:
        """All that a presystem wants. ``whole``: one that cannot be used refuses the list."""
        org = self._orgs.setdefault(presystem.org_id, _Org())
        async with org.turn:
            mine = {
                row.request_id: row
                for row in org.rows.values()
                if (row.presystem, row.presystem_id) == (presystem.id, presystem_id)
            }
            others = len(self.rows(presystem)) - len(mine)
            if others + len(asked) > ROWS_MAX:
                return Outcome(f"Nothing was taken: more than {ROWS_MAX} requests.")
            found = compared(mine, asked)
            if found.unknown:
                return Outcome(f"These charging requests are not known: {named(found.unknown)}.")
            changed, rejected = self._resolved(presystem, presystem_id, found, mine, yard)
            if whole and rejected:
                return Outcome(f"Nothing was taken: {reasons(rejected)}.", rejected)
            gone = [mine[key] for key in (*found.deleted, *found.ended)]
            try:
                await self._apply(presystem, org, changed, gone, yard.now)
            except VoltyardError as error:
                why = "; ".join(error.fields.values()) or error.message
                return Outcome(f"Nothing was taken: {why}")
        await self._end([mine[key] for key in found.ended], presystem)
        await self._at_once([row for row in changed if row.request and row.request.ad_hoc])
        return Outcome("", rejected, found)

    def _resolved(
        self,
        presystem: Presystem,
        presystem_id: str,
        found: Comparison,
        mine: Mapping[str, Kept],
        yard: Yard,
    ) -> tuple[list[Kept], dict[str, str]]:
        rows: list[Kept] = []
        rejected: dict[str, str] = {}
        for request in (*found.created, *found.changed):
            former = mine.get(request.request_id)
            try:
                rows.append(resolved(presystem, presystem_id, request, former, yard))
            except Unusable as error:
                rejected[request.request_id] = str(error)
                rows.append(refused(presystem, presystem_id, request, former, str(error), yard))
        for request in (*found.ignored, *found.unchanged):
            former = mine[request.request_id]
            if former.sent != request:
                rows.append(replace(former, sent=request))
        return rows, rejected

    async def _apply(
        self,
        presystem: Presystem,
        org: _Org,
        changed: Sequence[Kept],
        gone: Sequence[Kept],
        now: datetime,
    ) -> None:
        """Rows first, then duties, then what is gone: a crash between leaves what ``load`` mends.

        Raises what the timetable has against it; then nothing has changed.
        """
        before = dict(org.rows)
        after = {**before, **{row.key: row for row in changed}}
        for row in gone:
            after.pop(row.key, None)
        settled = self._settled(before, after, now)
        news = [row for key, row in settled.items() if before.get(key) != row]
        async with transaction(self._database, of(presystem.org_id)) as tx:
            await store.put_requests(tx, presystem.org_id, news)
        try:
            await self._follow(before, settled, news, gone, now)
        except VoltyardError:
            async with transaction(self._database, of(presystem.org_id)) as tx:
                known = [row for row in news if row.key in before]
                await store.delete_requests(tx, [row for row in news if row.key not in before])
                await store.put_requests(tx, presystem.org_id, [before[row.key] for row in known])
            await self._mend(presystem.org_id, org)
            raise
        async with transaction(self._database, of(presystem.org_id)) as tx:
            await store.delete_requests(tx, gone)
        self._replace(presystem.org_id, org, settled)
        await self._hand_on(news, before, gone)

    def _settled(
        self, before: Mapping[Key, Kept], after: Mapping[Key, Kept], now: datetime
    ) -> dict[Key, Kept]:
        """Whose requests count now, each of them with a duty of its own."""
        settled = {key: over(row, now) for key, row in after.items()}
        verdict = arbitrated(settled.values(), self._kinds)
        for key, row in settled.items():
            if key in verdict.by:
                row = replace(
                    row, state=State.OUTDONE, duty_id=None, reason=self._by(verdict.by[key])
                )
            elif key in verdict.first:
                row = with_duty(row, before.get(key))
                why = row.reason if row.differs else ""
                row = replace(row, state=State.STANDING, reason=why)
            settled[key] = row
        return settled

    def _by(self, key: Key) -> str:
        """Who goes first: presystem and request."""
        presystem = self._presystems.get(key[0])
        return f"{presystem.name if presystem else key[1]}: {key[2]}"

    async def _follow(
        self,
        before: Mapping[Key, Kept],
        after: Mapping[Key, Kept],
        news: Sequence[Kept],
        gone: Sequence[Kept],
        now: datetime,
    ) -> None:
        """Duties as the rows want them, by presystem; sites with news plan at once."""
        stale = [*gone, *(before[row.key] for row in news if row.key in before)]
        still = {row.duty_id for row in after.values()}
        old = [row for row in stale if row.duty_id is not None and row.duty_id not in still]
        wanted = [row for row in news if row.state is State.STANDING and moved(row, before)]
        sites = {row.site_id for row in (*old, *wanted) if row.site_id is not None}
        owners = {row.presystem for row in (*old, *wanted)}
        for owner in sorted(owners):
            presystem = self._presystems.get(owner)
            if presystem is None:
                continue
            await self._save(
                presystem,
                [row for row in wanted if row.presystem == owner],
                [row for row in old if row.presystem == owner],
            )
        for site_id in sorted(sites):
            self._plans.hurry(site_id)

    async def _save(
        self, presystem: Presystem, wanted: Sequence[Kept], old: Sequence[Kept]
    ) -> None:
        """What goes first goes: its sessions are free for the duties that come."""
        who = acting(presystem)
        ids = [row.duty_id for row in old if row.duty_id is not None]
        known = await self._duties.duties_of(presystem.org_id, ids)
        remove = {duty.id for duty in known if duty.state in _OPEN}
        if remove:
            await self._duties.delete(who, sorted(remove))
            for session in self._sessions.open_sessions():
                if session.duty_id in remove:
                    await self._sessions.attach(session.id, duty_id=None)
        if wanted:
            await self._duties.save_all(who, [duty_of(presystem, row) for row in wanted])

    async def _hand_on(
        self, news: Sequence[Kept], before: Mapping[Key, Kept], gone: Sequence[Kept]
    ) -> None:
        """Preconditioning goes to whoever sees to it; what was wished of a duty that went ends."""
        if self.preconditioner is None:
            return
        for row in news:
            former = before.get(row.key)
            if former is not None and former.duty_id != row.duty_id and conditions(former):
                await self._wished(former, ())
            if row.request is not None and (conditions(row) or conditions(former)):
                await self._wished(row, row.request.preconditioning)
        for row in gone:
            if conditions(row):
                await self._wished(row, ())

    async def _wished(self, row: Kept, wishes: Sequence[Preconditioning]) -> None:
        presystem = self._presystems.get(row.presystem)
        if self.preconditioner is None or presystem is None or row.duty_id is None:
            return
        try:
            await self.preconditioner.wished(
                presystem.org_id, row.duty_id, row.vehicle_id, wishes, presystem.name
            )
        except VoltyardError as error:
            log.warning("%s: %s is not preconditioned: %s", presystem.path, row.request_id, error)

    async def _end(self, rows: Sequence[Kept], presystem: Presystem) -> None:
        """Version 1 "Terminate": the running process ends, too."""
        for session in self._running(rows):
            try:
                await self._chargers.command(
                    session.station_id, RemoteStop(session.transaction_ref), presystem.name
                )
            except VoltyardError as error:
                log.warning("%s: a process could not be ended: %s", presystem.path, error.message)

    async def _at_once(self, rows: Sequence[Kept]) -> None:
        """Ad-hoc charging goes before the plan; at a shared depot that is not its operators' to
        say."""
        for row in rows:
            presystem = self._presystems[row.presystem]
            for session in self._running([row]):
                if session.org_id != presystem.org_id:
                    continue
                try:
                    await self._sessions.prioritise(acting(presystem), session.id, first=True)
                except VoltyardError as error:
                    log.info("%s: not before others: %s", presystem.path, error.message)

    def _running(self, rows: Sequence[Kept]) -> list[Session]:
        """Also at places of others: the vehicles are its own."""
        vehicles = {row.vehicle_id for row in rows if row.vehicle_id is not None}
        sessions = self._sessions.open_sessions()
        return [session for session in sessions if session.vehicle_id in vehicles]

    # what happens otherwise

    async def on_departed(self, event: DutyDeparted) -> None:
        """The vehicle has left: its request is done, until it comes changed."""
        row = self._by_duty.get(event.duty_id)
        org = self._orgs.get(event.org_id)
        if row is None or org is None:
            return
        async with org.turn:
            row = org.rows.get(row.key)
            if row is None or row.duty_id != event.duty_id:
                return
            done = replace(row, state=State.DONE, reason="")
            async with transaction(self._database, of(event.org_id)) as tx:
                await store.put_requests(tx, event.org_id, [done])
            self._keep(event.org_id, done)

    async def on_started(self, event: SessionStarted) -> None:
        """A vehicle comes for which charging at once was asked."""
        org = self._orgs.get(event.org_id)
        if org is None or event.vehicle_id is None:
            return
        rows = [row for row in org.rows.values() if row.vehicle_id == event.vehicle_id]
        standing = [row for row in rows if row.state is State.STANDING and row.request]
        await self._at_once([row for row in standing if row.request and row.request.ad_hoc])

    async def forget(self, presystem: Presystem) -> None:
        """A presystem is deleted: its requests go, their duties as well."""
        org = self._orgs.setdefault(presystem.org_id, _Org())
        async with org.turn:
            await self._apply(presystem, org, [], self.rows(presystem), self._clock.now())
        self._presystems.pop(presystem.id, None)
        self._kinds.pop(presystem.id, None)

    async def again(self, presystem: Presystem) -> None:
        """Its settings changed: duties follow them."""
        org = self._orgs.setdefault(presystem.org_id, _Org())
        async with org.turn:
            rows = [row for row in self.rows(presystem) if row.state is State.STANDING]
            await self._saved_each(presystem, rows)

    async def _mend(self, org_id: UUID, org: _Org) -> None:
        standing = [row for row in org.rows.values() if row.state is State.STANDING]
        ids = [row.duty_id for row in standing if row.duty_id is not None]
        known = {duty.id for duty in await self._duties.duties_of(org_id, ids)}
        for row in standing:
            if row.duty_id not in known:
                await self._saved_each(self._presystems[row.presystem], [row])

    async def _saved_each(self, presystem: Presystem, rows: Sequence[Kept]) -> None:
        """One that the timetable does not take any more leaves the others alone."""
        for row in rows:
            try:
                await self._save(presystem, [row], [])
            except VoltyardError as error:
                log.warning("%s: %s has no duty: %s", presystem.path, row.request_id, error)

    def _keep(self, org_id: UUID, row: Kept) -> None:
        org = self._orgs.setdefault(org_id, _Org())
        org.rows[row.key] = row
        if row.duty_id is not None:
            self._by_duty[row.duty_id] = row

    def _replace(self, org_id: UUID, org: _Org, rows: Mapping[Key, Kept]) -> None:
        for row in org.rows.values():
            if row.duty_id is not None:
                self._by_duty.pop(row.duty_id, None)
        org.rows = {}
        for row in rows.values():
            self._keep(org_id, row)


def acting(presystem: Presystem) -> Principal:
    """What a presystem does is in the audit under its name."""
    return system_principal(presystem.org_id, f"VDV 463: {presystem.name}")
