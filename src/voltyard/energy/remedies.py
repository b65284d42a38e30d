"""What would make a vehicle ready that will not be, and how sure one is that will be. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil, floor, inf, isfinite
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from voltyard.chargers.model import EvseStatus
from voltyard.energy.explanation import Confidence, Doubt, Fact, Line, Remedy, Sureness
from voltyard.energy.model import Forecast, Plan, Stay
from voltyard.energy.outlet import Outlet
from voltyard.energy.scene import Scene
from voltyard.sites.limits import lowest_limits_w

Watts = NDArray[np.float64]

SPARE_HIGH_S, SPARE_LOW_S = 2700.0, 900.0
SPARE_HIGH_SHARE, SPARE_LOW_SHARE = 0.25, 0.05
BINDING_SHOWN = 3
OUTLETS_SHOWN = 2
MINUTE_S = 60.0
BEYOND_H = 24.0
ROUND_W = 1000.0
"""What would help is rounded so that it does."""
USABLE = frozenset({EvseStatus.AVAILABLE, EvseStatus.UNKNOWN, EvseStatus.FINISHING})


def sureness(
    forecast: Forecast | None,
    spare_s: float | None,
    spare_wh: float,
    needed_wh: float,
    doubts: Sequence[Doubt] = (),
) -> Sureness:
    """High: ready 45 min early and a quarter more energy could be had. Low: less than 15 min, or
    less than 45 min and 5 %.

    A charger that is not heard makes it low, any other doubt at most medium.
    """
    if forecast is None:
        return Sureness.UNKNOWN
    if forecast.will_miss:
        return Sureness.NONE
    if needed_wh <= 0.0:
        return Sureness.DONE
    share = spare_wh / needed_wh
    early_s = 0.0 if spare_s is None else spare_s
    close = early_s < SPARE_HIGH_S and share < SPARE_LOW_SHARE
    if early_s < SPARE_LOW_S or close or Doubt.UNHEARD in doubts:
        return Sureness.LOW
    ample = early_s >= SPARE_HIGH_S and share >= SPARE_HIGH_SHARE
    return Sureness.HIGH if ample and not doubts else Sureness.MEDIUM


@dataclass(slots=True)
class Room:
    """What the plan leaves at nodes, slot by slot, other load taken as it is now."""

    scene: Scene
    plan: Plan
    hours: Watts = field(init=False)
    _left: dict[UUID, Watts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hours = _hours(self.plan, self.scene.now, self.plan.bounds[-1])

    def left_w(self, node_id: UUID) -> Watts:
        found = self._left.get(node_id)
        if found is None:
            tree = self.scene.setup.tree
            limits = np.array(lowest_limits_w(tree.by_id[node_id], self.plan.bounds, tree.zone))
            planned = self.plan.node_power_w.get(node_id)
            seen = next((p for p in self.scene.view.nodes if p.node_id == node_id), None)
            other_w = 0.0 if seen is None else max(0.0, seen.other_w or 0.0)
            found = limits - other_w - (0.0 if planned is None else np.array(planned))
            self._left[node_id] = found
        return found

    def on_path(
        self, path: Sequence[UUID], own_w: Watts, own_path: frozenset[UUID], most_w: float
    ) -> Watts:
        """Power that could flow along a path, one's own at shared nodes given back."""
        free = np.full(len(self.hours), inf)
        for node_id in path:
            left = self.left_w(node_id)
            free = np.minimum(free, left + own_w if node_id in own_path else left)
        clipped: Watts = np.clip(free, 0.0, most_w)
        return clipped

    def beyond_w(self, path: Sequence[UUID], most_w: float) -> float:
        """Power along a path when all that is planned is over."""
        free_w = most_w
        for node_id in path:
            planned = self.plan.node_power_w.get(node_id)
            last_w = 0.0 if planned is None else planned[-1]
            free_w = min(free_w, float(self.left_w(node_id)[-1]) + last_w)
        return max(0.0, free_w)


def _hours(plan: Plan, from_at: datetime, until_at: datetime) -> Watts:
    """How much of each slot lies between the two, in hours."""
    return np.array(
        [
            max(0.0, (min(end, until_at) - max(start, from_at)).total_seconds()) / 3600.0
            for start, end in zip(plan.bounds, plan.bounds[1:], strict=False)
        ]
    )


