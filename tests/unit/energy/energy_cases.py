"""Depots for tests of the energy room: a described night, and random small ones."""

import random
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import highspy
import numpy as np

from voltyard.energy.model import ChargeCurve, Plan, PlanInput, Stay
from voltyard.sites.limits import lowest_limits_w
from voltyard.sites.model import ElectricalTree, Node, NodeKind, NodeLimit
from voltyard.sites.tree import build

BERLIN = ZoneInfo("Europe/Berlin")
EVENING = datetime(2026, 1, 14, 16, 0, tzinfo=UTC)
SITE = UUID(int=99)
CURVE = ChargeCurve(((0.0, 150e3), (80.0, 150e3), (100.0, 15e3)))


class Ids:
    def __init__(self, first: int = 1) -> None:
        self.last = first

    def __call__(self) -> UUID:
        self.last += 1
        return UUID(int=self.last)


def watts(power_w: float, **more: object) -> NodeLimit:
    return NodeLimit(power_w=power_w, **more)  # type: ignore[arg-type]


def flat_tree(limit_w: float, evses: int, evse_w: float = 150e3) -> ElectricalTree:
    """A grid connection with EVSEs 1000, 1001, … directly below it."""
    ids = Ids()
    root = Node(ids(), NodeKind.GRID, "grid", None, (watts(limit_w),))
    leaves = [
        Node(ids(), NodeKind.EVSE, f"E{i}", root.id, (watts(evse_w),), evse_id=UUID(int=1000 + i))
        for i in range(evses)
    ]
    return build([root, *leaves], BERLIN)


def stay(number: int, **more: object) -> Stay:
    """Stay ``number`` at EVSE 1000 + number, 17:00 to 05:00 UTC, 200 kWh at up to 100 kW."""
    base = Stay(
        id=UUID(int=5000 + number),
        arrival_at=EVENING + timedelta(hours=1),
        departure_at=EVENING + timedelta(hours=13),
        energy_needed_wh=200e3,
        max_power_w=100e3,
        evse_id=UUID(int=1000 + number),
        label=f"bus {number}",
    )
    return replace(base, **more)  # type: ignore[arg-type]


