"""Whether the grid leaves room for all that is to run at the same time. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from voltyard.preconditioning.model import Run
from voltyard.sites.limits import limit_w
from voltyard.sites.model import ElectricalTree, Node

SLACK_W = 1.0


@dataclass(frozen=True, slots=True)
class Excess:
    """``missing_w`` is what runs at once beyond what the node allows, chargers that idle aside."""

    run: Run
    node: Node
    missing_w: float


def excesses(
    tree: ElectricalTree, runs: Sequence[Run], evse_of: Mapping[UUID, UUID]
) -> list[Excess]:
    """Runs that begin while what runs already leaves them too little, at the lowest such node.

    ``evse_of``: the outlet of each run's vehicle, by the run's id; without one it counts at the
    root alone.
    """
    at_node: dict[UUID, list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.start_at, run.id)):
        for node in path(tree, evse_of.get(run.id)):
            at_node.setdefault(node.id, []).append(run)
    found: dict[UUID, Excess] = {}
    depth = {node.id: len(list(tree.path_to_root(node.id))) for node in tree.nodes}
    for node_id in sorted(at_node, key=lambda node_id: depth[node_id]):
        for excess in _at(tree.by_id[node_id], at_node[node_id], tree):
            found[excess.run.id] = excess
    return sorted(found.values(), key=lambda excess: (excess.run.start_at, excess.run.id))


def path(tree: ElectricalTree, evse_id: UUID | None) -> Sequence[Node]:
    if evse_id is None or evse_id not in tree.leaf_of_evse:
        return (tree.root,)
    return tuple(tree.path_of_evse(evse_id))


def _at(node: Node, runs: Iterable[Run], tree: ElectricalTree) -> Iterable[Excess]:
    going: list[Run] = []
    for run in runs:
        going = [other for other in going if other.end_at > run.start_at]
        going.append(run)
        total_w = sum(other.power_w for other in going)
        allowed_w = limit_w(node, run.start_at, tree.zone)
        if total_w > allowed_w + SLACK_W:
            yield Excess(run, node, total_w - allowed_w)
