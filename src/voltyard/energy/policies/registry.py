"""Every policy there is, in the order in which they apply, and a site's own set of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import msgspec

from voltyard.energy.allocator import Candidate
from voltyard.energy.inputs import Outlook, Present, Situation
from voltyard.energy.model import Plan, Stay
from voltyard.energy.policies.atonce import ChargeNow
from voltyard.energy.policies.base import (
    Candidates,
    Left,
    Moment,
    Policy,
    Setting,
    is_at_once,
    setting_of,
)
from voltyard.energy.policies.blocks import TimeBlocks
from voltyard.energy.policies.cheapest import CheapestOnly
from voltyard.energy.policies.groups import PriorityGroups
from voltyard.energy.policies.readyby import ReadyBy
from voltyard.energy.policies.visitors import VisitorsShare
from voltyard.errors import Invalid
from voltyard.sites.model import ElectricalTree

POLICIES = (PriorityGroups, ReadyBy, CheapestOnly, TimeBlocks, ChargeNow, VisitorsShare)
"""A new one is added here; docs/extend/strategy.md."""


@dataclass(frozen=True, slots=True)
class SitePolicies:
    """One of each. As it is, nothing is asked for but that charge-now is obeyed."""

    groups: PriorityGroups = field(default_factory=PriorityGroups)
    ready_by: ReadyBy = field(default_factory=ReadyBy)
    cheapest: CheapestOnly = field(default_factory=CheapestOnly)
    blocks: TimeBlocks = field(default_factory=TimeBlocks)
    charge_now: ChargeNow = field(default_factory=ChargeNow)
    visitors: VisitorsShare = field(default_factory=VisitorsShare)

    @property
    def all(self) -> tuple[Policy, ...]:
        return tuple(getattr(self, kind.key) for kind in POLICIES)

    @property
    def needs_prices(self) -> bool:
        return bool(self.cheapest.groups)

    @property
    def ranks_nobody(self) -> bool:
        """Whether everybody is planned for as without policies."""
        in_groups = any(block.group for block in self.blocks.blocks)
        minimum = self.ready_by.minimum_soc_pct is not None
        return not (self.groups.groups or self.cheapest.groups or in_groups or minimum)

    def limited(self, tree: ElectricalTree) -> ElectricalTree:
        for policy in self.all:
            tree = policy.limited(tree)
        return tree

    def shaped(self, found: Outlook, situation: Situation) -> Outlook:
        """Who is here and expected, as the policies want them planned for."""
        if self.ranks_nobody:
            return found
        setting = setting_of(self.groups.groups, found, situation)
        stays: Mapping[UUID, Stay] = {
            key: self._stay(stay, setting) for key, stay in found.stays.items()
        }
        for policy in self.all:
            stays = policy.shared(stays, setting)
        present = {
            evse_id: self._present(one, stays, setting.group_of_evse[evse_id])
            for evse_id, one in found.present.items()
        }
        return replace(found, present=present, stays=stays)

    def _stay(self, stay: Stay, setting: Setting) -> Stay:
        group = setting.group_of_stay[stay.id]
        if stay.evse_id not in setting.at_once:
            stay = replace(stay, priority=self._rank(group, stay.priority))
        for policy in self.all:
            stay = policy.stay(stay, group, setting)
        return stay

    def _present(self, one: Present, stays: Mapping[UUID, Stay], group: str) -> Present:
        stay = None if one.stay is None else stays[one.stay.id]
        priority = one.priority if is_at_once(one) else self._rank(group, one.priority)
        return replace(one, stay=stay, priority=priority)

    def _rank(self, group: str, priority: int) -> int:
        for policy in self.all:
            priority = policy.priority(group, priority)
        return priority

    def ruled(
        self,
        candidates: Candidates,
        found: Outlook,
        situation: Situation,
        plan: Plan | None,
        left: Left,
    ) -> Mapping[UUID, Candidate]:
        """Those who are here as power is to be shared among them."""
        asked = any(is_at_once(one) for one in found.present.values())
        if self.ranks_nobody and self.visitors == VisitorsShare() and not asked:
            return candidates
        setting = setting_of(self.groups.groups, found, situation)
        moment = Moment(setting, found.present, plan, left)
        for policy in self.all:
            candidates = policy.ruled(candidates, moment)
        return candidates


def payload(policies: SitePolicies) -> dict[str, Any]:
    """As they are stored and told: by key, in plain values."""
    made = {kind.key: msgspec.to_builtins(getattr(policies, kind.key)) for kind in POLICIES}
    for block in made["blocks"]["blocks"]:
        block["weekdays"] = sorted(block["weekdays"])
    return made


def policies_of(raw: Mapping[str, Any], nodes: Sequence[UUID] | None = None) -> SitePolicies:
    """From stored or given values; what is missing is as if never set.

    Raises Invalid, its fields named as paths such as ``blocks.0.power_w``. With ``nodes``, groups
    may name these alone.
    """
    unknown = sorted(set(raw) - {kind.key for kind in POLICIES})
    if unknown:
        raise Invalid("There is no such policy.", fields=dict.fromkeys(unknown, "is not known"))
    made: dict[str, Any] = {}
    for kind in POLICIES:
        try:
            made[kind.key] = msgspec.convert(raw.get(kind.key) or {}, kind, strict=False)
        except msgspec.ValidationError as error:
            raise Invalid("A policy is not valid.", fields={kind.key: str(error)}) from error
    policies = SitePolicies(**made)
    faults = _faults(policies, nodes)
    if faults:
        raise Invalid("The policies are not valid.", fields=faults)
    return policies


def _faults(policies: SitePolicies, nodes: Sequence[UUID] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    keys: set[str] = set()
    for place, group in enumerate(policies.groups.groups):
        at = f"groups.{place}"
        if not group.key or len(group.key) > 40 or group.key in keys:
            found[f"{at}.key"] = "needs 1 to 40 characters of its own"
        if not group.name or len(group.name) > 100:
            found[f"{at}.name"] = "needs 1 to 100 characters"
        if nodes is not None and not set(group.node_ids) <= set(nodes):
            found[f"{at}.node_ids"] = "names a node that the site does not have"
        keys.add(group.key)
    for place, block in enumerate(policies.blocks.blocks):
        at = f"blocks.{place}"
        if not 0.0 <= block.power_w <= 1e9:
            found[f"{at}.power_w"] = "must be 0 or more"
        if block.group not in keys and (block.group or block.kind == "reserve"):
            found[f"{at}.group"] = "names no group"
        if not block.group and block.power_w <= 0.0:
            found[f"{at}.power_w"] = "must be more than 0 for the whole site"
        if not block.weekdays or not block.weekdays <= frozenset(range(7)):
            found[f"{at}.weekdays"] = "must name days 0 (Monday) to 6 (Sunday)"
    for name in ("ready_by", "cheapest"):
        if not set(getattr(policies, name).groups) <= keys:
            found[f"{name}.groups"] = "names no group"
    return found | _figures(policies)


def _figures(policies: SitePolicies) -> dict[str, str]:
    found: dict[str, str] = {}
    least_pct = policies.ready_by.minimum_soc_pct
    if least_pct is not None and not 0.0 <= least_pct <= 100.0:
        found["ready_by.minimum_soc_pct"] = "must be 0 to 100"
    if not 0.0 <= policies.cheapest.hours <= 24.0:
        found["cheapest.hours"] = "must be 0 to 24"
    if not 0.0 <= policies.visitors.share_pct <= 100.0:
        found["visitors.share_pct"] = "must be 0 to 100"
    return found
