"""Whether a change to a site's tree could let more through than before, and how it reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from voltyard.approvals.gate import fingerprint
from voltyard.approvals.model import Change, Difference
from voltyard.sites.commands import SiteRemoval, SiteUpdate, TreeChange
from voltyard.sites.model import EVERY_DAY, Node, NodeLimit, Site
from voltyard.tenancy.model import Permission

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


def raises(before: Sequence[Node], after: Sequence[Node]) -> bool:
    """Whether somewhere, sometime more could be drawn than before.

    Every node that is left must have limits at least as tight at every instant, and every EVSE
    hang below every node it hung below. A first tree counts too: there was nothing to be lower
    than. What cannot be told apart counts as a raise.
    """
    if not before:
        return bool(after)
    new = {node.id: node for node in after}
    if any(node.id in new and not _as_tight(node.limits, new[node.id].limits) for node in before):
        return True
    old_paths, new_paths = _paths(before), _paths(after)
    return any(not path <= new_paths.get(evse, frozenset()) for evse, path in old_paths.items())


def _as_tight(old: Sequence[NodeLimit], new: Sequence[NodeLimit]) -> bool:
    return all(any(_covers(after, before) for after in new) for before in old)


def _covers(new: NodeLimit, old: NodeLimit) -> bool:
    """Whether ``new`` holds whenever ``old`` did, and allows no more in any phase."""
    if not new.is_constant and not (
        (new.from_time, new.to_time) == (old.from_time, old.to_time)
        and new.weekdays >= old.weekdays
        and (new.valid_from is None or (old.valid_from and new.valid_from <= old.valid_from))
        and (new.valid_to is None or (old.valid_to and new.valid_to >= old.valid_to))
    ):
        return False
    if old.current_a is None:
        return new.total_w <= old.total_w
    same = (new.phases, new.voltage_v) == (old.phases, old.voltage_v)
    return same and new.current_a is not None and new.current_a <= old.current_a


def _paths(nodes: Sequence[Node]) -> dict[UUID, frozenset[UUID]]:
    """Per EVSE the nodes from its own up to the root."""
    known = {node.id: node for node in nodes}
    found: dict[UUID, frozenset[UUID]] = {}
    for leaf in nodes:
        if leaf.evse_id is None:
            continue
        path, node = set[UUID](), leaf
        while node.id not in path:
            path.add(node.id)
            node = known.get(node.parent_id, node) if node.parent_id else node
        found[leaf.evse_id] = frozenset(path)
    return found


def tree_change(site: Site, before: Sequence[Node], after: Sequence[Node], action: str) -> Change:
    """As data: the whole tree where it was given whole, else the nodes that differ."""
    old, new = {n.id: n for n in before}, {n.id: n for n in after}
    whole = action == "tree.replace"
    put = tuple(n for n in after if whole or old.get(n.id) != n)
    removed = tuple(n.id for n in before if n.id not in new)
    rows = [row for key in {**old, **new} for row in _rows(old.get(key), new.get(key), old | new)]
    names = list(dict.fromkeys(row.of for row in rows))
    subject = site.name if len(names) != 1 else f"{site.name} · {names[0]}"
    return Change(
        "sites.tree",
        Permission.SITES_WRITE,
        subject,
        TreeChange(site.id, action, put, removed, whole=whole),
        fingerprint(site.timezone, before),
        tuple(rows),
        site.id,
    )


def changing(data: TreeChange) -> Callable[[list[Node]], list[Node]]:
    """The change as it was kept, on whatever tree there is."""

    def change(known: list[Node]) -> list[Node]:
        if data.whole:
            return list(data.nodes)
        put = {node.id: node for node in data.nodes}
        kept = [put.pop(node.id, node) for node in known if node.id not in data.removed]
        return [*kept, *put.values()]

    return change


def site_removal(site: Site, nodes: Sequence[Node]) -> Change:
    limits = next((_limits_text(node) for node in nodes if node.parent_id is None), "")
    return Change(
        "sites.remove",
        Permission.SITES_WRITE,
        site.name,
        SiteRemoval(site.id),
        fingerprint(site, nodes),
        (Difference(site.name, "site_with_tree", limits, ""),),
        site.id,
    )


def site_update(before: Site, data: SiteUpdate, nodes: Sequence[Node]) -> Change:
    """Of its time zone, on whose clock limits hold."""
    row = Difference(before.name, "timezone", before.timezone, data.draft.timezone)
    return Change(
        "sites.update",
        Permission.SITES_WRITE,
        before.name,
        data,
        fingerprint(before, nodes),
        (row,),
        before.id,
    )


def by_the_clock(nodes: Sequence[Node]) -> bool:
    """Whether some limit depends on the site's clock."""
    return any(not limit.is_constant for node in nodes for limit in node.limits)


def _rows(old: Node | None, new: Node | None, known: Mapping[UUID, Node]) -> list[Difference]:
    node = new or old
    assert node is not None
    if old is None or new is None:
        what = "node_new" if old is None else "node_removed"
        return [Difference(node.name, what, _node_text(old, known), _node_text(new, known))]
    rows = []
    if old.name != new.name:
        rows.append(Difference(node.name, "name", old.name, new.name))
    if old.kind != new.kind:
        rows.append(Difference(node.name, "kind", old.kind.value, new.kind.value))
    if old.parent_id != new.parent_id:
        above = (_name(old.parent_id, known), _name(new.parent_id, known))
        rows.append(Difference(node.name, "below", *above))
    if old.evse_id != new.evse_id:
        outlets = (str(old.evse_id or ""), str(new.evse_id or ""))
        rows.append(Difference(node.name, "outlet", *outlets))
    if old.limits != new.limits:
        rows.append(Difference(node.name, "limits", _limits_text(old), _limits_text(new)))
    return rows


def _name(node_id: UUID | None, known: Mapping[UUID, Node]) -> str:
    node = None if node_id is None else known.get(node_id)
    return "" if node is None else node.name


def _node_text(node: Node | None, known: Mapping[UUID, Node]) -> str:
    if node is None:
        return ""
    parts = [node.kind.value, _limits_text(node)]
    if above := _name(node.parent_id, known):
        parts.append(f"< {above}")
    return " · ".join(part for part in parts if part)


def _limits_text(node: Node) -> str:
    return "; ".join(limit_text(limit) for limit in node.limits)


def limit_text(limit: NodeLimit) -> str:
    """``500 kW``, ``3 × 63 A Mo–Fr 06:00–09:00``: the same in every language."""
    if limit.power_w is not None:
        words = [power_text(limit.power_w)]
    else:
        words = [f"{limit.phases} × {limit.current_a:g} A"]
    if limit.weekdays != EVERY_DAY:
        words.append(",".join(DAYS[day] for day in sorted(limit.weekdays)))
    if limit.from_time is not None or limit.to_time is not None:
        ends = "24:00" if limit.to_time is None else f"{limit.to_time:%H:%M}"
        starts = "00:00" if limit.from_time is None else f"{limit.from_time:%H:%M}"
        words.append(f"{starts}–{ends}")
    if limit.valid_from is not None or limit.valid_to is not None:
        words.append(f"{limit.valid_from or '…'} – {limit.valid_to or '…'}")
    return " ".join(words)


def power_text(power_w: float) -> str:
    return f"{round(power_w / 1000, 3):g} kW"


def renamed(nodes: Sequence[Node], clean: Callable[[str], str]) -> list[Node]:
    """With names as they are kept."""
    return [replace(node, name=clean(node.name)) for node in nodes]
