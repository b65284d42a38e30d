"""Depots drawn at random: trees of any depth, amps by phase, shared cabinets, timed limits."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from random import Random
from uuid import UUID

from voltyard.chargers.model import (
    Abilities,
    CurrentType,
    Evse,
    PowerMode,
    Quirks,
    Station,
    StationState,
)
from voltyard.clock import seeded
from voltyard.sites import tree
from voltyard.sites.model import ElectricalTree, Node, NodeKind, NodeLimit, Site

START = datetime(2026, 1, 15, 17, 0, tzinfo=UTC)
"""18:00 on the site's clock."""
ORG = UUID(int=1)
SITE = UUID(int=2)
ROTATIONS = ("RST", "RTS", "SRT", "STR", "TRS", "TSR")
MODES = frozenset({PowerMode.SETPOINT, PowerMode.FREQUENCY, PowerMode.IDLE})
ABLE = Abilities(True, True, MODES, ("DC", "DC_BPT"))
UPDATES = Abilities(True, True)
DEEPEST = 4


@dataclass(frozen=True, slots=True)
class RandomDepot:
    """``abilities`` by EVSE; ``metered``: the node whose meter sees load beside chargers;
    ``planned``: vehicles have departures and a plan, else they share as they come."""

    seed: int
    site: Site
    tree: ElectricalTree
    stations: tuple[Station, ...]
    evses: tuple[Evse, ...]
    abilities: dict[UUID, Abilities]
    metered: UUID | None
    planned: bool

    @property
    def shape(self) -> str:
        """In a few words, for whoever reads what broke."""
        deep = max(len(list(self.tree.path_of_evse(evse.id))) for evse in self.evses)
        amps = sum(limit.current_a is not None for node in self.tree.nodes for limit in node.limits)
        words = [f"{len(self.evses)} outlets", f"{deep} levels", f"{amps} limits in amps"]
        words += ["site meter"] if self.metered is not None else []
        words += ["planned"] if self.planned else []
        return ", ".join(words)


def random_depot(seed: int) -> RandomDepot:
    """The same depot for the same seed, on any machine."""
    chance = seeded(seed, "depot")
    site = Site(SITE, ORG, "Depot", "Europe/Berlin")
    drawn = _Drawing(chance)
    drawn.grow()
    found = tree.build(drawn.nodes, site.zone)
    limited = _limited(found, drawn, chance)
    return RandomDepot(
        seed=seed,
        site=site,
        tree=tree.build(limited, site.zone),
        stations=tuple(drawn.stations),
        evses=tuple(drawn.evses),
        abilities={evse.id: _abilities(evse, chance) for evse in drawn.evses},
        metered=found.root.id if chance.random() < 0.2 else None,
        planned=chance.random() < 0.5,
    )


