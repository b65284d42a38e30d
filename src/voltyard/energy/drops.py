"""When limits of a site fall: no grant may outlast such an instant at its old height. Pure."""

from bisect import bisect_right
from datetime import datetime, timedelta

from voltyard.sites.limits import changes, limit_w
from voltyard.sites.model import ElectricalTree

AHEAD = timedelta(hours=26)
_TICK = timedelta(seconds=1)


class Drops:
    """Instants at which some node's limit becomes lower, looked up a day ahead."""

    def __init__(self) -> None:
        self._tree: ElectricalTree | None = None
        self._until: datetime | None = None
        self._found: list[datetime] = []

    def after(self, tree: ElectricalTree, at: datetime) -> datetime | None:
        """The first one later than ``at``; None when there is none for hours."""
        if tree is not self._tree or self._until is None or at > self._until:
            self._tree, self._until = tree, at + AHEAD / 2
            self._found = drops(tree, at, at + AHEAD)
        place = bisect_right(self._found, at)
        return self._found[place] if place < len(self._found) else None


def drops(tree: ElectricalTree, start_at: datetime, end_at: datetime) -> list[datetime]:
    found: set[datetime] = set()
    for node in tree.nodes:
        timed = [limit for limit in node.limits if not limit.is_constant]
        if not timed:
            continue
        for at in changes(timed, start_at, end_at, tree.zone):
            if limit_w(node, at, tree.zone) < limit_w(node, at - _TICK, tree.zone):
                found.add(at)
    return sorted(found)
