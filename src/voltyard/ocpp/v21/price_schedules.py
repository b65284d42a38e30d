"""OCPP 2.1 price schedules of ISO 15118-20, inside charging schedules."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import field

from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Items,
    Natural,
    Percent,
    Str3,
    Str8,
    Str32,
    Str80,
    Str100,
    Str160,
    Str2000,
)


class RationalNumber(Wire201):
    exponent: Integer
    value: Integer


class PriceRule(Wire201):
    energy_fee: RationalNumber
    power_range_start: RationalNumber
    parking_fee_period: Integer | None = None
    carbon_dioxide_emission: Natural | None = None
    renewable_generation_percentage: Percent | None = None
    parking_fee: RationalNumber | None = None


class PriceRuleStack(Wire201):
    duration: Integer
    price_rule: Annotated[Sequence[PriceRule], Items(1, 8)]


class TaxRule(Wire201):
    tax_rule_id: Natural = field(name="taxRuleID")
    applies_to_energy_fee: bool
    applies_to_parking_fee: bool
    applies_to_overstay_fee: bool
    applies_to_minimum_maximum_cost: bool
    tax_rate: RationalNumber
    tax_rule_name: Str100 | None = None
    tax_included_in_price: bool | None = None


class OverstayRule(Wire201):
    overstay_fee: RationalNumber
    start_time: Integer
    overstay_fee_period: Integer
    overstay_rule_description: Str32 | None = None


class OverstayRuleList(Wire201):
    overstay_rule: Annotated[Sequence[OverstayRule], Items(1, 5)]
    overstay_power_threshold: RationalNumber | None = None
    overstay_time_threshold: Integer | None = None


class AdditionalSelectedServices(Wire201):
    service_fee: RationalNumber
    service_name: Str80


class AbsolutePriceSchedule(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timeAnchor",)

    price_schedule_id: Natural = field(name="priceScheduleID")
    currency: Str3
    language: Str8
    price_algorithm: Str2000
    price_rule_stacks: Annotated[Sequence[PriceRuleStack], Items(1, 1024)]
    time_anchor: Instant | None = None
    price_schedule_description: Str160 | None = None
    minimum_cost: RationalNumber | None = None
    maximum_cost: RationalNumber | None = None
    tax_rules: Annotated[Sequence[TaxRule], Items(1, 10)] | None = None
    overstay_rule_list: OverstayRuleList | None = None
    additional_selected_services: (
        Annotated[Sequence[AdditionalSelectedServices], Items(1, 5)] | None
    ) = None


class PriceLevelScheduleEntry(Wire201):
    duration: Integer
    price_level: Natural


class PriceLevelSchedule(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timeAnchor",)

    price_level_schedule_entries: Annotated[Sequence[PriceLevelScheduleEntry], Items(1, 100)]
    price_schedule_id: Natural
    number_of_price_levels: Natural
    time_anchor: Instant | None = None
    price_schedule_description: Str32 | None = None
