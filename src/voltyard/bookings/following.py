"""Bookings that follow from elsewhere: duties that name a bay, and the days of a series."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.alerts.model import Alert, Severity
from voltyard.alerts.service import AlertService, Cause
from voltyard.bookings import store
from voltyard.bookings.diary import Diary
from voltyard.bookings.events import BookingChanged
from voltyard.bookings.model import Booking, Mode, Origin, Series, SiteRules
from voltyard.bookings.ports import Duties, Places, Vehicles
from voltyard.bookings.recurring import Occurrence, occurrences
from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.ids import new_id
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy.scope import SYSTEM, of, transaction
from voltyard.timetable.events import DutiesChanged
from voltyard.timetable.model import Duty

log = logging.getLogger(__name__)

AHEAD = timedelta(days=14)
BACK = timedelta(days=1)
CLASH = "booking_clash"
SERIES = "booking_series"
ON_TIMETABLE = "timetable"


class Follower:
    """Keeps the bookings of duties and series what these say, a fortnight ahead."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        diary: Diary,
        *,
        places: Places,
        vehicles: Vehicles,
        duties: Duties,
        alerts: AlertService,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._diary = diary
        self._places = places
        self._vehicles = vehicles
        self._duties = duties
        self._alerts = alerts
        self._one_at_a_time = asyncio.Lock()

    async def on_duties(self, event: DutiesChanged) -> None:
        rules = self._diary.rules(event.site_id)
        if rules is not None:
            await self.follow_duties(rules)

    async def follow_duties(self, rules: SiteRules) -> None:
        """Make the bookings of a site's duties those that its open duties ask for.

        One after the other: two at once would find each other's bookings in their way.
        """
        async with self._one_at_a_time:
            now = self._clock.now()
            wanted: dict[UUID, Duty] = {}
            if rules.from_duties and rules.mode is not Mode.OFF:
                found = await self._duties.duties(rules.org_id, rules.site_id, now, now + AHEAD)
                named = [d for d in found if d.bay_id is not None and d.vehicle_id is not None]
                wanted = {duty.id: duty for duty in named if duty.departure_at > now}
            known = {
                booking.duty_id: booking
                for booking in self._diary.of_site(rules.site_id)
                if booking.duty_id in wanted or (booking.duty_id and booking.until_at > now)
            }
            gone = [b for id_, b in known.items() if id_ not in wanted or _differs(b, wanted[id_])]
            new = [d for d in wanted.values() if d.id not in known or _differs(known[d.id], d)]
            clashing = await self._exchange(rules, gone, new, now) if gone or new else []
            await self._tell_duties(rules, clashing)

    async def _exchange(
        self, rules: SiteRules, gone: Sequence[Booking], new: Sequence[Duty], now: datetime
    ) -> list[Duty]:
        """Those of the new ones that find their bay taken."""
        cancelled = [replace(b, cancelled_at=now, cancelled_by=ON_TIMETABLE) for b in gone]
        before = {booking.duty_id: booking for booking in gone}
        made: list[Booking] = []
        clashing: list[Duty] = []
        async with transaction(self._database, of(rules.org_id)) as tx:
            for booking in cancelled:
                await store.save(tx, booking)
            for duty in sorted(new, key=lambda d: (d.arrival_at, d.priority, d.id)):
                put = await _put(tx, _lifted(_of_duty(duty, rules, now), before.get(duty.id)))
                if put is None:
                    clashing.append(duty)
                else:
                    made.append(put)
        await self._changed([*cancelled, *made])
        return clashing

    async def _changed(self, bookings: Sequence[Booking]) -> None:
        for booking in bookings:
            self._diary.put(booking)
        now = self._clock.now()
        for booking in bookings:
            await self._bus.publish(changed(booking, now))

    async def _tell_duties(self, rules: SiteRules, clashing: Sequence[Duty]) -> None:
        causes: list[Cause] = []
        if clashing:
            names = {v.id: v.name for v in await self._vehicles.all(rules.org_id)}
            causes = [_clash_of_duty(duty, names) for duty in clashing]
        told = self._told(rules.org_id, "duty")
        await self._tell(rules, [a for a in told if a.site_id == rules.site_id], causes)

    async def follow_series(self) -> None:
        """The coming fortnight of every series, made once; a cancelled day stays cancelled."""
        async with transaction(self._database, SYSTEM) as tx:
            running = await store.series(tx, running=True)
        for series in running:
            await self.extend(series)
        ids = {str(series.id) for series in running}
        for org_id, key in self._alerts.keys(CLASH):
            alert = self._alerts.open_alert(org_id, key)
            if alert is not None and alert.object_kind == SERIES and alert.object_id not in ids:
                await self._alerts.resolve(org_id, key)

    async def extend(self, series: Series) -> list[Occurrence]:
        """Make the days ahead that are not made yet; those that found the place taken."""
        site = await self._places.get(series.site_id)
        rules = self._diary.rules(series.site_id) or SiteRules(site.id, site.org_id)
        now = self._clock.now()
        today = now.astimezone(site.zone).date()
        taken: list[Occurrence] = []
        made: list[Booking] = []
        async with self._one_at_a_time:
            async with transaction(self._database, of(series.org_id)) as tx:
                days = await store.known_days(tx, series.id)
                for each in occurrences(series, site.zone, today - BACK, today + AHEAD):
                    if each.on in days or each.until_at <= now:
                        continue
                    booking = await _put(tx, _of_series(series, each, rules, now))
                    if booking is None:
                        taken.append(each)
                    else:
                        made.append(booking)
            await self._changed(made)
        causes = [_clash_of_series(series, each) for each in taken]
        await self._tell(rules, self._told_of(series), causes)
        return taken

    async def series_ended(self, series: Series) -> None:
        """Days on which it found its place taken are nobody's worry any more."""
        for alert in self._told_of(series):
            await self._alerts.resolve(alert.org_id, alert.key)

    def _told_of(self, series: Series) -> list[Alert]:
        return [a for a in self._told(series.org_id, SERIES) if a.object_id == str(series.id)]

    def _told(self, org_id: UUID, object_kind: str) -> list[Alert]:
        """Open alerts of clashes; those from before a restart, too."""
        found = (self._alerts.open_alert(*place) for place in self._alerts.keys(CLASH))
        return [a for a in found if a and a.org_id == org_id and a.object_kind == object_kind]

    async def _tell(self, rules: SiteRules, told: Sequence[Alert], causes: Sequence[Cause]) -> None:
        wanted = {cause.key for cause in causes}
        for alert in told:
            if alert.key not in wanted:
                await self._alerts.resolve(alert.org_id, alert.key)
        for cause in causes:
            await self._alerts.raise_(rules.org_id, rules.site_id, cause)


