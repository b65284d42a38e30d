"""Reading duties from CSV: every bad row is named with its column and reason.

Columns (header row required, any order): ``id, vehicle, vehicle_class, arrival, departure,
soc_arrival_pct, target_soc_pct, target_energy_kwh, priority, bay, note``. Times are ISO 8601
with an offset, or local times of the site as ``2026-01-31 18:05`` or ``31.01.2026 18:05``.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from voltyard.fleets.model import Vehicle
from voltyard.sites.model import Bay, Site
from voltyard.timetable.model import Duty, problems

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
MAX_BYTES = 20_000_000
MAX_ROWS = 50_000
_COLUMN_OF = {
    "external_id": "id",
    "arrival_at": "arrival",
    "departure_at": "departure",
    "target_energy_wh": "target_energy_kwh",
}
_LOCAL_FORMS = ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


@dataclass(frozen=True, slots=True)
class Fault:
    """Row 1 is the header; row 0 is the file as a whole."""

    row: int
    column: str
    reason: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a file holds. Nothing is imported while ``faults`` is not empty."""

    duties: tuple[Duty, ...]
    faults: tuple[Fault, ...]
    rows: int
    replaces: int = 0


@dataclass(frozen=True, slots=True)
class CsvDuties:
    """What names in the file may mean; keys are casefolded."""

    site: Site
    vehicles: Mapping[str, Vehicle]
    bays: Mapping[str, Bay]


def parse_csv(content: bytes, names: CsvDuties) -> ImportReport:
    """Parse all rows; never raises for what a file holds."""
    if len(content) > MAX_BYTES:
        return _refused(f"the file is larger than {MAX_BYTES // 1_000_000} MB")
    text = _decode(content)
    if text is None:
        return _refused("the file is neither UTF-8 nor Windows-1252 text")
    if "\0" in text:
        return _refused("the file holds binary data")
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        return _refused("the file is empty")
    reader = csv.reader(io.StringIO(text), delimiter=_separator(lines[0]))
    header = [name.strip().casefold().replace(" ", "_") for name in next(reader)]
    faults = _header_faults(header)
    if faults:
        return ImportReport((), tuple(faults), 0)
    return _rows(reader, header, names)


def _rows(reader: Iterable[list[str]], header: list[str], names: CsvDuties) -> ImportReport:
    duties: list[Duty] = []
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    count = 0
    for number, cells in enumerate(reader, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        if count > MAX_ROWS:
            return _refused(f"the file has more than {MAX_ROWS} rows")
        if len(cells) != len(header):
            faults.append(Fault(number, "", f"has {len(cells)} cells, the header {len(header)}"))
            continue
        row = _Row(number, {k: v.strip() for k, v in zip(header, cells, strict=True)}, names)
        duty = row.duty()
        faults.extend(row.faults)
        if duty is None:
            continue
        first = seen.setdefault(duty.external_id, number)
        if first != number:
            faults.append(Fault(number, "id", f"occurs in row {first} already", duty.external_id))
        duties.append(duty)
    return ImportReport(tuple(duties), tuple(faults), count)


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
        if arrival is None or departure is None:
            return None
        duty = Duty(
            id=uuid4(),
            org_id=site.org_id,
            site_id=site.id,
            external_id=self._cell("id"),
            arrival_at=arrival,
            departure_at=departure,
            vehicle_id=vehicle_id,
            vehicle_class=self._cell("vehicle_class") or None,
            soc_arrival_pct=self._number_of("soc_arrival_pct"),
            target_soc_pct=self._number_of("target_soc_pct"),
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
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            self._fault(column, "is not a number")
            return None
        return float(text.replace(",", "."))

    def _time(self, column: str) -> datetime | None:
        text = self._cell(column)
        if not text:
            self._fault(column, "is missing")
            return None
        try:
            return parse_time(text, self._names.site.zone)
        except ValueError as error:
            self._fault(column, str(error))
            return None


def parse_time(text: str, zone: ZoneInfo) -> datetime:
    """An instant in UTC. A local time that does not exist, or exists twice, is refused."""
    parsed = _first(text, (datetime.fromisoformat, *(_form(form) for form in _LOCAL_FORMS)))
    if parsed is None:
        raise ValueError("is not a date and time such as 2026-01-31 18:05")
    if parsed.tzinfo is not None:
        return parsed.astimezone(UTC)
    early = parsed.replace(tzinfo=zone, fold=0)
    late = parsed.replace(tzinfo=zone, fold=1)
    if early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != parsed:
        raise ValueError("does not exist: the clocks go forward then")
    if early.utcoffset() != late.utcoffset():
        raise ValueError("exists twice: the clocks go back then; add an offset such as +01:00")
    return early.astimezone(UTC)


def _form(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007  (local by meaning)


def _first(text: str, readers: tuple[Callable[[str], datetime], ...]) -> datetime | None:
    for read in readers:
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _decode(content: bytes) -> str | None:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _separator(header: str) -> str:
    return max((",", ";", "\t"), key=header.count)


def _header_faults(header: list[str]) -> list[Fault]:
    faults = [
        Fault(1, name, "there is no such column; known are " + ", ".join(COLUMNS), name)
        for name in header
        if name not in COLUMNS
    ]
    faults += [Fault(1, name, "this column is missing") for name in NEEDED if name not in header]
    faults += [
        Fault(1, name, "this column occurs twice") for name in COLUMNS if header.count(name) > 1
    ]
    return faults


def _refused(reason: str) -> ImportReport:
    return ImportReport((), (Fault(0, "", reason),), 0)
