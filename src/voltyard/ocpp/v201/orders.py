"""What the domain asks of a charger, as OCPP 2.0.1 calls."""

from collections.abc import Sequence
from datetime import datetime
from functools import singledispatch
from typing import Any

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
from voltyard.errors import Invalid
from voltyard.ocpp import limits
from voltyard.ocpp.routing import Expressed, Outgoing, single
from voltyard.ocpp.v201.device_model import read_variables, write_variable
from voltyard.ocpp.v201.types import Evse, IdTokenWire, StatusInfo, Wire201, write_token
from voltyard.ocpp.wire import Reader, Str36, Str50, Word
from voltyard.units import iso_z


class StatusResponse(Wire201):
    """The response of most calls."""

    status: Word
    status_info: StatusInfo | None = None


_STATUS_READER = Reader(StatusResponse)

WORDS = {
    "Accepted": CommandStatus.ACCEPTED,
    "Rejected": CommandStatus.REJECTED,
    "Scheduled": CommandStatus.SCHEDULED,
    "NotSupported": CommandStatus.NOT_SUPPORTED,
    "NotImplemented": CommandStatus.NOT_SUPPORTED,
    "RebootRequired": CommandStatus.REBOOT_REQUIRED,
    "Unlocked": CommandStatus.ACCEPTED,
    "UnlockFailed": CommandStatus.REJECTED,
    "OngoingAuthorizedTransaction": CommandStatus.REJECTED,
    "UnknownConnector": CommandStatus.REJECTED,
    "UnknownMessageId": CommandStatus.NOT_SUPPORTED,
    "UnknownVendorId": CommandStatus.NOT_SUPPORTED,
}


def reason(info: StatusInfo | None) -> dict[str, Any]:
    if info is None:
        return {}
    return {"reason": info.reason_code, "info": info.additional_info or ""}


def _result(response: StatusResponse) -> CommandResult:
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    return CommandResult(status, response.status, reason(response.status_info))


def _simple(action: str, request: Wire201, **more: Any) -> Expressed:
    return single(Outgoing(action, request, _STATUS_READER, _result, **more))


def express(command: Command, now: datetime) -> Expressed:
    """Raises Invalid for what 2.0.1 cannot say."""
    return _express(command, now)


@singledispatch
def _express(command: Any, now: datetime) -> Expressed:
    raise Invalid(f"OCPP 2.0.1 has no {type(command).__name__}")


class RequestStartTransaction(Wire201):
    id_token: IdTokenWire
    remote_start_id: int
    evse_id: int | None = None


class RequestStartTransactionResponse(Wire201):
    status: Word
    transaction_id: Str36 | None = None
    status_info: StatusInfo | None = None


_START_READER = Reader(RequestStartTransactionResponse)


def _started(response: RequestStartTransactionResponse) -> CommandResult:
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    detail = reason(response.status_info)
    if response.transaction_id is not None:
        detail["transaction_ref"] = response.transaction_id
    return CommandResult(status, response.status, detail)


@_express.register
def _remote_start(command: RemoteStart, now: datetime) -> Expressed:
    request = RequestStartTransaction(
        id_token=write_token(command.token),
        remote_start_id=command.remote_start_id,
        evse_id=command.evse_number or None,
    )
    return single(Outgoing("RequestStartTransaction", request, _START_READER, _started))


class RequestStopTransaction(Wire201):
    transaction_id: Str36


@_express.register
def _remote_stop(command: RemoteStop, now: datetime) -> Expressed:
    request = RequestStopTransaction(transaction_id=command.transaction_ref)
    return _simple("RequestStopTransaction", request)


class SchedulePeriodWire(Wire201):
    start_period: int
    limit: float | int
    number_phases: int | None = None
    phase_to_use: int | None = None


class ChargingSchedule(Wire201):
    id: int
    charging_rate_unit: Word
    charging_schedule_period: list[SchedulePeriodWire]
    start_schedule: str | None = None
    duration: int | None = None


