"""OCPP 2.1 block I: tariffs on the station, and what a session costs."""

from collections.abc import Sequence
from typing import Annotated, Literal

from voltyard.ocpp.v21.types import MessageContent, Price, StatusInfo, TaxRate
from voltyard.ocpp.v201 import tariff_cost as tariff_cost_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Items,
    Natural,
    OneOf,
    Some,
    Str3,
    Str20,
    Str36,
    Str60,
    Str255,
    Text,
    Word,
)

DayOfWeekWord = Literal[
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"
]
EvseKindWord = Literal["AC", "DC"]
TariffSetStatusWord = Annotated[
    Word,
    OneOf("Accepted", "Rejected", "TooManyElements", "ConditionNotSupported", "DuplicateTariffId"),
]
TariffGetStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "NoTariff")]
TariffKindWord = Annotated[Word, OneOf("DefaultTariff", "DriverTariff")]
TariffClearStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "NoTariff")]
TariffChangeStatusWord = Annotated[
    Word,
    OneOf(
        "Accepted",
        "Rejected",
        "TooManyElements",
        "ConditionNotSupported",
        "TxNotFound",
        "NoCurrencyChange",
    ),
]


class TariffConditions(Wire201):
    start_time_of_day: Text | None = None
    end_time_of_day: Text | None = None
    day_of_week: Annotated[Sequence[DayOfWeekWord], Items(1, 7)] | None = None
    valid_from_date: Text | None = None
    valid_to_date: Text | None = None
    evse_kind: EvseKindWord | None = None
    min_energy: float | None = None
    max_energy: float | None = None
    min_current: float | None = None
    max_current: float | None = None
    min_power: float | None = None
    max_power: float | None = None
    min_time: Integer | None = None
    max_time: Integer | None = None
    min_charging_time: Integer | None = None
    max_charging_time: Integer | None = None
    min_idle_time: Integer | None = None
    max_idle_time: Integer | None = None


class TariffEnergyPrice(Wire201):
    price_kwh: float
    conditions: TariffConditions | None = None


class TariffEnergy(Wire201):
    prices: Some[TariffEnergyPrice]
    tax_rates: Annotated[Sequence[TaxRate], Items(1, 5)] | None = None


class TariffTimePrice(Wire201):
    price_minute: float
    conditions: TariffConditions | None = None


class TariffTime(Wire201):
    prices: Some[TariffTimePrice]
    tax_rates: Annotated[Sequence[TaxRate], Items(1, 5)] | None = None


class TariffConditionsFixed(Wire201):
    start_time_of_day: Text | None = None
    end_time_of_day: Text | None = None
    day_of_week: Annotated[Sequence[DayOfWeekWord], Items(1, 7)] | None = None
    valid_from_date: Text | None = None
    valid_to_date: Text | None = None
    evse_kind: EvseKindWord | None = None
    payment_brand: Str20 | None = None
    payment_recognition: Str20 | None = None


class TariffFixedPrice(Wire201):
    price_fixed: float
    conditions: TariffConditionsFixed | None = None


class TariffFixed(Wire201):
    prices: Some[TariffFixedPrice]
    tax_rates: Annotated[Sequence[TaxRate], Items(1, 5)] | None = None


class Tariff(Wire201):
    tariff_id: Str60
    currency: Str3
    description: Annotated[Sequence[MessageContent], Items(1, 10)] | None = None
    energy: TariffEnergy | None = None
    valid_from: Instant | None = None
    charging_time: TariffTime | None = None
    idle_time: TariffTime | None = None
    fixed_fee: TariffFixed | None = None
    reservation_time: TariffTime | None = None
    reservation_fixed: TariffFixed | None = None
    min_cost: Price | None = None
    max_cost: Price | None = None


class TariffAssignment(Wire201):
    tariff_id: Str60
    tariff_kind: TariffKindWord
    valid_from: Instant | None = None
    evse_ids: Some[Natural] | None = None
    id_tokens: Some[Str255] | None = None


class ClearTariffsResult(Wire201):
    status: TariffClearStatusWord
    status_info: StatusInfo | None = None
    tariff_id: Str60 | None = None


class CostUpdated(tariff_cost_201.CostUpdated):
    pass


class CostUpdatedResponse(Wire201):
    pass


class SetDefaultTariff(Wire201):
    evse_id: Natural
    tariff: Tariff


class SetDefaultTariffResponse(Wire201):
    status: TariffSetStatusWord
    status_info: StatusInfo | None = None


class GetTariffs(Wire201):
    evse_id: Natural


class GetTariffsResponse(Wire201):
    status: TariffGetStatusWord
    status_info: StatusInfo | None = None
    tariff_assignments: Some[TariffAssignment] | None = None


class ClearTariffs(Wire201):
    tariff_ids: Some[Str60] | None = None
    evse_id: Natural | None = None


class ClearTariffsResponse(Wire201):
    clear_tariffs_result: Some[ClearTariffsResult]


class ChangeTransactionTariff(Wire201):
    tariff: Tariff
    transaction_id: Str36


class ChangeTransactionTariffResponse(Wire201):
    status: TariffChangeStatusWord
    status_info: StatusInfo | None = None
