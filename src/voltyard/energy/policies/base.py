"""What a policy is: limits it adds, vehicles it ranks and shapes, candidates it rules. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from voltyard.energy.allocator import Candidate
from voltyard.energy.inputs import Outlook, Present, Situation
from voltyard.energy.model import Plan, Stay, Step
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import Urgency
from voltyard.sites.model import ElectricalTree
from voltyard.timetable.model import Duty

Candidates = Mapping[UUID, Candidate]
Left = Callable[[Candidates], Mapping[UUID, float]]
"""What some candidates leave at each node, in W."""


class Who(StrEnum):
    ANY = "any"
    FLEET = "fleet"
    """It has a duty, or is a vehicle of ours."""
    VISITORS = "visitors"
    """Neither."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A vehicle that is here or expected, as far as it is known."""

    vehicle: Vehicle | None
    duty: Duty | None
    evse_id: UUID | None

    @property
    def is_fleet(self) -> bool:
        return self.vehicle is not None or self.duty is not None


@dataclass(frozen=True, slots=True)
class Group:
    """Vehicles that are treated alike. Empty ``vehicle_classes`` and ``node_ids`` mean all;
    a node stands for the outlets below it."""

    key: str
    name: str
    who: Who = Who.ANY
    vehicle_classes: tuple[str, ...] = ()
    node_ids: tuple[UUID, ...] = ()

    def has(self, subject: Subject, tree: ElectricalTree) -> bool:
        if self.who is not Who.ANY and subject.is_fleet is not (self.who is Who.FLEET):
            return False
        if self.vehicle_classes and not _classes(subject).intersection(self.vehicle_classes):
            return False
        return not self.node_ids or self._stands_below(subject, tree)

    def _stands_below(self, subject: Subject, tree: ElectricalTree) -> bool:
        if subject.evse_id is None or subject.evse_id not in tree.leaf_of_evse:
            return False
        return any(node.id in self.node_ids for node in tree.path_of_evse(subject.evse_id))


def _classes(subject: Subject) -> set[str]:
    vehicle, duty = subject.vehicle, subject.duty
    told = (
        None if vehicle is None else vehicle.vehicle_class,
        None if duty is None else duty.vehicle_class,
    )
    return {name for name in told if name}


@dataclass(frozen=True, slots=True)
class Setting:
    """Everybody who is here or expected, sorted into groups ("" for none of them)."""

    now: datetime
    tree: ElectricalTree
    group_of_evse: Mapping[UUID, str]
    group_of_stay: Mapping[UUID, str]
    at_once: frozenset[UUID]
    """Outlets whose vehicle a person wants charged now."""
    prices: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """The setting when power is shared, with who is here and the plan."""

    setting: Setting
    present: Mapping[UUID, Present]
    plan: Plan | None
    left: Left


class Policy:
    """Does nothing; each policy says where it does."""

    def limited(self, tree: ElectricalTree) -> ElectricalTree:
        """The tree with limits of the policy's own: hard ones, kept as any limit."""
        return tree

    def priority(self, group: str, priority: int) -> int:
        """The rank of one of this group whose own priority is this; less is more important."""
        return priority

    def stay(self, stay: Stay, group: str, setting: Setting) -> Stay:
        """What the planner is told of a stay."""
        return stay

    def shared(self, stays: Mapping[UUID, Stay], setting: Setting) -> Mapping[UUID, Stay]:
        """The same for what stays of a group have together."""
        return stays

    def ruled(self, candidates: Candidates, moment: Moment) -> Candidates:
        """What the allocator is told of those who are here."""
        return candidates


def setting_of(groups: Sequence[Group], found: Outlook, situation: Situation) -> Setting:
    tree = situation.setup.tree

    def group(subject: Subject) -> str:
        return next((g.key for g in groups if g.has(subject, tree)), "")

    of_evse = {
        evse_id: group(Subject(one.vehicle, one.duty, evse_id))
        for evse_id, one in found.present.items()
    }
    of_stay = {
        one.stay.id: of_evse[evse_id]
        for evse_id, one in found.present.items()
        if one.stay is not None
    }
    for stay in found.stays.values():
        if stay.id not in of_stay:
            vehicle = None
            if stay.vehicle_id is not None:
                vehicle = situation.vehicles.get(stay.vehicle_id)
            duty = found.duty_of_stay.get(stay.id)
            of_stay[stay.id] = group(Subject(vehicle, duty, stay.evse_id))
    at_once = frozenset(evse_id for evse_id, one in found.present.items() if is_at_once(one))
    return Setting(situation.now, tree, of_evse, of_stay, at_once, situation.prices)


def is_at_once(present: Present) -> bool:
    needs = present.session.needs
    return needs is not None and needs.urgency is Urgency.PERSON


def capped(candidate: Candidate, most_w: float) -> Candidate:
    """It wants no more than this beyond what must run; less than its least power is nothing."""
    if candidate.want_w <= most_w:
        return candidate
    want_w = most_w if most_w >= candidate.min_power_w else 0.0
    return replace(candidate, want_w=max(candidate.firm_w, want_w))
