"""What is still free at every node of the tree, in total watts and in amps of each phase."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import inf
from uuid import UUID

from voltyard.sites.limits import limits_during, limits_ever
from voltyard.sites.model import ElectricalTree, NodeLimit
from voltyard.units import NOMINAL_VOLTAGE_V, amps_to_watts, floor_amps, watts_to_amps

ALL_PHASES = (1, 2, 3)
SLACK_W = 1e-3


@dataclass(frozen=True, slots=True)
class Wiring:
    """How an EVSE loads the grid: which of the grid's phases, at which phase voltage."""

    phases: tuple[int, ...] = ALL_PHASES
    voltage_v: float = NOMINAL_VOLTAGE_V

    def amps(self, power_w: float) -> float:
        return watts_to_amps(power_w, len(self.phases), self.voltage_v)

    def watts(self, current_a: float) -> float:
        return amps_to_watts(current_a, len(self.phases), self.voltage_v)

    def whole_amps(self, power_w: float) -> tuple[int, float]:
        """The largest whole amps within ``power_w``, and their power."""
        current_a = floor_amps(self.amps(power_w))
        return current_a, self.watts(current_a)


BALANCED = Wiring()


@dataclass(frozen=True, slots=True)
class Reservation:
    """Power of an EVSE that is counted and not given away: offline, unconfirmed or idle."""

    evse_id: UUID
    power_w: float
    wiring: Wiring = BALANCED


@dataclass(slots=True)
class Headroom:
    """Free watts and amps by node; negative where fixed load alone is over the limit."""

    tree: ElectricalTree
    free_w: dict[UUID, float]
    free_a: dict[UUID, list[float]]
    paths: dict[UUID, tuple[UUID, ...]] = field(default_factory=dict)

    @classmethod
    def during(
        cls,
        tree: ElectricalTree,
        at: datetime,
        validity_s: float,
        load_w: Mapping[UUID, float],
        reservations: Iterable[Reservation] = (),
    ) -> "Headroom":
        """Lowest limits over [at, at + validity_s], less load and reservations."""
        end_at = at + timedelta(seconds=validity_s)
        limits = {n.id: limits_during(n, at, end_at, tree.zone) for n in tree.nodes}
        return cls._from_limits(tree, limits, load_w, reservations)

    @classmethod
    def ever(
        cls, tree: ElectricalTree, load_w: Mapping[UUID, float], since: date | None = None
    ) -> "Headroom":
        """Lowest limits of all time (or from a local day on), less load."""
        limits = {node.id: limits_ever(node, since) for node in tree.nodes}
        return cls._from_limits(tree, limits, load_w, ())

    @classmethod
    def _from_limits(
        cls,
        tree: ElectricalTree,
        limits: Mapping[UUID, tuple[NodeLimit, ...]],
        load_w: Mapping[UUID, float],
        reservations: Iterable[Reservation],
    ) -> "Headroom":
        free_w, free_a = {}, {}
        for node_id, found in limits.items():
            free_w[node_id] = min((limit.total_w for limit in found), default=inf)
            amps = (limit.current_a for limit in found if limit.current_a is not None)
            free_a[node_id] = [min(amps, default=inf)] * 3
        made = cls(tree, free_w, free_a)
        for node_id, power_w in load_w.items():
            path = tuple(node.id for node in tree.path_to_root(node_id))
            made._take(path, power_w, BALANCED)
        for reservation in reservations:
            made.take(reservation.evse_id, reservation.power_w, reservation.wiring)
        return made

    def path(self, evse_id: UUID) -> tuple[UUID, ...]:
        """Node ids from the EVSE's leaf to the root. KeyError when the tree lacks the EVSE."""
        found = self.paths.get(evse_id)
        if found is None:
            found = tuple(node.id for node in self.tree.path_of_evse(evse_id))
            self.paths[evse_id] = found
        return found

    def room_at(self, node_id: UUID, wiring: Wiring) -> float:
        """Free power at one node for one wiring; negative when it is over."""
        amps = self.free_a[node_id]
        least_a = min(amps[phase - 1] for phase in wiring.phases)
        return min(self.free_w[node_id], wiring.watts(least_a))

    def room(self, evse_id: UUID, wiring: Wiring) -> float:
        """Power the EVSE could have on top, by the tightest node on its path; at least 0."""
        return max(0.0, min(self.room_at(node_id, wiring) for node_id in self.path(evse_id)))

    def tightest(self, evse_id: UUID, wiring: Wiring) -> UUID:
        """The node on the EVSE's path with the least room, the lowest one when equal."""
        return min(self.path(evse_id), key=lambda node_id: self.room_at(node_id, wiring))

    def take(self, evse_id: UUID, power_w: float, wiring: Wiring) -> None:
        """Count ``power_w`` (negative gives back) at every node from the EVSE up."""
        self._take(self.path(evse_id), power_w, wiring)

    def _take(self, path: tuple[UUID, ...], power_w: float, wiring: Wiring) -> None:
        current_a = wiring.amps(power_w)
        for node_id in path:
            self.free_w[node_id] -= power_w
            amps = self.free_a[node_id]
            for phase in wiring.phases:
                amps[phase - 1] -= current_a

    def exceeded(self) -> tuple[UUID, ...]:
        """Nodes over their limit, in total or on a phase."""
        slack_a = SLACK_W / NOMINAL_VOLTAGE_V
        return tuple(
            node_id
            for node_id, free_w in self.free_w.items()
            if free_w < -SLACK_W or min(self.free_a[node_id]) < -slack_a
        )