def asking(tree: ElectricalTree, *stays: Stay, **more: object) -> PlanInput:
    base = PlanInput(
        site_id=SITE,
        now=EVENING,
        horizon_end=EVENING + timedelta(hours=16),
        tree=tree,
        stays=stays,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def depot(
    buses: int, limit_w: float, seed: int = 1, priorities: tuple[int, ...] = (5,)
) -> tuple[ElectricalTree, tuple[Stay, ...]]:
    """A winter night: two outlets a cabinet of 150 kW, twelve cabinets a feeder."""
    chance, ids = random.Random(seed), Ids(10_000)
    root = Node(ids(), NodeKind.GRID, "grid", None, (watts(limit_w),))
    nodes, evses = [root], []
    feeder = root
    for cabinet in range(buses // 2):
        if cabinet % 12 == 0:
            feeder = Node(ids(), NodeKind.FEEDER, "feeder", root.id, (watts(24 * 45e3),))
            nodes.append(feeder)
        shared = Node(ids(), NodeKind.CABINET, "cabinet", feeder.id, (watts(150e3),))
        nodes.append(shared)
        for _ in range(2):
            evses.append(ids())
            nodes.append(
                Node(ids(), NodeKind.EVSE, "E", shared.id, (watts(150e3),), evse_id=evses[-1])
            )
    stays = []
    for evse_id in evses:
        soc_pct = chance.uniform(15.0, 55.0)
        stays.append(
            Stay(
                id=ids(),
                arrival_at=EVENING + timedelta(hours=1 + 7 * chance.random()),
                departure_at=EVENING + timedelta(hours=11.5 + 3.5 * chance.random()),
                energy_needed_wh=(95.0 - soc_pct) / 100.0 * 350e3 / 0.95,
                max_power_w=150e3,
                evse_id=evse_id,
                soc_pct=soc_pct,
                target_soc_pct=95.0,
                battery_wh=350e3,
                efficiency=0.95,
                curve=CURVE,
                min_power_w=10e3,
                priority=chance.choice(priorities),
            )
        )
    return build(nodes, BERLIN), tuple(stays)


def random_tree(chance: random.Random, *, amps: bool = False) -> ElectricalTree:
    """Two or three levels with limits that sometimes bind, some in a window of the night."""
    ids = Ids()
    root = Node(ids(), NodeKind.GRID, "grid", None, (_some_limit(chance, 40e3, 200e3, amps),))
    nodes, evse = [root], 1000
    for _ in range(chance.randint(1, 3)):
        timed = (watts(chance.uniform(10e3, 40e3), from_time=time(22), to_time=time(2)),)
        limits = (_some_limit(chance, 20e3, 120e3, amps), *(timed if chance.random() < 0.5 else ()))
        middle = Node(ids(), NodeKind.FEEDER, "feeder", root.id, limits)
        nodes.append(middle)
        for _ in range(chance.randint(1, 3)):
            leaf_limits = (watts(chance.uniform(11e3, 80e3)),) if chance.random() < 0.7 else ()
            nodes.append(
                Node(ids(), NodeKind.EVSE, "E", middle.id, leaf_limits, evse_id=UUID(int=evse))
            )
            evse += 1
    return build(nodes, BERLIN)


def _some_limit(chance: random.Random, low_w: float, high_w: float, amps: bool) -> NodeLimit:
    power_w = chance.uniform(low_w, high_w)
    if amps and chance.random() < 0.7:
        return NodeLimit(current_a=float(int(power_w / 690.0)))
    return watts(power_w)


def random_stays(chance: random.Random, tree: ElectricalTree) -> tuple[Stay, ...]:
    stays = []
    for number, evse_id in enumerate(tree.leaf_of_evse):
        at = EVENING + timedelta(minutes=chance.randint(-60, 120))
        for _ in range(chance.randint(1, 2)):
            leaves_at = at + timedelta(minutes=chance.randint(20, 300))
            stays.append(
                Stay(
                    id=UUID(int=7000 + len(stays)),
                    arrival_at=at,
                    departure_at=leaves_at,
                    energy_needed_wh=chance.uniform(1e3, 120e3),
                    max_power_w=chance.uniform(5e3, 60e3),
                    evse_id=evse_id,
                    min_power_w=chance.choice([0.0, 4e3]),
                    priority=chance.choice([1, 5, 9]),
                    label=str(number),
                )
            )
            at = leaves_at + timedelta(minutes=chance.randint(0, 60))
    return tuple(stays)


def random_input(seed: int) -> PlanInput:
    chance = random.Random(seed)
    tree = random_tree(chance)
    return asking(
        tree,
        *random_stays(chance, tree),
        horizon_end=EVENING + timedelta(hours=12),
        now=EVENING + timedelta(seconds=chance.choice([0, 77, 450])),
        other_load_w={tree.root.id: chance.uniform(0.0, 20e3)},
        ready_before_s=0,
    )


def allowed_w(given: PlanInput, plan: Plan) -> dict[UUID, np.ndarray]:
    """What each node leaves for charging, by slot, read straight from the tree."""
    free = {}
    for node in given.tree.nodes:
        free[node.id] = np.array(lowest_limits_w(node, plan.bounds, BERLIN))
    for node_id, load_w in given.other_load_w.items():
        for node in given.tree.path_to_root(node_id):
            free[node.id] = np.maximum(0.0, free[node.id] - load_w)
    return free


def reference(given: PlanInput, plan: Plan, *, least_peak: bool = False) -> float:
    """By linear programme: the most energy (Wh) all stays can get together, or the least peak (W,
    other load left out) at which they get what the plan allotted them."""
    hours = np.array([(b - a).total_seconds() / 3600.0 for a, b in pairwise(plan.bounds)])
    free, tree = allowed_w(given, plan), given.tree
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    column: dict[tuple[UUID, int], int] = {}
    for one in given.stays:
        for slot, (start_at, end_at) in enumerate(pairwise(plan.bounds)):
            inside = min(end_at, one.departure_at) - max(start_at, one.arrival_at)
            own_w = min(one.max_power_w, free[tree.leaf_of_evse[one.evse_id].id][slot])
            most = own_w * inside.total_seconds() / 3.6e6
            if most > 0.0:
                column[one.id, slot] = len(column)
                solver.addVar(0.0, most)
    peak = len(column)
    if least_peak:
        solver.addVar(0.0, 1e9)
        solver.changeColCost(peak, 1.0)
    for one in given.stays:
        own = [c for (stay_id, _), c in column.items() if stay_id == one.id]
        least, most = 0.0, one.energy_needed_wh / 1e3
        if least_peak:
            least = most = plan.allotted_wh[one.id] / 1e3
        else:
            for c in own:
                solver.changeColCost(c, -1.0)
        solver.addRow(
            least - 1e-9, most, len(own), np.array(own, dtype=np.int32), np.ones(len(own))
        )
    for node in given.tree.nodes:
        below = {s.id for s in given.stays if node in list(given.tree.path_of_evse(s.evse_id))}
        for slot in range(len(hours)):
            own = [c for (stay_id, at), c in column.items() if at == slot and stay_id in below]
            if not own:
                continue
            room = min(free[node.id][slot], 1e9) * hours[slot] / 1e3
            solver.addRow(-1e9, room, len(own), np.array(own, dtype=np.int32), np.ones(len(own)))
            if least_peak and node.parent_id is None:
                columns = np.array([*own, peak], dtype=np.int32)
                weights = np.array([*np.ones(len(own)), -hours[slot]])
                solver.addRow(-1e9, 0.0, len(columns), columns, weights)
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    value = solver.getInfo().objective_function_value
    return value * 1e3 if least_peak else -value * 1e3