class ChargingProfile(Wire201):
    id: int
    stack_level: int
    charging_profile_purpose: Word
    charging_profile_kind: Word
    charging_schedule: list[ChargingSchedule]
    valid_to: str | None = None
    transaction_id: Str36 | None = None


class SetChargingProfile(Wire201):
    evse_id: int
    charging_profile: ChargingProfile


# ChargingStationExternalConstraints is never ours to set (K01.FR.22).
PURPOSE = {
    LimitPurpose.STATION_MAX: "ChargingStationMaxProfile",
    LimitPurpose.TX_DEFAULT: "TxDefaultProfile",
    LimitPurpose.TX: "TxProfile",
}


@_express.register
def _set_limit(command: SetLimit, now: datetime) -> Expressed:
    """K01. Absolute from a little before now; validTo ends it should duration be ignored."""
    flat = limits.flat(command, now)
    schedule = ChargingSchedule(
        id=command.profile_id,
        charging_rate_unit=flat.unit,
        charging_schedule_period=[
            SchedulePeriodWire(start_period=0, limit=flat.limit, number_phases=command.phases)
        ],
        start_schedule=iso_z(flat.start_at),
        duration=flat.duration_s,
    )
    profile = ChargingProfile(
        id=command.profile_id,
        stack_level=command.stack_level,
        charging_profile_purpose=PURPOSE[command.purpose],
        charging_profile_kind="Absolute",
        charging_schedule=[schedule],
        valid_to=None if flat.until_at is None else iso_z(flat.until_at),
        transaction_id=command.transaction_ref if command.purpose is LimitPurpose.TX else None,
    )
    request = SetChargingProfile(evse_id=command.evse_number, charging_profile=profile)
    return _simple("SetChargingProfile", request, replaces=limits.replaces(command))


class ClearCriteria(Wire201):
    evse_id: int | None = None
    charging_profile_purpose: Word | None = None
    stack_level: int | None = None


class ClearChargingProfile(Wire201):
    charging_profile_id: int | None = None
    charging_profile_criteria: ClearCriteria | None = None


def _cleared(response: StatusResponse) -> CommandResult:
    """Unknown: there was none that matched, so what was asked holds."""
    known = {"Accepted": CommandStatus.ACCEPTED, "Unknown": CommandStatus.ACCEPTED}
    return CommandResult(known.get(response.status, CommandStatus.UNKNOWN), response.status)


def _clear(request: ClearChargingProfile) -> Outgoing:
    return Outgoing("ClearChargingProfile", request, _STATUS_READER, _cleared)


@_express.register
def _clear_limits(command: ClearLimits, now: datetime) -> Expressed:
    """K10.FR.02 wants an id or a criterion, so "all" is said purpose by purpose."""
    if command.profile_id is not None:
        return single(_clear(ClearChargingProfile(charging_profile_id=command.profile_id)))
    anything = (command.evse_number, command.purpose, command.stack_level) == (None, None, None)
    purposes: Sequence[LimitPurpose | None] = tuple(PURPOSE) if anything else (command.purpose,)
    calls = [
        _clear(
            ClearChargingProfile(
                charging_profile_criteria=ClearCriteria(
                    evse_id=command.evse_number,
                    charging_profile_purpose=None if purpose is None else PURPOSE[purpose],
                    stack_level=command.stack_level,
                )
            )
        )
        for purpose in purposes
    ]
    return calls, _worst


def _worst(results: Sequence[CommandResult]) -> CommandResult:
    return next((result for result in results if not result.accepted), results[0])


class GetCompositeSchedule(Wire201):
    duration: int
    evse_id: int
    charging_rate_unit: Word | None = None


class CompositeSchedule(Wire201):
    charging_schedule_period: list[SchedulePeriodWire]
    charging_rate_unit: Word
    evse_id: int | None = None
    duration: int | None = None
    schedule_start: str | None = None


class GetCompositeScheduleResponse(Wire201):
    status: Word
    schedule: CompositeSchedule | None = None
    status_info: StatusInfo | None = None


_SCHEDULE_READER = Reader(GetCompositeScheduleResponse)


