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
from voltyard.sites.model import ElectricalTree, Node


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
    gives when every charge before it was as full as time allowed.
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


@dataclass(frozen=True, slots=True)
class DepotSpec:
    """Everything of one site. ``start_at`` to ``end_at`` (UTC) is what to simulate."""

    name: str
    timezone: str
    start_at: datetime
    end_at: datetime
    nodes: tuple[Node, ...]
    stations: tuple[StationSpec, ...]
    vehicles: tuple[VehicleSpec, ...]
    stays: tuple[StaySpec, ...]

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
