"""The shared depot: two fleet operators, the depot's own buses and public guests, day after day.

Lane 1 is Alpha's, lane 2 is Beta's; at lane 3 the depot's own buses stand, and guests by day.
Buses try wrong lanes and guests wrong hours and places, too. On one night of the week the grid
connection gives so little that not all can be ready.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.clock import seeded
from voltyard.errors import Invalid
from voltyard.simulator.demo import bus, cabinet, cabinet_nodes, node
from voltyard.simulator.depot import (
    DepotSpec,
    GuestsSpec,
    OperatorSpec,
    StaySpec,
    VehicleSpec,
    stable_id,
)
from voltyard.simulator.evse import StationSpec, Token
from voltyard.simulator.vehicle import BatterySpec
from voltyard.sites.model import Node, NodeKind, NodeLimit

NAME = "Gemeinhof"
ALPHA, BETA, OWN = "Alpha", "Beta", "Nord"
LANES = {ALPHA: "Lane 1", BETA: "Lane 2", OWN: "Lane 3"}
MONDAY = date(2027, 1, 18)
TIGHT_WEEKDAY = 2
GUEST_CABINETS = 2
KEEP_FREE = 2
OPENS, CLOSES = time(8), time(17)
BETA_BEST = 7
"""The best priority Beta is granted; it asks for 1."""

_ZONE = ZoneInfo("Europe/Berlin")
_USUAL_W, _TIGHT_W = 26_000.0, 13_000.0
"""Of the grid connection, a bus."""
_LANE_W = 150_000.0
_BETWEEN = timedelta(minutes=12)
_CAR_CURVE = ((0.0, 110e3), (55.0, 110e3), (80.0, 50e3), (100.0, 8e3))

Outlet = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When what happens, from midnight of a day on. Buses come and leave within an hour or more
    of each other, and need ``needs_pct`` (None: to 95 %)."""

    starts: timedelta = timedelta(hours=5.5)
    arrive: timedelta = timedelta(hours=17)
    arrive_over: timedelta = timedelta(hours=4.5)
    leave: timedelta = timedelta(hours=28.75)
    leave_over: timedelta = timedelta(hours=2.5)
    ends: timedelta = timedelta(hours=33)
    needs_pct: float | None = None


NIGHTS = Rhythm()
EVENING = Rhythm(
    timedelta(hours=15), timedelta(hours=16.5), timedelta(hours=0.25),
    timedelta(hours=18.5), timedelta(hours=0.25), timedelta(hours=19), 13.0,
)  # fmt: skip
"""An afternoon and its evening, for those who have no time for nights."""


def shared_depot(
    seed: int,
    buses: int = 4,
    days: int = 7,
    *,
    first: date = MONDAY,
    limit_w: float | None = None,
    rhythm: Rhythm = NIGHTS,
) -> DepotSpec:
    """``buses`` of each of the three, from ``first`` on for some days and their nights.

    ``limit_w`` is the grid connection's usual limit. Raises ``Invalid``.
    """
    if buses < 2 or days < 1 or (limit_w is not None and limit_w <= 0):
        raise Invalid("a shared depot needs two buses of each, a day and a grid limit")
    lanes = _lanes(seed, buses)
    fleet = {
        party: tuple(bus(seed, f"{NAME}/{party}", n, f"{party} {n + 1:02d}") for n in range(buses))
        for party in LANES
    }
    cars = tuple(_car(seed, n) for n in range(4 * buses))
    nights = [first + timedelta(days=n) for n in range(days)]
    yard = _Yard(seed, rhythm, lanes, fleet, cars)
    start_at, end_at = _after(first, rhythm.starts), _after(nights[-1], rhythm.ends)
    for day in nights:
        yard.night(day)
        yard.noon(day)
    for day in nights:
        yard.strays(day)
        yard.guests(day)
    return DepotSpec(
        name=NAME,
        timezone=_ZONE.key,
        start_at=start_at,
        end_at=end_at,
        nodes=_nodes(lanes, 3 * buses, limit_w),
        stations=tuple(station for lane in lanes.values() for station in lane),
        vehicles=(*(v for party in fleet.values() for v in party), *cars),
        stays=tuple(
            replace(stay, departure_at=min(stay.departure_at, end_at))
            for stay in yard.stays
            if start_at < stay.arrival_at < end_at
        ),
        operators=(
            OperatorSpec(ALPHA, tuple(v.name for v in fleet[ALPHA]), (LANES[ALPHA],)),
            OperatorSpec(BETA, tuple(v.name for v in fleet[BETA]), (LANES[BETA],), BETA_BEST),
        ),
        guests=GuestsSpec(
            tuple(car.name for car in cars),
            LANES[OWN],
            weekdays=(0, 1, 2, 3, 4, 5),
            from_minute=OPENS.hour * 60,
            until_minute=CLOSES.hour * 60,
            keep_free=KEEP_FREE,
        ),
    )


