"""The demonstration depot: a winter night of electric buses behind a grid connection that binds.

Seeded, and feasible by design: the tree below the grid connection is sized for its vehicles, and
who arrives early leaves early.
"""

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.clock import seeded
from voltyard.errors import Invalid
from voltyard.simulator.depot import DepotSpec, StaySpec, VehicleSpec, stable_id
from voltyard.simulator.evse import EvseSpec, StationSpec, Token
from voltyard.simulator.vehicle import BatterySpec
from voltyard.sites.model import Node, NodeKind, NodeLimit

_ZONE = "Europe/Berlin"
_NIGHT = date(2027, 1, 19)
_CABINET_W = 150_000.0
_FEEDER_W_A_VEHICLE = 40_000.0
_TRANSFORMER_W_A_VEHICLE = 39_000.0
_CABINETS_A_FEEDER = 5
_LEAST_POWER_W = 2_000.0


@dataclass(frozen=True, slots=True)
class _Type:
    name: str
    capacity_wh: float
    max_power_w: float
    curve: tuple[tuple[float, float], ...]


_SOLO_CURVE = ((0.0, 90e3), (8.0, 140e3), (80.0, 140e3), (90.0, 80e3), (100.0, 25e3))
_LONG_CURVE = ((0.0, 120e3), (8.0, 180e3), (80.0, 180e3), (90.0, 100e3), (100.0, 35e3))
_TYPES = (
    _Type("solo 250", 250e3, 140e3, _SOLO_CURVE),
    _Type("solo 300", 300e3, 140e3, _SOLO_CURVE),
    _Type("solo 350", 350e3, 140e3, _SOLO_CURVE),
    _Type("articulated 450", 450e3, 180e3, _LONG_CURVE),
)
_TYPE_WEIGHTS = (2, 2, 2, 4)


def demo_depot(
    seed: int,
    vehicles: int = 80,
    cabinets: int | None = None,
    limit_w: float | None = None,
    *,
    night: date = _NIGHT,
    name: str = "Nordhof",
) -> DepotSpec:
    """A night at a bus depot: ``cabinets`` double outlets of 150 kW behind ``limit_w``.

    Without ``cabinets`` there is an outlet for each bus; without ``limit_w`` it is 37.5 kW a bus
    (3 MW for 80). Feeders and transformers are sized by the buses, so that a lowered ``limit_w``
    binds at the grid connection. Raises ``Invalid`` when there are more buses than outlets.
    """
    cabinets = ceil(vehicles / 2) if cabinets is None else cabinets
    limit_w = vehicles * 37_500.0 if limit_w is None else limit_w
    if vehicles < 1 or vehicles > 2 * cabinets or limit_w <= 0:
        raise Invalid("a demo depot needs a bus, an outlet for each and a grid limit")
    stations = tuple(cabinet(seed, name, index) for index in range(cabinets))
    fleet = tuple(bus(seed, name, index) for index in range(vehicles))
    stays = _stays(seed, name, night, fleet, stations)
    return DepotSpec(
        name=name,
        timezone=_ZONE,
        start_at=_local(night, time(17, 0)),
        end_at=_local(night + timedelta(days=1), time(9, 0)),
        nodes=_nodes(name, stations, vehicles, limit_w),
        stations=stations,
        vehicles=fleet,
        stays=stays,
    )


def lower_limit(depot: DepotSpec, limit_w: float) -> DepotSpec:
    """The same depot and night behind another grid limit. Raises ``Invalid`` for none at all."""
    if limit_w <= 0:
        raise Invalid("a grid limit is more than 0 kW")
    root = replace(depot.nodes[0], limits=(NodeLimit(power_w=limit_w),))
    return replace(depot, nodes=(root, *depot.nodes[1:]))


def _local(day: date, wall: time) -> datetime:
    return datetime.combine(day, wall, ZoneInfo(_ZONE)).astimezone(UTC)


def cabinet(seed: int, name: str, index: int) -> StationSpec:
    """A double outlet of 150 kW, in 1.6 or 2.0.1."""
    identity = f"{name.upper()}-C{index + 1:03d}"
    evses = tuple(
        EvseSpec(
            id=stable_id(name, identity, number),
            number=number,
            max_power_w=_CABINET_W,
            min_power_w=_LEAST_POWER_W,
        )
        for number in (1, 2)
    )
    return StationSpec(
        identity=identity,
        protocol="ocpp1.6" if index % 2 == 0 else "ocpp2.0.1",
        evses=evses,
        max_power_w=_CABINET_W,
        model="Double 150",
        serial=f"VYS{index + 1:07d}",
        password=f"{seeded(seed, 'password', identity).getrandbits(96):024x}",
    )


