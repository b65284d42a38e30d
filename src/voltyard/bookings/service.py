"""Use cases of bookings: made, lifted with a reason, cancelled; rules of sites; decisions."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from voltyard.alerts.service import AlertService
from voltyard.bookings import store
from voltyard.bookings.commands import (
    NewBooking,
    NewSeries,
    RulesDraft,
    Whom,
    check_booking,
    check_rules,
    check_series,
    checked_reason,
)
from voltyard.bookings.diary import REMEMBERED, Diary
from voltyard.bookings.enforcing import Enforcer, decided
from voltyard.bookings.following import Follower, changed
from voltyard.bookings.gate import Gate, place_of
from voltyard.bookings.keeping import Keeper
from voltyard.bookings.model import (
    Action,
    Booking,
    BookingState,
    Decision,
    Origin,
    Series,
    SiteRules,
)
from voltyard.bookings.ports import (
    Duties,
    Places,
    Reservations,
    Sessions,
    Stations,
    Tokens,
    Vehicles,
)
from voltyard.bookings.reading import BookingReads
from voltyard.bookings.suggesting import Suggester
from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.ids import new_id
from voltyard.storage.engine import Database, Tx
from voltyard.storage.groupcommit import GroupCommit
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction
from voltyard.timetable.events import DutiesChanged

KEPT_FOR = timedelta(days=90)
"""How long decisions are kept."""
_TAKEN = "Another booking keeps this place at that time."
_CLASHES = {store.OVERLAP: ("from_at", _TAKEN)}


class BookingService(BookingReads):
    """``gate`` is asked by authorisation; ``enforcer`` ends what must end."""

    def __init__(
        self,
        database: Database,
        commits: GroupCommit,
        bus: Bus,
        clock: Clock,
        *,
        stations: Stations,
        places: Places,
        vehicles: Vehicles,
        sessions: Sessions,
        duties: Duties,
        tokens: Tokens,
        reservations: Reservations,
        alerts: AlertService,
    ) -> None:
        super().__init__(database)
        self._bus = bus
        self._clock = clock
        self._stations = stations
        self._places = places
        self._vehicles = vehicles
        self._sessions = sessions
        self._diary = Diary()
        self.gate = Gate(self._diary, commits, stations, sessions)
        self.enforcer = Enforcer(
            database, bus, clock, self._diary,
            stations=stations, sessions=sessions, vehicles=vehicles, alerts=alerts,
        )  # fmt: skip
        self.suggester = Suggester(
            clock, self._diary, stations=stations, places=places, vehicles=vehicles, duties=duties
        )
        self.keeper = Keeper(
            clock, self._diary, stations=stations, sessions=sessions, tokens=tokens,
            reservations=reservations,
        )  # fmt: skip
        self.follower = Follower(
            database, bus, clock, self._diary,
            places=places, vehicles=vehicles, duties=duties, alerts=alerts,
        )  # fmt: skip

    async def load(self) -> None:
        """At start, after reservations, before the first connection."""
        since = self._clock.now() - REMEMBERED
        async with transaction(self._database, SYSTEM) as tx:
            for rules in await store.all_rules(tx):
                self._diary.put_rules(rules)
            for booking in await store.lately(tx, since):
                self._diary.put(booking)
            for session_id in await store.allowed_sessions(tx, since - KEPT_FOR):
                self._diary.allow(session_id)
        self.keeper.load()

    def listen(self) -> None:
        self._bus.subscribe(DutiesChanged, self.follower.on_duties, name="bookings.duties")

    async def close(self) -> None:
        await self.enforcer.close()

    async def tick(self) -> None:
        """Every few seconds: sessions that must end."""
        await self.enforcer.tick()
        await self.keeper.tick()

    async def look_ahead(self) -> None:
        """Every hour: the coming fortnight of duties and series."""
        self._diary.forget_before(self._clock.now())
        for rules in self._diary.all_rules():
            await self.follower.follow_duties(rules)
        await self.follower.follow_series()

    async def drop_old(self) -> None:
        async with transaction(self._database, SYSTEM) as tx:
            await store.drop_decisions_before(tx, self._clock.now() - KEPT_FOR)

    # Rules of a site

    async def rules(self, who: Principal, site_id: UUID) -> SiteRules:
        site = await self._places.site(who, site_id)
        return self._diary.rules(site_id) or SiteRules(site_id, site.org_id)

    async def set_rules(
        self, who: Principal, site_id: UUID, draft: RulesDraft, *, remote: str = ""
    ) -> SiteRules:
        """They count at once; buffers only for what is booked from now on."""
        require(who, Permission.SITES_WRITE)
        check_rules(draft)
        before = await self.rules(who, site_id)
        after = SiteRules(
            site_id, before.org_id, draft.mode, draft.before_s, draft.after_s,
            draft.end_at_departure, draft.from_duties, draft.on_charger,
        )  # fmt: skip
        async with transaction(self._database, of(before.org_id)) as tx:
            await store.put_rules(tx, after)
            await audit.write(
                tx, who, "booking.rules", "site", site_id, audit.changes(before, after),
                at=self._clock.now(), remote=remote,
            )  # fmt: skip
        self._diary.put_rules(after)
        await self.follower.follow_duties(after)
        return after

    # Bookings

    async def book(self, who: Principal, new: NewBooking, *, remote: str = "") -> Booking:
        """Raises NotFound, Invalid, Conflict (the place is kept for another then)."""
        require(who, Permission.DUTIES_WRITE)
        now = self._clock.now()
        check_booking(new, now)
        site = await self._places.site(who, new.site_id)
        place_id = await self._place(who, new.site_id, new.whom)
        rules = self._diary.rules(site.id) or SiteRules(site.id, site.org_id)
        # a local time less some minutes is another instant where the clocks change
        from_at, until_at = new.from_at.astimezone(UTC), new.until_at.astimezone(UTC)
        booking = Booking(
            id=new_id(),
            org_id=site.org_id,
            site_id=site.id,
            place_id=place_id,
            from_at=from_at,
            until_at=until_at,
            kept_from=from_at - rules.before,
            kept_until=until_at + rules.after,
            created_by=who.name,
            created_at=now,
            bay_id=new.whom.bay_id,
            evse_id=new.whom.evse_id,
            vehicle_id=new.whom.vehicle_id,
            token=new.whom.token.strip(),
            note=new.whom.note.strip(),
        )
        async with self._changing(site.org_id) as tx:
            await store.insert(tx, booking)
            detail = {"place": str(place_id), "until": new.until_at.isoformat()}
            await audit.write(
                tx, who, "booking.create", "booking", booking.id, detail, at=now, remote=remote
            )
        await self._changed(booking)
        return booking

    async def cancel(self, who: Principal, booking_id: UUID, *, remote: str = "") -> Booking:
        require(who, Permission.DUTIES_WRITE)
        now = self._clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await self._open(tx, booking_id, now)
            if found.origin is Origin.TIMETABLE:
                reason = "This booking follows a duty: change the duty, or let others in."
                raise Conflict(reason, code="of_duty")
            after = replace(found, cancelled_at=now, cancelled_by=who.name)
            await store.save(tx, after)
            await audit.write(
                tx, who, "booking.cancel", "booking", booking_id, {}, at=now, remote=remote
            )
        await self._changed(after)
        return after

    async def lift(
        self, who: Principal, booking_id: UUID, reason: str, *, remote: str = ""
    ) -> Booking:
        """Let others charge there in its time; it stays booked, and the reason is kept."""
        require(who, Permission.SESSIONS_CONTROL)
        reason = checked_reason(reason)
        now = self._clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await self._open(tx, booking_id, now)
            after = replace(found, lifted_at=now, lifted_by=who.name, lifted_reason=reason)
            await store.save(tx, after)
            detail = {"reason": reason}
            await audit.write(
                tx, who, "booking.lift", "booking", booking_id, detail, at=now, remote=remote
            )
        await self._changed(after)
        return after

    async def allow(
        self, who: Principal, session_id: UUID, reason: str, *, remote: str = ""
    ) -> Decision:
        """Let this session go on to its end, whoever is due and whatever its own booking says."""
        require(who, Permission.SESSIONS_CONTROL)
        reason = checked_reason(reason)
        session = await self._sessions.session(who.org_id, session_id)
        if not session.open or session.site_id is None:
            raise Conflict("The session is over.", code="over")
        now = self._clock.now()
        made = decided(session, None, Action.ALLOWED_BY_PERSON, now, done=True)
        made = replace(made, by=who.name, reason=reason)
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.insert_decision(tx, made)
            detail = {"reason": reason}
            await audit.write(
                tx, who, "booking.allow", "session", session_id, detail, at=now, remote=remote
            )
        self._diary.allow(session_id)
        return made

    # Series

    async def repeat(self, who: Principal, new: NewSeries, *, remote: str = "") -> Series:
        """Its coming days are booked at once; days on which the place is taken are alerted."""
        require(who, Permission.DUTIES_WRITE)
        site = await self._places.site(who, new.site_id)
        now = self._clock.now()
        check_series(new, now.astimezone(site.zone).date())
        place_id = await self._place(who, new.site_id, new.whom)
        series = Series(
            id=new_id(),
            org_id=site.org_id,
            site_id=site.id,
            place_id=place_id,
            weekdays=tuple(sorted(set(new.weekdays))),
            begins=new.begins,
            ends=new.ends,
            first_on=new.first_on,
            last_on=new.last_on,
            created_by=who.name,
            created_at=now,
            bay_id=new.whom.bay_id,
            evse_id=new.whom.evse_id,
            vehicle_id=new.whom.vehicle_id,
            token=new.whom.token.strip(),
            note=new.whom.note.strip(),
        )
        async with transaction(self._database, of(site.org_id)) as tx:
            await store.insert_series(tx, series)
            await audit.write(
                tx, who, "booking.repeat", "booking_series", series.id, {}, at=now, remote=remote
            )
        await self.follower.extend(series)
        return series

    async def end_series(self, who: Principal, series_id: UUID, *, remote: str = "") -> Series:
        """With its bookings that have not begun."""
        require(who, Permission.DUTIES_WRITE)
        now = self._clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await store.one_series(tx, series_id)
            if found is None:
                raise NotFound("There is no such series.")
            after = replace(found, ended_at=now)
            await store.save_series(tx, after)
            gone = [
                replace(booking, cancelled_at=now, cancelled_by=who.name)
                for booking in await store.lately(tx, now, found.site_id)
                if booking.series_id == series_id and booking.from_at > now
            ]
            for booking in gone:
                await store.save(tx, booking)
            await audit.write(
                tx, who, "booking.end_series", "booking_series", series_id, {},
                at=now, remote=remote,
            )  # fmt: skip
        for booking in gone:
            await self._changed(booking)
        await self.follower.series_ended(after)
        return after

    def is_allowed(self, session_id: UUID) -> bool:
        return self._diary.allowed(session_id)

    # Inside

    async def _place(self, who: Principal, site_id: UUID, whom: Whom) -> UUID:
        """The bay, or the outlet's bay where it lies in one; Invalid for one of another site."""
        wrong: dict[str, str] = {}
        place_id = whom.bay_id
        if whom.bay_id is not None:
            if whom.bay_id not in {bay.id for bay in await self._places.bays(who, site_id)}:
                wrong["place"] = "there is no such bay at this site"
        else:
            evse = None if whom.evse_id is None else self._stations.evse(whom.evse_id)
            if evse is None or evse.site_id != site_id:
                wrong["place"] = "there is no such outlet at this site"
            else:
                place_id = place_of(evse)
        if whom.vehicle_id is not None:
            known: Sequence[UUID] = [v.id for v in await self._vehicles.all(who.org_id)]
            if whom.vehicle_id not in known:
                wrong["vehicle_id"] = "there is no such vehicle"
        if wrong or place_id is None:
            raise Invalid("The booking is not valid.", code="booking_invalid", fields=wrong)
        return place_id

    async def _open(self, tx: Tx, booking_id: UUID, now: datetime) -> Booking:
        found = await store.one(tx, booking_id)
        if found is None:
            raise NotFound("There is no such booking.")
        state = found.state(now)
        if state in (BookingState.OVER, BookingState.CANCELLED):
            raise Conflict(f"The booking is {state.value}.", code="over")
        return found

    async def _changed(self, booking: Booking) -> None:
        self._diary.put(booking)
        await self._bus.publish(changed(booking, self._clock.now()))

    @asynccontextmanager
    async def _changing(self, org_id: UUID) -> AsyncIterator[Tx]:
        with refusals(_CLASHES):
            async with transaction(self._database, of(org_id)) as tx:
                yield tx