@dataclass
class _Yard:
    """Who comes when; never two at one outlet."""

    seed: int
    rhythm: Rhythm
    lanes: dict[str, tuple[StationSpec, ...]]
    fleet: dict[str, tuple[VehicleSpec, ...]]
    cars: tuple[VehicleSpec, ...]
    stays: list[StaySpec] = field(default_factory=list)
    taken: dict[Outlet, list[tuple[datetime, datetime]]] = field(default_factory=dict)

    def night(self, day: date) -> None:
        """Each bus at its own outlet; who comes early leaves early."""
        rhythm = self.rhythm
        for party, vehicles in self.fleet.items():
            rng = self._rng("night", party, day)
            order = list(enumerate(vehicles))
            rng.shuffle(order)
            for place, (number, vehicle) in enumerate(order):
                share = place / max(1, len(order) - 1)
                arrival_at = _after(day, rhythm.arrive + share * rhythm.arrive_over)
                departure_at = _after(day, rhythm.leave + share * rhythm.leave_over)
                arrival_at, departure_at = arrival_at + _noise(rng, 12), departure_at - _short(rng)
                soc_pct = round(rng.uniform(25.0, 55.0), 1)
                asked = {ALPHA: 3, BETA: 1, OWN: rng.choice((2, 5))}[party]
                stay = self._stay(
                    vehicle, self._outlet(party, number), arrival_at, departure_at, soc_pct
                )
                late = timedelta(minutes=max(-3.0, min(8.0, rng.gauss(1.0, 3.0))))
                if rhythm.needs_pct is not None:
                    stay = replace(stay, target_soc_pct=soc_pct + rhythm.needs_pct)
                self._add(replace(stay, priority=asked, arrival_at=stay.arrival_at + late))

    def noon(self, day: date) -> None:
        """Every second of the depot's own buses comes back for the afternoon's work."""
        rng = self._rng("noon", day)
        for number, vehicle in list(enumerate(self.fleet[OWN]))[1::2]:
            arrival_at = _at(day, time(11, 15)) + timedelta(minutes=rng.randrange(60))
            departure_at = arrival_at + timedelta(minutes=95)
            outlet = self._outlet(OWN, number)
            stay = self._stay(vehicle, outlet, arrival_at, departure_at, 48.0)
            self._add(replace(stay, target_soc_pct=72.0, priority=5))

    def strays(self, day: date) -> None:
        """One of each stands in a wrong lane for a while."""
        rng = self._rng("strays", day)
        for party, number, lane in (
            (ALPHA, 0, BETA), (ALPHA, 1, OWN), (BETA, -1, OWN), (OWN, 0, ALPHA)
        ):  # fmt: skip
            arrival_at = _at(day, time(15, 10)) + timedelta(minutes=rng.randrange(20))
            vehicle = self.fleet[party][number]
            self._drop_in(rng, vehicle, lane, arrival_at, timedelta(minutes=40))

    def guests(self, day: date) -> None:
        """Cars at the public lane all day long, and one a day in a lane that is bound."""
        rng = self._rng("guests", day)
        for number, car in enumerate(rng.sample(self.cars, len(self.cars))):
            lane = rng.choice((ALPHA, BETA)) if number == 0 else OWN
            arrival_at = _at(day, time(6, 30)) + timedelta(minutes=rng.randrange(13 * 60))
            self._drop_in(rng, car, lane, arrival_at, timedelta(minutes=rng.randrange(45, 240)))

    def _drop_in(
        self, rng: Random, vehicle: VehicleSpec, lane: str, arrival_at: datetime, stays: timedelta
    ) -> None:
        """In no timetable, at any outlet that is free; or it drives on."""
        outlets = [(s.identity, evse.number) for s in self.lanes[lane] for evse in s.evses]
        departure_at = arrival_at + stays
        free = [o for o in outlets if self._free(o, arrival_at, departure_at)]
        if free:
            soc_pct = round(rng.uniform(15.0, 45.0), 1)
            stay = self._stay(vehicle, rng.choice(free), arrival_at, departure_at, soc_pct)
            self._add(replace(stay, target_soc_pct=80.0, is_duty=False))

    def _free(self, outlet: Outlet, from_at: datetime, until_at: datetime) -> bool:
        return not any(
            from_at < end_at + _BETWEEN and begin_at < until_at + _BETWEEN
            for begin_at, end_at in self.taken.get(outlet, ())
        )

    def _outlet(self, party: str, number: int) -> Outlet:
        lane = self.lanes[party]
        own = lane[: len(lane) - GUEST_CABINETS] if party == OWN else lane
        return own[number % len(own)].identity, number // len(own) + 1

    def _stay(
        self,
        vehicle: VehicleSpec,
        outlet: Outlet,
        arrival_at: datetime,
        departure_at: datetime,
        soc_pct: float,
    ) -> StaySpec:
        arrival_at, departure_at = _minute(arrival_at), _minute(departure_at)
        external_id = f"{arrival_at:%Y-%m-%d/%H%M}/{vehicle.name}"
        return StaySpec(
            id=stable_id(NAME, external_id),
            external_id=external_id,
            vehicle=vehicle.name,
            station=outlet[0],
            evse=outlet[1],
            planned_arrival_at=arrival_at,
            planned_departure_at=departure_at,
            arrival_at=arrival_at,
            departure_at=departure_at,
            arrival_soc_pct=soc_pct,
            target_soc_pct=95.0,
            planned_soc_pct=soc_pct,
        )

    def _add(self, stay: StaySpec) -> None:
        self.stays.append(stay)
        span = (stay.planned_arrival_at, stay.departure_at)
        self.taken.setdefault((stay.station, stay.evse), []).append(span)

    def _rng(self, *purpose: object) -> Random:
        return seeded(self.seed, "shared", *purpose)


