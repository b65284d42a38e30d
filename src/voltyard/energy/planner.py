"""The plan of a site: everyone ready if physics allows, then the least peak and cost, then calm.

Pure: time and all facts come in with ``PlanInput``. Each aim is settled before the next is looked
at, and no later step takes back what an earlier one reached.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from voltyard.energy import allocator, dispatch, flow, triage
from voltyard.energy.flow import Bools, Ints
from voltyard.energy.forecast import Followed, Shortage, follow, forecasts, settled, shortage
from voltyard.energy.model import Forecast, Plan, PlanInput, PlanMode, PlanStats, Stay
from voltyard.energy.policies import minimum
from voltyard.energy.problem import (
    CARES,
    Care,
    Problem,
    brisk_cap,
    ready_cap,
    step_values,
    with_care,
)
from voltyard.energy.reshaped import reshape
from voltyard.energy.taper import Floats
from voltyard.sites.model import ElectricalTree, Node, NodeKind, NodeLimit

_MAX_PEAK_STEPS = 60
_COST_SEARCH_STEPS = 9
_NEARBY_SHARE = 0.01
"""The bill is convex in the peak: where it does not fall within this share of the range, an end of
the range is the best."""
_MAX_SHARE_ROUNDS = 5
SAVING_BEFORE_S = 1200
"""Where money can be saved, to be done so long before departure is early enough: 45 minutes instead
cost 4 % of the least peak."""
NARROW_SPARES_S = (600, 0)
"""How long before departure those are to be done whom a node of their own holds up: first the one,
and where that does not fit the other."""
SAVING_SPARES_S = (600, 300, 0)
"""The same for all whom any node holds up, where money can be saved."""
MANY = 300
"""With more stays than this, fewer degrees of care are tried: a late plan is a worse one."""
LOSS_SHARE = 0.02
"""Of the energy that vehicles under overload need to be ready, this share more is kept free."""
ROOM_SHARE = 0.003
"""Who was given up comes back when so much more than all need, as a share of it, would fit."""
TIGHT_SHARE = 0.8
"""A node is tight when more of what it could carry than this is planned."""
DOUBT_SHARE = 0.06
"""How far the need of one expected vehicle may be off, as a share of it."""


def plan(given: PlanInput) -> Plan:
    """Raises ``Invalid`` when a stay names an EVSE or node that the site's tree does not have."""
    saving = _saves(given)
    if saving:
        given = replace(given, ready_before_s=min(given.ready_before_s, SAVING_BEFORE_S))
    shaped = reshape(given)
    problem = shaped.problem
    readiness = _comfortable(problem, saving=saving)
    if readiness is None:
        problem, readiness, followed = _under_overload(problem, given.given_up)
    else:
        profile = shaped.profile
        if profile is None or not _carries(problem, readiness.allotted, profile):
            profile = _profile(given, problem, readiness)
        followed = _share_truly(problem, readiness, profile)
    _check(problem)
    made = _finished(given, problem, readiness, followed)
    return replace(made, storage_w=shaped.storage_w, discharge_w=shaped.discharge_w)


def _saves(given: PlanInput) -> bool:
    """Whether there is a bill that the plan can make smaller."""
    has_bill = bool(given.prices) or given.demand_price_per_kw > 0.0
    return has_bill and given.mode is not PlanMode.EARLY


@dataclass(frozen=True, slots=True)
class Readiness:
    """Energy each stay is promised, and for those who go short the reason.

    ``hurry``: it fits, but with nothing to spare, so that nothing is put off.
    """

    allotted: Ints
    short: Bools
    shortages: dict[int, Shortage]
    proven: bool
    overload: bool = False
    hurry: bool = False


# (A) who is ready


