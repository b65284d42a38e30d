"""Which bay for which duty: nobody parked behind one that leaves later. Pure.

A lane is driven into at its end and out of at its front; position 0 is the front. Whoever stands
in front must have come first and must leave first. A bay in no lane is reached by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

NEVER = timedelta(days=3_650)


@dataclass(frozen=True, slots=True)
class Spot:
    """A bay with an outlet; ``max_power_w`` is that of its strongest."""

    id: UUID
    name: str
    lane: str = ""
    position: int = 0
    max_power_w: float = 0.0


@dataclass(frozen=True, slots=True)
class Visit:
    """A vehicle that stands there from its arrival to its departure; ``power_w`` it can use."""

    id: UUID
    arrival_at: datetime
    departure_at: datetime
    power_w: float = 0.0
    spot_id: UUID | None = None

    def meets(self, other: "Visit", gap: timedelta) -> bool:
        return (
            self.arrival_at < other.departure_at + gap
            and other.arrival_at < self.departure_at + gap
        )


@dataclass(frozen=True, slots=True)
class Placing:
    """``blocked_by``: visits that stand in its way, or that it stands in the way of, as it is."""

    visit: Visit
    spot: Spot | None
    fixed: bool
    blocked_by: tuple[UUID, ...] = ()
    short_w: float = 0.0


def place(
    spots: Sequence[Spot],
    visits: Iterable[Visit],
    taken: Iterable[Visit] = (),
    gap: timedelta = timedelta(0),
) -> list[Placing]:
    """A bay for each visit that has none, in the order of arrival; those that have one keep it.

    ``taken`` is what stands in the way but is asked nothing of. ``gap`` lies between two visits of
    a bay. A visit gets no bay where none is free, or each would be blocked.
    """
    yard = _Yard(spots, gap)
    for visit in taken:
        yard.put(visit, visit.spot_id)
    order = sorted(visits, key=lambda v: (v.arrival_at, v.departure_at, v.id))
    fixed = [visit for visit in order if visit.spot_id in yard.spots]
    for visit in fixed:
        yard.put(visit, visit.spot_id)
    found: list[Placing] = []
    for visit in order:
        if visit.spot_id in yard.spots:
            spot = yard.spots[visit.spot_id]
            blocked = tuple(other.id for other in yard.in_the_way(visit, spot))
            found.append(Placing(visit, spot, True, blocked, _short(visit, spot)))
            continue
        best = yard.best(visit)
        if best is not None:
            yard.put(visit, best.id)
        found.append(Placing(visit, best, False, (), _short(visit, best) if best else 0.0))
    return found


class _Yard:
    def __init__(self, spots: Sequence[Spot], gap: timedelta) -> None:
        self.spots: Mapping[UUID | None, Spot] = {spot.id: spot for spot in spots}
        self._lanes: dict[str, list[Spot]] = {}
        for spot in sorted(spots, key=lambda s: (s.position, s.name)):
            if spot.lane:
                self._lanes.setdefault(spot.lane, []).append(spot)
        self._at: dict[UUID, list[Visit]] = {spot.id: [] for spot in spots}
        self._gap = gap

    def put(self, visit: Visit, spot_id: UUID | None) -> None:
        if spot_id in self._at:
            self._at[spot_id].append(visit)

    def best(self, visit: Visit) -> Spot | None:
        """Enough power, no hole left in front, and close behind the one that leaves before it."""
        free = [spot for spot in self.spots.values() if not self.in_the_way(visit, spot)]
        return min(free, key=lambda spot: self._cost(visit, spot), default=None)

    def in_the_way(self, visit: Visit, spot: Spot) -> list[Visit]:
        found = [o for o in self._at[spot.id] if o.id != visit.id and o.meets(visit, self._gap)]
        for other_spot in self._lanes.get(spot.lane, ()) if spot.lane else ():
            ahead = other_spot.position < spot.position
            for other in self._at[other_spot.id]:
                if other_spot.id == spot.id or not other.meets(visit, timedelta(0)):
                    continue
                first, second = (other, visit) if ahead else (visit, other)
                if not _in_turn(first, second):
                    found.append(other)
        return found

    def _cost(self, visit: Visit, spot: Spot) -> tuple[float, int, timedelta, float, str]:
        lane = self._lanes.get(spot.lane, []) if spot.lane else []
        in_front = [other for other in lane if other.position < spot.position]
        holes = sum(not any(o.meets(visit, timedelta(0)) for o in self._at[f.id]) for f in in_front)
        leaves = [
            other.departure_at
            for front in in_front
            for other in self._at[front.id]
            if other.meets(visit, timedelta(0))
        ]
        wait = visit.departure_at - max(leaves) if leaves else NEVER
        spare = max(0.0, spot.max_power_w - visit.power_w)
        return _short(visit, spot), holes, wait, spare, spot.name


def _in_turn(front: Visit, behind: Visit) -> bool:
    """Whoever stands in front came first and leaves first."""
    return front.arrival_at <= behind.arrival_at and front.departure_at <= behind.departure_at


def _short(visit: Visit, spot: Spot) -> float:
    return max(0.0, visit.power_w - spot.max_power_w)