def bus(seed: int, name: str, index: int, label: str | None = None) -> VehicleSpec:
    """A bus of any size, known by its MAC or by a card."""
    rng = seeded(seed, "vehicle", name, index)
    kind = rng.choices(_TYPES, _TYPE_WEIGHTS)[0]
    autocharge = rng.random() < 0.5
    token = Token(f"{rng.getrandbits(48):012X}", "MacAddress", autocharge=True)
    if not autocharge:
        token = Token(f"{rng.getrandbits(32):08X}", "ISO14443")
    label = label or f"Bus {index + 1:03d}"
    battery = BatterySpec(kind.capacity_wh, kind.max_power_w, kind.curve, efficiency=0.96)
    return VehicleSpec(stable_id(name, label), label, kind.name, battery, token)


def _nodes(
    name: str, stations: tuple[StationSpec, ...], vehicles: int, limit_w: float
) -> tuple[Node, ...]:
    feeders = max(1, ceil(len(stations) / _CABINETS_A_FEEDER))
    transformers = min(2, feeders)
    outlets_a_vehicle = 2 * len(stations) / vehicles
    root_id = stable_id(name, "grid")
    nodes = [Node(root_id, NodeKind.GRID, "Grid", None, (NodeLimit(power_w=limit_w),))]
    transformer_w = _TRANSFORMER_W_A_VEHICLE * vehicles / transformers
    for number in range(transformers):
        nodes.append(node(name, NodeKind.TRANSFORMER, f"T{number + 1}", root_id, transformer_w))
    for number in range(feeders):
        below = stations[number * _CABINETS_A_FEEDER : (number + 1) * _CABINETS_A_FEEDER]
        parent_id = stable_id(name, f"T{number * transformers // feeders + 1}")
        power_w = max(
            _CABINET_W, _FEEDER_W_A_VEHICLE * 2 * len(below) / max(1.0, outlets_a_vehicle)
        )
        feeder = node(name, NodeKind.FEEDER, f"F{number + 1}", parent_id, power_w)
        nodes.append(feeder)
        for station in below:
            nodes.extend(cabinet_nodes(name, station, feeder.id))
    return tuple(nodes)


def node(name: str, kind: NodeKind, label: str, parent_id: UUID, power_w: float) -> Node:
    """A node of the tree with a constant limit."""
    return Node(stable_id(name, label), kind, label, parent_id, (NodeLimit(power_w=power_w),))


def cabinet_nodes(name: str, station: StationSpec, feeder_id: UUID) -> list[Node]:
    """Of a cabinet and its outlets."""
    cabinet = node(name, NodeKind.CABINET, station.identity, feeder_id, station.max_power_w)
    outlets = [
        Node(
            stable_id(name, station.identity, evse.number, "leaf"),
            NodeKind.EVSE,
            f"{station.identity}/{evse.number}",
            cabinet.id,
            (NodeLimit(power_w=evse.max_power_w),),
            evse.id,
        )
        for evse in station.evses
    ]
    return [cabinet, *outlets]


def _stays(
    seed: int,
    name: str,
    night: date,
    fleet: tuple[VehicleSpec, ...],
    stations: tuple[StationSpec, ...],
) -> tuple[StaySpec, ...]:
    """Arrivals in the order of the fleet; every cabinet gets an early and a late bus."""
    rng = seeded(seed, "timetable", name)
    first, last = _local(night, time(18, 5)), _local(night + timedelta(days=1), time(0, 40))
    out, end = (_local(night + timedelta(days=1), t) for t in (time(4, 30), time(8, 0)))
    order = list(fleet)
    rng.shuffle(order)
    stays: list[StaySpec] = []
    for place, vehicle in enumerate(order):
        share = place / max(1, len(order) - 1)
        arrival = _minute(first + share * (last - first) + _noise(rng, 8.0))
        departure = _minute(out + share * (end - out) + _noise(rng, 12.0))
        departure = min(max(departure, out), end)
        station = stations[place % len(stations)]
        evse = place // len(stations) + 1
        planned_soc_pct = round(rng.uniform(22.0, 58.0), 1)
        soc_pct = min(60.0, max(20.0, planned_soc_pct + rng.gauss(0.0, 3.0)))
        stays.append(
            StaySpec(
                id=stable_id(name, night, vehicle.name),
                external_id=f"{night.isoformat()}/{vehicle.name}",
                vehicle=vehicle.name,
                station=station.identity,
                evse=evse,
                planned_arrival_at=arrival,
                planned_departure_at=departure,
                arrival_at=max(_local(night, time(18, 0)), arrival + _delay(rng)),
                departure_at=departure,
                arrival_soc_pct=round(soc_pct, 1),
                target_soc_pct=95.0,
                planned_soc_pct=planned_soc_pct,
                priority=rng.choices((2, 5, 8), (2, 5, 3))[0],
            )
        )
    return tuple(stays)


def _noise(rng: random.Random, minutes: float) -> timedelta:
    return timedelta(minutes=max(-2 * minutes, min(2 * minutes, rng.gauss(0.0, minutes))))


def _delay(rng: random.Random) -> timedelta:
    """Most buses come about on time, one in twelve is a good deal late."""
    if rng.random() < 1 / 12:
        return timedelta(seconds=round(rng.uniform(600, 1800)))
    return timedelta(seconds=round(max(-240.0, min(480.0, rng.gauss(60.0, 150.0)))))


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