def _comfortable(problem: Problem, *, saving: bool) -> Readiness | None:
    """Everybody gets all that is asked for in good time; None when that does not fit.

    Who is held up by a node of their own alone, a narrow cabinet say, may take longer, if need be
    to the last minute: that is no reason to hurry the whole site. With a bill to make smaller,
    that holds for those whom the whole site's limit holds up, too: errors would else soon make a
    site that put its charging off to cheap hours spend the rest of the night in a hurry.
    """
    net, stays = problem.net, len(problem.stays)
    net.stay_cap[:] = problem.gentle_cap
    flow.clear(net)
    need = problem.need.copy()
    flow.augment(net, problem.work, need)
    spares_s = SAVING_SPARES_S if saving else NARROW_SPARES_S
    caps = [brisk_cap(problem, spare_s) for spare_s in spares_s] if need.any() else []
    tried = np.zeros(stays, dtype=np.int64)
    hurry = False
    while need.any():
        reached = problem.work.level >= 0
        more = reached[:stays] & (tried < len(caps))
        whole_site = bool(reached[stays : stays + len(problem.hours)].any())
        if not more.any() or (whole_site and not saving):
            return None
        for row in np.flatnonzero(more):
            net.stay_cap[row] = caps[tried[row]][row]
        tried[more] += 1
        hurry |= whole_site and int(tried[more].max()) == len(caps)
        flow.augment(net, problem.work, need)
    physical = problem.need < with_care(problem, CARES[-1]).ready
    shortages = _shortages(problem, physical)
    return Readiness(problem.need.copy(), physical, shortages, True, hurry=hurry)


def _under_overload(problem: Problem, given_up: Set[UUID]) -> tuple[Problem, Readiness, Followed]:
    """As carefully as makes nobody late: bolder only where that makes one more ready.

    What the flow finds possible at its boldest is the aim; what the true curves then leave of it
    decides. Afterwards the network holds the plan.
    """
    answers = _Answers(problem, given_up)
    aim = _counts(problem, ~answers.served(CARES[-1]).readiness.short)
    best: tuple[tuple[int, ...], Care] | None = None
    cares = CARES if len(problem.stays) <= MANY else (CARES[0], CARES[2], CARES[-1])
    for care in cares:
        followed = answers.followed(care)
        counts = _counts(problem, ~followed.missed)
        if best is None or counts > best[0]:
            best = counts, care
        if counts >= aim:
            break
    assert best is not None
    if best[1] is not care:
        followed = answers.followed(best[1])
    served = answers.served(best[1])
    return served.asked, answers.explained(served), followed


class _Served(NamedTuple):
    """Who is ready with some care, and the network right after that was found."""

    asked: Problem
    readiness: Readiness
    stay_cap: Ints
    taken: Ints
    used: Ints


class _Answers:
    """What the flow finds possible with each care, found once."""

    def __init__(self, problem: Problem, given_up: Set[UUID]) -> None:
        self._problem, self._given_up = problem, given_up
        self._found: dict[Care, _Served] = {}

    def served(self, care: Care) -> _Served:
        if care not in self._found:
            asked, net = with_care(self._problem, care), self._problem.net
            readiness = _served(asked, self._given_up, care)
            self._found[care] = _Served(
                asked, readiness, net.stay_cap.copy(), net.taken.copy(), net.used.copy()
            )
        return self._found[care]

    def followed(self, care: Care) -> Followed:
        """A plan with this care, left in the network, and what true curves make of it."""
        found = self.served(care)
        self._problem.net.stay_cap[:] = found.stay_cap
        profile = _opened(found.asked, found.readiness.allotted, _early(self._problem))
        return _share_truly(found.asked, found.readiness, profile)

    def explained(self, found: _Served) -> Readiness:
        """With the reasons, read from the greatest flow; the plan stays in the network."""
        net = self._problem.net
        planned = net.taken.copy(), net.used.copy()
        net.taken[:], net.used[:] = found.taken, found.used
        shortages = _shortages(found.asked, found.readiness.short)
        net.taken[:], net.used[:] = planned
        return replace(found.readiness, shortages=shortages)


def _counts(problem: Problem, ready: Bools) -> tuple[int, ...]:
    """How many are ready by priority, the most important first."""
    priority = np.array([stay.priority for stay in problem.stays])
    return tuple(int(ready[priority == group].sum()) for group in sorted(set(priority.tolist())))


