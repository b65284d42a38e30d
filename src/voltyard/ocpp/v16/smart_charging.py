"""OCPP 1.6 Smart Charging."""

from typing import Annotated, ClassVar, Literal

from msgspec import field

from voltyard.ocpp.wire import Instant, Integer, OneOf, Wire, Word

ChargingProfilePurposeWord = Literal["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]
ChargingProfileKindWord = Literal["Absolute", "Recurring", "Relative"]
RecurrencyKindWord = Literal["Daily", "Weekly"]
ChargingRateUnitWord = Annotated[Word, OneOf("A", "W")]
SetChargingProfileStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "NotSupported")]
ClearChargingProfileStatusWord = Annotated[Word, OneOf("Accepted", "Unknown")]
GetCompositeScheduleStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]


class ChargingSchedulePeriod(Wire):
    start_period: Integer
    limit: float
    number_phases: Integer | None = None


class ChargingSchedule(Wire):
    charging_rate_unit: ChargingRateUnitWord
    charging_schedule_period: list[ChargingSchedulePeriod]
    duration: Integer | None = None
    start_schedule: Instant | None = None
    min_charging_rate: float | None = None


class ChargingProfile(Wire):
    charging_profile_id: Integer
    stack_level: Integer
    charging_profile_purpose: ChargingProfilePurposeWord
    charging_profile_kind: ChargingProfileKindWord
    charging_schedule: ChargingSchedule
    transaction_id: Integer | None = None
    recurrency_kind: RecurrencyKindWord | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None


class SetChargingProfile(Wire):
    connector_id: Integer
    cs_charging_profiles: ChargingProfile


class SetChargingProfileResponse(Wire):
    status: SetChargingProfileStatusWord


class ClearChargingProfile(Wire):
    id: Integer | None = None
    connector_id: Integer | None = None
    charging_profile_purpose: ChargingProfilePurposeWord | None = None
    stack_level: Integer | None = None


class ClearChargingProfileResponse(Wire):
    status: ClearChargingProfileStatusWord


class GetCompositeSchedule(Wire):
    connector_id: Integer
    duration: Integer
    charging_rate_unit: ChargingRateUnitWord | None = None


class CompositeSchedule(ChargingSchedule, kw_only=True):
    """Chargers without a limit in force answer ``{}``, or no periods."""

    expected: ClassVar[tuple[str, ...]] = ("chargingRateUnit", "chargingSchedulePeriod")

    charging_rate_unit: ChargingRateUnitWord = "W"
    charging_schedule_period: list[ChargingSchedulePeriod] = field(default_factory=list)


class GetCompositeScheduleResponse(Wire):
    status: GetCompositeScheduleStatusWord
    connector_id: Integer | None = None
    schedule_start: Instant | None = None
    charging_schedule: CompositeSchedule | None = None
