"""Reading the days of a shared depot as their judge: who was served, and before whom.

Independent of the server's rules: it reads the description, the outlets, and what is stored.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.simulator.depot import DepotSpec, GuestsSpec, StaySpec
from voltyard.simulator.fleet import StayResult
from voltyard.simulator.host import StoredSession
from voltyard.simulator.night import NightResult
from voltyard.simulator.physics import possible
from voltyard.sites.limits import limit_w
from voltyard.sites.model import ElectricalTree, Node

SLACK = timedelta(seconds=90)
"""From what somebody does at an outlet until its charger has told and acted."""
FULL = 0.97
"""A node binds from this share of its limit on."""
NOTHING_WH = 500.0
"""What may flow while limits follow a vehicle that has just come."""


def broken(night: NightResult) -> list[str]:
    """One line for each breach; none for depots that nobody shares."""
    found: list[str] = []
    for depot in night.depots:
        if depot.operators or depot.guests is not None:
            found += [*_strangers(night, depot), *_guests_first(night, depot)]
    return found


def refused(depot: DepotSpec, stay: StaySpec) -> str:
    """Why the vehicle may not charge there at any time of its stay; empty if it may."""
    area = depot.areas[stay.station]
    operator = depot.operator_of(stay.vehicle)
    if operator is not None and operator.areas and area not in operator.areas:
        return f"{operator.name} is bound to {', '.join(operator.areas)}"
    bound = [each.name for each in depot.operators if area in each.areas]
    if bound and (operator is None or operator.name not in bound):
        return f"{area} is kept for {', '.join(bound)}"
    guests = depot.guests
    if guests is not None and depot.is_guest(stay.vehicle):
        if area != guests.area:
            return f"guests may charge in {guests.area}"
        if not _ever_open(depot, guests, stay.arrival_at, stay.departure_at):
            return "guests may not charge at that time"
    return ""


def _ever_open(depot: DepotSpec, guests: GuestsSpec, from_at: datetime, until_at: datetime) -> bool:
    minutes = int((until_at - from_at).total_seconds() // 60)
    return any(_open(depot, guests, from_at + timedelta(minutes=m)) for m in range(minutes + 1))


def _open(depot: DepotSpec, guests: GuestsSpec, at: datetime) -> bool:
    local = at.astimezone(ZoneInfo(depot.timezone))
    minute = local.hour * 60 + local.minute
    fits = not guests.weekdays or local.weekday() in guests.weekdays
    return fits and guests.from_minute <= minute < guests.until_minute


def _strangers(night: NightResult, depot: DepotSpec) -> Iterator[str]:
    """Whoever may not charge has no session and gets nothing; guests begin only by the rule."""
    for result in night.stays:
        if result.depot != depot.name:
            continue
        stay, begun = result.stay, sessions_of(night, depot, result)
        why = refused(depot, stay)
        where = f"{stay.vehicle} at {stay.station}/{stay.evse} from {stay.arrival_at}"
        if why and (begun or result.energy_wh > 0.0):
            yield f"access: {where} had {len(begun)} sessions, {result.energy_wh:.0f} Wh, but {why}"
        if why or depot.guests is None or not depot.is_guest(stay.vehicle):
            continue
        for session in begun:
            assert session.started_at is not None
            if not _near_open(depot, depot.guests, session.started_at):
                yield f"access: {where} began at {session.started_at}, when no guest may"
            free = _free_beside(night, depot, stay, session.started_at)
            if free < depot.guests.keep_free:
                yield f"access: {where} began at {session.started_at} with {free} outlets free"


def _near_open(depot: DepotSpec, guests: GuestsSpec, at: datetime) -> bool:
    return any(_open(depot, guests, at + shift) for shift in (-SLACK, timedelta(0), SLACK))


def sessions_of(
    night: NightResult, depot: DepotSpec, result: StayResult
) -> Sequence[StoredSession]:
    """What is stored of a vehicle's time there."""
    stay, token = result.stay, depot.vehicle(result.vehicle).token.value
    return [
        session
        for session in night.sessions
        if session.station == stay.station
        and session.token == token
        and session.started_at is not None
        and stay.arrival_at - SLACK <= session.started_at <= stay.departure_at + SLACK
    ]