def _served(problem: Problem, given_up: Set[UUID], care: Care) -> Readiness:
    """Group by group, the most important first; just ready is enough while somebody is short."""
    net, work = problem.net, problem.work
    flow.clear(net)
    net.cap[0] = problem.root_cap
    net.stay_cap[:] = ready_cap(problem, care)
    wanted = np.minimum(problem.ready, problem.need)
    possible = problem.need >= problem.ready
    before = possible & np.array([stay.id in given_up for stay in problem.stays], dtype=np.bool_)
    proven = not minimum.serve(problem, np.where(possible, wanted, 0))
    for priority in sorted({stay.priority for stay in problem.stays}) if proven else ():
        members = np.array(
            [i for i, stay in enumerate(problem.stays) if stay.priority == priority],
            dtype=np.int64,
        )
        need = np.zeros_like(problem.need)
        need[members] = wanted[members]
        flow.augment(net, work, need)
        if need.any() or before[members].any():
            proven &= _triage(problem, members, wanted, before)
        if need.any():
            # From here on who cannot be ready anyway has to wait for what is left over.
            wanted = np.where(possible, wanted, 0)
    allotted = _hand_out(problem)
    short = allotted < problem.ready
    return Readiness(allotted, short, {}, proven, overload=True)


def _triage(problem: Problem, members: Ints, wanted: Ints, given_up: Bools) -> bool:
    """As many of the group ready as possible; the others of it get nothing yet.

    The same as before while no more are possible with some room to spare.
    """
    net, work = problem.net, problem.work
    for stay in members:
        flow.withdraw(net, int(stay))
    going_on = ~given_up[members] & (problem.need[members] >= problem.ready[members])
    kept = triage.keep(net, work, members[going_on], problem.ready)
    roomy = np.ceil(problem.ready * (1.0 + ROOM_SHARE)).astype(np.int64)
    choice = triage.choose(net, work, members, roomy if kept is not None else problem.ready)
    if kept is not None and int(choice.served.sum()) <= int(kept.sum()):
        choice = triage.Choice(kept, choice.proven)
    first = np.where(choice.served, wanted, 0)
    flow.augment(net, work, first)
    assert not first.any(), "stays chosen together must fit together"
    return choice.proven


def _hand_out(problem: Problem) -> Ints:
    """What is allotted once it is settled who is ready: that, and for the short ones the rest.

    Of the short ones the most important comes first, then the nearest to ready. Before them, a
    slack is kept for those who are to be ready: what goes wrong later is made good from it.
    """
    net, work = problem.net, problem.work
    firm = net.taken.sum(axis=1)
    net.stay_cap[:] = np.maximum(net.stay_cap, problem.full_cap)
    flow.augment(net, work, _slack(problem, firm))
    kept = net.taken.sum(axis=1) - firm
    gap = problem.ready - firm
    rows = [int(row) for row in np.flatnonzero(gap > 0)]
    rows.sort(key=lambda row: (problem.stays[row].priority, gap[row], row))
    rest = np.maximum(problem.need - firm, 0)
    triage.some_in_order(net, work, np.array(rows, dtype=np.int64), rest)
    allotted: Ints = net.taken.sum(axis=1) - kept
    return allotted


def _slack(problem: Problem, firm: Ints) -> Ints:
    """Energy kept free, by stay: some for what charging loses, more for who is still to come.

    What expected vehicles will lack is not known; errors of many partly cancel out.
    """
    sure = np.where(firm >= problem.ready, firm, 0).astype(np.float64)
    expected = np.where([stay.plugged for stay in problem.stays], 0.0, sure)
    doubt = DOUBT_SHARE * float(np.sqrt((expected**2).sum()))
    share = expected / max(1.0, float(expected.sum()))
    slack: Ints = np.ceil(LOSS_SHARE * sure + doubt * share).astype(np.int64)
    return slack


def _shortages(problem: Problem, short: Bools) -> dict[int, Shortage]:
    return {int(row): shortage(problem, int(row), short) for row in np.flatnonzero(short)}


# (B) the least peak, the least cost


class _Turns(NamedTuple):
    """In which order slots are opened, and up to how many Wh each."""

    slots: Ints
    most: Ints


