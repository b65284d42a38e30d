"""Reading duties from CSV: every bad row is named with its column and reason.

Columns (header row required, any order): ``id, vehicle, vehicle_class, arrival, departure,
soc_arrival_pct, target_soc_pct, target_energy_kwh, priority, bay, note``. Times are ISO 8601
with an offset, or local times of the site as ``2026-01-31 18:05`` or ``31.01.2026 18:05``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.fleets.model import Vehicle
from voltyard.ids import new_id
from voltyard.sites.model import Bay, Site
from voltyard.tabular import Fault, instant, number, read, write
from voltyard.timetable.model import Duty, problems

__all__ = ["COLUMNS", "CsvDuties", "Fault", "ImportReport", "parse_csv", "write_csv"]

T = TypeVar("T")

COLUMNS = (
    "id",
    "vehicle",
    "vehicle_class",
    "arrival",
    "departure",
    "soc_arrival_pct",
    "target_soc_pct",
    "target_energy_kwh",
    "priority",
    "bay",
    "note",
)
NEEDED = ("id", "arrival", "departure")
_COLUMN_OF = {
    "external_id": "id",
    "arrival_at": "arrival",
    "departure_at": "departure",
    "target_energy_wh": "target_energy_kwh",
}


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a file holds. Nothing is imported while ``faults`` is not empty; ``warnings`` do not
    hinder it. ``lines`` has the row of each duty."""

    duties: tuple[Duty, ...]
    faults: tuple[Fault, ...]
    rows: int
    replaces: int = 0
    removed: int = 0
    warnings: tuple[Fault, ...] = ()
    lines: tuple[int, ...] = ()
    source: str = "csv"


@dataclass(frozen=True, slots=True)
class CsvDuties:
    """What names in the file may mean; keys are casefolded."""

    site: Site
    vehicles: Mapping[str, Vehicle]
    bays: Mapping[str, Bay]


def parse_csv(content: bytes, names: CsvDuties) -> ImportReport:
    """Parse all rows; never raises for what a file holds."""
    table = read(content, known=COLUMNS, needed=NEEDED)
    duties: list[Duty] = []
    lines: list[int] = []
    faults = list(table.faults)
    seen: dict[str, int] = {}
    for line in table.lines:
        row = _Row(line.row, line.cells, names)
        duty = row.duty()
        faults.extend(row.faults)
        if duty is None:
            continue
        first = seen.setdefault(duty.external_id, line.row)
        if first != line.row:
            reason = f"occurs in row {first} already"
            faults.append(Fault(line.row, "id", reason, duty.external_id))
        duties.append(duty)
        lines.append(line.row)
    faults.sort(key=lambda fault: fault.row)
    return ImportReport(tuple(duties), tuple(faults), len(table.lines), lines=tuple(lines))


class _Row:
    """One row being read; ``faults`` collects all of its faults."""

    def __init__(self, number: int, cells: Mapping[str, str], names: CsvDuties) -> None:
        self._number = number
        self._cells = cells
        self._names = names
        self.faults: list[Fault] = []

    def duty(self) -> Duty | None:
        site = self._names.site
        arrival = self._time("arrival")
        departure = self._time("departure")
        vehicle_id = self._named("vehicle", self._names.vehicles)
        bay_id = self._named("bay", self._names.bays)
        energy_kwh = self._number_of("target_energy_kwh")
        priority = self._number_of("priority")
        if priority is not None and priority != int(priority):
            self._fault("priority", "must be a whole number")
        soc_arrival_pct = self._number_of("soc_arrival_pct")
        target_soc_pct = self._number_of("target_soc_pct")
        if arrival is None or departure is None:
            return None
        duty = Duty(
            id=new_id(),
            org_id=site.org_id,
            site_id=site.id,
            external_id=self._cell("id"),
            arrival_at=arrival,
            departure_at=departure,
            vehicle_id=vehicle_id,
            vehicle_class=self._cell("vehicle_class") or None,
            soc_arrival_pct=soc_arrival_pct,
            target_soc_pct=target_soc_pct,
            target_energy_wh=None if energy_kwh is None else energy_kwh * 1000.0,
            priority=5 if priority is None else int(priority),
            bay_id=bay_id,
            source="csv",
            note=self._cell("note"),
        )
        named = {fault.column for fault in self.faults}
        for field, reason in problems(duty).items():
            column = _COLUMN_OF.get(field, field)
            if column not in named:
                self._fault(column, reason)
        return None if self.faults else duty

    def _cell(self, column: str) -> str:
        return self._cells.get(column, "")

    def _fault(self, column: str, reason: str) -> None:
        self.faults.append(Fault(self._number, column, reason, self._cell(column)))

    def _named(self, column: str, known: Mapping[str, Vehicle] | Mapping[str, Bay]) -> UUID | None:
        name = self._cell(column)
        if not name:
            return None
        found = known.get(name.casefold())
        if found is None:
            self._fault(column, f"there is no {column} of this name")
            return None
        return found.id

    def _number_of(self, column: str) -> float | None:
        text = self._cell(column)
        return self._read(column, number) if text else None

    def _time(self, column: str) -> datetime | None:
        if not self._cell(column):
            self._fault(column, "is missing")
            return None
        return self._read(column, lambda text: instant(text, self._names.site.zone))

    def _read(self, column: str, convert: Callable[[str], T]) -> T | None:
        try:
            return convert(self._cell(column))
        except ValueError as error:
            self._fault(column, str(error))
            return None


def write_csv(
    duties: Iterable[Duty],
    zone: ZoneInfo,
    vehicles: Mapping[UUID, str],
    bays: Mapping[UUID, str],
) -> str:
    """Duties as CSV that can be imported again; times are local with their offset."""
    return write(COLUMNS, (_cells(duty, zone, vehicles, bays) for duty in duties))


def _cells(
    duty: Duty, zone: ZoneInfo, vehicles: Mapping[UUID, str], bays: Mapping[UUID, str]
) -> tuple[str, ...]:
    energy_wh = duty.target_energy_wh
    return (
        duty.external_id,
        vehicles.get(duty.vehicle_id, "") if duty.vehicle_id else "",
        duty.vehicle_class or "",
        duty.arrival_at.astimezone(zone).isoformat(sep=" ", timespec="seconds"),
        duty.departure_at.astimezone(zone).isoformat(sep=" ", timespec="seconds"),
        _number_text(duty.soc_arrival_pct),
        _number_text(duty.target_soc_pct),
        _number_text(None if energy_wh is None else energy_wh / 1000.0),
        str(duty.priority),
        bays.get(duty.bay_id, "") if duty.bay_id else "",
        duty.note,
    )


def _number_text(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
