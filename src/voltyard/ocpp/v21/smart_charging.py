"""OCPP 2.1 block K: charging profiles and limits."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta, field

from voltyard.ocpp.v21.price_schedules import AbsolutePriceSchedule, PriceLevelSchedule
from voltyard.ocpp.v21.types import OperationModeWord, StatusInfo
from voltyard.ocpp.v201 import smart_charging as smart_charging_201
from voltyard.ocpp.v201.smart_charging import ChargingRateUnitWord, RecurrencyKindWord
from voltyard.ocpp.v201.types import GenericStatusWord, Wire201
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Items,
    Natural,
    NotPositive,
    OneOf,
    Percent,
    Some,
    Str20,
    Str36,
    Str88,
    Str256,
    Word,
)

ChargingProfilePurposeWord = Annotated[
    Word,
    OneOf(
        "ChargingStationExternalConstraints",
        "ChargingStationMaxProfile",
        "TxDefaultProfile",
        "TxProfile",
        "PriorityCharging",
        "LocalGeneration",
    ),
]
ChargingProfileKindWord = Annotated[Word, OneOf("Absolute", "Recurring", "Relative", "Dynamic")]


class LimitAtSoc(Wire201):
    soc: Percent
    limit: float


class V2xFreqWattPoint(Wire201):
    frequency: float
    power: float


class V2xSignalWattPoint(Wire201):
    signal: Integer
    power: float


class ChargingSchedulePeriod(Wire201):
    start_period: Integer
    limit: float | None = None
    limit_l2: float | None = field(default=None, name="limit_L2")
    limit_l3: float | None = field(default=None, name="limit_L3")
    number_phases: Annotated[int, Meta(ge=0, le=3)] | None = None
    phase_to_use: Annotated[int, Meta(ge=0, le=3)] | None = None
    discharge_limit: NotPositive | None = None
    discharge_limit_l2: NotPositive | None = field(default=None, name="dischargeLimit_L2")
    discharge_limit_l3: NotPositive | None = field(default=None, name="dischargeLimit_L3")
    setpoint: float | None = None
    setpoint_l2: float | None = field(default=None, name="setpoint_L2")
    setpoint_l3: float | None = field(default=None, name="setpoint_L3")
    setpoint_reactive: float | None = None
    setpoint_reactive_l2: float | None = field(default=None, name="setpointReactive_L2")
    setpoint_reactive_l3: float | None = field(default=None, name="setpointReactive_L3")
    preconditioning_request: bool | None = None
    evse_sleep: bool | None = None
    v2x_baseline: float | None = None
    operation_mode: OperationModeWord | None = None
    v2x_freq_watt_curve: Annotated[Sequence[V2xFreqWattPoint], Items(1, 20)] | None = None
    v2x_signal_watt_curve: Annotated[Sequence[V2xSignalWattPoint], Items(1, 20)] | None = None


class SalesTariff(smart_charging_201.SalesTariff, kw_only=True):
    id: Natural
    num_e_price_levels: Natural | None = None


class ChargingSchedule(Wire201):
    id: Integer
    charging_rate_unit: ChargingRateUnitWord
    charging_schedule_period: Annotated[Sequence[ChargingSchedulePeriod], Items(1, 1024)]
    limit_at_soc: LimitAtSoc | None = field(default=None, name="limitAtSoC")
    start_schedule: Instant | None = None
    duration: Integer | None = None
    min_charging_rate: float | None = None
    power_tolerance: float | None = None
    signature_id: Natural | None = None
    digest_value: Str88 | None = None
    use_local_time: bool | None = None
    randomized_delay: Natural | None = None
    sales_tariff: SalesTariff | None = None
    absolute_price_schedule: AbsolutePriceSchedule | None = None
    price_level_schedule: PriceLevelSchedule | None = None


class ChargingProfile(Wire201):
    id: Integer
    stack_level: Natural
    charging_profile_purpose: ChargingProfilePurposeWord
    charging_profile_kind: ChargingProfileKindWord
    charging_schedule: Annotated[Sequence[ChargingSchedule], Items(1, 3)]
    recurrency_kind: RecurrencyKindWord | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    transaction_id: Str36 | None = None
    max_offline_duration: Integer | None = None
    invalid_after_offline_duration: bool | None = None
    dyn_update_interval: Integer | None = None
    dyn_update_time: Instant | None = None
    price_schedule_signature: Str256 | None = None


class ClearCriteria(smart_charging_201.ClearCriteria, kw_only=True):
    evse_id: Natural | None = None
    charging_profile_purpose: ChargingProfilePurposeWord | None = None
    stack_level: Natural | None = None


class ChargingProfileCriterion(smart_charging_201.ChargingProfileCriterion, kw_only=True):
    charging_profile_purpose: ChargingProfilePurposeWord | None = None
    stack_level: Natural | None = None
    charging_limit_source: Annotated[Sequence[Str20], Items(1, 4)] | None = None


class CompositeSchedule(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("scheduleStart",)

    evse_id: Natural
    duration: Integer
    charging_rate_unit: ChargingRateUnitWord
    charging_schedule_period: Some[ChargingSchedulePeriod]
    schedule_start: Instant | None = None


class ChargingLimit(smart_charging_201.ChargingLimit, kw_only=True):
    charging_limit_source: Str20
    is_local_generation: bool | None = None


class SetChargingProfile(Wire201):
    evse_id: Natural
    charging_profile: ChargingProfile


class SetChargingProfileResponse(smart_charging_201.SetChargingProfileResponse, kw_only=True):
    status_info: StatusInfo | None = None


class ClearChargingProfile(smart_charging_201.ClearChargingProfile, kw_only=True):
    charging_profile_criteria: ClearCriteria | None = None


class ClearChargingProfileResponse(smart_charging_201.ClearChargingProfileResponse, kw_only=True):
    status_info: StatusInfo | None = None


class GetChargingProfiles(smart_charging_201.GetChargingProfiles, kw_only=True):
    charging_profile: ChargingProfileCriterion
    evse_id: Natural | None = None


class GetChargingProfilesResponse(smart_charging_201.GetChargingProfilesResponse, kw_only=True):
    status_info: StatusInfo | None = None


class ReportChargingProfiles(Wire201):
    request_id: Integer
    charging_limit_source: Str20
    charging_profile: Some[ChargingProfile]
    evse_id: Natural
    tbc: bool = False


class ReportChargingProfilesResponse(Wire201):
    pass


class GetCompositeSchedule(smart_charging_201.GetCompositeSchedule, kw_only=True):
    evse_id: Natural


class GetCompositeScheduleResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None
    schedule: CompositeSchedule | None = None


class NotifyChargingLimit(Wire201):
    charging_limit: ChargingLimit
    charging_schedule: Some[ChargingSchedule] | None = None
    evse_id: Natural | None = None


class NotifyChargingLimitResponse(Wire201):
    pass


class ClearedChargingLimit(smart_charging_201.ClearedChargingLimit, kw_only=True):
    charging_limit_source: Str20
    evse_id: Natural | None = None


class ClearedChargingLimitResponse(Wire201):
    pass
