"""OCPP 2.0.1 block K15 to K17: what the vehicle asks for and plans (ISO 15118)."""

from typing import Annotated, ClassVar, Literal

from msgspec import field

from voltyard.ocpp.v201.smart_charging import ChargingSchedule
from voltyard.ocpp.v201.types import GenericStatusWord, StatusInfo, Wire201
from voltyard.ocpp.wire import Instant, Integer, OneOf, Percent, Word

EnergyTransferModeWord = Annotated[
    Word, OneOf("DC", "AC_single_phase", "AC_two_phase", "AC_three_phase")
]
NotifyEVChargingNeedsStatusWord = Literal["Accepted", "Rejected", "Processing"]


class AcChargingParameters(Wire201):
    energy_amount: Integer
    ev_min_current: Integer
    ev_max_current: Integer
    ev_max_voltage: Integer


class DcChargingParameters(Wire201):
    ev_max_current: Integer
    ev_max_voltage: Integer
    energy_amount: Integer | None = None
    ev_max_power: Integer | None = None
    state_of_charge: Percent | None = None
    ev_energy_capacity: Integer | None = None
    full_soc: Percent | None = field(default=None, name="fullSoC")
    bulk_soc: Percent | None = field(default=None, name="bulkSoC")


class ChargingNeeds(Wire201):
    requested_energy_transfer: EnergyTransferModeWord
    ac_charging_parameters: AcChargingParameters | None = None
    dc_charging_parameters: DcChargingParameters | None = None
    departure_time: Instant | None = None


class NotifyEVChargingNeeds(Wire201):
    charging_needs: ChargingNeeds
    evse_id: Integer
    max_schedule_tuples: Integer | None = None


class NotifyEVChargingNeedsResponse(Wire201):
    status: NotifyEVChargingNeedsStatusWord
    status_info: StatusInfo | None = None


class NotifyEVChargingSchedule(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timeBase",)

    charging_schedule: ChargingSchedule
    evse_id: Integer
    time_base: Instant | None = None


class NotifyEVChargingScheduleResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None
