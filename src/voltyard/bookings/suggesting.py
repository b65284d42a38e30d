"""Bays suggested for the duties of a site, and taken over into the timetable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.bookings.diary import Diary
from voltyard.bookings.model import Booking
from voltyard.bookings.placing import Placing, Spot, Visit, place
from voltyard.bookings.ports import Duties, Places, Stations, Vehicles
from voltyard.clock import Clock
from voltyard.errors import Invalid
from voltyard.sites.model import Bay
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.timetable.model import Duty, DutyState

AHEAD = timedelta(hours=36)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``bay`` None: there is none for it. ``kept``: the duty named it already.

    ``in_the_way``: vehicles that would block it or be blocked, where duties name bays so.
    ``short_w``: by so much the bay's outlets are weaker than the vehicle can use.
    """

    duty: Duty
    vehicle: str
    bay: Bay | None
    kept: bool
    in_the_way: tuple[str, ...]
    short_w: float


class Suggester:
    def __init__(
        self,
        clock: Clock,
        diary: Diary,
        *,
        stations: Stations,
        places: Places,
        vehicles: Vehicles,
        duties: Duties,
    ) -> None:
        self._clock = clock
        self._diary = diary
        self._stations = stations
        self._places = places
        self._vehicles = vehicles
        self._duties = duties

    async def suggest(
        self, who: Principal, site_id: UUID, *, afresh: bool = False
    ) -> list[Suggestion]:
        """For the duties of the next day and a half, by arrival. ``afresh``: also those that name
        a bay, unless the vehicle is there already."""
        require(who, Permission.VIEW)
        site = await self._places.site(who, site_id)
        bays = {bay.id: bay for bay in await self._places.bays(who, site_id)}
        now = self._clock.now()
        duties = await self._duties.duties(site.org_id, site_id, now, now + AHEAD)
        named = {each.id: each for each in await self._vehicles.all(site.org_id)}
        power = {id_: each.max_power_w or 0.0 for id_, each in named.items()}
        rules = self._diary.rules(site_id)
        visits = [_visit(duty, power, afresh=afresh) for duty in duties]
        known = {duty.id: duty for duty in duties}
        taken = [_taken(each) for each in self._booked(site_id, known, now)]
        gap = timedelta(0) if rules is None else rules.before + rules.after
        found = place(self._spots(bays), visits, taken, gap)
        names = {
            duty.id: named[duty.vehicle_id].name
            if duty.vehicle_id in named
            else duty.vehicle_class or duty.external_id
            for duty in duties
        }
        return [_suggestion(each, known, names, bays) for each in found]

    async def take_over(
        self, who: Principal, site_id: UUID, chosen: Mapping[UUID, UUID]
    ) -> list[Duty]:
        """``chosen``: duty → bay. All or none; a duty that is gone meanwhile is passed over."""
        require(who, Permission.DUTIES_WRITE)
        site = await self._places.site(who, site_id)
        bays = {bay.id for bay in await self._places.bays(who, site_id)}
        if not set(chosen.values()) <= bays:
            raise Invalid("There is no such bay.", fields={"bay": "no bay of this site"})
        now = self._clock.now()
        duties = await self._duties.duties(site.org_id, site_id, now, now + AHEAD)
        changed = [
            replace(duty, bay_id=chosen[duty.id])
            for duty in duties
            if duty.id in chosen
            and duty.bay_id != chosen[duty.id]
            and duty.org_id == who.org_id  # an operator's duties are its own to change
        ]
        return await self._duties.save_all(who, changed) if changed else []

    def _spots(self, bays: Mapping[UUID, Bay]) -> list[Spot]:
        """Bays with an outlet in service."""
        power: dict[UUID, float] = {}
        for evse in self._stations.evses():
            if evse.bay_id in bays and evse.bay_id is not None and evse.operative:
                power[evse.bay_id] = max(power.get(evse.bay_id, 0.0), evse.max_power_w)
        return [
            Spot(id_, bays[id_].name, bays[id_].lane, bays[id_].position, most_w)
            for id_, most_w in power.items()
        ]

    def _booked(self, site_id: UUID, duties: Mapping[UUID, Duty], now: datetime) -> list[Booking]:
        """By people and series; those of the duties asked for follow from them."""
        return [
            booking
            for booking in self._diary.of_site(site_id)
            if booking.duty_id not in duties and booking.until_at > now
        ]


def _visit(duty: Duty, power: Mapping[UUID, float], *, afresh: bool) -> Visit:
    keeps = not afresh or duty.state is DutyState.PRESENT
    power_w = power.get(duty.vehicle_id, 0.0) if duty.vehicle_id else 0.0
    spot_id = duty.bay_id if keeps else None
    return Visit(duty.id, duty.arrival_at, duty.departure_at, power_w, spot_id)


def _taken(booking: Booking) -> Visit:
    return Visit(booking.id, booking.from_at, booking.until_at, 0.0, booking.place_id)


def _suggestion(
    each: Placing, duties: Mapping[UUID, Duty], names: Mapping[UUID, str], bays: Mapping[UUID, Bay]
) -> Suggestion:
    ways: Sequence[str] = [names.get(id_, "–") for id_ in each.blocked_by]
    bay = None if each.spot is None else bays[each.spot.id]
    duty = duties[each.visit.id]
    return Suggestion(duty, names[duty.id], bay, each.fixed, tuple(ways), each.short_w)