def _free_beside(night: NightResult, depot: DepotSpec, stay: StaySpec, at: datetime) -> int:
    """Outlets of the same area with nothing plugged in; who comes or goes just then is not."""
    area = depot.areas[stay.station]
    outlets = {
        (station.identity, evse.number)
        for station in depot.stations
        if depot.areas[station.identity] == area
        for evse in station.evses
    }
    taken = {
        (other.stay.station, other.stay.evse)
        for other in night.stays
        if other.plugged_at is not None
        and other.plugged_at + SLACK <= at <= other.stay.departure_at - SLACK
    }
    return len(outlets - taken - {(stay.station, stay.evse)})


def _guests_first(night: NightResult, depot: DepotSpec) -> Iterator[str]:
    """A vehicle that left short, which alone could have been ready, and meanwhile a guest behind
    the same full node."""
    guests = [r for r in night.stays if depot.is_guest(r.vehicle) and r.energy_wh > 0.0]
    short = [r for r in night.duties if r.depot == depot.name and not r.ready]
    if not guests or not short:
        return
    outcome = {each.stay_id: each for each in possible(depot, night.stays).stays}
    yard = _Yard(depot, depot.tree, {key: _Flow(steps) for key, steps in night.power.items()})
    for lacking in short:
        for guest in guests if outcome[lacking.stay.id].possible else ():
            wh = yard.taken_wh(lacking, guest)
            if wh > NOTHING_WH:
                yield (
                    f"fleet first: {guest.vehicle} got {wh:.0f} Wh that {lacking.vehicle} lacked,"
                    f" {lacking.shortfall_wh:.0f} Wh short at {lacking.stay.departure_at}"
                )


class _Flow:
    """The power of one outlet at any instant."""

    def __init__(self, steps: Sequence[tuple[datetime, float]]) -> None:
        self.instants = [at for at, _ in steps]
        self._powers = [0.0, *(power_w for _, power_w in steps)]

    def at(self, when: datetime) -> float:
        return self._powers[bisect_right(self.instants, when)]


@dataclass(frozen=True, slots=True)
class _Yard:
    depot: DepotSpec
    tree: ElectricalTree
    flows: Mapping[UUID, _Flow]

    def taken_wh(self, lacking: StayResult, guest: StayResult) -> float:
        """What the guest got while the other took less than half of what it can and a node above
        both was full."""
        from_at = max(lacking.plugged_at or lacking.stay.departure_at, guest.stay.arrival_at)
        until_at = min(lacking.stay.departure_at, guest.stay.departure_at)
        if from_at >= until_at:
            return 0.0
        mine, theirs = self.depot.evse_id(lacking.stay), self.depot.evse_id(guest.stay)
        above = {node.id for node in self.tree.path_of_evse(theirs)}
        shared = [node for node in self.tree.path_of_evse(mine) if node.id in above]
        flow = self.flows[theirs]
        marks = [from_at, *(at for at in flow.instants if from_at < at < until_at), until_at]
        most_w = self.depot.vehicle(lacking.vehicle).battery.max_power_w
        found_wh = 0.0
        for begin_at, end_at in pairwise(marks):
            at = begin_at + (end_at - begin_at) / 2
            if self.flows[mine].at(at) < most_w / 2 and any(self._full(n, at) for n in shared):
                found_wh += flow.at(at) * (end_at - begin_at).total_seconds() / 3600.0
        return found_wh

    def _full(self, node: Node, at: datetime) -> bool:
        below = (
            flow.at(at)
            for evse_id, flow in self.flows.items()
            if evse_id in self.tree.leaf_of_evse and node in self.tree.path_of_evse(evse_id)
        )
        return sum(below) >= FULL * limit_w(node, at, self.tree.zone)
