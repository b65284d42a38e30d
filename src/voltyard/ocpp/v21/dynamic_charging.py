"""OCPP 2.1 block K: schedules updated while they run, and priority charging."""

from typing import Annotated

from msgspec import field

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201.smart_charging import ChargingProfileStatusWord
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Integer, NotPositive, OneOf, Str36, Word

PriorityChargingStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "NoProfile")]


class ChargingScheduleUpdate(Wire201):
    limit: float | None = None
    limit_l2: float | None = field(default=None, name="limit_L2")
    limit_l3: float | None = field(default=None, name="limit_L3")
    discharge_limit: NotPositive | None = None
    discharge_limit_l2: NotPositive | None = field(default=None, name="dischargeLimit_L2")
    discharge_limit_l3: NotPositive | None = field(default=None, name="dischargeLimit_L3")
    setpoint: float | None = None
    setpoint_l2: float | None = field(default=None, name="setpoint_L2")
    setpoint_l3: float | None = field(default=None, name="setpoint_L3")
    setpoint_reactive: float | None = None
    setpoint_reactive_l2: float | None = field(default=None, name="setpointReactive_L2")
    setpoint_reactive_l3: float | None = field(default=None, name="setpointReactive_L3")


class PullDynamicScheduleUpdate(Wire201):
    charging_profile_id: Integer


class PullDynamicScheduleUpdateResponse(Wire201):
    status: ChargingProfileStatusWord
    schedule_update: ChargingScheduleUpdate | None = None
    status_info: StatusInfo | None = None


class UpdateDynamicSchedule(Wire201):
    charging_profile_id: Integer
    schedule_update: ChargingScheduleUpdate


class UpdateDynamicScheduleResponse(Wire201):
    status: ChargingProfileStatusWord
    status_info: StatusInfo | None = None


class NotifyPriorityCharging(Wire201):
    transaction_id: Str36
    activated: bool


class NotifyPriorityChargingResponse(Wire201):
    pass


class UsePriorityCharging(Wire201):
    transaction_id: Str36
    activate: bool


class UsePriorityChargingResponse(Wire201):
    status: PriorityChargingStatusWord
    status_info: StatusInfo | None = None
