"""What the tests of whole nights ask about a night that is over."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from voltyard.simulator import promises
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.fleet import StayResult
from voltyard.simulator.night import NightResult
from voltyard.simulator.physics import possible


def kept(night: NightResult) -> None:
    """No promise was broken."""
    assert not promises.broken(night), "\n".join(promises.broken(night))


def ready(night: NightResult) -> int:
    return sum(stay.ready for stay in night.stays)


def ready_max(night: NightResult) -> int:
    """What perfect foresight could have reached."""
    return sum(possible(depot, night.stays).ready_max for depot in night.depots)


def ready_max_of(depot: DepotSpec, stays: Sequence[StayResult]) -> int:
    """The same, had nobody else been there."""
    return possible(depot, stays).ready_max


def late(night: NightResult) -> Sequence[StayResult]:
    return [stay for stay in night.stays if not stay.ready]


def first_part(depots: list[DepotSpec], span: timedelta) -> list[DepotSpec]:
    """What arrives in the first ``span``; who would stay longer is fetched at its end."""
    end_at = min(depot.start_at for depot in depots) + span
    found: list[DepotSpec] = []
    for depot in depots:
        stays = tuple(
            replace(
                stay,
                departure_at=min(stay.departure_at, end_at),
                planned_departure_at=min(stay.planned_departure_at, end_at),
            )
            for stay in depot.stays
            if stay.arrival_at <= end_at - timedelta(hours=2)
        )
        if stays:
            found.append(replace(depot, stays=stays, end_at=min(depot.end_at, end_at)))
    return found
