"""OCPP 2.1 block R: control of distributed energy resources."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import field

from voltyard.ocpp.v21.types import DerControlWord, StatusInfo
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Instant, Integer, Items, Natural, OneOf, Str36, Str200, Word

GridEventFaultWord = Annotated[
    Word,
    OneOf(
        "CurrentImbalance",
        "LocalEmergency",
        "LowInputPower",
        "OverCurrent",
        "OverFrequency",
        "OverVoltage",
        "PhaseRotation",
        "RemoteEmergency",
        "UnderFrequency",
        "UnderVoltage",
        "VoltageImbalance",
    ),
]
PowerDuringCessationWord = Annotated[Word, OneOf("Active", "Reactive")]
DerUnitWord = Annotated[
    Word,
    OneOf("Not_Applicable", "PctMaxW", "PctMaxVar", "PctWAvail", "PctVarAvail", "PctEffectiveV"),
]
DerControlStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "NotSupported", "NotFound")]


class DerCurvePoint(Wire201):
    x: float
    y: float


class Hysteresis(Wire201):
    hysteresis_high: float | None = None
    hysteresis_low: float | None = None
    hysteresis_delay: float | None = None
    hysteresis_gradient: float | None = None


class ReactivePowerParams(Wire201):
    v_ref: float | None = None
    autonomous_v_ref_enable: bool | None = None
    autonomous_v_ref_time_constant: float | None = None


class VoltageParams(Wire201):
    hv10_min_mean_value: float | None = None
    hv10_min_mean_trip_delay: float | None = None
    power_during_cessation: PowerDuringCessationWord | None = None


class DerCurve(Wire201):
    curve_data: Annotated[Sequence[DerCurvePoint], Items(1, 10)]
    priority: Natural
    y_unit: DerUnitWord
    hysteresis: Hysteresis | None = None
    reactive_power_params: ReactivePowerParams | None = None
    voltage_params: VoltageParams | None = None
    response_time: float | None = None
    start_time: Instant | None = None
    duration: float | None = None


class DerCurveGet(Wire201):
    curve: DerCurve
    id: Str36
    curve_type: DerControlWord
    is_default: bool
    is_superseded: bool


class EnterService(Wire201):
    priority: Natural
    high_voltage: float
    low_voltage: float
    high_freq: float
    low_freq: float
    delay: float | None = None
    random_delay: float | None = None
    ramp_rate: float | None = None


class EnterServiceGet(Wire201):
    enter_service: EnterService
    id: Str36


class FixedPf(Wire201):
    priority: Natural
    displacement: float
    excitation: bool
    start_time: Instant | None = None
    duration: float | None = None


class FixedPfGet(Wire201):
    fixed_pf: FixedPf = field(name="fixedPF")
    id: Str36
    is_default: bool
    is_superseded: bool


class FixedVar(Wire201):
    priority: Natural
    setpoint: float
    unit: DerUnitWord
    start_time: Instant | None = None
    duration: float | None = None


class FixedVarGet(Wire201):
    fixed_var: FixedVar
    id: Str36
    is_default: bool
    is_superseded: bool


class FreqDroop(Wire201):
    priority: Natural
    over_freq: float
    under_freq: float
    over_droop: float
    under_droop: float
    response_time: float
    start_time: Instant | None = None
    duration: float | None = None


class FreqDroopGet(Wire201):
    freq_droop: FreqDroop
    id: Str36
    is_default: bool
    is_superseded: bool


class Gradient(Wire201):
    priority: Natural
    gradient: float
    soft_gradient: float


class GradientGet(Wire201):
    gradient: Gradient
    id: Str36


class LimitMaxDischarge(Wire201):
    priority: Natural
    pct_max_discharge_power: float | None = None
    power_monitoring_must_trip: DerCurve | None = None
    start_time: Instant | None = None
    duration: float | None = None


class LimitMaxDischargeGet(Wire201):
    id: Str36
    is_default: bool
    is_superseded: bool
    limit_max_discharge: LimitMaxDischarge


class NotifyDERAlarm(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timestamp",)

    control_type: DerControlWord
    grid_event_fault: GridEventFaultWord | None = None
    alarm_ended: bool | None = None
    timestamp: Instant | None = None
    extra_info: Str200 | None = None


class NotifyDERAlarmResponse(Wire201):
    pass


class NotifyDERStartStop(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timestamp",)

    control_id: Str36
    started: bool
    timestamp: Instant | None = None
    superseded_ids: Annotated[Sequence[Str36], Items(1, 24)] | None = None


class NotifyDERStartStopResponse(Wire201):
    pass


class ReportDERControl(Wire201):
    request_id: Integer
    curve: Annotated[Sequence[DerCurveGet], Items(1, 24)] | None = None
    enter_service: Annotated[Sequence[EnterServiceGet], Items(1, 24)] | None = None
    fixed_pf_absorb: Annotated[Sequence[FixedPfGet], Items(1, 24)] | None = field(
        default=None, name="fixedPFAbsorb"
    )
    fixed_pf_inject: Annotated[Sequence[FixedPfGet], Items(1, 24)] | None = field(
        default=None, name="fixedPFInject"
    )
    fixed_var: Annotated[Sequence[FixedVarGet], Items(1, 24)] | None = None
    freq_droop: Annotated[Sequence[FreqDroopGet], Items(1, 24)] | None = None
    gradient: Annotated[Sequence[GradientGet], Items(1, 24)] | None = None
    limit_max_discharge: Annotated[Sequence[LimitMaxDischargeGet], Items(1, 24)] | None = None
    tbc: bool | None = None


class ReportDERControlResponse(Wire201):
    pass


class SetDERControl(Wire201):
    is_default: bool
    control_id: Str36
    control_type: DerControlWord
    curve: DerCurve | None = None
    enter_service: EnterService | None = None
    fixed_pf_absorb: FixedPf | None = field(default=None, name="fixedPFAbsorb")
    fixed_pf_inject: FixedPf | None = field(default=None, name="fixedPFInject")
    fixed_var: FixedVar | None = None
    freq_droop: FreqDroop | None = None
    gradient: Gradient | None = None
    limit_max_discharge: LimitMaxDischarge | None = None


class SetDERControlResponse(Wire201):
    status: DerControlStatusWord
    status_info: StatusInfo | None = None
    superseded_ids: Annotated[Sequence[Str36], Items(1, 24)] | None = None


class GetDERControl(Wire201):
    request_id: Integer
    is_default: bool | None = None
    control_type: DerControlWord | None = None
    control_id: Str36 | None = None


class GetDERControlResponse(Wire201):
    status: DerControlStatusWord
    status_info: StatusInfo | None = None


class ClearDERControl(Wire201):
    is_default: bool
    control_type: DerControlWord | None = None
    control_id: Str36 | None = None


class ClearDERControlResponse(Wire201):
    status: DerControlStatusWord
    status_info: StatusInfo | None = None
