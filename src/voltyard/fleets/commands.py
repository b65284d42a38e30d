"""What can be asked of the fleets room: drafts of vehicles and tokens, and their rules."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from uuid import UUID

from voltyard.errors import Invalid
from voltyard.fleets.model import CurvePoint, Token, Vehicle
from voltyard.sessions.model import TokenKind

NAME_MAX = 200
CURVE_POINTS_MAX = 200
GROUP_MAX = 36
PLACES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class VehicleDraft:
    """A vehicle as asked for; see ``fleets.model.Vehicle`` for the meaning of each field."""

    name: str
    vehicle_class: str = ""
    battery_wh: float | None = None
    max_power_w: float | None = None
    min_power_w: float = 0.0
    charge_curve: tuple[CurvePoint, ...] = ()
    efficiency: float = 1.0
    vin: str | None = None
    licence_plate: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class TokenDraft:
    """A token as asked for; see ``fleets.model.Token`` for the meaning of each field."""

    value: str
    kind: str = TokenKind.RFID.value
    vehicle_id: UUID | None = None
    label: str = ""
    blocked: bool = False
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    group_id: str = ""
    concurrent: bool = False
    site_ids: tuple[UUID, ...] = ()
    area_ids: tuple[UUID, ...] = ()


def vehicle_from(draft: VehicleDraft, vehicle_id: UUID, org_id: UUID) -> Vehicle:
    """The vehicle of a draft. Invalid names every wrong field."""
    wrong: dict[str, str] = {}
    name = " ".join(draft.name.split())
    if not name or len(name) > NAME_MAX:
        wrong["name"] = f"1 to {NAME_MAX} characters"
    for field in ("battery_wh", "max_power_w"):
        value = getattr(draft, field)
        if value is not None and not (isfinite(value) and 0 < value < 1e9):
            wrong[field] = "must be above 0"
    if not (isfinite(draft.min_power_w) and 0 <= draft.min_power_w < 1e9):
        wrong["min_power_w"] = "must be 0 or more"
    elif draft.max_power_w is not None and draft.min_power_w > draft.max_power_w:
        wrong["min_power_w"] = "is above max_power_w"
    if not (isfinite(draft.efficiency) and 0.5 <= draft.efficiency <= 1.0):
        wrong["efficiency"] = "must be 0.5 to 1"
    fault = _curve_fault(draft.charge_curve)
    if fault:
        wrong["charge_curve"] = fault
    if draft.vin is not None and len(draft.vin) > 32:
        wrong["vin"] = "at most 32 characters"
    if wrong:
        raise Invalid("The vehicle is not valid.", fields=wrong)
    return Vehicle(
        vehicle_id,
        org_id,
        name,
        " ".join(draft.vehicle_class.split()),
        draft.battery_wh,
        draft.max_power_w,
        draft.min_power_w,
        tuple((float(soc), float(power)) for soc, power in draft.charge_curve),
        draft.efficiency,
        (draft.vin or "").strip() or None,
        (draft.licence_plate or "").strip() or None,
        draft.active,
    )


def _curve_fault(curve: tuple[CurvePoint, ...]) -> str:
    if len(curve) > CURVE_POINTS_MAX:
        return f"at most {CURVE_POINTS_MAX} points"
    last_soc = -1.0
    for soc_pct, power_w in curve:
        if not (isfinite(soc_pct) and 0 <= soc_pct <= 100):
            return "SoC must be 0 to 100 %"
        if soc_pct <= last_soc:
            return "SoC must rise from point to point"
        if not (isfinite(power_w) and 0 <= power_w < 1e9):
            return "power must be 0 or more watts"
        last_soc = soc_pct
    if curve and max(power_w for _, power_w in curve) <= 0:
        return "has no power"
    return ""


def token_from(draft: TokenDraft, token_id: UUID, org_id: UUID) -> Token:
    """The token of a draft. Invalid names every wrong field."""
    wrong: dict[str, str] = {}
    value = draft.value.strip()
    if not value or len(value) > 255 or not value.isprintable():
        wrong["value"] = "1 to 255 printable characters"
    if draft.kind not in set(TokenKind):
        wrong["kind"] = f"one of {', '.join(sorted(TokenKind))}"
    group_id = draft.group_id.strip()
    if len(group_id) > GROUP_MAX or (group_id and not group_id.isprintable()):
        wrong["group_id"] = f"at most {GROUP_MAX} printable characters"
    for field in ("site_ids", "area_ids"):
        if len(getattr(draft, field)) > PLACES_MAX:
            wrong[field] = f"at most {PLACES_MAX}"
    for field in ("valid_from", "valid_until"):
        at = getattr(draft, field)
        if at is not None and at.tzinfo is None:
            wrong[field] = "needs a UTC offset"
    start, end = draft.valid_from, draft.valid_until
    if not wrong and start is not None and end is not None and end <= start:
        wrong["valid_until"] = "is not after valid_from"
    if wrong:
        raise Invalid("The token is not valid.", fields=wrong)
    return Token(
        token_id,
        org_id,
        draft.kind,
        value,
        draft.vehicle_id,
        draft.label.strip(),
        draft.blocked,
        draft.valid_from,
        draft.valid_until,
        group_id,
        draft.concurrent,
        tuple(sorted(set(draft.site_ids))),
        tuple(sorted(set(draft.area_ids))),
    )
