"""Charging in the cheapest hours alone: no readiness is demanded of these vehicles."""

from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar
from uuid import UUID

from voltyard.energy.model import Stay, Step
from voltyard.energy.policies.base import Candidates, Moment, Policy, Setting, capped

NOT_DEMANDED = 1_000
"""Added to the rank of those of whom no readiness is demanded: they come after all others."""


@dataclass(frozen=True, slots=True)
class CheapestOnly(Policy):
    """Vehicles of ``groups`` charge in the cheapest ``hours`` of each day on the site's clock, or
    when a MWh costs no more than ``price_max``; either is enough. Where no prices are known
    they charge as they come. A person who wants one charged now is obeyed."""

    key: ClassVar[str] = "cheapest"
    groups: tuple[str, ...] = ()
    hours: float = 4.0
    price_max: float | None = None

    def stay(self, stay: Stay, group: str, setting: Setting) -> Stay:
        if group not in self.groups or stay.evse_id in setting.at_once or not setting.prices:
            return stay
        found = self.open_at(setting)
        shut = [step for step in setting.prices if step not in found]
        ceiling = tuple(Step(step.start_at, step.end_at, 0.0) for step in shut)
        priority = stay.priority + NOT_DEMANDED
        ceiling = (*stay.ceiling, *ceiling)
        return replace(stay, ceiling=ceiling, priority=priority, demanded=False)

    def ruled(self, candidates: Candidates, moment: Moment) -> Candidates:
        setting = moment.setting
        if not self.groups or not setting.prices or self._is_open(setting):
            return candidates
        return {
            evse_id: capped(candidate, 0.0) if self._binds(evse_id, setting) else candidate
            for evse_id, candidate in candidates.items()
        }

    def _binds(self, evse_id: UUID, setting: Setting) -> bool:
        return setting.group_of_evse[evse_id] in self.groups and evse_id not in setting.at_once

    def _is_open(self, setting: Setting) -> bool:
        now = setting.now
        return any(step.start_at <= now < step.end_at for step in self.open_at(setting))

    def open_at(self, setting: Setting) -> list[Step]:
        """Steps in which they may charge: the cheapest of each day, early before late."""
        zone, found = setting.tree.zone, list[Step]()
        left_s: dict[date, float] = {}
        for step in sorted(setting.prices, key=lambda step: (step.value, step.start_at)):
            day = step.start_at.astimezone(zone).date()
            left_s.setdefault(day, self.hours * 3600.0)
            cheap = self.price_max is not None and step.value <= self.price_max
            if left_s[day] > 0.0 or cheap:
                found.append(step)
                left_s[day] -= (step.end_at - step.start_at).total_seconds()
        return found
