"""The judge of random depots: what really flows at every node, in watts and in amps of a phase."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from uuid import UUID

from voltyard.clock import Clock
from voltyard.energy.board import wiring
from voltyard.energy.watch import Rules
from voltyard.simulator.nights_charger import Charger, Outlet
from voltyard.sites.limits import changes
from voltyard.sites.model import ElectricalTree, Node, applies

TOLERANCE_W = 1.0
TOLERANCE_A = 0.01
SIGNAL_S = 90.0
"""A signal is obeyed so soon where every charger below is heard and answers in time."""
LIE_S = 330.0
"""So long may pass until who ignores its limit is found out and stopped."""
PHASES = 3
RULES = Rules()
VOLTAGE_V = 230.0


@dataclass(slots=True)
class Signal:
    """Not more than this at a node, said at ``at``; ``spoiled``: somebody did not hear it."""

    node_id: UUID
    power_w: float
    at: datetime
    until_at: datetime
    spoiled: bool = False

    def binds(self, now: datetime) -> bool:
        """Whether it must have been obeyed by now."""
        begins_at = self.at + timedelta(seconds=SIGNAL_S)
        return not self.spoiled and begins_at <= now < self.until_at


@dataclass(slots=True)
class _Allowed:
    """What limits of a node allow until one of them changes."""

    until_at: datetime
    power_w: float
    current_a: float


@dataclass(frozen=True, slots=True)
class _Flow:
    power_w: float
    phases_a: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    """What flowed when nodes were last compared with their limits, and none was over."""

    drawn_w: list[float]
    other_w: dict[UUID, float]


@dataclass(slots=True)
class Judge:
    """``other_w``: load that is no charger's, by node, as it is now."""

    tree: ElectricalTree
    clock: Clock
    other_w: dict[UUID, float] = field(default_factory=dict)
    exceeded: list[str] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    samples: int = 0
    _outlets: list[Outlet] = field(default_factory=list)
    _phases: list[tuple[int, ...]] = field(default_factory=list)
    _below: dict[UUID, list[int]] = field(default_factory=dict)
    _over_since: dict[int, datetime] = field(default_factory=dict)
    _chargers: dict[UUID, list[Charger]] = field(default_factory=dict)
    _allowed: dict[UUID, _Allowed] = field(default_factory=dict)
    _looked: _Look | None = None

    def watch(self, chargers: Sequence[Charger]) -> None:
        for charger in chargers:
            for outlet in charger.outlets:
                for node in self.tree.path_of_evse(outlet.evse.id):
                    self._below.setdefault(node.id, []).append(len(self._outlets))
                    self._chargers.setdefault(node.id, []).append(charger)
                self._outlets.append(outlet)
                self._phases.append(wiring(outlet.evse).phases)

    def listen(self, *, in_charge: bool) -> None:
        """Signals that somebody cannot have heard are not judged."""
        now = self.clock.now()
        self.signals = [s for s in self.signals if not s.spoiled and now < s.until_at]
        for signal in self.signals:
            below = self._chargers.get(signal.node_id, ())
            heard = all(c.link is not None and c.mood.is_sound and not c.boots for c in below)
            if not in_charge or not heard:
                signal.spoiled = True

    def check(self) -> None:
        """Every node, now: without what liars take too much, and with it once they had time."""
        now = self.clock.now()
        for number in [n for n in self._over_since if self._outlets[n].lies_since is None]:
            del self._over_since[number]
        drawn_w = [
            outlet.power_w() if outlet.lies_since is None else self._drawn_w(number, now)
            for number, outlet in enumerate(self._outlets)
        ]
        limited = [node for node in self.tree.nodes if node.limits]
        self.samples += len(limited)
        look = _Look(drawn_w, dict(self.other_w))
        if look != self._looked or now >= self._steady_until():
            # Else the same flows under the same limits, and none was over.
            before = len(self.exceeded)
            for node in limited:
                flow = self._flow(node, drawn_w)
                self._compare(node, flow, self._allowed_at(node, now), now)
            self._looked = look if len(self.exceeded) == before else None
        self._check_signals(now)

    def _steady_until(self) -> datetime:
        """When a limit may be another next."""
        return min(known.until_at for known in self._allowed.values())

    def _drawn_w(self, number: int, now: datetime) -> float:
        """What a liar takes beyond its limit counts once there was time to find that out."""
        outlet = self._outlets[number]
        power_w, allowed_w = outlet.power_w(), outlet.allowed_w()
        if power_w <= allowed_w * (1.0 + RULES.tolerance) + RULES.tolerance_w:
            self._over_since.pop(number, None)
            return min(power_w, allowed_w)
        since = self._over_since.setdefault(number, now)
        return power_w if (now - since).total_seconds() > LIE_S else allowed_w

    def _check_signals(self, now: datetime) -> None:
        for signal in self.signals:
            if signal.binds(now):
                below = self._below.get(signal.node_id, ())
                power_w = sum(self._outlets[number].obedient_w() for number in below)
                if power_w > signal.power_w + TOLERANCE_W:
                    name = self.tree.by_id[signal.node_id].name
                    self._note(now, name, f"{power_w:.0f} W > signal {signal.power_w:.0f} W")

    def _allowed_at(self, node: Node, now: datetime) -> _Allowed:
        known = self._allowed.get(node.id)
        if known is None or now >= known.until_at:
            later = changes(node.limits, now, now + timedelta(days=1), self.tree.zone)
            found = [limit for limit in node.limits if applies(limit, now, self.tree.zone)]
            known = self._allowed[node.id] = _Allowed(
                min(later, default=now + timedelta(days=1)),
                min((li.power_w for li in found if li.power_w is not None), default=inf),
                min((li.current_a for li in found if li.current_a is not None), default=inf),
            )
        return known

    def _flow(self, node: Node, drawn_w: Sequence[float]) -> _Flow:
        other_w = sum(load_w for at, load_w in self.other_w.items() if self._is_above(node, at))
        phases_a = [other_w / PHASES / VOLTAGE_V] * PHASES
        total_w = other_w
        for number in self._below.get(node.id, ()):
            power_w = drawn_w[number]
            if power_w == 0.0:
                continue
            total_w += power_w
            phases, voltage_v = self._phases[number], self._outlets[number].evse.voltage_v
            for phase in phases:
                phases_a[phase - 1] += power_w / len(phases) / voltage_v
        return _Flow(total_w, tuple(phases_a))

    def _is_above(self, node: Node, at: UUID) -> bool:
        return any(above.id == node.id for above in self.tree.path_to_root(at))

    def _compare(self, node: Node, flow: _Flow, allowed: _Allowed, now: datetime) -> None:
        if flow.power_w > allowed.power_w + TOLERANCE_W:
            self._note(now, node.name, f"{flow.power_w:.0f} W > {allowed.power_w:.0f} W")
        most_a = max(flow.phases_a)
        if most_a > allowed.current_a + TOLERANCE_A:
            self._note(now, node.name, f"{most_a:.2f} A > {allowed.current_a:.2f} A")

    def _note(self, now: datetime, name: str, what: str) -> None:
        self.exceeded.append(f"{now:%H:%M:%S} {name}: {what}")