@dataclass(frozen=True, slots=True)
class _Money:
    """Prices by slot: ``cheap`` is what the grid would pay for ``surplus_wh``, the first Wh of a
    slot; whatever is charged beyond them is bought at ``dear``."""

    dear: Floats
    cheap: Floats
    surplus_wh: Ints

    def turns(self) -> _Turns:
        """The cheapest first, at equal price the earliest."""
        slots = np.arange(len(self.dear), dtype=np.int64)
        sunny = np.flatnonzero(self.surplus_wh > 0)
        slot = np.concatenate((sunny, slots))
        most = np.concatenate((self.surplus_wh[sunny], np.full_like(slots, flow.UNLIMITED_WH)))
        price = np.concatenate((self.cheap[sunny], self.dear))
        order = np.lexsort((most, slot, price))
        return _Turns(slot[order], most[order])

    def energy(self, profile: Ints) -> float:
        """What the profile costs, in currency units."""
        own = np.minimum(profile, self.surplus_wh)
        return float((own * self.cheap + (profile - own) * self.dear).sum()) / 1e6


def _money(given: PlanInput, problem: Problem) -> _Money:
    """Selling is never dearer than buying: else both at once would earn money."""
    dear = step_values(given.prices, problem.bounds, highest=False)
    sold = step_values(given.export_prices or (), problem.bounds, highest=False)
    surplus_wh = np.floor(np.maximum(0.0, -problem.base_w) * problem.hours).astype(np.int64)
    return _Money(dear, np.minimum(dear, sold), surplus_wh)


def _early(problem: Problem) -> _Turns:
    slots = np.arange(len(problem.hours), dtype=np.int64)
    return _Turns(slots, np.full_like(slots, flow.UNLIMITED_WH))


def _profile(given: PlanInput, problem: Problem, readiness: Readiness) -> Ints:
    """Planned energy of the whole site by slot; all that is allotted fits under it."""
    allotted = readiness.allotted
    if given.mode is PlanMode.EARLY or readiness.hurry:
        problem.net.cap[0] = problem.root_cap
        return _opened(problem, allotted, _early(problem))
    money = _money(given, problem)
    if given.mode is PlanMode.COST:
        if given.demand_price_per_kw <= 0.0:
            problem.net.cap[0] = problem.root_cap
            return _opened(problem, allotted, money.turns())
        return _cheapest(given, problem, allotted, money)
    peak_w = _least_peak(problem, allotted, given.peak_so_far_w)
    problem.net.cap[0] = _root_cap(problem, peak_w)
    return _opened(problem, allotted, money.turns())


def _carries(problem: Problem, allotted: Ints, profile: Ints) -> bool:
    """Whether all that is allotted fits under the profile that the programme found.

    It may have been found with everybody done at the last moment, and need not carry them earlier.
    """
    net = problem.net
    net.cap[0] = profile
    flow.clear(net)
    need = allotted.copy()
    flow.augment(net, problem.work, need)
    net.cap[0] = problem.root_cap
    return not need.any()


def _root_cap(problem: Problem, peak_w: float) -> Ints:
    free_w = np.maximum(0.0, peak_w - problem.base_w)
    cap: Ints = np.minimum(problem.root_cap, np.floor(free_w * problem.hours).astype(np.int64))
    return cap


def _opened(problem: Problem, allotted: Ints, turns: _Turns) -> Ints:
    flow.clear(problem.net)
    missing = flow.open_slots(problem.net, problem.work, *turns, allotted.copy())
    assert missing == 0, "energy that was promised must fit under the peak that was chosen"
    profile: Ints = problem.net.used[0].copy()
    return profile


def _least_peak(problem: Problem, allotted: Ints, floor_w: float) -> float:
    """Newton on minimum cuts: each cut says how high the peak must be at least."""
    net, work = problem.net, problem.work
    others_wh = float((problem.base_w * problem.hours).sum())
    mean_w = (float(allotted.sum()) + others_wh) / float(problem.hours.sum())
    peak_w = max(floor_w, float(problem.base_w.min()), mean_w)
    highest_w = float((problem.root_cap / problem.hours + problem.base_w).max()) + 1.0
    flow.clear(net)
    need = allotted.copy()
    for _ in range(_MAX_PEAK_STEPS):
        net.cap[0] = _root_cap(problem, peak_w)
        flow.augment(net, work, need)
        missing = int(need.sum())
        if missing == 0 or peak_w >= highest_w:
            break
        stays, slots = net.taken.shape
        in_cut = work.level[stays : stays + slots] >= 0
        peak_w = _raised(problem, in_cut, peak_w, highest_w, missing)
    return peak_w if not need.any() else highest_w


