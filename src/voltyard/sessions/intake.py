"""What chargers say about transactions becomes sessions: each message found its one session.

Between finding a session and handing its writes to the committer nothing is awaited, so two
messages never work on two copies of one session.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid5

from voltyard.bus import Bus
from voltyard.chargers.model import Evse, StationRef
from voltyard.clock import Clock
from voltyard.records import replace
from voltyard.sessions import fold, store
from voltyard.sessions.authorisation import Authoriser, Place
from voltyard.sessions.book import Book, Change
from voltyard.sessions.events import MeterReported, UnknownTokenUsed
from voltyard.sessions.fold import Tracked
from voltyard.sessions.live import LiveBoard
from voltyard.sessions.matching import (
    known_authorisation,
    may_mean,
    note_authorisation,
    same_start,
    start_key_of,
    storable_report,
)
from voltyard.sessions.model import (
    Authorisation,
    AuthorisationStatus,
    Flag,
    IdToken,
    MeterReading,
    Phase,
    Session,
    SessionState,
    TokenKind,
    TransactionAck,
    TransactionReport,
    Urgency,
    VehicleNeeds,
)
from voltyard.sessions.ports import Outlets
from voltyard.sessions.refusals import RefusalLog
from voltyard.sessions.tokens import clean, key, storable
from voltyard.storage.groupcommit import GroupCommit

NO_REFERENCE = frozenset({"", "0", "-1"})
MASTER_PASS = "MasterPass"
REUSE_GAP = timedelta(seconds=60)
REPLAYED_AFTER = timedelta(minutes=5)


class Intake:
    """Takes reports and readings in; returns after their commit."""

    def __init__(
        self,
        book: Book,
        commits: GroupCommit,
        bus: Bus,
        clock: Clock,
        outlets: Outlets,
        live: LiveBoard,
        authoriser: Authoriser,
        refusals: RefusalLog,
    ) -> None:
        self._book = book
        self._commits = commits
        self._bus = bus
        self._clock = clock
        self._outlets = outlets
        self._live = live
        self._authoriser = authoriser
        self._refusals = refusals

    async def authorise(
        self, station: StationRef, evse_number: int | None, token: IdToken
    ) -> Authorisation:
        evse = await self._evse(station, evse_number)
        return await self._check(self._place(station, evse), clean(token))

    async def report(self, station: StationRef, report: TransactionReport) -> TransactionAck:
        report = storable_report(report)
        evse = await self._evse(station, report.evse_number)
        ref = report.transaction_ref
        if ref is None or (report.seq_no is None and ref in NO_REFERENCE):
            if report.phase is Phase.STARTED:
                return await self._start(station, evse, replace(report, transaction_ref=None))
            return await self._without_reference(station, evse, report)
        found = await self._book.find(station.id, ref)
        if found is None or self._reused(found, report):
            return await self._begin(station, evse, report, ref)
        return await self._continue(found, station, evse, report)

    async def meter(
        self,
        station: StationRef,
        evse_number: int,
        transaction_ref: str | None,
        readings: Sequence[MeterReading],
    ) -> None:
        if not readings:
            return
        evse = self._outlets.outlet(station.id, evse_number)
        if evse is None:
            evse = await self._evse(station, evse_number)
        tracked = await self._metered(station, evse, transaction_ref, readings)
        if tracked is None:
            await self._meter_alone(station, evse, readings)
            return
        before = tracked.session
        if before.evse_id is None and evse is not None:
            tracked.session = replace(before, evse_id=evse.id)
        fresh = fold.apply_readings(tracked, readings, self._clock.now())
        await self._keep(Change(tracked, before), fresh)

    async def needs(self, station: StationRef, evse_number: int, needs: VehicleNeeds) -> bool:
        """Kept with the session that runs there; False without one."""
        evse = self._outlets.outlet(station.id, evse_number)
        tracked = None if evse is None else self._book.index.current(evse.id)
        if tracked is None or not tracked.session.open:
            return False
        before = tracked.session
        urgency = Urgency.NONE if before.needs is None else before.needs.urgency
        told = replace(needs, delivered_wh=before.net_wh, urgency=urgency)
        tracked.session = replace(before, needs=told)
        await self._keep(Change(tracked, before), ())
        return True

    async def urgent(self, station: StationRef, transaction_ref: str, *, urgent: bool) -> bool:
        """A driver asks at the charger; what one of ours has said stands. False without session."""
        tracked = await self._book.find(station.id, transaction_ref)
        if tracked is None or not tracked.session.open:
            return False
        before = tracked.session
        known = before.needs or VehicleNeeds(self._clock.now(), delivered_wh=before.net_wh)
        if known.urgency is not Urgency.PERSON:
            urgency = Urgency.DRIVER if urgent else Urgency.NONE
            tracked.session = replace(before, needs=replace(known, urgency=urgency))
            await self._keep(Change(tracked, before), ())
        return True

    async def _start(
        self, station: StationRef, evse: Evse | None, report: TransactionReport
    ) -> TransactionAck:
        """A 1.6 start: we name the transaction, and give a repeated start the same name."""
        start_key = start_key_of(report)
        found = await self._book.find_start(station.id, start_key, report.message_key)
        if found is not None and same_start(found.session, start_key, report):
            return await self._continue(found, station, evse, report)
        ref = await self._book.transaction_id(station.id)
        return await self._begin(station, evse, report, ref, start_key=start_key)

    async def _begin(
        self,
        station: StationRef,
        evse: Evse | None,
        report: TransactionReport,
        ref: str,
        *,
        start_key: str | None = None,
    ) -> TransactionAck:
        """The first message of a session that we hear; it need not be its start."""
        place = self._place(station, evse)
        authorisation = None
        if report.id_token is not None:
            replayed = report.offline or self._clock.now() - report.at > REPLAYED_AFTER
            authorisation = await self._check(place, report.id_token, replayed=replayed)
            authorisation = await self._starting(place, authorisation)
        start_key = start_key or f"ref:{ref}"
        index = self._book.index
        raced = index.by_ref(station.id, ref) or index.by_start(station.id, start_key)
        if raced is not None and not self._reused(raced, report):
            return await self._continue(raced, station, evse, report)
        return await self._create(place, evse, report, ref, start_key, authorisation)

    async def _create(
        self,
        place: Place,
        evse: Evse | None,
        report: TransactionReport,
        ref: str,
        start_key: str,
        authorisation: Authorisation | None,
    ) -> TransactionAck:
        now = self._clock.now()
        at, _ = fold.trusted(report.at, now)
        others = []
        former = self._book.index.by_ref(place.station_id, ref)
        if former is not None:
            others.append(Change(former, former.session))
            self._set_apart(former, at)
        ours = not start_key.startswith("ref:")
        session = Session(
            id=uuid5(place.station_id, f"{ref}|{start_key}|{report.at.isoformat()}"),
            org_id=place.org_id,
            site_id=place.site_id,
            station_id=place.station_id,
            evse_id=place.evse_id,
            connector_number=report.connector_number,
            transaction_ref=ref,
            state=SessionState.ACTIVE,
            started_at=at,
            start_key=start_key,
            start_message=report.message_key if ours else None,
        )
        tracked = self._book.new(session, evse)
        self._mark_unseen(tracked, report)
        fresh = fold.apply(tracked, report, now)
        note_authorisation(tracked, report, authorisation)
        ack = await self._settled(Change(tracked, None), fresh, authorisation, others)
        await self._use_reservation(tracked.session, report, authorisation)
        return ack

    async def _continue(
        self,
        tracked: Tracked,
        station: StationRef,
        evse: Evse | None,
        report: TransactionReport,
    ) -> TransactionAck:
        """One more message about a known session: new, repeated or late."""
        authorisation = known_authorisation(tracked, report)
        if authorisation is None and report.id_token is not None:
            authorisation = await self._asked_again(tracked, station, evse, report)
        before = tracked.session
        if before.evse_id is None and evse is not None:
            tracked.session = replace(before, evse_id=evse.id)
        fresh = fold.apply(tracked, report, self._clock.now())
        note_authorisation(tracked, report, authorisation)
        ack = await self._settled(Change(tracked, before), fresh, authorisation, [])
        await self._use_reservation(tracked.session, report, authorisation)
        return ack

    async def _asked_again(
        self, tracked: Tracked, station: StationRef, evse: Evse | None, report: TransactionReport
    ) -> Authorisation | None:
        """A token shown during a session. At its end place and moment do not matter any more."""
        token = report.id_token
        if token is None:
            return None
        place = self._place(station, evse)
        if place.evse_id is None:
            place = replace(place, evse_id=tracked.session.evse_id)
        stops = report.phase is Phase.ENDED
        found = await self._check(place, token, replayed=stops or report.offline)
        if not stops and tracked.session.id_token is None:
            found = await self._starting(place, found)
        theirs = stops and report.stop_reason != MASTER_PASS
        if theirs and await self._strangers(tracked.session, token, found):
            tracked.repair(Flag.STOPPED_BY_OTHER, report.at, tracked.session.id_token, token.value)
        return found

    async def _starting(self, place: Place, found: Authorisation) -> Authorisation:
        """A master pass stops what others have started and starts nothing (2.0.1 C16.FR.03)."""
        if not found.accepted or not found.group:
            return found
        if await self._outlets.master_group(place.station_id) != found.group:
            return found
        reason = "a master pass starts nothing"
        return replace(found, status=AuthorisationStatus.INVALID, reason=reason)

    async def _strangers(self, session: Session, token: IdToken, found: Authorisation) -> bool:
        """Whether a session was stopped by a token that is neither its own nor of its group."""
        if session.id_token is None or key(token.value) == key(session.id_token):
            return False
        own = IdToken(session.id_token, TokenKind(session.id_token_kind or TokenKind.RFID))
        group = await self._authoriser.group_of(session.org_id, own)
        return not group or group != found.group

    async def _settled(
        self,
        change: Change,
        fresh: Sequence[MeterReading],
        authorisation: Authorisation | None,
        others: list[Change],
    ) -> TransactionAck:
        """Leave one open session on the EVSE, commit everything, then answer."""
        tracked = change.tracked
        self._book.index.put(tracked)
        if tracked.session.open and tracked.session.evse_id is not None:
            rivals = self._book.index.open_on(tracked.session.station_id, tracked.session.evse_id)
            winner = max(rivals, key=lambda rival: (rival.session.started_at, rival is tracked))
            for rival in rivals:
                if rival is not winner:
                    if rival is not tracked:
                        others.append(Change(rival, rival.session))
                    fold.end_by_repair(rival, Flag.SUPERSEDED, winner.session.started_at)
        await self._keep(change, fresh, others)
        return TransactionAck(tracked.session.transaction_ref, authorisation)

    async def _use_reservation(
        self, session: Session, report: TransactionReport, authorisation: Authorisation | None
    ) -> None:
        """Whoever reserved has come, and the reservation is over (1.6 §5.13, 2.0.1 H01)."""
        reserved = self._authoriser.reserved
        if reserved is None or report.phase is Phase.ENDED:
            return
        token = None if report.id_token is None else report.id_token.value
        if report.reservation_number is None and not token:
            return
        group = "" if authorisation is None else authorisation.group
        now = self._clock.now()
        await reserved.used(session, report.reservation_number, token, group, now)

    async def _without_reference(
        self, station: StationRef, evse: Evse | None, report: TransactionReport
    ) -> TransactionAck:
        """A message with no id or a placeholder: it can only mean the one session that runs."""
        running = self._book.index.open_of(station.id)
        if evse is not None:
            running = [found for found in running if found.session.evse_id == evse.id]
        if len(running) == 1 and may_mean(running[0], report):
            own = running[0].session.transaction_ref
            running[0].repair(Flag.STOP_WITHOUT_ID, report.at, report.transaction_ref, own)
            running[0].unsaved = True
            return await self._continue(running[0], station, evse, report)
        ref = f"{report.transaction_ref or 'none'}@{report.at.isoformat()}"
        known = self._stopped_by(station, report) or await self._book.find(station.id, ref)
        if known is not None:
            return await self._continue(known, station, evse, report)
        return await self._begin(station, evse, report, ref)

    def _stopped_by(self, station: StationRef, report: TransactionReport) -> Tracked | None:
        """The session that this very message without an id has ended: it is told again."""
        if report.phase is not Phase.ENDED:
            return None
        return next(
            (
                found
                for found in self._book.index.ended_of(station.id)
                if Flag.STOP_WITHOUT_ID.value in found.session.flags
                and found.session.ended_at == report.at
            ),
            None,
        )

    async def _metered(
        self,
        station: StationRef,
        evse: Evse | None,
        ref: str | None,
        readings: Sequence[MeterReading],
    ) -> Tracked | None:
        """The session that readings belong to; None if to no session."""
        if ref is not None and ref not in NO_REFERENCE:
            known = self._book.index.by_ref(station.id, ref)
            if known is None:
                known = await self._book.find(station.id, storable(ref))
            return known or await self._unknown_meter(station, evse, storable(ref), readings)
        if evse is None:
            return None
        current = self._book.index.current(evse.id)
        if current is None and self._book.forgetful:
            await self._book.recover()
            current = self._book.index.current(evse.id)
        if current is None:
            return None
        since = current.session.started_at - fold.GRACE
        return current if all(reading.at >= since for reading in readings) else None

    async def _unknown_meter(
        self, station: StationRef, evse: Evse | None, ref: str, readings: Sequence[MeterReading]
    ) -> Tracked | None:
        """Values of a transaction nobody told us of: kept apart, shown, counted as drawn."""
        report = TransactionReport(
            Phase.UPDATED,
            min(reading.at for reading in readings),
            message_key="",
            evse_number=None if evse is None else evse.number,
            transaction_ref=ref,
        )
        await self._begin(station, evse, report, ref)
        return self._book.index.by_ref(station.id, ref)

    async def _meter_alone(
        self, station: StationRef, evse: Evse | None, readings: Sequence[MeterReading]
    ) -> None:
        """Readings outside of sessions: kept, and shown as what the outlet draws."""
        now = self._clock.now()
        place = self._place(station, evse)
        sane = [fold.finite(replace(part, at=fold.trusted(part.at, now)[0])) for part in readings]
        await self._commits.submit(
            [
                store.reading_write(place.org_id, station.id, place.evse_id, None, reading)
                for reading in sane
            ]
        )
        newest = max(sane, key=lambda reading: reading.at)
        if evse is not None and self._book.index.current(evse.id) is None:
            self._live.reading(evse.id, newest)
        await self._bus.publish(
            MeterReported(
                place.org_id,
                place.site_id,
                station.id,
                place.evse_id,
                None,
                newest.power_w,
                newest.energy_wh,
                newest.soc_pct,
                newest.at,
            )
        )

    async def _keep(
        self, change: Change, fresh: Sequence[MeterReading], others: Sequence[Change] = ()
    ) -> None:
        """Commit a session with its new readings; then tell of the newest of them."""
        session = change.tracked.session
        writes = [
            store.reading_write(
                session.org_id, session.station_id, session.evse_id, session.id, reading
            )
            for reading in fresh
        ]
        newest = max(fresh, key=lambda reading: reading.at) if fresh else None
        await self._book.save([*others, change], writes, newest)
        if newest is not None:
            await self._bus.publish(
                MeterReported(
                    session.org_id,
                    session.site_id,
                    session.station_id,
                    session.evse_id,
                    session.id,
                    session.power_w,
                    session.energy_wh,
                    session.soc_last_pct,
                    newest.at,
                )
            )

    async def _check(
        self, place: Place, token: IdToken, *, replayed: bool = False
    ) -> Authorisation:
        now = self._clock.now()
        found = await self._authoriser.check(place, token, now, replayed=replayed)
        self._refusals.note(place, token, found, now)
        if not found.known and token.value:
            await self._bus.publish(
                UnknownTokenUsed(
                    place.org_id,
                    place.site_id,
                    place.station_id,
                    place.evse_id,
                    token.value,
                    found.accepted,
                    now,
                )
            )
        return found

    def _place(self, station: StationRef, evse: Evse | None) -> Place:
        known = self._outlets.station(station.id)
        site_id = station.site_id if known is None else known.site_id
        return Place(station.org_id, site_id, station.id, None if evse is None else evse.id)

    async def _evse(self, station: StationRef, number: int | None) -> Evse | None:
        if number is None or number <= 0:
            return None
        known = self._outlets.outlet(station.id, number)
        return known or await self._outlets.ensure_evse(station, number)

    def _mark_unseen(self, tracked: Tracked, report: TransactionReport) -> None:
        """A 1.6 id we never gave is somebody else's; a 2.x start may only be late."""
        if report.phase is Phase.STARTED:
            return
        session = tracked.session
        ref = session.transaction_ref
        if report.seq_no is not None or not ref.lstrip("-").isdigit():
            tracked.repair(Flag.START_UNSEEN, session.started_at)
            return
        foreign = self._book.index.known_elsewhere(session.station_id, ref)
        flag = Flag.FOREIGN_TRANSACTION if foreign else Flag.UNKNOWN_TRANSACTION
        tracked.repair(flag, session.started_at, ref)
        tracked.session = replace(tracked.session, state=SessionState.QUARANTINED)

    def _reused(self, tracked: Tracked, report: TransactionReport) -> bool:
        """Whether a charger that lost its count starts another session under an old id."""
        at, off = fold.trusted(report.at, self._clock.now())
        if report.phase is not Phase.STARTED or report.transaction_ref is None or off:
            return False
        session = tracked.session
        last_at = session.ended_at or session.last_reading_at or session.started_at
        later = at > last_at + fold.GRACE and at - session.started_at > REUSE_GAP
        return tracked.start_seen and later

    def _set_apart(self, former: Tracked, at: datetime) -> None:
        """Give a session whose id is used again a name of its own, and end it."""
        ref = former.session.transaction_ref
        name = f"{ref}~{former.session.started_at.isoformat()}"
        former.repair(Flag.REUSED_TRANSACTION, at, ref, name)
        former.session = replace(former.session, transaction_ref=name, start_key=f"ref:{name}")
        if former.session.open:
            fold.end_by_repair(former, Flag.SUPERSEDED, at)
        former.unsaved = True
        self._book.index.rename(former, ref)
