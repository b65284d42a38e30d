"""Priority groups: fleet over public, express over reserve. The first group goes before all."""

from dataclasses import dataclass
from typing import ClassVar

from voltyard.energy.needs import STRIDE
from voltyard.energy.policies.base import Group, Policy


@dataclass(frozen=True, slots=True)
class PriorityGroups(Policy):
    """In order of importance; who is in none of them comes after all. Without groups, the own
    priority of a duty counts alone. A vehicle is in the first group that fits."""

    key: ClassVar[str] = "groups"
    groups: tuple[Group, ...] = ()

    def priority(self, group: str, priority: int) -> int:
        if not self.groups:
            return priority
        keys = [found.key for found in self.groups]
        place = keys.index(group) if group in keys else len(keys)
        return (place + 1) * STRIDE + priority
