"""A site's tree by number, compiled once: who is above whom, what each node allows. Pure.

Grants are decided over and over on the same tree; numbers are found faster than ids.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from math import inf
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from voltyard.sites.limits import limits_during, limits_ever
from voltyard.sites.model import ElectricalTree, NodeLimit

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KEPT = 4


class Way(NamedTuple):
    """From an EVSE's leaf to the root: every node, and those whose amps are limited at any time."""

    nodes: tuple[int, ...]
    in_amps: tuple[int, ...]


class Circuit:
    """``tree`` by number: node 0 is the root, a node's parent has a lower number."""

    __slots__ = (
        "_base_a",
        "_base_w",
        "_found",
        "_found_for",
        "_timed",
        "_ways",
        "above",
        "ids",
        "in_amps",
        "leaf",
        "leaf_of",
        "number",
        "rank",
        "tree",
        "upward",
    )

    def __init__(self, tree: ElectricalTree) -> None:
        nodes = tree.nodes
        self.tree = tree
        self.ids = tuple(node.id for node in nodes)
        self.number = {node_id: number for number, node_id in enumerate(self.ids)}
        above = [-1 if n.parent_id is None else self.number[n.parent_id] for n in nodes]
        self.above = above
        """By node its parent, -1 for the root."""
        self.leaf = {key: self.number[node.id] for key, node in tree.leaf_of_evse.items()}
        """By EVSE the number of its leaf; it lacks EVSEs that are not in the tree."""
        self.leaf_of = {key.int: number for key, number in self.leaf.items()}
        """The same by the number of its id, which is found faster."""
        self.rank: Ints = np.zeros(len(nodes), dtype=np.int64)
        """By leaf the place of its EVSE among all, by id: what decides between equals."""
        for place, key in enumerate(sorted(self.leaf, key=lambda key: key.int)):
            self.rank[self.leaf[key]] = place
        limited = [any(limit.current_a is not None for limit in n.limits) for n in nodes]
        amps_above = list(limited)
        for number, parent in enumerate(above):
            amps_above[number] = amps_above[number] or (parent >= 0 and amps_above[parent])
        self.upward: Ints = np.array([above, amps_above], dtype=np.int64).T.copy()
        """By node its parent (-1 for the root), and whether it or one above is limited in amps."""
        self.in_amps = [number for number, found in enumerate(limited) if found]
        """Nodes that are limited in amps at any time."""
        self._ways = {key: _way(number, above, limited) for key, number in self.leaf.items()}
        constant = [n.limits if all(li.is_constant for li in n.limits) else () for n in nodes]
        self._base_w, self._base_a = _lowest(constant)
        self._timed = [
            number for number, n in enumerate(nodes) if not all(li.is_constant for li in n.limits)
        ]
        self._found_for: tuple[datetime, float] | None = None
        self._found = self._base_w, self._base_a

    def way(self, evse_id: UUID) -> Way:
        """KeyError when the tree lacks the EVSE."""
        return self._ways[evse_id]

    def upwards(self, node: int) -> tuple[int, ...]:
        """The node itself, its parent, …, the root."""
        nodes = [node]
        while self.above[nodes[-1]] >= 0:
            nodes.append(self.above[nodes[-1]])
        return tuple(nodes)

    def during(self, at: datetime, validity_s: float) -> tuple[Floats, Floats]:
        """By node the lowest limits over [at, at + validity_s]: watts, and amps of each phase.

        Infinite where there is none. They are the caller's own.
        """
        if self._timed and self._found_for != (at, validity_s):
            end_at = at + timedelta(seconds=validity_s)
            nodes, zone = self.tree.nodes, self.tree.zone
            found = _lowest([limits_during(nodes[n], at, end_at, zone) for n in self._timed])
            watts, amps = self._base_w.copy(), self._base_a.copy()
            watts[self._timed], amps[self._timed] = found
            self._found_for, self._found = (at, validity_s), (watts, amps)
        return self._found[0].copy(), self._found[1].copy()

    def ever(self, since: date | None = None) -> tuple[Floats, Floats]:
        """The lowest limits of all time, or from a local day on."""
        return _lowest([limits_ever(node, since) for node in self.tree.nodes])


def _way(leaf: int, above: list[int], limited: list[bool]) -> Way:
    nodes = [leaf]
    while above[nodes[-1]] >= 0:
        nodes.append(above[nodes[-1]])
    return Way(tuple(nodes), tuple(node for node in nodes if limited[node]))


def _lowest(limits: Iterable[tuple[NodeLimit, ...]]) -> tuple[Floats, Floats]:
    watts, amps = [], []
    for found in limits:
        watts.append(min((limit.total_w for limit in found), default=inf))
        amps.append(min((li.current_a for li in found if li.current_a is not None), default=inf))
    by_phase = np.repeat(np.array(amps, dtype=np.float64)[:, np.newaxis], 3, axis=1)
    return np.array(watts, dtype=np.float64), by_phase


class Circuits:
    """Of the last few trees asked for: a site has few at a time, and each is looked at often."""

    def __init__(self) -> None:
        self._known: list[Circuit] = []

    def of(self, tree: ElectricalTree) -> Circuit:
        for circuit in self._known:
            if circuit.tree is tree:
                return circuit
        made = Circuit(tree)
        self._known = [made, *self._known[: KEPT - 1]]
        return made