class _Drawing:
    """Nodes without limits, and what stands at their ends."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.nodes: list[Node] = []
        self.stations: list[Station] = []
        self.evses: list[Evse] = []

    def grow(self) -> None:
        root = self._node(NodeKind.GRID, "grid", None)
        inner = [(root, 1)]
        for _ in range(self.chance.randint(0, 6)):
            above, depth = self.chance.choice(inner)
            if depth < DEEPEST:
                kind = NodeKind.TRANSFORMER if depth == 1 else NodeKind.FEEDER
                inner.append((self._node(kind, f"{kind.value} {len(inner)}", above), depth + 1))
        while len(self.evses) < 2 or (len(self.evses) < 12 and self.chance.random() < 0.85):
            self._station(self.chance.choice(inner)[0])

    def _node(
        self, kind: NodeKind, name: str, above: UUID | None, evse_id: UUID | None = None
    ) -> UUID:
        plain = (NodeLimit(power_w=1e6),) if above is None else ()
        made = Node(UUID(int=10_000 + len(self.nodes)), kind, name, above, plain, evse_id)
        self.nodes.append(made)
        return made.id

    def _station(self, above: UUID) -> None:
        """One to three outlets; those of a cabinet share its power modules."""
        number = len(self.stations)
        outlets = self.chance.choice((1, 1, 1, 2, 3))
        station = Station(
            UUID(int=2_000 + number),
            ORG,
            SITE,
            f"CP{number}",
            StationState.APPROVED,
            quirks=_quirks(self.chance),
        )
        self.stations.append(station)
        alike = _outlet(self.chance)
        if outlets > 1:
            above = self._node(NodeKind.CABINET, f"cabinet {number}", above)
        for place in range(outlets):
            evse = replace(
                alike,
                id=UUID(int=1_000 + len(self.evses)),
                station_id=station.id,
                number=place + 1,
                name=f"outlet {number}.{place + 1}",
            )
            self.evses.append(evse)
            self._node(NodeKind.EVSE, evse.name, above, evse.id)


def _quirks(chance: Random) -> Quirks:
    return Quirks(
        integer_amps=chance.random() < 0.8,
        dynamic=chance.random() < 0.9,
        tx_profile=chance.random() < 0.85,
    )


def _outlet(chance: Random) -> Evse:
    """DC, three phases, or one phase in some rotation."""
    plain = Evse(SITE, ORG, SITE, SITE, 1, "")
    roll = chance.random()
    if roll < 0.5:
        power_w = chance.choice((50_000.0, 90_000.0, 150_000.0, 300_000.0))
        return replace(plain, max_power_w=power_w, min_power_w=chance.choice((0.0, 5_000.0)))
    phases = 3 if roll < 0.8 else 1
    current_a = chance.choice((16, 32, 63)) if phases == 3 else chance.choice((16, 32))
    return replace(
        plain,
        current_type=CurrentType.AC,
        phases=phases,
        phase_rotation=chance.choice(ROTATIONS),
        max_power_w=current_a * phases * plain.voltage_v,
    )


def _abilities(evse: Evse, chance: Random) -> Abilities:
    roll = chance.random()
    if roll < 0.15 and evse.current_type is CurrentType.DC:
        return ABLE
    return UPDATES if roll < 0.45 else Abilities()


def _limited(found: ElectricalTree, drawn: _Drawing, chance: Random) -> list[Node]:
    """Every inner node may have a limit well below what its outlets could take."""
    power = {evse.id: evse.max_power_w for evse in drawn.evses}
    most_w: dict[UUID, float] = {}
    for node in found.nodes:
        if node.evse_id is not None:
            for above in found.path_to_root(node.id):
                most_w[above.id] = most_w.get(above.id, 0.0) + power[node.evse_id]
    return [
        replace(node, limits=_limits(node, most_w.get(node.id, 50_000.0), chance))
        for node in drawn.nodes
    ]


def _limits(node: Node, most_w: float, chance: Random) -> tuple[NodeLimit, ...]:
    if node.kind is NodeKind.EVSE:
        return ()
    found = []
    base_w = max(8_000.0, most_w * chance.uniform(0.3, 0.9))
    if node.kind is NodeKind.GRID or chance.random() < 0.75:
        found.append(_limit(base_w, chance))
    for _ in range(chance.choice((0, 0, 1, 2))):
        begins = datetime.combine(START.date(), time(18)) + timedelta(
            minutes=chance.randint(10, 130)
        )
        ends = begins + timedelta(minutes=chance.randint(5, 60))
        window = _limit(max(4_000.0, base_w * chance.uniform(0.3, 0.95)), chance)
        found.append(replace(window, from_time=begins.time(), to_time=ends.time()))
    if node.kind is not NodeKind.GRID and not found and chance.random() < 0.5:
        found.append(_limit(base_w, chance))
    return tuple(found)


def _limit(power_w: float, chance: Random) -> NodeLimit:
    """In W, or in A of each phase."""
    if chance.random() < 0.6:
        return NodeLimit(power_w=round(power_w, 1))
    return NodeLimit(current_a=round(power_w / 690.0, 1))
