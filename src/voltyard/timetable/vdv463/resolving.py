"""Pure: from a request to a duty: its vehicle, its place, its times, or why it cannot be used."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import unquote
from uuid import UUID

from voltyard.fleets.model import Vehicle
from voltyard.timetable.model import LONGEST_STAY, Duty, problems
from voltyard.timetable.vdv463.comparing import mapped_priority
from voltyard.timetable.vdv463.model import (
    ChargingRequest,
    Kept,
    Presystem,
    State,
    Target,
    VehicleKey,
)
from voltyard.timetable.vdv463.version1 import SCHEME

AHEAD = timedelta(hours=24)
"""A vehicle of which no arrival is told is not expected sooner than this before it leaves."""
ID_SHOWN = 180


_BY: Mapping[VehicleKey, Callable[[Vehicle], str | None]] = {
    VehicleKey.VIN: lambda vehicle: vehicle.vin,
    VehicleKey.NAME: lambda vehicle: vehicle.name,
    VehicleKey.ID: lambda vehicle: str(vehicle.id),
    VehicleKey.AUTO: lambda vehicle: vehicle.licence_plate,
}


@dataclass(frozen=True, slots=True)
class Spot:
    """A published charging point: its site, and the bay of its outlet if it has one."""

    site_id: UUID
    bay_id: UUID | None = None


class Unusable(ValueError):
    """Why a request is rejected."""


def plain(text: str) -> str:
    """An id without what 1.0 puts before it."""
    return unquote(text.removeprefix(SCHEME)) if text.startswith(SCHEME) else text


class VehicleIndex:
    """Vehicles by everything they may be called, whatever the case."""

    def __init__(self, vehicles: Iterable[Vehicle]) -> None:
        self._by: dict[VehicleKey, dict[str, list[Vehicle]]] = {key: {} for key in _BY}
        for vehicle in vehicles:
            for key, read in _BY.items():
                name = read(vehicle)
                if name:
                    self._by[key].setdefault(name.casefold(), []).append(vehicle)

    def find(self, name: str, key: VehicleKey) -> Vehicle:
        """Of a URI its last part counts, too. Raises Unusable."""
        names = {one.casefold() for one in (name, plain(name), name.rstrip("/").rpartition("/")[2])}
        for one in self._by.values() if key is VehicleKey.AUTO else [self._by[key]]:
            found = {vehicle.id: vehicle for text in names for vehicle in one.get(text, ())}
            if len(found) == 1:
                return next(iter(found.values()))
            if found:
                raise Unusable(f"several vehicles are called {name[:60]}")
        raise Unusable(f"there is no vehicle {name[:60]}")


@dataclass(frozen=True, slots=True)
class Yard:
    """What requests are read against. ``points`` are those published to this connection,
    ``standing`` says where vehicles are plugged in and since when."""

    now: datetime
    vehicles: VehicleIndex
    points: Mapping[str, Spot]
    site_ids: frozenset[UUID]
    default_site_id: UUID | None
    standing: Mapping[UUID, tuple[UUID, datetime]]


def name_of(vehicle: Vehicle, key: VehicleKey) -> str:
    """How a vehicle is called towards a presystem that never named it."""
    if key is VehicleKey.NAME:
        return vehicle.name
    if key is VehicleKey.ID:
        return str(vehicle.id)
    return vehicle.vin or vehicle.name


def resolved(
    presystem: Presystem,
    presystem_id: str,
    request: ChargingRequest,
    former: Kept | None,
    yard: Yard,
) -> Kept:
    """The row to keep, still without a duty of its own. Raises Unusable."""
    vehicle = yard.vehicles.find(request.vehicle, presystem.vehicle_key)
    site_id, bay_id = _place(request, vehicle, yard)
    arrival_at, departure_at = _times(presystem, request, former, vehicle, yard)
    row = Kept(
        presystem=presystem.id,
        presystem_id=presystem_id,
        request_id=request.request_id,
        sent=request,
        request=request,
        state=State.STANDING,
        received_at=yard.now if former is None else former.received_at,
        site_id=site_id,
        vehicle_id=vehicle.id,
        bay_id=bay_id,
        arrival_at=arrival_at,
        departure_at=departure_at,
        duty_id=None if former is None else former.duty_id,
    )
    wrong = problems(duty_of(presystem, replace(row, duty_id=row.duty_id or vehicle.id)))
    if wrong:
        raise Unusable("; ".join(f"{name} {why}" for name, why in wrong.items()))
    return row


def _place(request: ChargingRequest, vehicle: Vehicle, yard: Yard) -> tuple[UUID, UUID | None]:
    """The point asked for; else where the vehicle stands; else the default site."""
    if request.point:
        spot = yard.points.get(plain(request.point))
        if spot is None:
            raise Unusable(f"chargingPointId {request.point[:60]} was not published")
        return spot.site_id, spot.bay_id
    standing = yard.standing.get(vehicle.id)
    if standing is not None and standing[0] in yard.site_ids:
        return standing[0], None
    if yard.default_site_id is None:
        raise Unusable("no chargingPointId, and no default site is chosen")
    return yard.default_site_id, None


def _times(
    presystem: Presystem,
    request: ChargingRequest,
    former: Kept | None,
    vehicle: Vehicle,
    yard: Yard,
) -> tuple[datetime, datetime]:
    arrival_at = request.arrival_at
    told = arrival_at is not None
    if arrival_at is None and former is not None and former.vehicle_id == vehicle.id:
        arrival_at = former.arrival_at
    if arrival_at is None:
        plugged = yard.standing.get(vehicle.id)
        arrival_at = yard.now if plugged is None else min(yard.now, plugged[1])
    departure_at = request.departure_at
    if departure_at is None:
        return arrival_at, max(arrival_at, yard.now) + timedelta(hours=presystem.stay_h)
    standing = former is not None and former.state in (State.STANDING, State.OUTDONE)
    if departure_at <= yard.now and not standing:
        raise Unusable("requestedTimeForDeparture is over")
    if not told and departure_at - arrival_at > AHEAD:
        arrival_at = departure_at - AHEAD
    if departure_at - arrival_at > LONGEST_STAY:
        raise Unusable("the stay is too long")
    return arrival_at, departure_at


def duty_of(presystem: Presystem, row: Kept) -> Duty:
    """The duty that follows a row with a duty's id."""
    request = row.request
    assert request is not None
    assert row.duty_id is not None
    assert row.site_id is not None
    assert row.arrival_at is not None
    assert row.departure_at is not None
    lowest, highest = sorted((request.min_soc_pct, request.max_soc_pct))
    target = lowest if presystem.target is Target.MIN else highest
    return Duty(
        id=row.duty_id,
        org_id=presystem.org_id,
        site_id=row.site_id,
        external_id=f"{row.request_id[:ID_SHOWN]} #{row.duty_id.hex[:6]}",
        arrival_at=row.arrival_at,
        departure_at=row.departure_at,
        vehicle_id=row.vehicle_id,
        soc_arrival_pct=request.arrival_soc_pct,
        target_soc_pct=target,
        priority=mapped_priority(
            request.priority, presystem.priority_bounds, ad_hoc=request.ad_hoc
        ),
        bay_id=row.bay_id,
        source=presystem.source,
        note=f"VDV 463, {presystem.name}: {request.min_soc_pct:g} % – {request.max_soc_pct:g} %",
    )
