"""OCPP 2.1 block K15 to K17: what the vehicle asks for and plans (ISO 15118)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from voltyard.ocpp.v21.smart_charging import ChargingSchedule
from voltyard.ocpp.v21.types import DerControlWord, EnergyTransferModeWord, StatusInfo
from voltyard.ocpp.v201 import ev_needs as ev_needs_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Items,
    Natural,
    OneOf,
    Percent,
    Some,
    Str3,
    Str50,
    Str2000,
    Word,
)

IslandingDetectionWord = Annotated[
    Word,
    OneOf(
        "NoAntiIslandingSupport",
        "RoCoF",
        "UVP_OVP",
        "UFP_OFP",
        "VoltageVectorShift",
        "ZeroCrossingDetection",
        "OtherPassive",
        "ImpedanceMeasurement",
        "ImpedanceAtFrequency",
        "SlipModeFrequencyShift",
        "SandiaFrequencyShift",
        "SandiaVoltageShift",
        "FrequencyJump",
        "RCLQFactor",
        "OtherActive",
    ),
]
ControlModeWord = Annotated[Word, OneOf("ScheduledControl", "DynamicControl")]
MobilityNeedsModeWord = Annotated[Word, OneOf("EVCC", "EVCC_SECC")]
NotifyEVChargingNeedsStatusWord = Literal["Accepted", "Rejected", "Processing", "NoChargingProfile"]


class AcChargingParameters(Wire201):
    energy_amount: float
    ev_min_current: float
    ev_max_current: float
    ev_max_voltage: float


class DerChargingParameters(Wire201):
    ev_supported_der_control: Some[DerControlWord] | None = field(
        default=None, name="evSupportedDERControl"
    )
    ev_over_excited_max_discharge_power: float | None = None
    ev_over_excited_power_factor: float | None = None
    ev_under_excited_max_discharge_power: float | None = None
    ev_under_excited_power_factor: float | None = None
    max_apparent_power: float | None = None
    max_charge_apparent_power: float | None = None
    max_charge_apparent_power_l2: float | None = field(
        default=None, name="maxChargeApparentPower_L2"
    )
    max_charge_apparent_power_l3: float | None = field(
        default=None, name="maxChargeApparentPower_L3"
    )
    max_discharge_apparent_power: float | None = None
    max_discharge_apparent_power_l2: float | None = field(
        default=None, name="maxDischargeApparentPower_L2"
    )
    max_discharge_apparent_power_l3: float | None = field(
        default=None, name="maxDischargeApparentPower_L3"
    )
    max_charge_reactive_power: float | None = None
    max_charge_reactive_power_l2: float | None = field(
        default=None, name="maxChargeReactivePower_L2"
    )
    max_charge_reactive_power_l3: float | None = field(
        default=None, name="maxChargeReactivePower_L3"
    )
    min_charge_reactive_power: float | None = None
    min_charge_reactive_power_l2: float | None = field(
        default=None, name="minChargeReactivePower_L2"
    )
    min_charge_reactive_power_l3: float | None = field(
        default=None, name="minChargeReactivePower_L3"
    )
    max_discharge_reactive_power: float | None = None
    max_discharge_reactive_power_l2: float | None = field(
        default=None, name="maxDischargeReactivePower_L2"
    )
    max_discharge_reactive_power_l3: float | None = field(
        default=None, name="maxDischargeReactivePower_L3"
    )
    min_discharge_reactive_power: float | None = None
    min_discharge_reactive_power_l2: float | None = field(
        default=None, name="minDischargeReactivePower_L2"
    )
    min_discharge_reactive_power_l3: float | None = field(
        default=None, name="minDischargeReactivePower_L3"
    )
    nominal_voltage: float | None = None
    nominal_voltage_offset: float | None = None
    max_nominal_voltage: float | None = None
    min_nominal_voltage: float | None = None
    ev_inverter_manufacturer: Str50 | None = None
    ev_inverter_model: Str50 | None = None
    ev_inverter_serial_number: Str50 | None = None
    ev_inverter_sw_version: Str50 | None = None
    ev_inverter_hw_version: Str50 | None = None
    ev_islanding_detection_method: Some[IslandingDetectionWord] | None = None
    ev_islanding_trip_time: float | None = None
    ev_maximum_level1_dc_injection: float | None = field(
        default=None, name="evMaximumLevel1DCInjection"
    )
    ev_duration_level1_dc_injection: float | None = field(
        default=None, name="evDurationLevel1DCInjection"
    )
    ev_maximum_level2_dc_injection: float | None = field(
        default=None, name="evMaximumLevel2DCInjection"
    )
    ev_duration_level2_dc_injection: float | None = field(
        default=None, name="evDurationLevel2DCInjection"
    )
    ev_reactive_susceptance: float | None = None
    ev_session_total_discharge_energy_available: float | None = None


class EvPriceRule(Wire201):
    energy_fee: float
    power_range_start: float


class EvAbsolutePriceScheduleEntry(Wire201):
    duration: Integer
    ev_price_rule: Annotated[Sequence[EvPriceRule], Items(1, 8)]


class EvAbsolutePriceSchedule(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timeAnchor",)

    currency: Str3
    ev_absolute_price_schedule_entries: Annotated[
        Sequence[EvAbsolutePriceScheduleEntry], Items(1, 1024)
    ]
    price_algorithm: Str2000
    time_anchor: Instant | None = None


class EvPowerScheduleEntry(Wire201):
    duration: Integer
    power: float


class EvPowerSchedule(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timeAnchor",)

    ev_power_schedule_entries: Annotated[Sequence[EvPowerScheduleEntry], Items(1, 1024)]
    time_anchor: Instant | None = None


class EvEnergyOffer(Wire201):
    ev_power_schedule: EvPowerSchedule
    ev_absolute_price_schedule: EvAbsolutePriceSchedule | None = None


class DcChargingParameters(Wire201):
    ev_max_current: float
    ev_max_voltage: float
    ev_max_power: float | None = None
    ev_energy_capacity: float | None = None
    energy_amount: float | None = None
    state_of_charge: Percent | None = None
    full_soc: Percent | None = field(default=None, name="fullSoC")
    bulk_soc: Percent | None = field(default=None, name="bulkSoC")


class V2xChargingParameters(Wire201):
    min_charge_power: float | None = None
    min_charge_power_l2: float | None = field(default=None, name="minChargePower_L2")
    min_charge_power_l3: float | None = field(default=None, name="minChargePower_L3")
    max_charge_power: float | None = None
    max_charge_power_l2: float | None = field(default=None, name="maxChargePower_L2")
    max_charge_power_l3: float | None = field(default=None, name="maxChargePower_L3")
    min_discharge_power: float | None = None
    min_discharge_power_l2: float | None = field(default=None, name="minDischargePower_L2")
    min_discharge_power_l3: float | None = field(default=None, name="minDischargePower_L3")
    max_discharge_power: float | None = None
    max_discharge_power_l2: float | None = field(default=None, name="maxDischargePower_L2")
    max_discharge_power_l3: float | None = field(default=None, name="maxDischargePower_L3")
    min_charge_current: float | None = None
    max_charge_current: float | None = None
    min_discharge_current: float | None = None
    max_discharge_current: float | None = None
    min_voltage: float | None = None
    max_voltage: float | None = None
    ev_target_energy_request: float | None = None
    ev_min_energy_request: float | None = None
    ev_max_energy_request: float | None = None
    ev_min_v2x_energy_request: float | None = field(default=None, name="evMinV2XEnergyRequest")
    ev_max_v2x_energy_request: float | None = field(default=None, name="evMaxV2XEnergyRequest")
    target_soc: Percent | None = field(default=None, name="targetSoC")


class ChargingNeeds(Wire201):
    requested_energy_transfer: EnergyTransferModeWord
    ac_charging_parameters: AcChargingParameters | None = None
    der_charging_parameters: DerChargingParameters | None = None
    ev_energy_offer: EvEnergyOffer | None = None
    dc_charging_parameters: DcChargingParameters | None = None
    v2x_charging_parameters: V2xChargingParameters | None = None
    available_energy_transfer: Some[EnergyTransferModeWord] | None = None
    control_mode: ControlModeWord | None = None
    mobility_needs_mode: MobilityNeedsModeWord | None = None
    departure_time: Instant | None = None


class NotifyEVChargingNeeds(Wire201):
    evse_id: Annotated[int, Meta(ge=1)]
    charging_needs: ChargingNeeds
    max_schedule_tuples: Natural | None = None
    timestamp: Instant | None = None


class NotifyEVChargingNeedsResponse(Wire201):
    status: NotifyEVChargingNeedsStatusWord
    status_info: StatusInfo | None = None


class NotifyEVChargingSchedule(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timeBase",)

    charging_schedule: ChargingSchedule
    evse_id: Annotated[int, Meta(ge=1)]
    time_base: Instant | None = None
    selected_charging_schedule_id: Natural | None = None
    power_tolerance_acceptance: bool | None = None


class NotifyEVChargingScheduleResponse(ev_needs_201.NotifyEVChargingScheduleResponse, kw_only=True):
    status_info: StatusInfo | None = None