def _lanes(seed: int, buses: int) -> dict[str, tuple[StationSpec, ...]]:
    """An outlet for each bus, and cabinets for guests beside the depot's own."""
    found: dict[str, tuple[StationSpec, ...]] = {}
    index = 0
    for party in LANES:
        cabinets = ceil(buses / 2) + (GUEST_CABINETS if party is OWN else 0)
        found[party] = tuple(cabinet(seed, NAME, index + n) for n in range(cabinets))
        index += cabinets
    return found


def _nodes(
    lanes: dict[str, tuple[StationSpec, ...]], buses: int, limit_w: float | None
) -> tuple[Node, ...]:
    usual_w = buses * _USUAL_W if limit_w is None else limit_w
    tight = NodeLimit(
        power_w=usual_w * _TIGHT_W / _USUAL_W,
        from_time=time(17),
        to_time=time(9),
        weekdays=frozenset({TIGHT_WEEKDAY}),
    )
    root_id: UUID = stable_id(NAME, "grid")
    nodes = [Node(root_id, NodeKind.GRID, "Grid", None, (NodeLimit(power_w=usual_w), tight))]
    for number, stations in enumerate(lanes.values(), start=1):
        lane_w = max(_LANE_W, buses / 3 * 45_000.0)
        lane = node(NAME, NodeKind.FEEDER, f"F{number}", root_id, lane_w)
        nodes.append(lane)
        for station in stations:
            nodes.extend(cabinet_nodes(NAME, station, lane.id))
    return tuple(nodes)


def _car(seed: int, index: int) -> VehicleSpec:
    rng = seeded(seed, "car", NAME, index)
    label = f"Guest {index + 1:02d}"
    battery = BatterySpec(rng.choice((58e3, 77e3, 95e3)), 110e3, _CAR_CURVE, efficiency=0.95)
    token = Token(f"{rng.getrandbits(56):014X}", "ISO14443")
    return VehicleSpec(stable_id(NAME, label), label, "car", battery, token)


def _at(day: date, wall: time) -> datetime:
    return datetime.combine(day, wall, _ZONE).astimezone(UTC)


def _after(day: date, span: timedelta) -> datetime:
    """By the clock on the wall, whenever it is put back or on."""
    return (datetime.combine(day, time(0), _ZONE) + span).astimezone(UTC)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _noise(rng: Random, minutes: float) -> timedelta:
    return timedelta(minutes=max(-minutes, min(minutes, rng.gauss(0.0, minutes / 2))))


def _short(rng: Random) -> timedelta:
    return timedelta(minutes=rng.randrange(20))
