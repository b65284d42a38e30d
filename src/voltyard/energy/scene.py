"""A site at one moment, as explanations look at it: what is live, granted, planned. Pure."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from uuid import UUID

from voltyard.energy.allocator import Allocation, Candidate, Grant
from voltyard.energy.board import Board
from voltyard.energy.explanation import NodeUse, PlannedSlot
from voltyard.energy.granting import GrantInput, as_planned
from voltyard.energy.inputs import Outlook, Present
from voltyard.energy.model import Forecast, Plan, Stay
from voltyard.energy.outlet import Outlet
from voltyard.energy.ports import SiteSetup
from voltyard.energy.view import SiteView
from voltyard.fleets.model import Vehicle
from voltyard.sites.limits import lowest_limit_w
from voltyard.timetable.model import Duty

PLANNED_W = 100.0
"""A plan that gives less gives nothing."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The last time a token of the vehicle (or at the outlet) was turned away."""

    at: datetime
    token: str
    reason: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: any of these that is known; the vehicle or duty weighs most."""

    vehicle: Vehicle | None = None
    duty: Duty | None = None
    session_id: UUID | None = None
    evse_id: UUID | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """``setup`` has the limits that were set by hand applied; ``view`` is of the same moment."""

    now: datetime
    setup: SiteSetup
    board: Board
    found: Outlook
    view: SiteView
    plan: Plan | None = None
    allocation: Allocation | None = None

    def present_of(self, subject: Subject) -> Present | None:
        """Its session, if it has one. A duty's vehicle that is here for another is not here."""
        for present in self.found.present.values():
            if subject.duty is not None:
                if present.duty is not None and present.duty.id == subject.duty.id:
                    return present
            elif subject.session_id is not None:
                if present.session.session_id == subject.session_id:
                    return present
            elif subject.vehicle is not None:
                if present.vehicle is not None and present.vehicle.id == subject.vehicle.id:
                    return present
            elif present.evse.id == subject.evse_id:
                return present
        return None

    def expected(self, subject: Subject) -> Stay | None:
        """The next stay of one that is not here."""
        if subject.duty is not None:
            return self.found.stays.get(subject.duty.id)
        if subject.vehicle is None:
            return None
        own = [s for s in self.found.stays.values() if s.vehicle_id == subject.vehicle.id]
        return min(own, key=lambda stay: (stay.departure_at, stay.id), default=None)

    def grant(self, evse_id: UUID) -> Grant | None:
        return None if self.allocation is None else self.allocation.grants.get(evse_id)

    def forecast(self, stay: Stay | None) -> Forecast | None:
        if stay is None or self.plan is None:
            return None
        return self.plan.forecasts.get(stay.id)

    def standing(self, outlet: Outlet, present: Present) -> Candidate:
        """Where it stands among the others, by the same rules as its grant."""
        given = GrantInput(
            self.now, self.setup.tree, 0.0, self.plan, self.found.present, levels={}, other_w={}
        )
        plain = Candidate(
            evse_id=outlet.evse.id,
            want_w=present.takes_w(),
            priority=present.priority,
            current_w=outlet.granted_w,
        )
        return as_planned(plain, present, given)

    def nodes(self, evse_id: UUID, binding: UUID | None) -> tuple[NodeUse, ...]:
        """From the outlet's leaf to the grid."""
        tree = self.setup.tree
        if evse_id not in tree.leaf_of_evse:
            return ()
        return tuple(self.node(node.id, binding) for node in tree.path_of_evse(evse_id))

    def node(self, node_id: UUID, binding: UUID | None = None) -> NodeUse:
        """Its lowest limit as long as the last allocation holds, and what that left."""
        tree = self.setup.tree
        node = tree.by_id[node_id]
        until_at = self.now
        if self.allocation is not None:
            until_at = max(self.now, self.allocation.valid_until)
        limit_w = lowest_limit_w(node, self.now, until_at, tree.zone)
        free_w = None if self.allocation is None else self.allocation.free_w.get(node_id)
        known = free_w is not None and isfinite(free_w) and isfinite(limit_w)
        seen = next((power for power in self.view.nodes if power.node_id == node_id), None)
        carries_w = None if seen is None else seen.granted_w + seen.reserved_w
        return NodeUse(
            node_id=node_id,
            name=node.name,
            kind=node.kind.value,
            limit_w=limit_w if isfinite(limit_w) else None,
            carries_w=limit_w - free_w if known and free_w is not None else carries_w,
            free_w=free_w if known else None,
            other_w=None if seen is None else seen.other_w,
            binds=node_id == binding,
        )

    def slots(self, stay: Stay) -> tuple[PlannedSlot, ...]:
        """Its plan from now to its departure."""
        if self.plan is None or stay.id not in self.plan.power_w:
            return ()
        bounds, powers_w = self.plan.bounds, self.plan.power_w[stay.id]
        return tuple(
            PlannedSlot(start_at, min(end_at, stay.departure_at), power_w)
            for start_at, end_at, power_w in zip(bounds, bounds[1:], powers_w, strict=False)
            if end_at > self.now and start_at < stay.departure_at
        )

    def begins_at(self, stay: Stay) -> datetime | None:
        """When its plan first gives it power, from now on."""
        for slot in self.slots(stay):
            if slot.power_w > PLANNED_W:
                return max(slot.start_at, self.now)
        return None

    def label(self, stay_id: UUID) -> str:
        stay = self.found.stays.get(stay_id)
        return "" if stay is None else stay.label
