"""Pure: the information of version 1, strict 1.0 and 1.1, from a picture of the depots."""

from datetime import datetime
from urllib.parse import quote

import msgspec

from voltyard.timetable.vdv463.frames import stamp
from voltyard.timetable.vdv463.model import Version
from voltyard.timetable.vdv463.picture import (
    Depot,
    Fault,
    Picture,
    Point,
    Process,
    StationPicture,
    VehiclePicture,
    Wish,
)

SCHEME = "uri://voltyard/"
_STATUSES = ("ReadyToCharge", "Charging", "ChargingImpossible", "Unknown")


class Wire(msgspec.Struct, omit_defaults=True, rename="camel"):
    """None is left out."""


class MinSoc(Wire):
    requested_min_soc: float
    predicted_time: str


class FinalSoc(Wire):
    predicted_final_soc: float
    predicted_time: str


class DepartureTime(Wire):
    predicted_departure_time_soc: float
    predicted_time: str


class PredictionData(Wire):
    charging_prediction_data_min_soc: MinSoc | None = None
    charging_prediction_data_final_soc: FinalSoc | None = None
    charging_prediction_data_departure_time: DepartureTime | None = None


class Scheduled(Wire):
    charging_request_id: str
    vehicle_id: str
    charging_prediction_data: PredictionData
    presystem_id: str | None = None
    charging_process_id: str | None = None
    start_time: str | None = None


class ElectricData(Wire):
    charging_power: float
    charging_current: float | None = None
    charging_voltage: float | None = None


class ProcessInfo(Wire):
    charging_process_id: str
    process_status: str
    start_time: str
    charging_prediction_data: PredictionData
    electric_data: ElectricData
    presystem_id: str | None = None
    charging_request_id: str | None = None
    delivered_energy: float | None = None


class BatteryInfo(Wire):
    state_of_charge: float | None = None


class StatusInfo(Wire):
    hvac_preconditioning_active: bool | None = None


class PreconditioningInfo(Wire):
    hv_battery_preconditioning_time: int | None = None
    hv_battery_charging_energy: int | None = None
    vehicle_preconditioning_time: int | None = None
    vehicle_preconditioning_energy: int | None = None


class VehicleInfo(Wire):
    vehicle_id: str
    vehicle_status_info: StatusInfo
    vehicle_charging_status: str
    preconditioning_info: PreconditioningInfo
    mileage: int | None = None
    traction_battery_info: BatteryInfo | None = None
    evcc_id: str | None = None


class PointFault(Wire):
    charging_point_fault_code: str
    fault_time_stamp: str
    fault_text: str | None = None


class StationFault(Wire):
    charging_station_fault_code: str
    fault_time_stamp: str
    fault_text: str | None = None


class PointInfo(Wire):
    charging_point_id: str
    charging_point_status: str
    present_power: float | None = None
    charging_point_fault_info: PointFault | None = None
    vehicle_info: VehicleInfo | None = None
    charging_process_info: ProcessInfo | None = None
    scheduled_charging_process_list: list[Scheduled] | None = None


class StationInfo(Wire):
    charging_station_id: str
    charging_station_status: str
    charging_point_info_list: list[PointInfo]
    charging_station_fault_info: StationFault | None = None
    total_power: float | None = None


class DepotInfo(Wire):
    depot_id: str
    charging_station_info_list: list[StationInfo]
    name: str | None = None


class Information(Wire):
    depot_info_list: list[DepotInfo]


def uri(text: str) -> str:
    """Ids of 1.0 are URIs; one that is none becomes one of ours."""
    head, colon, _ = text.partition(":")
    if colon and head.isascii() and head[:1].isalpha() and head.replace("+", "").isalnum():
        return quote(text, safe=":/?#[]@!$&'()*+,;=%-._~")
    return SCHEME + quote(text, safe="/")