def confidence(
    scene: Scene, stay: Stay | None, forecast: Forecast | None, doubts: Sequence[Doubt]
) -> Confidence:
    if stay is None or forecast is None or scene.plan is None:
        return Confidence(Sureness.UNKNOWN, doubts=tuple(doubts))
    spare_s = None
    if forecast.ready_at is not None and not forecast.will_miss:
        spare_s = max(0.0, (stay.departure_at - forecast.ready_at).total_seconds())
    spare_wh = spare_energy_wh(scene, scene.plan, stay)
    level = sureness(forecast, spare_s, spare_wh, stay.energy_needed_wh, doubts)
    return Confidence(level, spare_s, spare_wh, stay.energy_needed_wh, tuple(doubts))


def spare_energy_wh(scene: Scene, plan: Plan, stay: Stay) -> float:
    """Energy it could have until departure beyond its plan, with everybody's plan untouched."""
    own = _own(plan, stay)
    path = _path(scene, stay)
    power = Room(scene, plan).on_path(path, own, frozenset(path), stay.max_power_w)
    hours = _hours(plan, max(scene.now, stay.arrival_at), stay.departure_at)
    return float((np.maximum(power - own, 0.0) * hours).sum())


def _own(plan: Plan, stay: Stay) -> Watts:
    return np.array(plan.power_w.get(stay.id, (0.0,) * (len(plan.bounds) - 1)))


def _path(scene: Scene, stay: Stay) -> tuple[UUID, ...]:
    tree = scene.setup.tree
    if stay.evse_id is not None and stay.evse_id in tree.leaf_of_evse:
        return tuple(node.id for node in tree.path_of_evse(stay.evse_id))
    start = tree.root.id if stay.node_id is None else stay.node_id
    return tuple(node.id for node in tree.path_to_root(start))


def of_miss(scene: Scene, stay: Stay, forecast: Forecast) -> Iterator[Line]:
    """What would close the gap, the surest first."""
    if not forecast.will_miss or scene.plan is None:
        return
    room = Room(scene, scene.plan)
    yield from _more_power(scene, forecast)
    yield from other_outlets(scene, stay, stay.ready_wh, room)
    if stay.arrival_at > scene.now:
        yield from _earlier(scene, stay, forecast, room)
    yield from _later(scene, stay, forecast, room)
    yield from _less(stay, forecast)


def _more_power(scene: Scene, forecast: Forecast) -> Iterator[Line]:
    """So much more at the nodes that bind, over the hours in which they do."""
    hours: dict[UUID, list[datetime]] = {}
    for entry in forecast.binding:
        hours.setdefault(entry.node_id, []).extend((entry.start_at, entry.end_at))
    for node_id, ends in list(hours.items())[:BINDING_SHOWN]:
        node = scene.setup.tree.by_id.get(node_id)
        if node is not None and forecast.fix_w > 0.0:
            facts: dict[str, Fact] = {
                "node": node.name,
                "more_w": ceil(forecast.fix_w / ROUND_W) * ROUND_W,
                "from_at": min(ends),
                "until_at": max(ends),
            }
            yield Line(Remedy.MORE_POWER, facts)


def other_outlets(scene: Scene, stay: Stay, need_wh: float, room: Room) -> Iterator[Line]:
    """Free outlets whose way to the grid has room for all it needs, the roomiest first."""
    own, own_path = _own(room.plan, stay), frozenset(_path(scene, stay))
    hours = _hours(room.plan, max(scene.now, stay.arrival_at), stay.departure_at)
    kinds: dict[tuple[tuple[UUID, ...], float], float] = {}
    found: list[tuple[float, Outlet]] = []
    taken = {s.evse_id for s in scene.found.stays.values() if s.arrival_at < stay.departure_at}
    for outlet in scene.board:
        if not _is_free(scene, outlet) or outlet.evse.id in taken:
            continue
        path = tuple(n.id for n in scene.setup.tree.path_of_evse(outlet.evse.id))
        most_w = min(outlet.evse.max_power_w, _vehicle_most_w(scene, stay))
        kind = (path[1:], most_w)
        if kind not in kinds:
            power = room.on_path(path, own, own_path, most_w)
            kinds[kind] = float((power * hours).sum())
        if kinds[kind] >= need_wh:
            found.append((kinds[kind], outlet))
    found.sort(key=lambda entry: (-entry[0], entry[1].evse.name, entry[1].evse.id))
    for room_wh, outlet in found[:OUTLETS_SHOWN]:
        facts: dict[str, Fact] = {
            "outlet": outlet.evse.name,
            "power_w": outlet.evse.max_power_w,
            "room_wh": room_wh,
        }
        yield Line(Remedy.OTHER_OUTLET, facts)


