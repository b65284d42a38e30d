"""Vehicles and tokens as CSV: read with every fault named, and written to be read again."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.errors import Invalid
from voltyard.fleets.commands import TokenDraft, VehicleDraft, token_from, vehicle_from
from voltyard.fleets.model import CurvePoint, Token, Vehicle
from voltyard.ids import new_id
from voltyard.tabular import Fault, Line, Table, instant, number, read, write, yes_no

V = TypeVar("V", Vehicle, Token)
Convert = Callable[[str], Any]

VEHICLE_COLUMNS = (
    "name",
    "vehicle_class",
    "battery_kwh",
    "max_power_kw",
    "min_power_kw",
    "charge_curve",
    "efficiency",
    "vin",
    "licence_plate",
    "active",
)
TOKEN_COLUMNS = (
    "value",
    "kind",
    "vehicle",
    "label",
    "blocked",
    "valid_from",
    "valid_until",
    "group",
    "concurrent",
)


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What a file would do. Nothing is imported while ``faults`` is not empty."""

    rows: int
    new: tuple[Vehicle, ...] | tuple[Token, ...] = ()
    changed: tuple[Vehicle, ...] | tuple[Token, ...] = ()
    unchanged: int = 0
    faults: tuple[Fault, ...] = ()


def read_vehicles(content: bytes, org_id: UUID, known: Iterable[Vehicle]) -> FleetReport:
    """Vehicles by name. A column that is not in the file leaves known vehicles as they are."""
    table = read(content, known=VEHICLE_COLUMNS, needed=("name",))
    by_name = {vehicle.name.casefold(): vehicle for vehicle in known}
    pairs: list[tuple[Vehicle | None, Vehicle]] = []
    faults = list(table.faults)
    for line in _unique(table, "name", faults):
        before = by_name.get(line.cells["name"].casefold())
        values = _values(line, _VEHICLE_FIELDS, faults)
        if values is None:
            continue
        start = VehicleDraft("") if before is None else _vehicle_draft(before)
        try:
            draft = replace(start, **values)
            after = vehicle_from(draft, before.id if before else new_id(), org_id)
        except Invalid as error:
            faults += _invalid(line, error, _VEHICLE_FIELDS)
        else:
            pairs.append((before, after))
    return _report(table, pairs, faults)


def read_tokens(
    content: bytes,
    org_id: UUID,
    known: Iterable[Token],
    vehicles: Mapping[str, Vehicle],
    zone: ZoneInfo,
) -> FleetReport:
    """Tokens by value; ``vehicles`` by case-folded name, ``zone`` for times without offset."""

    def vehicle_id(text: str) -> UUID | None:
        if not text:
            return None
        found = vehicles.get(text.casefold())
        if found is None:
            raise ValueError("there is no vehicle of this name")
        return found.id

    table = read(content, known=TOKEN_COLUMNS, needed=("value",))
    fields = {**_TOKEN_FIELDS, "vehicle": ("vehicle_id", vehicle_id)}
    for column in ("valid_from", "valid_until"):
        fields[column] = (column, lambda text: instant(text, zone) if text else None)
    by_value = {token.value.casefold(): token for token in known}
    pairs: list[tuple[Token | None, Token]] = []
    faults = list(table.faults)
    for line in _unique(table, "value", faults):
        before = by_value.get(line.cells["value"].casefold())
        values = _values(line, fields, faults)
        if values is None:
            continue
        start = TokenDraft("") if before is None else _token_draft(before)
        try:
            draft = replace(start, **values)
            after = token_from(draft, before.id if before else new_id(), org_id)
        except Invalid as error:
            faults += _invalid(line, error, fields)
        else:
            pairs.append((before, after))
    return _report(table, pairs, faults)


def _unique(table: Table, column: str, faults: list[Fault]) -> Iterable[Line]:
    first: dict[str, int] = {}
    for line in table.lines:
        key = line.cells[column].casefold()
        if first.setdefault(key, line.row) == line.row:
            yield line
        else:
            reason = f"occurs in row {first[key]} already"
            faults.append(Fault(line.row, column, reason, line.cells[column]))


def _values(
    line: Line, fields: Mapping[str, tuple[str, Convert]], faults: list[Fault]
) -> dict[str, Any] | None:
    """The fields of a row's cells; None when one cannot be read."""
    values: dict[str, Any] = {}
    good = True
    for column, text in line.cells.items():
        if column not in fields:
            continue
        name, convert = fields[column]
        try:
            values[name] = convert(text)
        except ValueError as error:
            good = False
            faults.append(Fault(line.row, column, str(error), text))
    return values if good else None


