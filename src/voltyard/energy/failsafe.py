"""What chargers do on their own: fail-safe levels whose sum fits with the CMS gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import ceil, floor, inf, isfinite
from typing import NamedTuple
from uuid import UUID

from voltyard.energy.circuit import Circuit
from voltyard.energy.headroom import BALANCED, SLACK_W, Headroom, Wiring
from voltyard.sites.model import ElectricalTree

IDLE_SHARE = 0.02
"""Share of a node that idle chargers together may keep reserved for vehicles that plug in."""


@dataclass(frozen=True, slots=True)
class FailsafeEvse:
    """``step_w`` is the grain of its power setting (whole amps of its wiring for AC)."""

    evse_id: UUID
    min_power_w: float
    max_power_w: float
    wiring: Wiring = BALANCED
    whole_amps: bool = False
    step_w: float = 1.0

    @property
    def grain_w(self) -> float:
        return self.wiring.watts(1.0) if self.whole_amps else self.step_w

    @property
    def least_w(self) -> float:
        """The least power it can be set to, or nothing when even its most is below that."""
        least_w = ceil(self.min_power_w / self.grain_w - 1e-9) * self.grain_w
        return least_w if least_w <= self.max_power_w + 1e-6 else inf


class FailsafeLevel(NamedTuple):
    """Power in W an EVSE falls back to: while nobody charges there, and while somebody does."""

    idle_w: float
    active_w: float


def failsafe_levels(
    tree: ElectricalTree,
    evses: Sequence[FailsafeEvse],
    worst_load_w: Mapping[UUID, float],
    since: date | None = None,
    idle_share: float = IDLE_SHARE,
) -> dict[UUID, FailsafeLevel]:
    """Levels by EVSE; the active ones of all EVSEs together fit every node at every time.

    Limits count at their lowest of all time (or from the local day ``since`` on), other load at
    its worst. Every EVSE gets its least power if that fits, in the order given; what is left is
    shared evenly. Idle levels are the least power where all of them together take no more than
    ``idle_share`` of any node, else 0.
    """
    room = Headroom.ever(Circuit(tree), worst_load_w, since)
    before_w = list(room.watts)
    level_w: dict[UUID, float] = {}
    for evse in evses:
        fits = evse.least_w <= room.room(evse.evse_id, evse.wiring) + SLACK_W / 2
        level_w[evse.evse_id] = evse.least_w if fits else 0.0
        room.take(evse.evse_id, level_w[evse.evse_id], evse.wiring)
    served = [e for e in evses if level_w[e.evse_id] > 0.0 or e.least_w == 0.0]
    _fill_evenly(room, served, level_w)
    active_w = {e.evse_id: _down_to_grain(e, level_w[e.evse_id]) for e in evses}
    idle_fits = _idle_fits(room.circuit, evses, active_w, before_w, idle_share)
    return {
        evse.evse_id: FailsafeLevel(
            min(evse.least_w, active_w[evse.evse_id]) if idle_fits else 0.0,
            active_w[evse.evse_id],
        )
        for evse in evses
    }


def _fill_evenly(room: Headroom, evses: Sequence[FailsafeEvse], level_w: dict[UUID, float]) -> None:
    """Raise all together until a node binds or an EVSE is at its most; then go on without it."""
    rising = [evse for evse in evses if level_w[evse.evse_id] < evse.max_power_w]
    while rising:
        step_w = min(
            _even_step(room, rising),
            min(evse.max_power_w - level_w[evse.evse_id] for evse in rising),
        )
        if not isfinite(step_w):
            return
        for evse in rising:
            level_w[evse.evse_id] += step_w
            room.take(evse.evse_id, step_w, evse.wiring)
        rising = [
            evse
            for evse in rising
            if level_w[evse.evse_id] < evse.max_power_w - 1e-6
            and room.room(evse.evse_id, evse.wiring) > 1e-3
        ]


def _even_step(room: Headroom, rising: Sequence[FailsafeEvse]) -> float:
    """The largest equal raise, in W, that every node carries."""
    watts: dict[int, float] = {}
    amps: dict[tuple[int, int], float] = {}
    for evse in rising:
        nodes, in_amps = room.circuit.way(evse.evse_id)
        for node in nodes:
            watts[node] = watts.get(node, 0.0) + 1.0
        for node in in_amps:
            for phase in evse.wiring.phases:
                key = (node, phase)
                amps[key] = amps.get(key, 0.0) + evse.wiring.amps(1.0)
    by_total = min(max(0.0, room.watts[node]) / per for node, per in watts.items())
    by_phase = [max(0.0, room.amps[node][phase - 1]) / per for (node, phase), per in amps.items()]
    return min([by_total, *by_phase])


def _down_to_grain(evse: FailsafeEvse, level_w: float) -> float:
    return floor(level_w / evse.grain_w + 1e-9) * evse.grain_w


def _idle_fits(
    circuit: Circuit,
    evses: Sequence[FailsafeEvse],
    active_w: Mapping[UUID, float],
    free_w: Sequence[float],
    idle_share: float,
) -> bool:
    idle_w: dict[int, float] = {}
    for evse in evses:
        own_w = min(evse.least_w, active_w[evse.evse_id])
        for node in circuit.way(evse.evse_id).nodes[1:]:
            idle_w[node] = idle_w.get(node, 0.0) + own_w
    return all(power_w <= idle_share * free_w[node] for node, power_w in idle_w.items())


def envelope(
    last_confirmed_w: float,
    last_valid_until: datetime | None,
    failsafe_w: float,
    at: datetime,
) -> float:
    """Most power in W an EVSE that cannot be heard may draw at ``at``.

    The limit it confirmed last holds until it runs out (``None``: it never does), and may then
    be replaced by its fail-safe level, which is also what it takes when it restarts before.
    """
    if last_valid_until is not None and at >= last_valid_until:
        return failsafe_w
    return max(last_confirmed_w, failsafe_w)