class Writer:
    """Writes pictures by 1.0 or 1.1. ``strict`` is 1.0, which 1.1 takes as well."""

    def __init__(self, version: Version) -> None:
        self.strict = version is Version.V10

    def information(self, picture: Picture) -> Information:
        return Information([self._depot(depot, picture.at) for depot in picture.depots])

    def id(self, text: str) -> str:
        return uri(text) if self.strict else text

    def _depot(self, depot: Depot, at: datetime) -> DepotInfo:
        stations = [station for station in depot.stations if station.points or not self.strict]
        return DepotInfo(
            self.id(depot.id), [self._station(one, at) for one in stations], depot.name or None
        )

    def _station(self, station: StationPicture, at: datetime) -> StationInfo:
        fault = station.fault
        return StationInfo(
            charging_station_id=self.id(station.id),
            charging_station_status=station.status.value,
            charging_point_info_list=[self._point(point, at) for point in station.points],
            charging_station_fault_info=None
            if fault is None
            else StationFault(fault.code, stamp(fault.at), fault.text or None),
            total_power=kilowatts(station.power_w),
        )

    def _point(self, point: Point, at: datetime) -> PointInfo:
        return PointInfo(
            charging_point_id=self.id(point.id),
            charging_point_status=point.status.value,
            present_power=kilowatts(point.power_w),
            charging_point_fault_info=_fault(point.fault),
            vehicle_info=None if point.vehicle is None else self._vehicle(point.vehicle),
            charging_process_info=None
            if point.process is None
            else self._process(point.process, at),
            scheduled_charging_process_list=[self._scheduled(wish, at) for wish in point.scheduled]
            or None,
        )

    def _vehicle(self, vehicle: VehiclePicture) -> VehicleInfo:
        told = vehicle.report
        return VehicleInfo(
            vehicle_id=self.id(vehicle.vehicle),
            vehicle_status_info=StatusInfo(told.conditioning),
            vehicle_charging_status=status_of(vehicle, _STATUSES),
            preconditioning_info=PreconditioningInfo(
                told.battery_minutes, told.battery_wh, told.vehicle_minutes, told.vehicle_wh
            ),
            mileage=told.mileage_km,
            traction_battery_info=None
            if vehicle.soc_pct is None
            else BatteryInfo(percent(vehicle.soc_pct)),
            evcc_id=None if self.strict else told.evcc_id,
        )

    def _process(self, process: Process, at: datetime) -> ProcessInfo:
        wish = process.wish
        return ProcessInfo(
            charging_process_id=self.id(process.process),
            process_status=process.status.value,
            start_time=stamp(process.start_at),
            charging_prediction_data=self._prediction(wish, at, process.soc_pct or 0.0),
            electric_data=ElectricData(
                kilowatts(process.power_w) or 0.0, process.current_a, process.voltage_v
            ),
            presystem_id=None if wish is None else self.id(wish.presystem_id),
            charging_request_id=None if wish is None else self.id(wish.request_id),
            delivered_energy=None if process.energy_wh is None else round(process.energy_wh),
        )

    def _scheduled(self, wish: Wish, at: datetime) -> Scheduled:
        start_at = wish.prediction.start_at
        return Scheduled(
            charging_request_id=self.id(wish.request_id),
            vehicle_id=self.id(wish.vehicle),
            charging_prediction_data=self._prediction(wish, at, 0.0),
            presystem_id=self.id(wish.presystem_id),
            charging_process_id=self.id(wish.process) if wish.process else None,
            start_time=None if start_at is None else stamp(start_at),
        )

    def _prediction(self, wish: Wish | None, at: datetime, soc_pct: float) -> PredictionData:
        """1.0 wants a time for the lower state of charge even where nothing is asked for."""
        if wish is None:
            return PredictionData(MinSoc(percent(soc_pct), stamp(at)) if self.strict else None)
        told = wish.prediction
        min_at = told.min_at
        if min_at is None and self.strict:
            min_at = told.after_at or wish.departure_at or at
        departs = None
        if not self.strict and wish.departure_at and told.departure_soc_pct is not None:
            departs = DepartureTime(percent(told.departure_soc_pct), stamp(wish.departure_at))
        final_at = told.max_at or wish.departure_at
        final_pct = wish.max_soc_pct if told.max_at else told.departure_soc_pct
        return PredictionData(
            None if min_at is None else MinSoc(percent(wish.min_soc_pct), stamp(min_at)),
            None
            if final_at is None or final_pct is None
            else FinalSoc(percent(final_pct), stamp(final_at)),
            departs,
        )


def _fault(fault: Fault | None) -> PointFault | None:
    return None if fault is None else PointFault(fault.code, stamp(fault.at), fault.text or None)


def status_of(vehicle: VehiclePicture, known: tuple[str, ...]) -> str:
    """The vehicle's own word, where the version has it."""
    if vehicle.report.status in known:
        return str(vehicle.report.status)
    if vehicle.faulted:
        return "ChargingImpossible"
    return "Charging" if vehicle.charging else "ReadyToCharge"


def kilowatts(power_w: float | None) -> float | None:
    return None if power_w is None else round(power_w / 1000.0, 3)


def percent(value: float) -> float:
    return round(min(100.0, max(0.0, value)), 1)
