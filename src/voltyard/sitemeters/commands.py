"""What people enter about a site meter, checked as a whole."""

from dataclasses import dataclass, field
from math import isfinite
from uuid import UUID

from voltyard.errors import Invalid
from voltyard.sitemeters.model import (
    UNITS,
    Connection,
    Covers,
    Fallback,
    MeterProtocol,
    Point,
    Quantity,
    SiteMeter,
)

POINTS_MAX = 20
NAME_MAX = 100
_OF = {
    "power": {"W", "kW", "MW"},
    "current": {"A", "mA"},
    "energy": {"Wh", "kWh", "MWh"},
    "time": {"s", "ms"},
}


@dataclass(frozen=True, slots=True)
class MeterDraft:
    """``password`` None keeps the one that is stored."""

    node_id: UUID
    name: str
    protocol: MeterProtocol
    covers: Covers = Covers.ALL
    connection: Connection = field(default_factory=Connection)
    points: tuple[Point, ...] = ()
    enabled: bool = True
    margin_w: float = 5_000.0
    hold_s: float = 60.0
    fallback: Fallback = Fallback.HIGHEST
    reserve_w: float = 0.0
    days: int = 14
    most_w: float = 1e8
    password: str | None = None


def meter_from(draft: MeterDraft, meter_id: UUID, org_id: UUID, site_id: UUID) -> SiteMeter:
    """Raises Invalid, naming every field that is wrong."""
    faults: dict[str, str] = {}
    name = draft.name.strip()
    if not 1 <= len(name) <= NAME_MAX:
        faults["name"] = f"1 to {NAME_MAX} characters"
    _in(faults, "margin_w", draft.margin_w, 0.0, 1e8)
    _in(faults, "hold_s", draft.hold_s, 5.0, 86_400.0)
    _in(faults, "reserve_w", draft.reserve_w, 0.0, 1e8)
    _in(faults, "days", draft.days, 1, 35)
    _in(faults, "most_w", draft.most_w, 1.0, 1e9)
    _check_connection(draft, faults)
    if draft.protocol is not MeterProtocol.PUSH:
        _check_points(draft, faults)
    if faults:
        raise Invalid("This meter cannot work as it is set up.", fields=faults)
    return SiteMeter(
        meter_id, org_id, site_id, draft.node_id, name, draft.protocol, draft.covers,
        draft.connection, draft.points, draft.enabled, draft.margin_w, draft.hold_s,
        draft.fallback, draft.reserve_w, draft.days, draft.most_w,
    )  # fmt: skip


def _in(faults: dict[str, str], name: str, value: float, low: float, high: float) -> None:
    if not (isfinite(value) and low <= value <= high):
        faults[name] = f"{low:g} to {high:g}"


def _check_connection(draft: MeterDraft, faults: dict[str, str]) -> None:
    to = draft.connection
    if draft.protocol is MeterProtocol.PUSH:
        return
    if not to.host or len(to.host) > 253 or any(c.isspace() or c in "/@" for c in to.host):
        faults["host"] = "a host name or address"
    if not 1 <= to.port <= 65_535:
        faults["port"] = "1 to 65535"
    if draft.protocol is MeterProtocol.MODBUS:
        _in(faults, "unit_id", to.unit_id, 0, 255)
        _in(faults, "poll_s", to.poll_s, 1.0, 300.0)
    elif not to.topic or len(to.topic.encode()) > 1_000 or "\x00" in to.topic:
        faults["topic"] = "the topic the meter publishes to"


def _check_points(draft: MeterDraft, faults: dict[str, str]) -> None:
    points = draft.points
    if not 1 <= len(points) <= POINTS_MAX:
        faults["points"] = f"1 to {POINTS_MAX}"
    quantities = [point.quantity for point in points]
    if len(set(quantities)) != len(quantities):
        faults["points"] = "each quantity once"
    groups = (
        {Quantity.POWER},
        {Quantity.POWER_L1, Quantity.POWER_L2, Quantity.POWER_L3},
        {Quantity.CURRENT_L1, Quantity.CURRENT_L2, Quantity.CURRENT_L3},
    )
    if not any(group <= set(quantities) for group in groups):
        faults["points"] = "the power, or power or current of all three phases"
    for index, point in enumerate(points):
        allowed = _OF[point.quantity.value.split("_")[0]]
        if point.unit not in UNITS or point.unit not in allowed:
            faults[f"points.{index}.unit"] = " ".join(sorted(allowed))
        if not isfinite(point.scale) or point.scale == 0.0:
            faults[f"points.{index}.scale"] = "not 0"
        if draft.protocol is MeterProtocol.MODBUS:
            if point.quantity is Quantity.TIME:
                faults[f"points.{index}.quantity"] = "not by Modbus"
            if not 0 <= point.address <= 65_532:
                faults[f"points.{index}.address"] = "0 to 65532"
            if point.table not in ("holding", "input"):
                faults[f"points.{index}.table"] = "holding or input"
