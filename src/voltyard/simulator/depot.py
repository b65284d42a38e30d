"""Describing a depot to simulate: stations, electrical tree, vehicles, and who comes when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from voltyard.simulator.cabin import CabinSpec, Conditioned
from voltyard.simulator.evse import StationSpec, Token
from voltyard.simulator.vehicle import Battery, BatterySpec
from voltyard.sites import tree
from voltyard.sites.limits import lowest_limit_ever_w
from voltyard.sites.model import ElectricalTree, Node, NodeKind


@dataclass(frozen=True, slots=True)
class VehicleSpec:
    id: UUID
    name: str
    vehicle_class: str
    battery: BatterySpec
    token: Token
    cabin: CabinSpec | None = None

    def charged(self, soc_pct: float) -> Battery:
        """Its battery, with the cabin it is in where that is simulated."""
        if self.cabin is None:
            return Battery(self.battery, soc_pct)
        return Conditioned(self.battery, soc_pct, self.cabin)


@dataclass(frozen=True, slots=True)
class Leg:
    """A trip that uses ``consumed_pct``, and a stop after it outside the simulated depots where
    the vehicle charges for ``charge_s`` at no more than ``power_w``."""

    consumed_pct: float
    charge_s: float = 0.0
    power_w: float = 0.0


@dataclass(frozen=True, slots=True)
class StaySpec:
    """One time at the depot: as the timetable has it (``planned_*``) and as it comes.

    With an ``approach`` the vehicle's battery goes on from its last departure over those legs;
    without one it arrives with ``arrival_soc_pct``. That value is otherwise what the approach
    gives when every charge before it was as full as time allowed. ``is_duty`` False: it comes
    and is in no timetable.
    """

    id: UUID
    external_id: str
    vehicle: str
    station: str
    evse: int
    planned_arrival_at: datetime
    planned_departure_at: datetime
    arrival_at: datetime
    departure_at: datetime
    arrival_soc_pct: float
    target_soc_pct: float
    planned_soc_pct: float | None = None
    priority: int = 5
    approach: tuple[Leg, ...] = ()
    is_duty: bool = True


@dataclass(frozen=True, slots=True)
class OperatorSpec:
    """A fleet operator at the depot. ``vehicles`` by name charge only in its ``areas``, and nobody
    else does there; without areas they charge at the whole site."""

    name: str
    vehicles: tuple[str, ...]
    areas: tuple[str, ...] = ()
    best_priority: int = 1


@dataclass(frozen=True, slots=True)
class GuestsSpec:
    """Public guests: ``vehicles`` that nobody has on record. They may begin in ``area`` on
    ``weekdays`` from ``from_minute`` to ``until_minute`` of the site's day while ``keep_free``
    other outlets of it stay free; nowhere and never else."""

    vehicles: tuple[str, ...]
    area: str
    weekdays: tuple[int, ...] = ()
    from_minute: int = 0
    until_minute: int = 24 * 60
    keep_free: int = 0


@dataclass(frozen=True, slots=True)
class DepotSpec:
    """Everything of one site. ``start_at`` to ``end_at`` (UTC) is what to simulate.

    Vehicles of no operator that are no guests' are the depot's own.
    """

    name: str
    timezone: str
    start_at: datetime
    end_at: datetime
    nodes: tuple[Node, ...]
    stations: tuple[StationSpec, ...]
    vehicles: tuple[VehicleSpec, ...]
    stays: tuple[StaySpec, ...]
    operators: tuple[OperatorSpec, ...] = ()
    guests: GuestsSpec | None = None

    @property
    def duties(self) -> tuple[StaySpec, ...]:
        """What the timetable has."""
        return tuple(stay for stay in self.stays if stay.is_duty)

    @property
    def areas(self) -> dict[str, str | None]:
        """By station: an area for each feeder; what hangs elsewhere is in none."""
        by_id = {node.id: node for node in self.nodes}
        of_evse = {node.evse_id: node for node in self.nodes if node.evse_id is not None}
        found: dict[str, str | None] = {}
        for station in self.stations:
            node: Node | None = of_evse[station.evses[0].id]
            while node is not None and node.kind is not NodeKind.FEEDER:
                node = None if node.parent_id is None else by_id[node.parent_id]
            name = None if node is None else f"Lane {node.name.removeprefix('F')}"
            found[station.identity] = name
        return found

    def is_guest(self, vehicle: str) -> bool:
        return self.guests is not None and vehicle in self.guests.vehicles

    def operator_of(self, vehicle: str) -> OperatorSpec | None:
        return next((each for each in self.operators if vehicle in each.vehicles), None)

    def priority_of(self, stay: StaySpec) -> int:
        """What its duty counts: no better than its operator is granted."""
        operator = self.operator_of(stay.vehicle)
        return stay.priority if operator is None else max(stay.priority, operator.best_priority)

    @property
    def tree(self) -> ElectricalTree:
        """The checked electrical tree."""
        return tree.build(self.nodes, ZoneInfo(self.timezone))

    @property
    def limit_w(self) -> float:
        """The grid connection's lowest limit."""
        return lowest_limit_ever_w(self.nodes[0])

    def station(self, identity: str) -> StationSpec:
        return next(station for station in self.stations if station.identity == identity)

    def vehicle(self, name: str) -> VehicleSpec:
        return next(vehicle for vehicle in self.vehicles if vehicle.name == name)

    def evse_id(self, stay: StaySpec) -> UUID:
        """The leaf of the tree the vehicle stands at."""
        evses = self.station(stay.station).evses
        return next(evse.id for evse in evses if evse.number == stay.evse)


def stable_id(*parts: object) -> UUID:
    """The same names give the same id in every run."""
    return uuid5(NAMESPACE_URL, "voltyard:simulated:" + "/".join(map(str, parts)))


def slug(name: str) -> str:
    """A name that can be a charge point identity: letters, digits, ``-``, ``_`` and ``.``."""
    kept = (c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in name)
    return "-".join(part for part in "".join(kept).split("-") if part)


def used_by(stays: Iterable[StaySpec], vehicles: Iterable[VehicleSpec]) -> tuple[VehicleSpec, ...]:
    """Those of ``vehicles`` that ever come."""
    names = {stay.vehicle for stay in stays}
    return tuple(vehicle for vehicle in vehicles if vehicle.name in names)
