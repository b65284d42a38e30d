"""OCPP 2.0.1 block K: charging profiles and limits."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from voltyard.ocpp.v201.types import GenericStatusWord, StatusInfo, Wire201
from voltyard.ocpp.wire import Instant, Integer, Items, Natural, OneOf, Some, Str32, Str36, Word

ChargingProfilePurposeWord = Annotated[
    Word,
    OneOf(
        "ChargingStationExternalConstraints",
        "ChargingStationMaxProfile",
        "TxDefaultProfile",
        "TxProfile",
    ),
]
ChargingProfileKindWord = Annotated[Word, OneOf("Absolute", "Recurring", "Relative")]
RecurrencyKindWord = Annotated[Word, OneOf("Daily", "Weekly")]
ChargingRateUnitWord = Annotated[Word, OneOf("W", "A")]
CostKindWord = Annotated[
    Word, OneOf("CarbonDioxideEmission", "RelativePricePercentage", "RenewableGenerationPercentage")
]
ChargingProfileStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]
ClearChargingProfileStatusWord = Annotated[Word, OneOf("Accepted", "Unknown")]
ChargingLimitSourceWord = Annotated[Word, OneOf("EMS", "Other", "SO", "CSO")]
GetChargingProfileStatusWord = Annotated[Word, OneOf("Accepted", "NoProfiles")]


class ChargingSchedulePeriod(Wire201):
    start_period: Integer
    limit: float
    number_phases: Integer | None = None
    phase_to_use: Integer | None = None


class RelativeTimeInterval(Wire201):
    start: Integer
    duration: Integer | None = None


class Cost(Wire201):
    cost_kind: CostKindWord
    amount: Integer
    amount_multiplier: Integer | None = None


class ConsumptionCost(Wire201):
    start_value: float
    cost: Annotated[Sequence[Cost], Items(1, 3)]


class SalesTariffEntry(Wire201):
    relative_time_interval: RelativeTimeInterval
    e_price_level: Natural | None = None
    consumption_cost: Annotated[Sequence[ConsumptionCost], Items(1, 3)] | None = None


class SalesTariff(Wire201):
    id: Integer
    sales_tariff_entry: Annotated[Sequence[SalesTariffEntry], Items(1, 1024)]
    sales_tariff_description: Str32 | None = None
    num_e_price_levels: Integer | None = None


class ChargingSchedule(Wire201):
    id: Integer
    charging_rate_unit: ChargingRateUnitWord
    charging_schedule_period: Annotated[Sequence[ChargingSchedulePeriod], Items(1, 1024)]
    start_schedule: Instant | None = None
    duration: Integer | None = None
    min_charging_rate: float | None = None
    sales_tariff: SalesTariff | None = None


class ChargingProfile(Wire201):
    id: Integer
    stack_level: Integer
    charging_profile_purpose: ChargingProfilePurposeWord
    charging_profile_kind: ChargingProfileKindWord
    charging_schedule: Annotated[Sequence[ChargingSchedule], Items(1, 3)]
    recurrency_kind: RecurrencyKindWord | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    transaction_id: Str36 | None = None


class ClearCriteria(Wire201):
    evse_id: Integer | None = None
    charging_profile_purpose: ChargingProfilePurposeWord | None = None
    stack_level: Integer | None = None


class ChargingProfileCriterion(Wire201):
    charging_profile_purpose: ChargingProfilePurposeWord | None = None
    stack_level: Integer | None = None
    charging_profile_id: Some[Integer] | None = None
    charging_limit_source: Annotated[Sequence[ChargingLimitSourceWord], Items(1, 4)] | None = None


class CompositeSchedule(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("scheduleStart",)

    charging_schedule_period: Some[ChargingSchedulePeriod]
    evse_id: Integer
    duration: Integer
    charging_rate_unit: ChargingRateUnitWord
    schedule_start: Instant | None = None


class ChargingLimit(Wire201):
    charging_limit_source: ChargingLimitSourceWord
    is_grid_critical: bool | None = None


class SetChargingProfile(Wire201):
    evse_id: Integer
    charging_profile: ChargingProfile


class SetChargingProfileResponse(Wire201):
    status: ChargingProfileStatusWord
    status_info: StatusInfo | None = None


class ClearChargingProfile(Wire201):
    charging_profile_id: Integer | None = None
    charging_profile_criteria: ClearCriteria | None = None


class ClearChargingProfileResponse(Wire201):
    status: ClearChargingProfileStatusWord
    status_info: StatusInfo | None = None


class GetChargingProfiles(Wire201):
    request_id: Integer
    charging_profile: ChargingProfileCriterion
    evse_id: Integer | None = None


class GetChargingProfilesResponse(Wire201):
    status: GetChargingProfileStatusWord
    status_info: StatusInfo | None = None


class ReportChargingProfiles(Wire201):
    request_id: Integer
    charging_limit_source: ChargingLimitSourceWord
    charging_profile: Some[ChargingProfile]
    evse_id: Integer
    tbc: bool = False


class ReportChargingProfilesResponse(Wire201):
    pass


class GetCompositeSchedule(Wire201):
    duration: Integer
    evse_id: Integer
    charging_rate_unit: ChargingRateUnitWord | None = None


class GetCompositeScheduleResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None
    schedule: CompositeSchedule | None = None


class NotifyChargingLimit(Wire201):
    charging_limit: ChargingLimit
    charging_schedule: Some[ChargingSchedule] | None = None
    evse_id: Integer | None = None


class NotifyChargingLimitResponse(Wire201):
    pass


class ClearedChargingLimit(Wire201):
    charging_limit_source: ChargingLimitSourceWord
    evse_id: Integer | None = None


class ClearedChargingLimitResponse(Wire201):
    pass
