"""What the planner and the allocator speak about: stays, plans and forecasts. Pure, no I/O."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from voltyard.energy.curve import ChargeCurve
from voltyard.sites.model import ElectricalTree

__all__ = [
    "READY_TOLERANCE_SOC_PCT",
    "Binding",
    "ChargeCurve",
    "FirmLoad",
    "Forecast",
    "MustRun",
    "Plan",
    "PlanInput",
    "PlanMode",
    "PlanStats",
    "Stay",
    "Step",
    "Storage",
    "WaitsFor",
    "slot_bounds",
]

READY_TOLERANCE_SOC_PCT = 1.0
"""A vehicle counts as ready this close below its target state of charge."""

ALL_PHASES = (1, 2, 3)

MOST_IMPORTANT = 1
LEAST_IMPORTANT = 9


@dataclass(frozen=True, slots=True)
class Stay:
    """One vehicle's time at the site, planned (a duty) or running (a session).

    ``energy_needed_wh`` is at the EVSE meter, from now until the target. ``evse_id`` None means no
    bay is known: then it counts at ``node_id`` and above (the root when that is None too).
    ``max_power_w`` is the smaller of EVSE and vehicle; ``priority`` 1 is the most important.
    ``charging_w`` is what it draws now; running vehicles are kept running where it costs nothing.
    """

    id: UUID
    arrival_at: datetime
    departure_at: datetime
    energy_needed_wh: float
    max_power_w: float
    evse_id: UUID | None = None
    node_id: UUID | None = None
    vehicle_id: UUID | None = None
    soc_pct: float | None = None
    target_soc_pct: float | None = None
    battery_wh: float | None = None
    efficiency: float = 1.0
    curve: ChargeCurve | None = None
    min_power_w: float = 0.0
    priority: int = 5
    label: str = ""
    plugged: bool = False
    charging_w: float = 0.0
    phases: tuple[int, ...] = ALL_PHASES
    """The grid's phases it loads: all of them for DC."""
    discharge_w: float = 0.0
    """What it may give back (V2G), never below ``least_soc_pct``; 0 for who only takes."""
    least_soc_pct: float = 50.0
    least_wh: float = 0.0
    """Of its need, what comes before what anybody needs beyond that (its minimum)."""
    ceiling: tuple["Step", ...] = ()
    """It may not take more than this on average (policies); outside of them nothing is said."""
    demanded: bool = True
    """False: nobody is told if it is short."""

    @property
    def tolerance_wh(self) -> float:
        """Energy at the meter that may be missing from a vehicle that still counts as ready."""
        whole_wh = self.energy_needed_wh if self.battery_wh is None else self.battery_wh
        return whole_wh * READY_TOLERANCE_SOC_PCT / 100.0 / self.efficiency

    @property
    def ready_wh(self) -> float:
        """Least energy at the meter after which the vehicle counts as ready."""
        return max(0.0, self.energy_needed_wh - self.tolerance_wh)


class PlanMode(StrEnum):
    PEAK = "peak"
    """Least peak first, then least energy cost under it."""
    COST = "cost"
    """Least bill: energy and demand charge weighed against each other."""
    EARLY = "early"
    """As soon as the limits allow, whatever it costs."""


@dataclass(frozen=True, slots=True)
class Step:
    """A value over [start_at, end_at): a load in W or a price in currency units per MWh."""

    start_at: datetime
    end_at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class FirmLoad:
    """Power that a vehicle must be able to draw over [start_at, end_at) beside what charges its
    battery: its preconditioning. Named by its duty, or by the vehicle alone."""

    start_at: datetime
    end_at: datetime
    power_w: float
    duty_id: UUID | None = None
    vehicle_id: UUID | None = None

    def spent_wh(self, since: datetime, until: datetime) -> float:
        """What it took of what flowed from ``since`` to ``until``, if it drew all it may."""
        start_at, end_at = max(self.start_at, since), min(self.end_at, until)
        return self.power_w * max(0.0, (end_at - start_at).total_seconds()) / 3600.0


