"""What is still free at every node of the tree, in total watts and in amps of each phase."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from voltyard.energy.circuit import Circuit, Floats
from voltyard.units import NOMINAL_VOLTAGE_V, amps_to_watts, floor_amps, watts_to_amps

ALL_PHASES = (1, 2, 3)
SLACK_W = 1e-3
SLACK_A = SLACK_W / NOMINAL_VOLTAGE_V


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
    """Free watts, and amps of each phase, by number of the node; negative where fixed load alone
    is over the limit. Amps are kept at nodes that limit them."""

    circuit: Circuit
    watts: list[float]
    amps: list[list[float]]

    @classmethod
    def during(
        cls,
        circuit: Circuit,
        at: datetime,
        validity_s: float,
        load_w: Mapping[UUID, float],
        reservations: Iterable[Reservation] = (),
    ) -> "Headroom":
        """Lowest limits over [at, at + validity_s], less load and reservations."""
        return cls._less(circuit, circuit.during(at, validity_s), load_w, reservations)

    @classmethod
    def ever(
        cls, circuit: Circuit, load_w: Mapping[UUID, float], since: date | None = None
    ) -> "Headroom":
        """Lowest limits of all time (or from a local day on), less load."""
        return cls._less(circuit, circuit.ever(since), load_w, ())

    @classmethod
    def _less(
        cls,
        circuit: Circuit,
        limits: tuple[Floats, Floats],
        load_w: Mapping[UUID, float],
        reservations: Iterable[Reservation],
    ) -> "Headroom":
        made = cls(circuit, limits[0].tolist(), limits[1].tolist())
        for node_id, power_w in load_w.items():
            nodes = circuit.upwards(circuit.number[node_id])
            made._take(nodes, nodes, power_w, BALANCED)
        for reservation in reservations:
            made.take(reservation.evse_id, reservation.power_w, reservation.wiring)
        return made

    def path(self, evse_id: UUID) -> tuple[UUID, ...]:
        """Node ids from the EVSE's leaf to the root. KeyError when the tree lacks the EVSE."""
        ids = self.circuit.ids
        return tuple(ids[node] for node in self.circuit.way(evse_id).nodes)

    def room(self, evse_id: UUID, wiring: Wiring) -> float:
        """Power the EVSE could have on top, by the tightest node on its path; at least 0."""
        nodes, in_amps = self.circuit.way(evse_id)
        watts = self.watts
        least_w = min([watts[node] for node in nodes])
        for node in in_amps:
            amps = self.amps[node]
            least_w = min(least_w, wiring.watts(min([amps[phase - 1] for phase in wiring.phases])))
        return max(0.0, least_w)

    def take(self, evse_id: UUID, power_w: float, wiring: Wiring) -> None:
        """Count ``power_w`` (negative gives back) at every node from the EVSE up."""
        nodes, in_amps = self.circuit.way(evse_id)
        self._take(nodes, in_amps, power_w, wiring)

    def _take(
        self, nodes: tuple[int, ...], in_amps: tuple[int, ...], power_w: float, wiring: Wiring
    ) -> None:
        watts = self.watts
        for node in nodes:
            watts[node] -= power_w
        if not in_amps:
            return
        current_a = wiring.amps(power_w)
        for node in in_amps:
            amps = self.amps[node]
            for phase in wiring.phases:
                amps[phase - 1] -= current_a

    def over(self) -> list[int]:
        """Numbers of nodes over their limit, in total or on a phase."""
        found = [node for node, free_w in enumerate(self.watts) if free_w < -SLACK_W]
        in_amps = [node for node in self.circuit.in_amps if min(self.amps[node]) < -SLACK_A]
        return sorted({*found, *in_amps})

    def exceeded(self) -> tuple[UUID, ...]:
        """Nodes over their limit, in total or on a phase."""
        return tuple(self.circuit.ids[node] for node in self.over())
