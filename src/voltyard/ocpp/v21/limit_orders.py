"""Limits as only OCPP 2.1 has them: updated instead of replaced (K28), and setpoints (Q)."""

from datetime import datetime

from voltyard.chargers.commands import (
    AllowTransfer,
    CommandResult,
    CommandStatus,
    LimitPurpose,
    SetLimit,
    UpdateLimit,
)
from voltyard.chargers.model import PowerMode
from voltyard.errors import Invalid
from voltyard.ocpp import limits
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, single
from voltyard.ocpp.v21.dynamic_charging import (
    ChargingScheduleUpdate,
    UpdateDynamicSchedule,
    UpdateDynamicScheduleResponse,
)
from voltyard.ocpp.v21.messages import MESSAGES
from voltyard.ocpp.v21.smart_charging import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    SetChargingProfile,
    SetChargingProfileResponse,
)
from voltyard.ocpp.v21.types import EnergyTransferModeWord, OperationModeWord
from voltyard.ocpp.v21.v2x import (
    NotifyAllowedEnergyTransfer,
    NotifyAllowedEnergyTransferResponse,
)
from voltyard.ocpp.v21.values import value
from voltyard.ocpp.v201.orders import PURPOSE, WORDS, reason
from voltyard.ocpp.wire import Wire
from voltyard.units import iso_z

MODES: dict[PowerMode, OperationModeWord | None] = {
    PowerMode.LIMIT: None,
    PowerMode.SETPOINT: "CentralSetpoint",
    PowerMode.FREQUENCY: "CentralFrequency",
    PowerMode.IDLE: "Idle",
}
"""None is ChargingOnly, the default; it is left out, for chargers that know no V2X (Q02.FR.01)."""
_Answer = (
    SetChargingProfileResponse | UpdateDynamicScheduleResponse | NotifyAllowedEnergyTransferResponse
)


def special(command: SetLimit) -> bool:
    """Whether 2.0.1 could not say it."""
    return command.dynamic is not None or command.mode is not PowerMode.LIMIT


def set_limit(command: SetLimit, now: datetime) -> Expressed:
    """One schedule of one period from 0 (K28.FR.01, FR.02); ``duration`` ends it by itself after
    the last update (K28.FR.13). Raises Invalid."""
    limits.check(command)
    if command.valid_s is None or command.purpose is not LimitPurpose.TX:
        raise Invalid("what is updated, or a setpoint, is of a transaction and ends by itself")
    request = SetChargingProfile(
        evse_id=command.evse_number, charging_profile=_profile(command, now)
    )
    return _single(request, replaces=limits.replaces(command))


def _profile(command: SetLimit, now: datetime) -> ChargingProfile:
    """A dynamic one began to be valid now by our clock, however late it is read (K28.FR.05)."""
    unit, fields = value(command.limit_w, command.limit_a, command.mode)
    assert command.valid_s is not None
    dynamic = command.dynamic
    start_at = command.start_at or now
    away_s = None if dynamic is None else dynamic.away_s
    period = ChargingSchedulePeriod(
        start_period=0,
        number_phases=command.phases,
        operation_mode=MODES[command.mode],
        limit=fields.get("limit"),
        setpoint=fields.get("setpoint"),
        preconditioning_request=False if command.mode is PowerMode.IDLE else None,
    )
    schedule = ChargingSchedule(
        id=command.profile_id,
        charging_rate_unit="W" if unit == "W" else "A",
        charging_schedule_period=[period],
        start_schedule=iso_z(start_at) if dynamic is None else None,
        duration=command.valid_s,
    )
    return ChargingProfile(
        id=command.profile_id,
        stack_level=command.stack_level,
        charging_profile_purpose=PURPOSE[command.purpose],
        charging_profile_kind="Absolute" if dynamic is None else "Dynamic",
        charging_schedule=[schedule],
        transaction_id=command.transaction_ref,
        max_offline_duration=away_s,
        invalid_after_offline_duration=None if away_s is None else True,
        dyn_update_interval=None if dynamic is None else dynamic.pull_s,
        dyn_update_time=None if dynamic is None else iso_z(now),
    )


def update_limit(command: UpdateLimit, now: datetime) -> Expressed:
    """K28.FR.06."""
    request = UpdateDynamicSchedule(
        charging_profile_id=command.profile_id,
        schedule_update=_update(command),
    )
    return _single(request, replaces=("update", command.profile_id))


def _update(command: UpdateLimit) -> ChargingScheduleUpdate:
    """The new value alone, as the schedule was installed with."""
    _, fields = value(command.limit_w, command.limit_a, command.mode)
    if not fields:
        raise Invalid("an idle limit has nothing to update")
    return ChargingScheduleUpdate(**fields)


def allow_transfer(command: AllowTransfer, now: datetime) -> Expressed:
    """Q02.FR.05."""
    modes: list[EnergyTransferModeWord] = list(command.modes)
    request = NotifyAllowedEnergyTransfer(
        transaction_id=command.transaction_ref, allowed_energy_transfer=modes
    )
    return _single(request)


def _single(request: Wire, replaces: tuple[object, ...] | None = None) -> Expressed:
    return single(outgoing(MESSAGES, request, _result, replaces=replaces))


def _result(response: _Answer) -> CommandResult:
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    return CommandResult(status, response.status, reason(response.status_info))