def _vehicle_most_w(scene: Scene, stay: Stay) -> float:
    """What the vehicle itself can take; without a word on that, what it can where it is."""
    for present in scene.found.present.values():
        if present.stay is not None and present.stay.id == stay.id and present.vehicle is not None:
            return present.vehicle.max_power_w or inf
    return stay.max_power_w


def _is_free(scene: Scene, outlet: Outlet) -> bool:
    return (
        outlet.connected
        and outlet.session is None
        and outlet.off_since is None
        and outlet.evse.operative
        and outlet.evse.status in USABLE
        and outlet.evse.id in scene.setup.tree.leaf_of_evse
    )


def _earlier(scene: Scene, stay: Stay, forecast: Forecast, room: Room) -> Iterator[Line]:
    """So many minutes earlier, counted back over what the plan leaves free before it comes."""
    path = _path(scene, stay)
    power = room.on_path(path, np.zeros(len(room.hours)), frozenset(), stay.max_power_w)
    hours = _hours(room.plan, scene.now, stay.arrival_at)
    missing_wh, at = forecast.shortfall_wh, stay.arrival_at
    for index in range(len(hours) - 1, -1, -1):
        if hours[index] <= 0.0:
            continue
        gain_wh = power[index] * hours[index]
        if power[index] > 0.0 and gain_wh >= missing_wh:
            at -= timedelta(hours=missing_wh / power[index])
            s = (stay.arrival_at - at).total_seconds()
            yield Line(Remedy.EARLIER_ARRIVAL, {"minutes": _minutes(s), "arrive_at": at})
            return
        missing_wh -= gain_wh
        at -= timedelta(hours=float(hours[index]))


def _later(scene: Scene, stay: Stay, forecast: Forecast, room: Room) -> Iterator[Line]:
    """So many minutes later, over what the plan leaves; beyond it, as in its last slot."""
    path = _path(scene, stay)
    power = room.on_path(path, _own(room.plan, stay), frozenset(path), stay.max_power_w)
    hours = _hours(room.plan, stay.departure_at, room.plan.bounds[-1])
    missing_wh, at = forecast.shortfall_wh, max(stay.departure_at, scene.now)
    steps = [(float(p), float(h)) for p, h in zip(power, hours, strict=True) if h > 0.0]
    for power_w, step_h in (*steps, (room.beyond_w(path, stay.max_power_w), BEYOND_H)):
        if power_w > 0.0 and power_w * step_h >= missing_wh:
            at += timedelta(hours=missing_wh / power_w)
            s = (at - stay.departure_at).total_seconds()
            yield Line(Remedy.LATER_DEPARTURE, {"minutes": _minutes(s), "depart_at": at})
            return
        missing_wh -= power_w * step_h
        at += timedelta(hours=step_h)


def _minutes(seconds: float) -> int:
    return max(1, int(-(-seconds // MINUTE_S)))


def _less(stay: Stay, forecast: Forecast) -> Iterator[Line]:
    soc_pct = forecast.soc_at_departure_pct
    if soc_pct is not None and stay.target_soc_pct is not None and isfinite(soc_pct):
        facts = {"soc_pct": floor(soc_pct), "target_soc_pct": stay.target_soc_pct}
        yield Line(Remedy.LOWER_TARGET, facts)
    elif forecast.energy_at_departure_wh > 0.0:
        yield Line(Remedy.LOWER_ENERGY, {"energy_wh": forecast.energy_at_departure_wh})