def changed(booking: Booking, now: datetime) -> BookingChanged:
    return BookingChanged(
        booking.org_id,
        booking.site_id,
        booking.id,
        booking.place_id,
        booking.state(now).value,
        now,
    )


def _lifted(booking: Booking, before: Booking | None) -> Booking:
    """What a person said of the same vehicle at the same place holds at another time, too."""
    if before is None or before.lifted_at is None:
        return booking
    if (before.place_id, before.vehicle_id) != (booking.place_id, booking.vehicle_id):
        return booking
    return replace(
        booking,
        lifted_at=before.lifted_at,
        lifted_by=before.lifted_by,
        lifted_reason=before.lifted_reason,
    )


async def _put(tx: Tx, booking: Booking) -> Booking | None:
    """With its buffers, or where a neighbour stands in them without; None if the place is taken."""
    if await store.insert_if_free(tx, booking):
        return booking
    bare = replace(booking, kept_from=booking.from_at, kept_until=booking.until_at)
    return bare if await store.insert_if_free(tx, bare) else None


def _differs(booking: Booking, duty: Duty) -> bool:
    stands = (booking.bay_id, booking.vehicle_id, booking.from_at, booking.until_at)
    return stands != (duty.bay_id, duty.vehicle_id, duty.arrival_at, duty.departure_at)


def _of_duty(duty: Duty, rules: SiteRules, now: datetime) -> Booking:
    assert duty.bay_id is not None
    return Booking(
        id=new_id(),
        org_id=rules.org_id,
        site_id=rules.site_id,
        place_id=duty.bay_id,
        from_at=duty.arrival_at,
        until_at=duty.departure_at,
        kept_from=duty.arrival_at - rules.before,
        kept_until=duty.departure_at + rules.after,
        created_by=ON_TIMETABLE,
        created_at=now,
        bay_id=duty.bay_id,
        vehicle_id=duty.vehicle_id,
        origin=Origin.TIMETABLE,
        duty_id=duty.id,
    )


def _of_series(series: Series, each: Occurrence, rules: SiteRules, now: datetime) -> Booking:
    return Booking(
        id=new_id(),
        org_id=series.org_id,
        site_id=series.site_id,
        place_id=series.place_id,
        from_at=each.from_at,
        until_at=each.until_at,
        kept_from=each.from_at - rules.before,
        kept_until=each.until_at + rules.after,
        created_by=series.created_by,
        created_at=now,
        bay_id=series.bay_id,
        evse_id=series.evse_id,
        vehicle_id=series.vehicle_id,
        token=series.token,
        origin=Origin.SERIES,
        series_id=series.id,
        series_on=each.on,
        note=series.note,
    )


def _clash_of_duty(duty: Duty, names: dict[UUID, str]) -> Cause:
    params = {
        "who": names.get(duty.vehicle_id, duty.external_id) if duty.vehicle_id else "",
        "from_at": duty.arrival_at.isoformat(),
        "until_at": duty.departure_at.isoformat(),
    }
    return Cause(CLASH, Severity.WARNING, f"{CLASH}:{duty.id}", "duty", str(duty.id), params)


def _clash_of_series(series: Series, each: Occurrence) -> Cause:
    params = {
        "who": series.note or series.token,
        "from_at": each.from_at.isoformat(),
        "until_at": each.until_at.isoformat(),
    }
    key = f"{CLASH}:{series.id}:{each.on.isoformat()}"
    return Cause(CLASH, Severity.WARNING, key, SERIES, str(series.id), params)