def _invalid(
    line: Line, error: Invalid, fields: Mapping[str, tuple[str, Convert]]
) -> Iterable[Fault]:
    columns = {name: column for column, (name, _) in fields.items()}
    for name, reason in error.fields.items():
        column = columns.get(name, name)
        yield Fault(line.row, column, reason, line.cells.get(column, ""))


def _report(table: Table, pairs: list[tuple[V | None, V]], faults: list[Fault]) -> FleetReport:
    new = tuple(after for before, after in pairs if before is None)
    changed = tuple(after for before, after in pairs if before not in (None, after))
    same = len(pairs) - len(new) - len(changed)
    ordered = tuple(sorted(faults, key=lambda fault: fault.row))
    return FleetReport(len(table.lines), new, changed, same, ordered)


def _optional(scale: float) -> Convert:
    return lambda text: number(text) * scale if text else None


def _or(default: float, scale: float = 1.0) -> Convert:
    return lambda text: number(text) * scale if text else default


def read_curve(text: str) -> tuple[CurvePoint, ...]:
    """``0:150 80:150 100:20``: SoC in % and power in kW; ValueError in words."""
    points: list[CurvePoint] = []
    for part in text.split():
        soc, colon, power = part.partition(":")
        if not colon:
            raise ValueError("write it as 0:150 80:150 100:20 (SoC in %, power in kW)")
        points.append((number(soc), number(power) * 1000.0))
    return tuple(points)


def _write_curve(curve: Iterable[CurvePoint]) -> str:
    return " ".join(f"{_text(soc)}:{_text(power_w / 1000.0)}" for soc, power_w in curve)


def _yes_unless_no(text: str) -> bool:
    return yes_no(text) if text else True


def _no_unless_yes(text: str) -> bool:
    return yes_no(text) if text else False


_VEHICLE_FIELDS: Mapping[str, tuple[str, Convert]] = {
    "name": ("name", str),
    "vehicle_class": ("vehicle_class", str),
    "battery_kwh": ("battery_wh", _optional(1000.0)),
    "max_power_kw": ("max_power_w", _optional(1000.0)),
    "min_power_kw": ("min_power_w", _or(0.0, 1000.0)),
    "charge_curve": ("charge_curve", read_curve),
    "efficiency": ("efficiency", _or(1.0)),
    "vin": ("vin", lambda text: text or None),
    "licence_plate": ("licence_plate", lambda text: text or None),
    "active": ("active", _yes_unless_no),
}
_TOKEN_FIELDS: Mapping[str, tuple[str, Convert]] = {
    "value": ("value", str),
    "kind": ("kind", lambda text: text.casefold() or "rfid"),
    "label": ("label", str),
    "blocked": ("blocked", _no_unless_yes),
    "group": ("group_id", str),
    "concurrent": ("concurrent", _no_unless_yes),
}


def _vehicle_draft(vehicle: Vehicle) -> VehicleDraft:
    names = VehicleDraft.__dataclass_fields__
    return VehicleDraft(**{name: getattr(vehicle, name) for name in names})


def _token_draft(token: Token) -> TokenDraft:
    return TokenDraft(**{name: getattr(token, name) for name in TokenDraft.__dataclass_fields__})


def write_vehicles(vehicles: Iterable[Vehicle]) -> str:
    return write(
        VEHICLE_COLUMNS,
        (
            (
                v.name,
                v.vehicle_class,
                _text(v.battery_wh, 1000.0),
                _text(v.max_power_w, 1000.0),
                _text(v.min_power_w, 1000.0),
                _write_curve(v.charge_curve),
                _text(v.efficiency),
                v.vin or "",
                v.licence_plate or "",
                "yes" if v.active else "no",
            )
            for v in vehicles
        ),
    )


def write_tokens(tokens: Iterable[Token], vehicles: Mapping[UUID, str]) -> str:
    return write(
        TOKEN_COLUMNS,
        (
            (
                t.value,
                t.kind,
                vehicles.get(t.vehicle_id, "") if t.vehicle_id else "",
                t.label,
                "yes" if t.blocked else "no",
                t.valid_from.isoformat() if t.valid_from else "",
                t.valid_until.isoformat() if t.valid_until else "",
                t.group_id,
                "yes" if t.concurrent else "no",
            )
            for t in tokens
        ),
    )


def _text(value: float | None, unit: float = 1.0) -> str:
    return "" if value is None else f"{value / unit:.6f}".rstrip("0").rstrip(".")
