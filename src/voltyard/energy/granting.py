"""From the plan and what is plugged in to a target for every EVSE. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil, inf
from typing import NamedTuple
from uuid import UUID

from voltyard.chargers.model import CurrentType
from voltyard.energy.allocator import Allocation, AllocationInput, Candidate, Reservation, allocate
from voltyard.energy.board import Board
from voltyard.energy.failsafe import FailsafeEvse, FailsafeLevel, failsafe_levels
from voltyard.energy.headroom import SLACK_W, Wiring
from voltyard.energy.inputs import Present
from voltyard.energy.model import Plan
from voltyard.energy.outlet import Outlet
from voltyard.energy.profiles import in_amps
from voltyard.energy.watch import Step
from voltyard.sites.model import ElectricalTree

MAX_ROUNDS = 4
TAPER_STEP_W = 1000.0
READ_SHARE = 0.06
"""Who lacks no more of what it is allotted than this share of the readiness tolerance has it:
readings are no finer, and it is not started again for that."""
AHEAD_S = 45.0
"""Under overload, limits run this much ahead of a vehicle's taper: others
need what it leaves."""
HURRY_S = 300.0
"""Not for one with less time to spare than this: it gets all it can take."""
CLOSE_BAND_W = 500.0
PACE_MARGIN_S = 30.0
"""What a command, its confirmation and the vehicle take beyond the time to the next pass."""
URGENT_S = 360.0
_NOTHING = FailsafeLevel(0.0, 0.0)


Candidates = Mapping[UUID, Candidate]
Ruled = Callable[[Candidates, Callable[[Candidates], Mapping[UUID, float]]], Candidates]
"""Candidates as policies want them; the second tells what some of them leave at each node."""


def _as_they_are(
    candidates: Candidates, left: Callable[[Candidates], Mapping[UUID, float]]
) -> Candidates:
    return candidates


@dataclass(frozen=True, slots=True)
class GrantInput:
    """``lead_s``: limits that begin within it already hold, so that cuts arrive in time.
    ``pace_s``: the longest time between two passes."""

    now: datetime
    tree: ElectricalTree
    lead_s: float
    plan: Plan | None
    present: Mapping[UUID, Present]
    levels: Mapping[UUID, FailsafeLevel]
    other_w: Mapping[UUID, float]
    dead_band_w: float = 2000.0
    ruled: Ruled = _as_they_are
    pace_s: float = 30.0

    @property
    def critical_s(self) -> float:
        """Who has less time to spare is not held to the plan's total any more: at the next pass it
        would be too late."""
        return self.pace_s + PACE_MARGIN_S

    @property
    def urgent_s(self) -> float:
        return max(URGENT_S, 2.0 * self.critical_s)

    @property
    def overload(self) -> bool:
        """Whether not everybody can have all in good time."""
        return self.plan is not None and self.plan.stats.overload


def targets(board: Board, given: GrantInput) -> Allocation:
    """Aim every outlet; the allocation says why.

    An EVSE counts at least at its fail-safe level, so one that is paused (or granted less) is
    put back as a reservation and the rest is shared again.
    """
    floors_w = {outlet.evse.id: floor_of(outlet, given) for outlet in board}
    reserved: dict[UUID, float] = {}
    candidates: dict[UUID, Candidate] = {}
    for outlet in board:
        candidate = _candidate(outlet, given, board)
        if candidate is None or candidate.want_w <= 0.0:
            reserved[outlet.evse.id] = floors_w[outlet.evse.id]
        else:
            candidates[outlet.evse.id] = candidate
    ruled = given.ruled(candidates, lambda some: _share(board, given, some, reserved).free_w)
    candidates = {key: made for key, made in ruled.items() if made.want_w > 0.0}
    ruled_out = ruled.keys() - candidates.keys()
    reserved |= {key: floors_w[key] for key in ruled_out}
    allocation = _share(board, given, candidates, reserved)
    for _ in range(MAX_ROUNDS):
        below = {
            evse_id: floors_w[evse_id]
            for evse_id in candidates
            if allocation.power_w(evse_id) + SLACK_W < floors_w[evse_id]
        }
        if not below:
            break
        reserved.update(below)
        candidates = {key: value for key, value in candidates.items() if key not in below}
        allocation = _share(board, given, candidates, reserved)
    for outlet in board:
        level = given.levels.get(outlet.evse.id, _NOTHING)
        live_w = None if outlet.session is None else allocation.power_w(outlet.evse.id)
        outlet.aim(live_w, level.active_w, level.idle_w)
        outlet.ruled_out = outlet.evse.id in ruled_out
    return allocation


def floor_of(outlet: Outlet, given: GrantInput) -> float:
    """What an EVSE counts at whatever it is granted."""
    if outlet.is_shut:
        return 0.0
    if not outlet.is_controllable:
        return outlet.counted_w(given.now)
    level = given.levels.get(outlet.evse.id, _NOTHING)
    floor_w = outlet.settable_w(level.idle_w)
    if outlet.reinstall or outlet.fallback_failure is not None:
        floor_w = max(floor_w, outlet.held.fallback_w)
    return max(floor_w, outlet.obedience.counted_w(outlet.evse.max_power_w))


def _share(
    board: Board,
    given: GrantInput,
    candidates: Mapping[UUID, Candidate],
    reserved: Mapping[UUID, float],
) -> Allocation:
    return allocate(
        AllocationInput(
            tree=given.tree,
            circuit=board.circuits.of(given.tree),
            at=given.now,
            candidates=tuple(candidates.values()),
            validity_s=given.lead_s,
            node_load_w=given.other_w,
            reservations=tuple(
                Reservation(evse_id, power_w, board.wirings[evse_id])
                for evse_id, power_w in sorted(reserved.items())
                if evse_id in given.tree.leaf_of_evse
            ),
            budget_w=None if given.plan is None else given.plan.root_power_at(given.now),
            node_budget_w={}
            if given.plan is None
            else {n: given.plan.node_power_at(n, given.now) for n in sorted(given.plan.tight)},
            opportunistic=given.overload,
            urgent_s=given.urgent_s,
            critical_s=given.critical_s,
            dead_band_w=CLOSE_BAND_W if given.overload else given.dead_band_w,
        )
    )


def _candidate(outlet: Outlet, given: GrantInput, board: Board) -> Candidate | None:
    evse_id = outlet.evse.id
    present = given.present.get(evse_id)
    if outlet.session is None or present is None or evse_id not in given.tree.leaf_of_evse:
        return None
    if not outlet.is_controllable or outlet.obedience.step >= Step.FENCED:
        return None
    if outlet.is_steered:
        return None
    done = present.stay is not None and present.stay.energy_needed_wh <= 0.0
    wiring, whole_amps = board.wirings[evse_id], in_amps(outlet.evse, outlet.station.quirks)
    standing = _standing(present, given, outlet.granted_w)
    ahead_s = AHEAD_S if given.overload and standing.laxity_s > HURRY_S else 0.0
    want_w = 0.0 if done else outlet.settable_w(_takes_w(present, outlet, ahead_s))
    least_w, firm_w = max(present.min_power_w, least_power_w(outlet)), 0.0
    if present.firm_w > 0.0:
        at_least_w = max(present.firm_w, least_w, floor_of(outlet, given))
        firm_w = _firm_w(outlet, at_least_w, wiring if whole_amps else None)
        more_w = min(outlet.evse.max_power_w, want_w + present.firm_w)
        want_w = max(firm_w, outlet.settable_w(more_w))
    if outlet.evse.current_type is not CurrentType.AC:
        least_w = min(least_w, want_w)
    return Candidate(
        evse_id=evse_id,
        want_w=want_w,
        plan_w=standing.plan_w,
        stay_id=standing.stay_id,
        laxity_s=standing.laxity_s,
        priority=present.priority,
        min_power_w=least_w,
        current_w=outlet.granted_w,
        since_at=outlet.charging_since if outlet.granted_w > 0.0 else outlet.paused_since,
        wiring=wiring,
        whole_amps=whole_amps,
        late=standing.late,
        firm_w=firm_w,
    )


def _firm_w(outlet: Outlet, at_least_w: float, wiring: Wiring | None) -> float:
    """What must run, at least what the outlet can be set to; in whole amps of a wiring."""
    most_w = outlet.evse.max_power_w
    held_w = min(most_w, at_least_w)
    if wiring is not None:
        held_w = wiring.watts(ceil(wiring.amps(held_w) - 1e-6))
    return outlet.settable_w(min(most_w, held_w))


def _takes_w(present: Present, outlet: Outlet, ahead_s: float) -> float:
    """What it takes; as it tapers, its limit follows in steps, not with every reading.

    ``ahead_s`` before its taper, a vehicle loses hardly anything and others need what it leaves.
    """
    held_w = outlet.granted_w
    if ahead_s > 0.0:
        soon_w = present.takes_in_w(ahead_s)
        return held_w if soon_w <= held_w <= present.takes_in_w(0.0) else soon_w
    takes_w = present.takes_w()
    close = takes_w < held_w <= min(takes_w + TAPER_STEP_W, present.max_power_w)
    return held_w if close else takes_w


class Standing(NamedTuple):
    """What the plan says of a vehicle: its power, the time it has to spare, whether it is late."""

    stay_id: UUID | None = None
    plan_w: float | None = None
    laxity_s: float = inf
    late: bool = False


_UNPLANNED = Standing()


def as_planned(candidate: Candidate, present: Present, given: GrantInput) -> Candidate:
    """With what the plan says of it."""
    return replace(candidate, **_standing(present, given, candidate.current_w)._asdict())


def _standing(present: Present, given: GrantInput, current_w: float) -> Standing:
    stay, plan = present.stay, given.plan
    if stay is None or plan is None or stay.id not in plan.power_w:
        return _UNPLANNED
    left_s = (stay.departure_at - given.now).total_seconds()
    allotted_wh = max(0.0, stay.energy_needed_wh - plan.withheld_wh.get(stay.id, 0.0))
    gained_wh = present.gained_wh(current_w if current_w > 0.0 else inf)
    is_over = allotted_wh <= gained_wh + READ_SHARE * stay.tolerance_wh
    needs_s = allotted_wh * 3600.0 / stay.max_power_w if stay.max_power_w > 0.0 else inf
    if stay.curve is not None and stay.soc_pct is not None and stay.battery_wh:
        reached = stay.soc_pct + allotted_wh * stay.efficiency / stay.battery_wh * 100.0
        needs_s = stay.curve.time_s(
            stay.soc_pct, min(100.0, reached), stay.battery_wh, stay.max_power_w, stay.efficiency
        )
    return Standing(
        stay_id=stay.id,
        plan_w=plan.power_at(stay.id, given.now),
        laxity_s=inf if is_over else left_s - needs_s,
        late=plan.stats.overload and stay.id in plan.given_up,
    )


def fallback_levels(
    board: Board, tree: ElectricalTree, other_w: Mapping[UUID, float], now: datetime
) -> dict[UUID, FailsafeLevel]:
    """Fail-safe levels of every EVSE of the tree; those outside of it get nothing."""
    evses = [
        FailsafeEvse(
            evse_id=outlet.evse.id,
            min_power_w=least_power_w(outlet),
            max_power_w=outlet.evse.max_power_w,
            wiring=board.wirings[outlet.evse.id],
            whole_amps=in_amps(outlet.evse, outlet.station.quirks),
        )
        for outlet in board
        if outlet.evse.id in tree.leaf_of_evse
    ]
    today = now.astimezone(tree.zone).date()
    return failsafe_levels(tree, evses, other_w, since=today)


def least_power_w(outlet: Outlet) -> float:
    """The least power that is not nothing: 6 A on AC (IEC 61851-1), else what is configured."""
    evse, quirks = outlet.evse, outlet.station.quirks
    if evse.current_type is not CurrentType.AC:
        return evse.min_power_w
    least_a = quirks.min_current_a
    return max(evse.min_power_w, least_a * evse.phases * evse.voltage_v)
