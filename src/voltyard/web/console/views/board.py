"""The depot board and the load of a site, as shown."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from voltyard.web.console.views.common import AreaView, Outlook, SiteView


class TileState(StrEnum):
    """What a dispatcher calls the state of an outlet."""

    FREE = "free"
    PLUGGED = "plugged"
    CHARGING = "charging"
    WAITING = "waiting"
    READY = "ready"
    BLOCKED = "blocked"
    OFFLINE = "offline"
    FAULTED = "faulted"
    EMPTY = "empty"
    """A bay without an outlet."""


@dataclass(frozen=True, slots=True)
class BoardTile:
    """One outlet in its bay. ``key`` is stable and unique on the board."""

    key: str
    bay: str
    area_id: UUID | None
    state: TileState
    evse_id: UUID | None = None
    station_id: UUID | None = None
    station: str = ""
    outlet: str = ""
    vehicle: str | None = None
    soc_pct: float | None = None
    target_soc_pct: float | None = None
    power_w: float | None = None
    granted_w: float | None = None
    ready_at: datetime | None = None
    departs_at: datetime | None = None
    outlook: Outlook = Outlook.NONE
    shortfall_wh: float = 0.0
    session_id: UUID | None = None
    duty_id: UUID | None = None
    note: str = ""
    operator_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DepartureRow:
    """``limited_by`` names the nodes that bind, ``fix_w`` is the power there that would help."""

    duty_id: UUID
    vehicle: str
    departs_at: datetime
    bay: str
    soc_pct: float | None
    target_soc_pct: float | None
    outlook: Outlook
    shortfall_wh: float = 0.0
    ready_at: datetime | None = None
    limited_by: str = ""
    fix_w: float = 0.0


@dataclass(frozen=True, slots=True)
class OfflineRow:
    """A station that cannot be heard, and the power held back for it meanwhile."""

    station_id: UUID
    station: str
    since: datetime | None
    reserved_w: float = 0.0
    faulted: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BoardHead:
    """The key figures above the board. ``limit_w`` is the grid connection's limit now."""

    power_w: float
    limit_w: float | None
    plan_w: float | None = None
    reserved_w: float = 0.0
    duties: int = 0
    duties_ready: int = 0
    duties_on_time: int = 0
    evses: int = 0
    charging: int = 0
    offline: int = 0
    faulted: int = 0
    over_limit: bool = False
    at_risk: tuple[DepartureRow, ...] = ()
    out_of_reach: tuple[OfflineRow, ...] = ()
    departures: tuple[DepartureRow, ...] = ()


@dataclass(frozen=True, slots=True)
class BoardView:
    site: SiteView
    now: datetime
    areas: tuple[AreaView, ...]
    tiles: tuple[BoardTile, ...]
    head: BoardHead


@dataclass(frozen=True, slots=True)
class LoadSeries:
    """Columns of one length; times are epoch seconds, powers W, None where unknown."""

    now: datetime
    at_s: tuple[int, ...]
    measured_w: tuple[float | None, ...]
    plan_w: tuple[float | None, ...]
    limit_w: tuple[float | None, ...]
    reserved_w: tuple[float | None, ...]
    other_w: tuple[float | None, ...] = ()
