"""Charge now: a person's word goes before price, peak and plan, never before a limit."""

from dataclasses import dataclass, replace
from typing import ClassVar

from voltyard.energy.policies.base import Candidates, Moment, Policy

RANK = 1


@dataclass(frozen=True, slots=True)
class ChargeNow(Policy):
    """A session that one of ours put before all others gets all it can take from the next look on,
    also where a plan would charge it later. ``enabled`` False: it only goes first."""

    key: ClassVar[str] = "charge_now"
    enabled: bool = True

    def ruled(self, candidates: Candidates, moment: Moment) -> Candidates:
        if not self.enabled or moment.setting.at_once.isdisjoint(candidates):
            return candidates
        found = dict(candidates)
        for evse_id in moment.setting.at_once.intersection(candidates):
            one = found[evse_id]
            plan_w = one.want_w if one.plan_w is None else one.plan_w
            found[evse_id] = replace(one, plan_w=plan_w, laxity_s=0.0, late=False, priority=RANK)
        return found