def _schedule(response: GetCompositeScheduleResponse) -> CommandResult:
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    schedule = response.schedule
    if schedule is None:
        return CommandResult(status, response.status, reason(response.status_info))
    periods = tuple(
        SchedulePeriod(period.start_period, float(period.limit), period.number_phases)
        for period in schedule.charging_schedule_period
    )
    detail = {
        "unit": schedule.charging_rate_unit,
        "periods": periods,
        "start_at": schedule.schedule_start,
        "duration_s": schedule.duration,
    }
    return CommandResult(status, response.status, detail)


@_express.register
def _composite(command: ReadCompositeSchedule, now: datetime) -> Expressed:
    request = GetCompositeSchedule(
        duration=command.duration_s,
        evse_id=command.evse_number,
        charging_rate_unit=command.unit,
    )
    return single(Outgoing("GetCompositeSchedule", request, _SCHEDULE_READER, _schedule))


class TriggerMessage(Wire201):
    requested_message: Word
    evse: Evse | None = None


TRIGGERS = {
    "boot": "BootNotification",
    "heartbeat": "Heartbeat",
    "status": "StatusNotification",
    "meter": "MeterValues",
    "transaction": "TransactionEvent",
    "diagnostics": "LogStatusNotification",
    "firmware": "FirmwareStatusNotification",
}


@_express.register
def _trigger(command: Trigger, now: datetime) -> Expressed:
    """F06.FR.13: a status is asked for with its connector."""
    message = TRIGGERS.get(command.message)
    if message is None:
        raise Invalid(f"OCPP 2.0.1 cannot trigger {command.message}")
    evse = None
    if command.evse_number:
        connector = 1 if command.message == "status" else None
        evse = Evse(id=command.evse_number, connector_id=connector)
    request = TriggerMessage(requested_message=message, evse=evse)
    return _simple("TriggerMessage", request, triggers=message)


class ResetRequest(Wire201):
    type: Word
    evse_id: int | None = None


@_express.register
def _reset(command: Reset, now: datetime) -> Expressed:
    request = ResetRequest(
        type="Immediate" if command.hard else "OnIdle", evse_id=command.evse_number or None
    )
    return _simple("Reset", request)


class UnlockConnector(Wire201):
    evse_id: int
    connector_id: int


@_express.register
def _unlock(command: Unlock, now: datetime) -> Expressed:
    if command.evse_number <= 0:
        raise Invalid("to unlock needs an EVSE")
    request = UnlockConnector(evse_id=command.evse_number, connector_id=command.connector_number)
    return _simple("UnlockConnector", request)


class ChangeAvailability(Wire201):
    operational_status: Word
    evse: Evse | None = None


@_express.register
def _availability(command: SetAvailability, now: datetime) -> Expressed:
    """G04: without an EVSE it is the whole station."""
    request = ChangeAvailability(
        operational_status="Operative" if command.operative else "Inoperative",
        evse=Evse(id=command.evse_number) if command.evse_number else None,
    )
    return _simple("ChangeAvailability", request)


class GetBaseReport(Wire201):
    request_id: int
    report_base: Word


@_express.register
def _read_configuration(command: ReadConfiguration, now: datetime) -> Expressed:
    """B06 for named variables; B07 for everything, whose rows come as NotifyReport later."""
    if command.keys:
        return read_variables(command.keys)
    request = GetBaseReport(
        request_id=int(now.timestamp()) % 2_000_000_000, report_base="FullInventory"
    )

    def asked(response: StatusResponse) -> CommandResult:
        result = _result(response)
        detail = {**result.detail, "rows": (), "unknown": (), "report_id": request.request_id}
        return CommandResult(result.status, result.word, detail)

    return single(Outgoing("GetBaseReport", request, _STATUS_READER, asked))


@_express.register
def _write_configuration(command: WriteConfiguration, now: datetime) -> Expressed:
    return write_variable(command.key, command.value)


class DataTransferRequest(Wire201):
    vendor_id: Word
    message_id: Str50 | None = None
    data: str | None = None


class DataTransferAnswer(Wire201):
    status: Word
    data: object = None
    status_info: StatusInfo | None = None


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
