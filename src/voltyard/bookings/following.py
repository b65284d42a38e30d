"""Bookings that follow from elsewhere: duties that name a bay, and the days of a series."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.alerts.model import Severity
from voltyard.alerts.service import AlertService, Cause
from voltyard.bookings import store
from voltyard.bookings.diary import Diary
from voltyard.bookings.model import Booking, Mode, Origin, Series, SiteRules
from voltyard.bookings.ports import Duties, Places, Vehicles
from voltyard.bookings.recurring import Occurrence, occurrences
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
ON_TIMETABLE = "timetable"


class Follower:
    """Keeps the bookings of duties and series what these say, a fortnight ahead."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        diary: Diary,
        *,
        places: Places,
        vehicles: Vehicles,
        duties: Duties,
        alerts: AlertService,
    ) -> None:
        self._database = database
        self._clock = clock
        self._diary = diary
        self._places = places
        self._vehicles = vehicles
        self._duties = duties
        self._alerts = alerts
        self._clashes: dict[UUID, dict[str, Cause]] = {}

    async def on_duties(self, event: DutiesChanged) -> None:
        rules = self._diary.rules(event.site_id)
        if rules is not None:
            await self.follow_duties(rules)

    async def follow_duties(self, rules: SiteRules) -> None:
        """Make the bookings of a site's duties those that its open duties ask for."""
        now = self._clock.now()
        wanted: dict[UUID, Duty] = {}
        if rules.from_duties and rules.mode is not Mode.OFF:
            found = await self._duties.duties(rules.org_id, rules.site_id, now - BACK, now + AHEAD)
            wanted = {d.id: d for d in found if d.bay_id is not None and d.vehicle_id is not None}
        known = {
            booking.duty_id: booking
            for booking in self._diary.of_site(rules.site_id)
            if booking.duty_id is not None and booking.until_at > now
        }
        gone = [b for id_, b in known.items() if id_ not in wanted or _differs(b, wanted[id_])]
        new = [d for d in wanted.values() if d.id not in known or _differs(known[d.id], d)]
        new = [duty for duty in new if duty.departure_at > now]
        if gone or new:
            await self._exchange(rules, gone, new, now)

    async def _exchange(
        self, rules: SiteRules, gone: Sequence[Booking], new: Sequence[Duty], now: datetime
    ) -> None:
        cancelled = [replace(b, cancelled_at=now, cancelled_by=ON_TIMETABLE) for b in gone]
        made: list[Booking] = []
        clashing: list[Duty] = []
        async with transaction(self._database, of(rules.org_id)) as tx:
            for booking in cancelled:
                await store.save(tx, booking)
            for duty in sorted(new, key=lambda d: (d.arrival_at, d.priority, d.id)):
                put = await _put(tx, _of_duty(duty, rules, now))
                if put is None:
                    clashing.append(duty)
                else:
                    made.append(put)
        for booking in (*cancelled, *made):
            self._diary.put(booking)
        names = {v.id: v.name for v in await self._vehicles.all(rules.org_id)}
        causes = [_clash_of_duty(duty, names) for duty in clashing]
        settled = {f"{CLASH}:{duty.id}" for duty in new} | {f"{CLASH}:{b.duty_id}" for b in gone}
        await self._tell(rules, settled, causes)

    async def follow_series(self) -> None:
        """The coming fortnight of every series, made once; a cancelled day stays cancelled."""
        async with transaction(self._database, SYSTEM) as tx:
            running = await store.series(tx, running=True)
        for series in running:
            await self.extend(series)

    async def extend(self, series: Series) -> list[Occurrence]:
        """Make the days ahead that are not made yet; those that found the place taken."""
        site = await self._places.get(series.site_id)
        rules = self._diary.rules(series.site_id) or SiteRules(site.id, site.org_id)
        now = self._clock.now()
        today = now.astimezone(site.zone).date()
        taken: list[Occurrence] = []
        made: list[Booking] = []
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
        for booking in made:
            self._diary.put(booking)
        causes = [_clash_of_series(series, each) for each in taken]
        settled = {k for k in self._of_site(rules) if k.startswith(f"{CLASH}:{series.id}:")}
        await self._tell(rules, settled, causes)
        return taken

    def _of_site(self, rules: SiteRules) -> dict[str, Cause]:
        return self._clashes.setdefault(rules.site_id, {})

    async def _tell(self, rules: SiteRules, settled: set[str], causes: Sequence[Cause]) -> None:
        known = self._of_site(rules)
        for key in settled:
            known.pop(key, None)
        known.update({cause.key: cause for cause in causes})
        await self._alerts.sync(rules.org_id, rules.site_id, (CLASH,), list(known.values()))


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
    return Cause(CLASH, Severity.WARNING, key, "booking_series", str(series.id), params)
