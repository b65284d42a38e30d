"""What the domain asks of a charger, as OCPP 1.6 calls."""

from datetime import datetime
from functools import singledispatch
from typing import Any, ClassVar

from voltyard.chargers.commands import (
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
from voltyard.errors import Invalid
from voltyard.ocpp import limits
from voltyard.ocpp.routing import Expressed, Outgoing, single
from voltyard.ocpp.tokens import id_tag
from voltyard.ocpp.wire import Reader, Str20, Str50, Str500, Wire, Word
from voltyard.units import iso_z

SECRET_KEYS = frozenset({"authorizationkey", "authorisationkey"})


class StatusResponse(Wire):
    """The response of most calls."""

    status: Word


_STATUS_READER = Reader(StatusResponse)

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


def _result(response: StatusResponse) -> CommandResult:
    return CommandResult(WORDS.get(response.status, CommandStatus.UNKNOWN), response.status)


def _simple(action: str, request: Wire, **more: Any) -> Expressed:
    return single(Outgoing(action, request, _STATUS_READER, _result, **more))


def express(command: Command, now: datetime) -> Expressed:
    """Raises Invalid for what 1.6 cannot say."""
    return _express(command, now)


@singledispatch
def _express(command: Any, now: datetime) -> Expressed:
    raise Invalid(f"OCPP 1.6 has no {type(command).__name__}")


class RemoteStartTransaction(Wire):
    id_tag: Str20
    connector_id: int | None = None


@_express.register
def _remote_start(command: RemoteStart, now: datetime) -> Expressed:
    request = RemoteStartTransaction(
        id_tag=id_tag(command.token), connector_id=command.evse_number or None
    )
    return _simple("RemoteStartTransaction", request)


class RemoteStopTransaction(Wire):
    transaction_id: int


@_express.register
def _remote_stop(command: RemoteStop, now: datetime) -> Expressed:
    request = RemoteStopTransaction(transaction_id=transaction_id(command.transaction_ref))
    return _simple("RemoteStopTransaction", request)


def transaction_id(reference: str) -> int:
    try:
        return int(reference)
    except ValueError:
        raise Invalid("an OCPP 1.6 transaction has a number", detail=reference) from None


class SchedulePeriodWire(Wire):
    start_period: int
    limit: float | int
    number_phases: int | None = None


class ChargingSchedule(Wire):
    charging_rate_unit: Word
    charging_schedule_period: list[SchedulePeriodWire]
    duration: int | None = None
    start_schedule: str | None = None
    min_charging_rate: float | None = None


class ChargingProfile(Wire):
    charging_profile_id: int
    stack_level: int
    charging_profile_purpose: Word
    charging_profile_kind: Word
    charging_schedule: ChargingSchedule
    transaction_id: int | None = None
    valid_to: str | None = None


class SetChargingProfile(Wire):
    connector_id: int
    cs_charging_profiles: ChargingProfile


PURPOSE = {
    LimitPurpose.STATION_MAX: "ChargePointMaxProfile",
    LimitPurpose.TX_DEFAULT: "TxDefaultProfile",
    LimitPurpose.TX: "TxProfile",
}


@_express.register
def _set_limit(command: SetLimit, now: datetime) -> Expressed:
    """Absolute from a little before now; validTo ends it should duration be ignored."""
    flat = limits.flat(command, now)
    period = SchedulePeriodWire(start_period=0, limit=flat.limit, number_phases=command.phases)
    profile = ChargingProfile(
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
    request = SetChargingProfile(connector_id=command.evse_number, cs_charging_profiles=profile)
    return _simple("SetChargingProfile", request, replaces=limits.replaces(command))


def _profile_transaction(command: SetLimit) -> int | None:
    if command.purpose is not LimitPurpose.TX or command.transaction_ref is None:
        return None
    return transaction_id(command.transaction_ref)


class ClearChargingProfile(Wire):
    id: int | None = None
    connector_id: int | None = None
    charging_profile_purpose: Word | None = None
    stack_level: int | None = None


def _cleared(response: StatusResponse) -> CommandResult:
    """Unknown: there was none that matched, so what was asked holds."""
    known = {"Accepted": CommandStatus.ACCEPTED, "Unknown": CommandStatus.ACCEPTED}
    return CommandResult(known.get(response.status, CommandStatus.UNKNOWN), response.status)


@_express.register
def _clear_limits(command: ClearLimits, now: datetime) -> Expressed:
    request = ClearChargingProfile(
        id=command.profile_id,
        connector_id=command.evse_number,
        charging_profile_purpose=None if command.purpose is None else PURPOSE[command.purpose],
        stack_level=command.stack_level,
    )
    return single(Outgoing("ClearChargingProfile", request, _STATUS_READER, _cleared))


class GetCompositeSchedule(Wire):
    connector_id: int
    duration: int
    charging_rate_unit: Word | None = None


class GetCompositeScheduleResponse(Wire):
    status: Word
    connector_id: int | None = None
    schedule_start: str | None = None
    charging_schedule: ChargingSchedule | None = None


_SCHEDULE_READER = Reader(GetCompositeScheduleResponse)


def _schedule(response: GetCompositeScheduleResponse) -> CommandResult:
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
    request = GetCompositeSchedule(
        connector_id=command.evse_number,
        duration=command.duration_s,
        charging_rate_unit=command.unit,
    )
    return single(Outgoing("GetCompositeSchedule", request, _SCHEDULE_READER, _schedule))


class TriggerMessage(Wire):
    requested_message: Word
    connector_id: int | None = None


TRIGGERS = {
    "boot": "BootNotification",
    "heartbeat": "Heartbeat",
    "status": "StatusNotification",
    "meter": "MeterValues",
    "diagnostics": "DiagnosticsStatusNotification",
    "firmware": "FirmwareStatusNotification",
}


@_express.register
def _trigger(command: Trigger, now: datetime) -> Expressed:
    message = TRIGGERS.get(command.message)
    if message is None:
        raise Invalid(f"OCPP 1.6 cannot trigger {command.message}")
    request = TriggerMessage(requested_message=message, connector_id=command.evse_number)
    return _simple("TriggerMessage", request, triggers=message)


class ResetRequest(Wire):
    type: Word


@_express.register
def _reset(command: Reset, now: datetime) -> Expressed:
    if command.evse_number:
        raise Invalid("OCPP 1.6 resets the whole station only")
    return _simple("Reset", ResetRequest(type="Hard" if command.hard else "Soft"))


class UnlockConnector(Wire):
    connector_id: int


@_express.register
def _unlock(command: Unlock, now: datetime) -> Expressed:
    if command.evse_number <= 0:
        raise Invalid("to unlock needs a connector")
    return _simple("UnlockConnector", UnlockConnector(connector_id=command.evse_number))


class ChangeAvailability(Wire):
    connector_id: int
    type: Word


@_express.register
def _availability(command: SetAvailability, now: datetime) -> Expressed:
    kind = "Operative" if command.operative else "Inoperative"
    request = ChangeAvailability(connector_id=command.evse_number, type=kind)
    return _simple("ChangeAvailability", request)


class GetConfiguration(Wire):
    key: list[Str50] | None = None


class KeyValue(Wire):
    expected: ClassVar[tuple[str, ...]] = ("readonly",)

    key: Str50
    readonly: bool | None = None
    value: Str500 | None = None


class GetConfigurationResponse(Wire):
    configuration_key: list[KeyValue] | None = None
    unknown_key: list[Str50] | None = None


_CONFIGURATION_READER = Reader(GetConfigurationResponse)


def _configuration(response: GetConfigurationResponse) -> CommandResult:
    rows = tuple(
        ConfigRow(row.key, row.value, readonly=bool(row.readonly))
        for row in response.configuration_key or ()
    )
    unknown = tuple(response.unknown_key or ())
    status = CommandStatus.ACCEPTED if rows or not unknown else CommandStatus.UNKNOWN
    return CommandResult(status, "", {"rows": rows, "unknown": unknown})


@_express.register
def _read_configuration(command: ReadConfiguration, now: datetime) -> Expressed:
    request = GetConfiguration(key=list(command.keys) or None)
    return single(Outgoing("GetConfiguration", request, _CONFIGURATION_READER, _configuration))


class ChangeConfiguration(Wire):
    key: Str50
    value: Str500


@_express.register
def _write_configuration(command: WriteConfiguration, now: datetime) -> Expressed:
    request = ChangeConfiguration(key=command.key, value=command.value)
    secret = command.key.lower() in SECRET_KEYS
    return _simple("ChangeConfiguration", request, secret=secret)


class DataTransferRequest(Wire):
    vendor_id: Word
    message_id: Str50 | None = None
    data: str | None = None


class DataTransferAnswer(Wire):
    status: Word
    data: object = None


_DATA_READER = Reader(DataTransferAnswer)


def _data(response: DataTransferAnswer) -> CommandResult:
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    return CommandResult(status, response.status, {"data": response.data})


@_express.register
def _send_data(command: SendData, now: datetime) -> Expressed:
    request = DataTransferRequest(
        vendor_id=command.vendor_id, message_id=command.message_id, data=command.data
    )
    return single(Outgoing("DataTransfer", request, _DATA_READER, _data))
