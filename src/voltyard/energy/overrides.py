"""Limits set by hand or by a grid operator for a while, on top of a site's own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from voltyard.energy.ports import SiteSetup
from voltyard.sites.model import ElectricalTree, Node, NodeLimit


@dataclass(frozen=True, slots=True)
class Override:
    """Not more than ``power_w`` at a node until ``until_at``."""

    node_id: UUID
    power_w: float
    until_at: datetime
    set_by: str = ""


class Overrides:
    """The overrides of one site, obeyed from the next tick."""

    def __init__(self) -> None:
        self._by_node: dict[UUID, Override] = {}
        self._seen: Mapping[UUID, Override] = MappingProxyType({})
        self._applied: tuple[SiteSetup, SiteSetup] | None = None

    def load(self, found: Iterable[Override]) -> None:
        self._by_node = {override.node_id: override for override in found}

    def put(self, override: Override) -> None:
        self._by_node[override.node_id] = override

    def active(self, now: datetime) -> dict[UUID, Override]:
        return {key: found for key, found in self._by_node.items() if found.until_at > now}

    def changed(self, now: datetime) -> bool:
        """Whether other overrides hold than when this was last asked."""
        active = self.active(now)
        different = active != dict(self._seen)
        if different:
            self._seen, self._applied = MappingProxyType(active), None
        return different

    def applied(self, setup: SiteSetup, now: datetime) -> SiteSetup:
        """The same site with the lower limits in its tree."""
        if not self._seen:
            return setup
        if self._applied is None or self._applied[0] is not setup:
            self._applied = (setup, replace(setup, tree=_limited(setup.tree, self._seen)))
        return self._applied[1]


def _limited(tree: ElectricalTree, overrides: Mapping[UUID, Override]) -> ElectricalTree:
    nodes = tuple(_with_limit(node, overrides.get(node.id)) for node in tree.nodes)
    return ElectricalTree(
        nodes=nodes,
        zone=tree.zone,
        by_id={node.id: node for node in nodes},
        leaf_of_evse={node.evse_id: node for node in nodes if node.evse_id is not None},
    )


def _with_limit(node: Node, override: Override | None) -> Node:
    if override is None:
        return node
    limit = NodeLimit(power_w=override.power_w, source="override")
    return replace(node, limits=(*node.limits, limit))
