"""What the tests of whole nights ask about a night that is over."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from voltyard.simulator import promises
from voltyard.simulator.depot import DepotSpec, StaySpec, VehicleSpec
from voltyard.simulator.fleet import StayResult
from voltyard.simulator.night import NightResult
from voltyard.simulator.physics import possible
from voltyard.simulator.vehicle import Battery

AHEAD = timedelta(hours=1)


def kept(night: NightResult) -> None:
    """No promise was broken."""
    assert not promises.broken(night), "\n".join(promises.broken(night))


def ready(night: NightResult) -> int:
    return sum(stay.ready for stay in night.stays)


def ready_max(night: NightResult) -> int:
    """What perfect foresight could have reached."""
    return sum(possible(depot, night.stays).ready_max for depot in night.depots)


def late(night: NightResult) -> Sequence[StayResult]:
    return [stay for stay in night.stays if not stay.ready]


def until(depot: DepotSpec, end_at: datetime) -> DepotSpec:
    """The same depot, with the stays only that are over by ``end_at``."""
    stays = tuple(stay for stay in depot.stays if stay.departure_at <= end_at)
    return replace(depot, stays=stays, end_at=min(depot.end_at, end_at + timedelta(minutes=30)))


def knowable(depot: DepotSpec, result: StayResult) -> bool:
    """Whether an hour before it left it still needed more than it could get alone in that hour."""
    stay, vehicle = result.stay, depot.vehicle(result.stay.vehicle)
    return stay.departure_at - stay.arrival_at > AHEAD and _short_of_one_hour(
        vehicle, stay, result.departure_soc_pct
    )


def _short_of_one_hour(vehicle: VehicleSpec, stay: StaySpec, soc_pct: float) -> bool:
    """A shortfall that a vehicle alone makes up in minutes is nobody's forecast."""
    battery = Battery(vehicle.battery, soc_pct)
    seconds = vehicle.battery.seconds_to_reach(battery.soc_pct, stay.target_soc_pct - 1.0)
    return seconds > 60.0
