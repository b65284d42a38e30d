"""Pure: all depots of a presystem at one moment, in words of no version."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from voltyard.timetable.vdv463.prediction import Prediction


class PointStatus(StrEnum):
    AVAILABLE = "Available"
    OCCUPIED = "Occupied"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class StationStatus(StrEnum):
    AVAILABLE = "Available"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class ProcessStatus(StrEnum):
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    FINISHING = "Finishing"
    QUEUED = "Queued"
    REJECTED = "ChargingRejectedTechnically"


@dataclass(frozen=True, slots=True)
class Fault:
    """``code`` is one of the standard's of a station or a point."""

    code: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class VehicleReport:
    """What the vehicle itself told (VDV 261); None where it did not. Times in minutes, energies
    in Wh, ``mileage_km``. ``status`` in the words of version 2."""

    mileage_km: int | None = None
    status: str | None = None
    battery_minutes: int | None = None
    battery_wh: int | None = None
    vehicle_minutes: int | None = None
    vehicle_wh: int | None = None
    battery_status: str | None = None
    h2_status: str | None = None
    evcc_id: str | None = None
    conditioning: bool | None = None


NOTHING_TOLD = VehicleReport()


@dataclass(frozen=True, slots=True)
class VehiclePicture:
    vehicle: str
    soc_pct: float | None = None
    charging: bool = False
    faulted: bool = False
    report: VehicleReport = NOTHING_TOLD


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a stay, by whose request, and what will come of it."""

    presystem_id: str
    request_id: str
    vehicle: str
    min_soc_pct: float
    max_soc_pct: float
    departure_at: datetime | None
    prediction: Prediction
    process: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    process: str
    status: ProcessStatus
    start_at: datetime
    power_w: float
    energy_wh: float | None = None
    current_a: float | None = None
    voltage_v: float | None = None
    wish: Wish | None = None
    soc_pct: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    id: str
    status: PointStatus
    power_w: float | None = None
    limit_w: float | None = None
    fault: Fault | None = None
    vehicle: VehiclePicture | None = None
    process: Process | None = None
    scheduled: tuple[Wish, ...] = ()


@dataclass(frozen=True, slots=True)
class StationPicture:
    id: str
    status: StationStatus
    points: tuple[Point, ...]
    fault: Fault | None = None
    power_w: float | None = None


@dataclass(frozen=True, slots=True)
class Depot:
    id: str
    name: str
    stations: tuple[StationPicture, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    presystem_id: str
    request_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Picture:
    at: datetime
    depots: tuple[Depot, ...]
    rejected: tuple[Rejected, ...] = field(default=())

    def points(self) -> Iterator[str]:
        """The ids of all charging points, those of the stand-in stations among them."""
        for depot in self.depots:
            for station in depot.stations:
                yield from (point.id for point in station.points)
