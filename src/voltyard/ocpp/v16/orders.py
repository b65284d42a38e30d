"""What the domain asks of a charger, as OCPP 1.6 calls."""

from datetime import datetime
from functools import singledispatch
from typing import Any, Protocol

from voltyard.chargers.commands import (
    Ask,
    ClearLimits,
    Command,
    CommandResult,
    CommandStatus,
    LimitPurpose,
    ReadCompositeSchedule,
    ReadConfiguration,
    RemoteStart,
    RemoteStop,
    Reset,
    SchedulePeriod,
    SendData,
    SetAvailability,
    SetLimit,
    Trigger,
    Unlock,
    WriteConfiguration,
)
from voltyard.chargers.model import ConfigRow
from voltyard.chargers.secrets import is_secret
from voltyard.errors import Invalid
from voltyard.ocpp import limits
from voltyard.ocpp.anything import said
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Answer, Expressed, Outgoing, single
from voltyard.ocpp.tokens import id_tag
from voltyard.ocpp.v16 import (
    certificate_orders,
    core,
    operations,
    remote_trigger,
    smart_charging,
    token_orders,
)
from voltyard.ocpp.v16.messages import MESSAGES
from voltyard.ocpp.v16.smart_charging import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
)
from voltyard.ocpp.v16.upkeep_orders import request_log, update_firmware
from voltyard.ocpp.wire import Wire
from voltyard.units import iso_z

_ACCEPTED = {"Accepted": CommandStatus.ACCEPTED, "Rejected": CommandStatus.REJECTED}
WORDS = {
    **_ACCEPTED,
    "Scheduled": CommandStatus.SCHEDULED,
    "NotSupported": CommandStatus.NOT_SUPPORTED,
    "NotImplemented": CommandStatus.NOT_SUPPORTED,
    "RebootRequired": CommandStatus.REBOOT_REQUIRED,
    "Unlocked": CommandStatus.ACCEPTED,
    "UnlockFailed": CommandStatus.REJECTED,
    "UnknownMessageId": CommandStatus.NOT_SUPPORTED,
    "UnknownVendorId": CommandStatus.NOT_SUPPORTED,
}


class HasStatus(Protocol):
    """Most responses."""

    @property
    def status(self) -> str: ...


def _result(response: HasStatus) -> CommandResult:
    return CommandResult(WORDS.get(response.status, CommandStatus.UNKNOWN), response.status)


def _simple(request: Wire, **more: Any) -> Expressed:
    return single(asked(request, _result, **more))


def asked(request: Wire, answer: Answer, **more: Any) -> Outgoing:
    """A call made of its request: named by its struct, answered by the struct beside that."""
    return outgoing(MESSAGES, request, answer, **more)


def express(command: Command, now: datetime) -> Expressed:
    """Raises Invalid for what 1.6 cannot say."""
    return _express(command, now)


@singledispatch
def _express(command: Any, now: datetime) -> Expressed:
    raise Invalid(f"OCPP 1.6 has no {type(command).__name__}")


@_express.register
def _remote_start(command: RemoteStart, now: datetime) -> Expressed:
    request = operations.RemoteStartTransaction(
        id_tag=id_tag(command.token),
        connector_id=command.evse_number or None,
        charging_profile=None if command.limit is None else _profile(command.limit, now),
    )
    return _simple(request)


@_express.register
def _remote_stop(command: RemoteStop, now: datetime) -> Expressed:
    request = operations.RemoteStopTransaction(
        transaction_id=transaction_id(command.transaction_ref)
    )
    return _simple(request)


def transaction_id(reference: str) -> int:
    try:
        return int(reference)
    except ValueError:
        raise Invalid("an OCPP 1.6 transaction has a number", detail=reference) from None


PURPOSE: dict[LimitPurpose, smart_charging.ChargingProfilePurposeWord] = {
    LimitPurpose.STATION_MAX: "ChargePointMaxProfile",
    LimitPurpose.TX_DEFAULT: "TxDefaultProfile",
    LimitPurpose.TX: "TxProfile",
}


@_express.register
def _set_limit(command: SetLimit, now: datetime) -> Expressed:
    limits.check(command)
    request = smart_charging.SetChargingProfile(
        connector_id=command.evse_number, cs_charging_profiles=_profile(command, now)
    )
    return _simple(request, replaces=limits.replaces(command))


def _profile(command: SetLimit, now: datetime) -> ChargingProfile:
    """Absolute from a little before now; validTo ends it should duration be ignored."""
    flat = limits.flat(command, now)
    period = ChargingSchedulePeriod(start_period=0, limit=flat.limit, number_phases=command.phases)
    return ChargingProfile(
        charging_profile_id=command.profile_id,
        stack_level=command.stack_level,
        charging_profile_purpose=PURPOSE[command.purpose],
        charging_profile_kind="Absolute",
        charging_schedule=ChargingSchedule(
            charging_rate_unit=flat.unit,
            charging_schedule_period=[period],
            duration=flat.duration_s,
            start_schedule=iso_z(flat.start_at),
        ),
        transaction_id=_profile_transaction(command),
        valid_to=None if flat.until_at is None else iso_z(flat.until_at),
    )