def _raised(problem: Problem, in_cut: Bools, low_w: float, high_w: float, missing: int) -> float:
    """The lowest peak at which the cut's slots carry ``missing`` Wh more than at ``low_w``."""
    before = int(_root_cap(problem, low_w)[in_cut].sum())
    while high_w - low_w > 0.5:
        middle_w = (low_w + high_w) / 2.0
        if int(_root_cap(problem, middle_w)[in_cut].sum()) - before >= missing:
            high_w = middle_w
        else:
            low_w = middle_w
    return high_w


def _cheapest(given: PlanInput, problem: Problem, allotted: Ints, money: _Money) -> Ints:
    """Weigh demand charge against energy cost: the bill is convex in the peak."""
    turns = money.turns()
    low_w = _least_peak(problem, allotted, given.peak_so_far_w)
    high_w = max(low_w, float((problem.root_cap / problem.hours + problem.base_w).max()))

    def bill(peak_w: float) -> tuple[float, Ints]:
        problem.net.cap[0] = _root_cap(problem, peak_w)
        profile = _opened(problem, allotted, turns)
        above_kw = max(0.0, peak_w - given.peak_so_far_w) / 1000.0
        return money.energy(profile) + above_kw * given.demand_price_per_kw, profile

    best_cost, best = bill(low_w)
    nearby_w = (high_w - low_w) * _NEARBY_SHARE
    if bill(low_w + nearby_w)[0] >= best_cost:
        return best
    highest_cost, highest = bill(high_w)
    if bill(high_w - nearby_w)[0] >= highest_cost:
        return highest
    ratio = (5.0**0.5 - 1.0) / 2.0
    left_w, right_w = high_w - ratio * (high_w - low_w), low_w + ratio * (high_w - low_w)
    left, right = bill(left_w), bill(right_w)
    for _ in range(_COST_SEARCH_STEPS):
        for cost, profile in (left, right):
            if cost < best_cost:
                best_cost, best = cost, profile
        if left[0] <= right[0]:
            high_w, right_w, right = right_w, left_w, left
            left_w = high_w - ratio * (high_w - low_w)
            left = bill(left_w)
        else:
            low_w, left_w, left = left_w, right_w, right
            right_w = low_w + ratio * (high_w - low_w)
            right = bill(right_w)
    return best


# (C) who charges when, calmly


def _share_truly(problem: Problem, readiness: Readiness, profile: Ints) -> Followed:
    """Share until the true curves make ready whom the flow made ready, or it gets no better.

    The flow knows of tapering only that it is bounded; who would miss because of it goes first.
    """
    first = np.zeros(len(problem.stays), dtype=np.bool_)
    best, fewest = first, len(first) + 1
    for _ in range(_MAX_SHARE_ROUNDS):
        _share(problem, readiness, profile, first)
        followed = follow(problem)
        missing = followed.missed & ~readiness.short
        if int(missing.sum()) < fewest:
            best, fewest = first, int(missing.sum())
        if fewest == 0 or not (missing & ~first).any():
            break
        first = first | missing
    if best is first:
        return followed
    _share(problem, readiness, profile, best)
    return follow(problem)


