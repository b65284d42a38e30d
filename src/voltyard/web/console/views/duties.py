"""Duties and their import, as listed, shown and filled in."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from voltyard.web.console.views.common import Outlook


@dataclass(frozen=True, slots=True)
class DutyFilter:
    site_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    outlook: Outlook | None = None
    operator_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DutyForm:
    """Exactly one of vehicle and class, one of target SoC and energy; checked by the service."""

    arrives_at: datetime
    departs_at: datetime
    external_id: str = ""
    vehicle_id: UUID | None = None
    vehicle_class: str | None = None
    soc_arrival_pct: float | None = None
    target_soc_pct: float | None = None
    target_energy_wh: float | None = None
    priority: int = 5
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyRow(DutyForm):
    """A duty as it is kept, with how its departure looks."""

    id: UUID
    site_id: UUID
    state: str
    vehicle: str | None = None
    outlook: Outlook = Outlook.NONE
    ready_at: datetime | None = None
    shortfall_wh: float = 0.0
    source: str = "manual"
    operator_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class RowFault:
    """One bad row of an import: its line in the file, the column, what stood there and why."""

    line: int
    column: str
    value: str
    reason: str


class ImportPhase(StrEnum):
    CHECKING = "checking"
    CHECKED = "checked"
    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImportView:
    """A running or finished import. Nothing is written unless ``faults`` is empty."""

    id: UUID
    file_name: str
    phase: ImportPhase
    rows_done: int = 0
    rows_total: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    vehicles_added: int = 0
    faults: tuple[RowFault, ...] = ()
    message: str = ""
    sample: tuple[DutyRow, ...] = ()
