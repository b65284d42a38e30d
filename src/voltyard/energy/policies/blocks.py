"""Time blocks: power kept free for a group, or the most that one (or the site) may take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from math import inf
from typing import ClassVar
from uuid import UUID

from voltyard.energy.model import Stay, Step
from voltyard.energy.policies.base import (
    Candidates,
    Moment,
    Policy,
    Setting,
    capped,
)
from voltyard.sites.limits import changes, limit_w
from voltyard.sites.model import EVERY_DAY, ElectricalTree, NodeLimit, applies

SOURCE = "policy"
AHEAD = timedelta(hours=36)


class BlockKind(StrEnum):
    RESERVE = "reserve"
    """So much is kept for the group: the others share what the site's limit leaves beyond it."""
    CAP = "cap"
    """The group, or without one the whole site, takes no more than this."""


@dataclass(frozen=True, slots=True)
class Block:
    """Local times of the site; over midnight it belongs to the day it starts on."""

    kind: BlockKind
    power_w: float
    group: str = ""
    from_time: time | None = None
    to_time: time | None = None
    weekdays: frozenset[int] = EVERY_DAY

    @property
    def window(self) -> NodeLimit:
        """As a limit of a node, for the site's clock."""
        return NodeLimit(
            power_w=self.power_w,
            from_time=self.from_time,
            to_time=self.to_time,
            weekdays=self.weekdays,
            source=SOURCE,
        )

    def binds(self, group: str) -> bool:
        return group == self.group if self.kind is BlockKind.CAP else group != self.group

    def most_w(self, tree: ElectricalTree, at: datetime) -> float:
        """What those whom it binds may take together at an instant; infinite outside of it."""
        if not applies(self.window, at, tree.zone):
            return inf
        if self.kind is BlockKind.CAP:
            return self.power_w
        return max(0.0, limit_w(tree.root, at, tree.zone) - self.power_w)


@dataclass(frozen=True, slots=True)
class TimeBlocks(Policy):
    """A cap of the whole site is a limit of its grid connection. One of a group is kept when power
    is shared; plans split it among the group's stays. Who must charge at once is not bound, but
    counts."""

    key: ClassVar[str] = "blocks"
    blocks: tuple[Block, ...] = field(default=())

    def limited(self, tree: ElectricalTree) -> ElectricalTree:
        found = tuple(b.window for b in self.blocks if b.kind is BlockKind.CAP and not b.group)
        if not found:
            return tree
        root = replace(tree.root, limits=(*tree.root.limits, *found))
        by_id = {**tree.by_id, root.id: root}
        return replace(tree, nodes=(root, *tree.nodes[1:]), by_id=by_id)

    def _of_groups(self) -> tuple[Block, ...]:
        return tuple(b for b in self.blocks if b.group)

    def shared(self, stays: Mapping[UUID, Stay], setting: Setting) -> Mapping[UUID, Stay]:
        found = dict(stays)
        for block in self._of_groups():
            bound = [
                stay
                for stay in found.values()
                if block.binds(setting.group_of_stay[stay.id])
                and stay.evse_id not in setting.at_once
            ]
            for first, last, most_w in _pieces(block, setting):
                for stay_id, step in _split(bound, first, last, most_w):
                    stay = found[stay_id]
                    found[stay_id] = replace(stay, ceiling=(*stay.ceiling, step))
        return found

    def ruled(self, candidates: Candidates, moment: Moment) -> Candidates:
        setting, found = moment.setting, dict(candidates)
        for block in self._of_groups():
            left_w = block.most_w(setting.tree, setting.now)
            if left_w == inf:
                continue
            bound = [c for c in found.values() if block.binds(setting.group_of_evse[c.evse_id])]
            at_once = setting.at_once
            left_w -= sum(c.want_w for c in bound if c.evse_id in at_once)
            bound = [c for c in bound if c.evse_id not in at_once]
            # Who charges goes on: the same order every time keeps few starting and stopping.
            bound.sort(key=lambda c: (c.priority, c.late, c.current_w <= 0.0, c.evse_id))
            for candidate in bound:
                made = found[candidate.evse_id] = capped(candidate, max(0.0, left_w))
                left_w -= made.want_w
        return found


def _pieces(block: Block, setting: Setting) -> Sequence[tuple[datetime, datetime, float]]:
    """When it holds from now on, with what it leaves to those whom it binds."""
    tree, now = setting.tree, setting.now
    limits = (block.window, *tree.root.limits)
    marks = [now, *changes(limits, now, now + AHEAD, tree.zone), now + AHEAD]
    found = [(a, b, block.most_w(tree, a)) for a, b in pairwise(marks)]
    return [piece for piece in found if piece[2] < inf and piece[1] > piece[0]]


def _split(
    stays: Sequence[Stay], first: datetime, last: datetime, most_w: float
) -> Sequence[tuple[UUID, Step]]:
    """Each stay's part while it is there: by what it lacks against the time it has for it."""
    marks = {first, last}
    for stay in stays:
        marks |= {at for at in (stay.arrival_at, stay.departure_at) if first < at < last}
    cuts, found = sorted(marks), []
    for begin, end in pairwise(cuts):
        here = [s for s in stays if s.arrival_at <= begin and s.departure_at >= end]
        weights = [_weight(stay) for stay in here]
        total = sum(weights)
        for stay, weight in zip(here, weights, strict=True):
            part_w = most_w * weight / total if total > 0.0 else most_w / len(here)
            found.append((stay.id, Step(begin, end, part_w)))
    return found


def _weight(stay: Stay) -> float:
    hours = max(0.25, (stay.departure_at - stay.arrival_at).total_seconds() / 3600.0)
    return stay.energy_needed_wh / hours