@dataclass(frozen=True, slots=True)
class MustRun:
    """A firm load where it will be drawn: counted at its node and above, given to nobody else."""

    node_id: UUID
    start_at: datetime
    end_at: datetime
    power_w: float


@dataclass(frozen=True, slots=True)
class Storage:
    """A stationary battery at a node. Energy in Wh inside the battery, power in W at its meter.

    ``efficiency`` is that of a whole turn, in and out. ``wear_per_mwh``: what a MWh given out
    costs in wear, in currency units. It is not left emptier than it is now at the horizon's end,
    unless readiness needs it.
    """

    id: UUID
    node_id: UUID
    capacity_wh: float
    energy_wh: float
    max_charge_w: float
    max_discharge_w: float
    least_wh: float = 0.0
    efficiency: float = 0.9
    wear_per_mwh: float = 0.0


@dataclass(frozen=True, slots=True)
class PlanInput:
    """Everything the planner may know. ``other_load_w`` is load that is not ours, by node.

    ``peak_so_far_w`` is the highest power of the billing period (up to it, peak is free);
    ``demand_price_per_kw`` is what one more kW of peak costs over the horizon.
    """

    site_id: UUID
    now: datetime
    horizon_end: datetime
    tree: ElectricalTree
    stays: tuple[Stay, ...]
    slot_s: int = 900
    other_load_w: Mapping[UUID, float | Sequence[Step]] = field(default_factory=dict)
    prices: tuple[Step, ...] = ()
    peak_so_far_w: float = 0.0
    demand_price_per_kw: float = 0.0
    mode: PlanMode = PlanMode.PEAK
    ready_before_s: int = 2700
    """How long before departure vehicles should be done, where that costs nobody's readiness."""
    given_up: frozenset[UUID] = frozenset()
    """Stays that the plan before this one left short: they stay so unless there is real room."""
    storages: tuple[Storage, ...] = ()
    must_run: tuple[MustRun, ...] = ()
    export_prices: tuple[Step, ...] | None = None
    """What the grid pays for energy, per MWh. None: nothing is fed into it but what PV leaves."""
    surplus_w: float | tuple[Step, ...] = 0.0
    """What the site would feed into the grid without charging. Whoever charges from it gives up the
    export price instead of paying the other. It gives no room under any limit."""


