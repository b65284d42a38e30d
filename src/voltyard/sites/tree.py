"""Building the electrical tree of a site from its nodes, refusing what could not be guarded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.errors import Invalid
from voltyard.sites.model import ElectricalTree, Node, NodeKind, NodeLimit


def build(nodes: Iterable[Node], zone: ZoneInfo) -> ElectricalTree:
    """The checked tree, root first and every parent before its children.

    Raises ``Invalid`` (code ``tree_invalid``) whose fields are paths such as
    ``nodes[3].limits[0].power_w``, indexed as the nodes were given.
    """
    given = tuple(nodes)
    problems: dict[str, str] = {}
    _check_ids(given, problems)
    _check_root(given, problems)
    for index, node in enumerate(given):
        _check_node(index, node, problems)
    _refuse(problems)
    ordered = _parents_first(given)
    _check_reached(given, ordered, problems)
    _refuse(problems)
    return ElectricalTree(
        nodes=ordered,
        zone=zone,
        by_id={node.id: node for node in ordered},
        leaf_of_evse={node.evse_id: node for node in ordered if node.evse_id is not None},
    )


def _refuse(problems: Mapping[str, str]) -> None:
    if problems:
        raise Invalid("the electrical tree is not valid", code="tree_invalid", fields=problems)


def _check_ids(nodes: Sequence[Node], problems: dict[str, str]) -> None:
    seen: set[UUID] = set()
    seen_evses: set[UUID] = set()
    known = {node.id: node for node in nodes}
    for index, node in enumerate(nodes):
        if node.id in seen:
            problems[f"nodes[{index}].id"] = "occurs twice"
        seen.add(node.id)
        if node.evse_id is not None:
            if node.evse_id in seen_evses:
                problems[f"nodes[{index}].evse_id"] = "occurs twice"
            seen_evses.add(node.evse_id)
        if node.parent_id is None:
            continue
        parent = known.get(node.parent_id)
        if parent is None:
            problems[f"nodes[{index}].parent_id"] = "names no node of this tree"
        elif parent.kind is NodeKind.EVSE:
            problems[f"nodes[{index}].parent_id"] = "an EVSE has no nodes below it"


def _check_root(nodes: Sequence[Node], problems: dict[str, str]) -> None:
    roots = [index for index, node in enumerate(nodes) if node.parent_id is None]
    if not roots:
        problems["nodes"] = "needs exactly one root, the grid connection"
    for index in roots[1:]:
        problems[f"nodes[{index}].parent_id"] = "only the grid connection has no parent"
    if roots:
        root = nodes[roots[0]]
        if root.kind is not NodeKind.GRID:
            problems[f"nodes[{roots[0]}].kind"] = "the root must be the grid connection"
        if not root.limits:
            problems[f"nodes[{roots[0]}].limits"] = "the grid connection needs a limit"
    for index, node in enumerate(nodes):
        if node.kind is NodeKind.GRID and node.parent_id is not None:
            problems[f"nodes[{index}].kind"] = "the grid connection is the root only"


def _check_node(index: int, node: Node, problems: dict[str, str]) -> None:
    if node.kind is NodeKind.EVSE and node.evse_id is None:
        problems[f"nodes[{index}].evse_id"] = "an EVSE node needs its EVSE"
    if node.kind is not NodeKind.EVSE and node.evse_id is not None:
        problems[f"nodes[{index}].evse_id"] = "only an EVSE node has one"
    for position, limit in enumerate(node.limits):
        _check_limit(f"nodes[{index}].limits[{position}]", limit, problems)


def _check_limit(path: str, limit: NodeLimit, problems: dict[str, str]) -> None:
    if (limit.power_w is None) == (limit.current_a is None):
        problems[f"{path}.power_w"] = "give either power_w or current_a"
    for name, value in (("power_w", limit.power_w), ("current_a", limit.current_a)):
        if value is None:
            continue
        if not isfinite(value) or value < 0:
            problems[f"{path}.{name}"] = "must be a finite number, not negative"
        elif value == 0 and limit.is_constant:
            problems[f"{path}.{name}"] = "may be 0 in a time window only"
    if limit.phases not in (1, 2, 3):
        problems[f"{path}.phases"] = "must be 1, 2 or 3"
    if not (isfinite(limit.voltage_v) and limit.voltage_v > 0):
        problems[f"{path}.voltage_v"] = "must be a finite number above 0"
    if not limit.weekdays or not limit.weekdays <= frozenset(range(7)):
        problems[f"{path}.weekdays"] = "must name days 0 (Monday) to 6 (Sunday)"
    first, last = limit.valid_from, limit.valid_to
    if first is not None and last is not None and last < first:
        problems[f"{path}.valid_to"] = "is before valid_from"
    for name, wall in (("from_time", limit.from_time), ("to_time", limit.to_time)):
        if wall is not None and wall.tzinfo is not None:
            problems[f"{path}.{name}"] = "is a local time of the site, without a timezone"


def _parents_first(nodes: Sequence[Node]) -> tuple[Node, ...]:
    children: dict[UUID | None, list[Node]] = defaultdict(list)
    for node in nodes:
        children[node.parent_id].append(node)
    ordered = list(children[None])
    for node in ordered:  # grows while it is walked: breadth first
        ordered.extend(children[node.id])
    return tuple(ordered)


def _check_reached(
    nodes: Sequence[Node], ordered: Sequence[Node], problems: dict[str, str]
) -> None:
    reached = {node.id for node in ordered}
    for index, node in enumerate(nodes):
        if node.id not in reached:
            problems[f"nodes[{index}].parent_id"] = "is part of a cycle, or below one"