def _profile_transaction(command: SetLimit) -> int | None:
    if command.purpose is not LimitPurpose.TX or command.transaction_ref is None:
        return None
    return transaction_id(command.transaction_ref)


def _cleared(response: HasStatus) -> CommandResult:
    """Unknown: there was none that matched, so what was asked holds."""
    known = {"Accepted": CommandStatus.ACCEPTED, "Unknown": CommandStatus.ACCEPTED}
    return CommandResult(known.get(response.status, CommandStatus.UNKNOWN), response.status)


@_express.register
def _clear_limits(command: ClearLimits, now: datetime) -> Expressed:
    request = smart_charging.ClearChargingProfile(
        id=command.profile_id,
        connector_id=command.evse_number,
        charging_profile_purpose=None if command.purpose is None else PURPOSE[command.purpose],
        stack_level=command.stack_level,
    )
    return single(asked(request, _cleared))


def _schedule(response: smart_charging.GetCompositeScheduleResponse) -> CommandResult:
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    schedule = response.charging_schedule
    if schedule is None:
        return CommandResult(status, response.status)
    periods = tuple(
        SchedulePeriod(period.start_period, float(period.limit), period.number_phases)
        for period in schedule.charging_schedule_period
    )
    detail = {
        "unit": schedule.charging_rate_unit,
        "periods": periods,
        "start_at": response.schedule_start or schedule.start_schedule,
        "duration_s": schedule.duration,
    }
    return CommandResult(status, response.status, detail)


@_express.register
def _composite(command: ReadCompositeSchedule, now: datetime) -> Expressed:
    request = smart_charging.GetCompositeSchedule(
        connector_id=command.evse_number,
        duration=command.duration_s,
        charging_rate_unit=command.unit,
    )
    return single(asked(request, _schedule))


TRIGGERS: dict[str, remote_trigger.MessageTriggerWord] = {
    "boot": "BootNotification",
    "heartbeat": "Heartbeat",
    "status": "StatusNotification",
    "meter": "MeterValues",
    "diagnostics": "DiagnosticsStatusNotification",
    "firmware": "FirmwareStatusNotification",
}


@_express.register
def _trigger(command: Trigger, now: datetime) -> Expressed:
    if command.message == "certificate":
        return certificate_orders.trigger_certificate(command)
    message = TRIGGERS.get(command.message)
    if message is None:
        raise Invalid(f"OCPP 1.6 cannot trigger {command.message}")
    request = remote_trigger.TriggerMessage(
        requested_message=message, connector_id=command.evse_number
    )
    return _simple(request, triggers=message)


@_express.register
def _reset(command: Reset, now: datetime) -> Expressed:
    if command.evse_number:
        raise Invalid("OCPP 1.6 resets the whole station only")
    return _simple(operations.Reset(type="Hard" if command.hard else "Soft"))


@_express.register
def _unlock(command: Unlock, now: datetime) -> Expressed:
    if command.evse_number <= 0:
        raise Invalid("to unlock needs a connector")
    return _simple(operations.UnlockConnector(connector_id=command.evse_number))


@_express.register
def _availability(command: SetAvailability, now: datetime) -> Expressed:
    kind: operations.ChangeAvailabilityTypeWord = (
        "Operative" if command.operative else "Inoperative"
    )
    request = operations.ChangeAvailability(connector_id=command.evse_number, type=kind)
    return _simple(request)


def _configuration(response: operations.GetConfigurationResponse) -> CommandResult:
    rows = tuple(
        ConfigRow(row.key, row.value, readonly=bool(row.readonly))
        for row in response.configuration_key or ()
    )
    unknown = tuple(response.unknown_key or ())
    status = CommandStatus.ACCEPTED if rows or not unknown else CommandStatus.UNKNOWN
    return CommandResult(status, "", {"rows": rows, "unknown": unknown})


@_express.register
def _read_configuration(command: ReadConfiguration, now: datetime) -> Expressed:
    request = operations.GetConfiguration(key=list(command.keys) or None)
    return single(asked(request, _configuration))


@_express.register
def _write_configuration(command: WriteConfiguration, now: datetime) -> Expressed:
    if command.attribute not in (None, "Actual"):
        raise Invalid("OCPP 1.6 has only actual values", fields={"attribute": "not in OCPP 1.6"})
    request = operations.ChangeConfiguration(key=command.key, value=command.value)
    return _simple(request, secret=is_secret(command.key))


def _data(response: core.DataTransferResponse) -> CommandResult:
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    return CommandResult(status, response.status, {"data": response.data})


@_express.register
def _send_data(command: SendData, now: datetime) -> Expressed:
    request = core.DataTransfer(
        vendor_id=command.vendor_id, message_id=command.message_id, data=command.data
    )
    return single(asked(request, _data))


@_express.register
def _anything(command: Ask, now: datetime) -> Expressed:
    return said(MESSAGES, command, WORDS)


for _order in certificate_orders.ORDERS:
    _express.register(_order)
for _token_order in token_orders.ORDERS:
    _express.register(_token_order)
_express.register(update_firmware)
_express.register(request_log)