class WaitsFor(StrEnum):
    NOTHING = "nothing"
    LIMIT = "limit"
    """A node's limit, shared with others, keeps the energy away (see ``binding``)."""
    TIME = "time"
    """The stay is too short for the vehicle's own power."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A node that is used to its limit over [start_at, end_at)."""

    node_id: UUID
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will be true of a stay if the plan is followed. ``shortfall_wh`` is at the meter.

    ``will_miss`` says it departs more than the tolerance below its target; then ``waits_for``,
    ``binding`` (from the minimum cut), ``ahead`` (stays served before it at those nodes) and
    ``fix_w`` (more power at the binding nodes over those hours that would close the gap) say why.
    """

    stay_id: UUID
    ready_at: datetime | None
    soc_at_departure_pct: float | None
    energy_at_departure_wh: float
    shortfall_wh: float
    will_miss: bool
    waits_for: WaitsFor = WaitsFor.NOTHING
    binding: tuple[Binding, ...] = ()
    ahead: tuple[UUID, ...] = ()
    fix_w: float = 0.0


@dataclass(frozen=True, slots=True)
class PlanStats:
    """How the plan came about.

    ``triaged`` stays cannot be ready; ``triage_proven`` says no plan could make more ready.
    ``overload`` says that not all can have all they need ``ready_before_s`` early (where their
    stay is long enough): nothing is left unused then.
    """

    slots: int
    stays: int
    cells: int
    triaged: int
    triage_proven: bool
    overload: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Power per stay and slot. Slot i lasts from ``bounds[i]`` to ``bounds[i + 1]``.

    Powers are means over the slot, in W, of charging alone (other load left out), except
    ``peak_w``, which is the highest planned power of the grid connection, other load included.
    ``allotted_wh`` is promised; what else ``power_w`` holds is given only because nobody needs it
    then. ``withheld_wh`` is what lacks to the target after all that is promised. ``given_up``
    are the stays that are left short so that others can be ready. ``tight`` are nodes below the
    root of whose power most is needed while vehicles are there.
    """

    site_id: UUID
    made_at: datetime
    bounds: tuple[datetime, ...]
    power_w: Mapping[UUID, tuple[float, ...]]
    allotted_wh: Mapping[UUID, float]
    node_power_w: Mapping[UUID, tuple[float, ...]]
    forecasts: Mapping[UUID, Forecast]
    peak_w: float
    root_id: UUID
    stats: PlanStats
    withheld_wh: Mapping[UUID, float] = field(default_factory=dict)
    given_up: frozenset[UUID] = frozenset()
    tight: frozenset[UUID] = frozenset()
    storage_w: Mapping[UUID, tuple[float, ...]] = field(default_factory=dict)
    """Batteries' mean power by slot: above 0 they give, below they take."""
    discharge_w: Mapping[UUID, tuple[float, ...]] = field(default_factory=dict)
    """What stays give back (V2G) by slot; ``power_w`` holds what they take."""

    def slot_at(self, at: datetime) -> int | None:
        """Index of the slot that holds ``at``; None outside the horizon."""
        index = bisect_right(self.bounds, at) - 1
        return index if 0 <= index < len(self.bounds) - 1 else None

    def power_at(self, stay_id: UUID, at: datetime) -> float:
        """Planned power of a stay at an instant, 0 when the plan does not know of it."""
        slot = self.slot_at(at)
        powers_w = self.power_w.get(stay_id)
        return 0.0 if slot is None or powers_w is None else powers_w[slot]

    def node_power_at(self, node_id: UUID, at: datetime) -> float:
        """Planned charging power at a node at an instant."""
        slot = self.slot_at(at)
        powers_w = self.node_power_w.get(node_id)
        return 0.0 if slot is None or powers_w is None else powers_w[slot]

    def root_power_at(self, at: datetime) -> float:
        """Planned charging power of the whole site at an instant: the allocator's budget."""
        return self.node_power_at(self.root_id, at)

    def energy_until_wh(self, stay_id: UUID, at: datetime) -> float:
        """Energy the plan gives a stay between ``made_at`` and ``at``."""
        total_wh = 0.0
        for index, power_w in enumerate(self.power_w.get(stay_id, ())):
            end_at = min(at, self.bounds[index + 1])
            if end_at <= self.bounds[index]:
                break
            total_wh += power_w * (end_at - self.bounds[index]).total_seconds() / 3600.0
        return total_wh


_LEAST_PIECE_S = 180.0
"""Slots are not cut into pieces shorter than this."""


def slot_bounds(
    now: datetime, horizon_end: datetime, slot_s: int, cuts: Iterable[datetime] = ()
) -> tuple[datetime, ...]:
    """Slot borders from ``now``, on whole multiples of ``slot_s`` UTC, to at least the end.

    The first slot is the rest of the running one. There is always at least one slot. Slots are
    cut at ``cuts`` too, where that leaves no tiny pieces.
    """
    epoch_s = int(now.timestamp() // slot_s + 1) * slot_s
    borders = [now.astimezone(UTC)]
    border = datetime.fromtimestamp(epoch_s, UTC)
    while True:
        borders.append(border)
        if border >= horizon_end:
            return _cut(borders, sorted(set(cuts)))
        border += timedelta(seconds=slot_s)


def _cut(borders: list[datetime], cuts: Iterable[datetime]) -> tuple[datetime, ...]:
    least = timedelta(seconds=_LEAST_PIECE_S)
    found = list(borders)
    for at in cuts:
        place = bisect_right(found, at)
        if 0 < place < len(found) and found[place] - at >= least and at - found[place - 1] >= least:
            found.insert(place, at.astimezone(UTC))
    return tuple(found)
