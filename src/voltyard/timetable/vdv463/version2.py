"""Pure: the information of version 2.0-rc1 from a picture of the depots."""

import msgspec

from voltyard.timetable.vdv463.frames import stamp
from voltyard.timetable.vdv463.picture import (
    Depot,
    Picture,
    Point,
    Process,
    StationPicture,
    VehiclePicture,
    VehicleReport,
    Wish,
)
from voltyard.timetable.vdv463.version1 import (
    PointFault,
    PreconditioningInfo,
    StationFault,
    StatusInfo,
    Wire,
    kilowatts,
    percent,
    status_of,
)

_STATUSES = (
    "ReadyToCharge",
    "Charging",
    "ChargingImpossible",
    "Unknown",
    "ChargingAndPreconditioning",
    "Preconditioning",
)


class MinTargetSoc(Wire):
    requested_min_target_soc: float
    predicted_time: str


class MaxTargetSoc(Wire):
    requested_max_target_soc: float
    predicted_time: str


class DepartureTime(Wire):
    predicted_departure_time_soc: float
    requested_time_for_departure: str


class ProgressEntry(Wire):
    predicted_soc: float
    predicted_time: str


class PredictionData(Wire):
    charging_prediction_data_status: str
    charging_prediction_data_min_target_soc: MinTargetSoc | None = None
    charging_prediction_data_max_target_soc: MaxTargetSoc | None = None
    charging_prediction_data_departure_time: DepartureTime | None = None
    charging_progress_prediction_list: list[ProgressEntry] | None = None


class Scheduled(Wire):
    charging_request_id: str
    vehicle_id: str
    charging_prediction_data: PredictionData
    presystem_id: str | None = None
    charging_process_id: str | None = None
    start_time: str | None = None


class ElectricData(Wire):
    charging_power: float | None = None
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
    battery_status: str | None = None


class H2Info(Wire):
    h2_tank_status: str | None = msgspec.field(name="h2TankStatus", default=None)


class VehicleInfo(Wire):
    vehicle_id: str
    vehicle_status_info: StatusInfo
    vehicle_charging_status: str
    preconditioning_info: PreconditioningInfo
    mileage: int | None = None
    traction_battery_info: BatteryInfo | None = None
    evcc_id: str | None = None
    h2_tank_info: H2Info | None = msgspec.field(name="h2TankInfo", default=None)


class PointInfo(Wire):
    charging_point_id: str
    charging_point_status: str
    present_power_limit: float | None = None
    charging_point_fault_info: PointFault | None = None
    vehicle_info: VehicleInfo | None = None
    charging_process_info: ProcessInfo | None = None
    scheduled_charging_process_list: list[Scheduled] | None = None


class StationInfo(Wire):
    charging_station_id: str
    charging_point_info_list: list[PointInfo]
    charging_station_fault_info: StationFault | None = None
    total_power: float | None = None


class DepotInfo(Wire):
    depot_id: str
    charging_station_info_list: list[StationInfo]
    name: str | None = None


class RejectedInfo(Wire):
    presystem_id: str
    charging_request_id: str
    reason: str


class Information(Wire):
    depot_info_list: list[DepotInfo]
    rejected_charging_request_info_list: list[RejectedInfo] | None = None


def information(picture: Picture) -> Information:
    rejected = [
        RejectedInfo(one.presystem_id, one.request_id, one.reason) for one in picture.rejected
    ]
    return Information([_depot(depot) for depot in picture.depots], rejected or None)


def _depot(depot: Depot) -> DepotInfo:
    return DepotInfo(depot.id, [_station(one) for one in depot.stations], depot.name or None)


def _station(station: StationPicture) -> StationInfo:
    fault = station.fault
    return StationInfo(
        charging_station_id=station.id,
        charging_point_info_list=[_point(point) for point in station.points],
        charging_station_fault_info=None
        if fault is None
        else StationFault(fault.code, stamp(fault.at), fault.text or None),
        total_power=kilowatts(station.power_w),
    )


def _point(point: Point) -> PointInfo:
    fault = point.fault
    return PointInfo(
        charging_point_id=point.id,
        charging_point_status=point.status.value,
        present_power_limit=kilowatts(point.limit_w),
        charging_point_fault_info=None
        if fault is None
        else PointFault(fault.code, stamp(fault.at), fault.text or None),
        vehicle_info=None if point.vehicle is None else _vehicle(point.vehicle),
        charging_process_info=None if point.process is None else _process(point.process),
        scheduled_charging_process_list=[_scheduled(wish) for wish in point.scheduled] or None,
    )


def _vehicle(vehicle: VehiclePicture) -> VehicleInfo:
    told = vehicle.report
    return VehicleInfo(
        vehicle_id=vehicle.vehicle,
        vehicle_status_info=StatusInfo(told.conditioning),
        vehicle_charging_status=status_of(vehicle, _STATUSES),
        preconditioning_info=PreconditioningInfo(
            told.battery_minutes, told.battery_wh, told.vehicle_minutes, told.vehicle_wh
        ),
        mileage=told.mileage_km,
        traction_battery_info=_battery(vehicle, told),
        evcc_id=told.evcc_id,
        h2_tank_info=None if told.h2_status is None else H2Info(told.h2_status),
    )


def _battery(vehicle: VehiclePicture, told: VehicleReport) -> BatteryInfo | None:
    if vehicle.soc_pct is None and told.battery_status is None:
        return None
    soc_pct = None if vehicle.soc_pct is None else percent(vehicle.soc_pct)
    return BatteryInfo(soc_pct, told.battery_status)


def _process(process: Process) -> ProcessInfo:
    wish = process.wish
    return ProcessInfo(
        charging_process_id=process.process,
        process_status=process.status.value,
        start_time=stamp(process.start_at),
        charging_prediction_data=_prediction(wish),
        electric_data=ElectricData(
            kilowatts(process.power_w), process.current_a, process.voltage_v
        ),
        presystem_id=None if wish is None else wish.presystem_id,
        charging_request_id=None if wish is None else wish.request_id,
        delivered_energy=None if process.energy_wh is None else round(process.energy_wh),
    )


def _scheduled(wish: Wish) -> Scheduled:
    start_at = wish.prediction.start_at
    return Scheduled(
        charging_request_id=wish.request_id,
        vehicle_id=wish.vehicle,
        charging_prediction_data=_prediction(wish),
        presystem_id=wish.presystem_id,
        charging_process_id=wish.process or None,
        start_time=None if start_at is None else stamp(start_at),
    )


def _prediction(wish: Wish | None) -> PredictionData:
    if wish is None:
        return PredictionData("Ongoing")
    told = wish.prediction
    departs = None
    if wish.departure_at is not None and told.departure_soc_pct is not None:
        departs = DepartureTime(percent(told.departure_soc_pct), stamp(wish.departure_at))
    return PredictionData(
        "Finished" if told.finished else "Ongoing",
        None
        if told.min_at is None
        else MinTargetSoc(percent(wish.min_soc_pct), stamp(told.min_at)),
        None
        if told.max_at is None
        else MaxTargetSoc(percent(wish.max_soc_pct), stamp(told.max_at)),
        departs,
        [ProgressEntry(percent(soc_pct), stamp(at)) for at, soc_pct in told.progress] or None,
    )
