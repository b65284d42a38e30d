"""The electrical tree and its limits, as shown and filled in."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.sites.model import NodeKind
from voltyard.web.console.views.common import SiteView


@dataclass(frozen=True, slots=True)
class LimitForm:
    """Exactly one of power and current; times are local ``HH:MM``, dates ``YYYY-MM-DD``."""

    power_w: float | None = None
    current_a: float | None = None
    from_time: str = ""
    to_time: str = ""
    valid_from: str = ""
    valid_to: str = ""
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView(LimitForm):
    """One limit of a node as it is kept, and when it holds, in words."""

    index: int
    source: str
    when: str = ""


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node of the electrical tree, in tree order; ``depth`` 0 is the root."""

    id: UUID
    kind: NodeKind
    name: str
    depth: int
    power_w: float
    limit_w: float | None
    reserved_w: float = 0.0
    plan_w: float | None = None
    station_id: UUID | None = None
    limits: tuple[LimitView, ...] = ()


@dataclass(frozen=True, slots=True)
class TreeView:
    site: SiteView
    now: datetime
    nodes: tuple[NodeView, ...]
