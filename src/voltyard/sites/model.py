"""Sites and the electrical tree: grid connection, transformers, feeders, cabinets, EVSEs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.units import NOMINAL_VOLTAGE_V, amps_to_watts

EVERY_DAY = frozenset(range(7))


class NodeKind(StrEnum):
    GRID = "grid"
    TRANSFORMER = "transformer"
    FEEDER = "feeder"
    CABINET = "cabinet"
    EVSE = "evse"


@dataclass(frozen=True, slots=True)
class NodeLimit:
    """One limit of a node: total watts, or amps on each phase. The lowest that applies holds.

    ``from_time``/``to_time`` are local times of the site (``to_time`` exclusive; a window with
    from ≥ to runs over midnight and belongs to the day it starts on); ``weekdays`` 0 = Monday;
    dates are inclusive and local.
    """

    power_w: float | None = None
    current_a: float | None = None
    phases: int = 3
    voltage_v: float = NOMINAL_VOLTAGE_V
    from_time: time | None = None
    to_time: time | None = None
    weekdays: frozenset[int] = EVERY_DAY
    valid_from: date | None = None
    valid_to: date | None = None
    source: str = "contract"

    @property
    def total_w(self) -> float:
        """The limit as total power over all phases."""
        if self.power_w is not None:
            return self.power_w
        assert self.current_a is not None
        return amps_to_watts(self.current_a, self.phases, self.voltage_v)

    @property
    def is_constant(self) -> bool:
        """Whether the limit holds at every instant."""
        return (
            self.from_time is None
            and self.to_time is None
            and self.valid_from is None
            and self.valid_to is None
            and self.weekdays == EVERY_DAY
        )


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the tree. ``evse_id`` is set on leaves only."""

    id: UUID
    kind: NodeKind
    name: str
    parent_id: UUID | None
    limits: tuple[NodeLimit, ...] = ()
    evse_id: UUID | None = None


class PlanFor(StrEnum):
    """What a site's plans aim at once everybody is ready."""

    AUTO = "auto"
    """What its tariff says; without one, as early as can be while nobody is announced, and the
    least peak while there are duties."""
    EARLY = "early"
    """As early as can be, whatever a tariff says: nobody who comes later takes what was put off."""
    PEAK = "peak"
    """The least peak, whatever a tariff says."""


@dataclass(frozen=True, slots=True)
class Site:
    id: UUID
    org_id: UUID
    name: str
    timezone: str
    country: str = "DE"
    currency: str = "EUR"
    unknown_token: str = "accept"
    unknown_vehicle_power_w: float | None = None
    unknown_vehicle_priority: int = 9
    plan_for: str = PlanFor.AUTO.value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True)
class Area:
    id: UUID
    site_id: UUID
    name: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Bay:
    """``lane``: bays of one lane stand behind one another, ``position`` 0 at its way out."""

    id: UUID
    site_id: UUID
    area_id: UUID | None
    name: str
    position: int = 0
    lane: str = ""


@dataclass(frozen=True, slots=True)
class ElectricalTree:
    """The tree of one site, root first. Built and checked by ``sites.tree.build``."""

    nodes: tuple[Node, ...]
    zone: ZoneInfo
    by_id: Mapping[UUID, Node] = field(default_factory=dict)
    leaf_of_evse: Mapping[UUID, Node] = field(default_factory=dict)

    @property
    def root(self) -> Node:
        return self.nodes[0]

    def path_to_root(self, node_id: UUID) -> Iterator[Node]:
        """The node itself, its parent, …, the root."""
        node: Node | None = self.by_id[node_id]
        while node is not None:
            yield node
            node = None if node.parent_id is None else self.by_id[node.parent_id]

    def path_of_evse(self, evse_id: UUID) -> Iterator[Node]:
        return self.path_to_root(self.leaf_of_evse[evse_id].id)


def applies(limit: NodeLimit, at: datetime, zone: ZoneInfo) -> bool:
    """Whether ``limit`` holds at the instant ``at`` (aware), read on the site's wall clock.

    On the 25-hour day a window's repeated hour counts twice; on the 23-hour day the part of a
    window that does not exist is skipped.
    """
    if limit.is_constant:
        return True
    local = at.astimezone(zone)
    start = limit.from_time or time.min
    now, today = local.time(), local.date()
    if limit.to_time is None or start < limit.to_time:
        in_window = now >= start and (limit.to_time is None or now < limit.to_time)
        return in_window and _day_counts(limit, today)
    if now >= start:
        return _day_counts(limit, today)
    return now < limit.to_time and _day_counts(limit, today - timedelta(days=1))


def _day_counts(limit: NodeLimit, day: date) -> bool:
    if limit.valid_from is not None and day < limit.valid_from:
        return False
    if limit.valid_to is not None and day > limit.valid_to:
        return False
    return day.weekday() in limit.weekdays