def _share(problem: Problem, readiness: Readiness, profile: Ints, first: Bools) -> None:
    """Refill the profile with few starts and stops; what that leaves over, the flow places."""
    net, stays = problem.net, problem.stays
    wishes = dispatch.Preferences(
        max_w=problem.cars.max_w,
        min_w=np.array([stay.min_power_w for stay in stays]),
        running=np.array([stay.charging_w > 0.0 for stay in stays]),
        late=readiness.short,
        priority=np.array([float(stay.priority) for stay in stays]),
        first=first,
    )
    flow.clear(net)
    net.cap[0] = profile
    need = readiness.allotted.copy()
    dispatch.share(net, problem.cars, wishes, problem.present_s, need, dispatch.STICKY_S)
    flow.augment(net, problem.work, need)
    assert not need.any(), "a profile that carried every need once carries it again"
    net.cap[0] = problem.root_cap
    if readiness.overload:
        rest = np.maximum(0, problem.need - readiness.allotted)
        dispatch.share(net, problem.cars, wishes, problem.present_s, rest, dispatch.STICKY_S)


# what comes out


def _check(problem: Problem) -> None:
    """No node above its limit in any slot, and every Wh accounted for at the root."""
    net = problem.net
    assert (net.used <= net.cap).all(), "a plan never exceeds a node"
    assert (net.taken >= 0).all(), "no stay gives energy back"
    assert (net.taken <= net.stay_cap).all(), "no stay takes more than its vehicle can"
    assert int(net.used[0].sum()) == int(net.taken.sum()), "energy passes the root"


def _finished(given: PlanInput, problem: Problem, readiness: Readiness, followed: Followed) -> Plan:
    power = problem.net.taken / problem.hours
    node_power = problem.net.used / problem.hours
    root_w = node_power[0] + problem.base_w
    by_row = forecasts(problem, followed, readiness.shortages)
    found: dict[UUID, Forecast] = {problem.stays[row].id: made for row, made in by_row.items()}
    ids = [stay.id for stay in problem.stays]
    found |= {s.id: settled(s, given.now) for s in given.stays if s.id not in found}
    return Plan(
        site_id=given.site_id,
        made_at=given.now,
        bounds=problem.bounds,
        power_w=_by_id(ids, power),
        allotted_wh={
            s.id: float(a) for s, a in zip(problem.stays, readiness.allotted, strict=True)
        },
        withheld_wh={
            s.id: max(0.0, s.energy_needed_wh - float(a))
            for s, a in zip(problem.stays, readiness.allotted, strict=True)
        },
        node_power_w=_by_id([node.id for node in problem.nodes], node_power),
        forecasts=found,
        peak_w=float(root_w.max()),
        root_id=given.tree.root.id,
        stats=PlanStats(
            slots=len(problem.hours),
            stays=len(problem.stays),
            cells=int(problem.net.used.size),
            triaged=int(readiness.short.sum()),
            triage_proven=readiness.proven,
            overload=readiness.overload,
        ),
        tight=frozenset(problem.nodes[index].id for index in _tight(problem)),
        given_up=frozenset(ids[row] for row in np.flatnonzero(readiness.short)),
    )


def _tight(problem: Problem) -> Sequence[int]:
    """Nodes below the root that are planned to be used most of the time vehicles are there."""
    net = problem.net
    carried = flow.carried(net).astype(np.float64)
    used = net.used.sum(axis=1)
    found = np.flatnonzero((carried > 0.0) & (used >= TIGHT_SHARE * carried))
    return [int(index) for index in found if index > 0]


def _by_id(ids: Sequence[UUID], rows: Floats) -> Mapping[UUID, tuple[float, ...]]:
    return {key: tuple(row) for key, row in zip(ids, rows.tolist(), strict=True)}


def warm_up() -> None:
    """Compile the engine now rather than at the first plan (seconds once, then from disk)."""
    start_at = datetime(2026, 1, 1, tzinfo=UTC)
    root = Node(UUID(int=1), NodeKind.GRID, "grid", None, (NodeLimit(power_w=10_000.0),))
    tree = ElectricalTree((root,), ZoneInfo("UTC"), {root.id: root}, {})
    stay = Stay(
        id=UUID(int=2),
        arrival_at=start_at,
        departure_at=start_at + timedelta(hours=2),
        energy_needed_wh=30_000.0,
        max_power_w=20_000.0,
    )
    given = PlanInput(root.id, start_at, start_at + timedelta(hours=3), tree, (stay,))
    plan(given)
    plan(replace(given, stays=(replace(stay, energy_needed_wh=1000.0),)))
    allocator.warm_up()
