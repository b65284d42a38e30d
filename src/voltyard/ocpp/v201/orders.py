"""What the domain asks of a charger, as OCPP 2.0.1 calls."""

from collections.abc import Sequence
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
from voltyard.errors import Invalid
from voltyard.ocpp import limits
from voltyard.ocpp.anything import said
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Answer, Expressed, Outgoing, single
from voltyard.ocpp.v201 import (
    availability,
    certificate_orders,
    data_transfer,
    provisioning,
    remote_control,
    smart_charging,
    token_orders,
    watching,
)
from voltyard.ocpp.v201.device_model import read_variables, write_variable
from voltyard.ocpp.v201.messages import MESSAGES
from voltyard.ocpp.v201.smart_charging import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
)
from voltyard.ocpp.v201.types import Evse, StatusInfo, Wire201, write_token
from voltyard.ocpp.v201.upkeep_orders import (
    publish_firmware,
    request_log,
    unpublish_firmware,
    update_firmware,
)
from voltyard.units import iso_z

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


class HasStatus(Protocol):
    """Most responses."""

    @property
    def status(self) -> str: ...

    @property
    def status_info(self) -> StatusInfo | None: ...


def _result(response: HasStatus) -> CommandResult:
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    return CommandResult(status, response.status, reason(response.status_info))


def _simple(request: Wire201, **more: Any) -> Expressed:
    return single(asked(request, _result, **more))


def asked(request: Wire201, answer: Answer, **more: Any) -> Outgoing:
    """A call made of its request: named by its struct, answered by the struct beside that."""
    return outgoing(MESSAGES, request, answer, **more)


def express(command: Command, now: datetime) -> Expressed:
    """Raises Invalid for what 2.0.1 cannot say."""
    return _express(command, now)


@singledispatch
def _express(command: Any, now: datetime) -> Expressed:
    raise Invalid(f"OCPP 2.0.1 has no {type(command).__name__}")


def _started(response: remote_control.RequestStartTransactionResponse) -> CommandResult:
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    detail = reason(response.status_info)
    if response.transaction_id is not None:
        detail["transaction_ref"] = response.transaction_id
    return CommandResult(status, response.status, detail)


@_express.register
def _remote_start(command: RemoteStart, now: datetime) -> Expressed:
    request = remote_control.RequestStartTransaction(
        id_token=write_token(command.token),
        remote_start_id=command.remote_start_id,
        evse_id=command.evse_number or None,
        charging_profile=None if command.limit is None else _profile(command.limit, now),
    )
    return single(asked(request, _started))


@_express.register
def _remote_stop(command: RemoteStop, now: datetime) -> Expressed:
    request = remote_control.RequestStopTransaction(transaction_id=command.transaction_ref)
    return _simple(request)


# ChargingStationExternalConstraints is never ours to set (K01.FR.22).
PURPOSE = {
    LimitPurpose.STATION_MAX: "ChargingStationMaxProfile",
    LimitPurpose.TX_DEFAULT: "TxDefaultProfile",
    LimitPurpose.TX: "TxProfile",
}


@_express.register
def _set_limit(command: SetLimit, now: datetime) -> Expressed:
    limits.check(command)
    request = smart_charging.SetChargingProfile(
        evse_id=command.evse_number, charging_profile=_profile(command, now)
    )
    return _simple(request, replaces=limits.replaces(command))


def _profile(command: SetLimit, now: datetime) -> ChargingProfile:
    """K01. Absolute from a little before now; validTo ends it should duration be ignored."""
    flat = limits.flat(command, now)
    schedule = ChargingSchedule(
        id=command.profile_id,
        charging_rate_unit=flat.unit,
        charging_schedule_period=[
            ChargingSchedulePeriod(start_period=0, limit=flat.limit, number_phases=command.phases)
        ],
        start_schedule=iso_z(flat.start_at),
        duration=flat.duration_s,
    )
    return ChargingProfile(
        id=command.profile_id,
        stack_level=command.stack_level,
        charging_profile_purpose=PURPOSE[command.purpose],
        charging_profile_kind="Absolute",
        charging_schedule=[schedule],
        valid_to=None if flat.until_at is None else iso_z(flat.until_at),
        transaction_id=command.transaction_ref if command.purpose is LimitPurpose.TX else None,
    )


def _cleared(response: HasStatus) -> CommandResult:
    """Unknown: there was none that matched, so what was asked holds."""
    known = {"Accepted": CommandStatus.ACCEPTED, "Unknown": CommandStatus.ACCEPTED}
    return CommandResult(known.get(response.status, CommandStatus.UNKNOWN), response.status)


def _clear(
    profile_id: int | None, criteria: smart_charging.ClearCriteria | None = None
) -> Outgoing:
    request = smart_charging.ClearChargingProfile(
        charging_profile_id=profile_id, charging_profile_criteria=criteria
    )
    return asked(request, _cleared)


@_express.register
def _clear_limits(command: ClearLimits, now: datetime) -> Expressed:
    """K10.FR.02 wants an id or a criterion, so "all" is said purpose by purpose."""
    if command.profile_id is not None:
        return single(_clear(command.profile_id))
    anything = (command.evse_number, command.purpose, command.stack_level) == (None, None, None)
    purposes: Sequence[LimitPurpose | None] = tuple(PURPOSE) if anything else (command.purpose,)
    calls = [
        _clear(
            None,
            smart_charging.ClearCriteria(
                evse_id=command.evse_number,
                charging_profile_purpose=None if purpose is None else PURPOSE[purpose],
                stack_level=command.stack_level,
            ),
        )
        for purpose in purposes
    ]
    return calls, _worst


def _worst(results: Sequence[CommandResult]) -> CommandResult:
    return next((result for result in results if not result.accepted), results[0])


def _schedule(response: smart_charging.GetCompositeScheduleResponse) -> CommandResult:
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
    request = smart_charging.GetCompositeSchedule(
        duration=command.duration_s,
        evse_id=command.evse_number,
        charging_rate_unit=command.unit,
    )
    return single(asked(request, _schedule))


TRIGGERS: dict[str, remote_control.MessageTriggerWord] = {
    "boot": "BootNotification",
    "heartbeat": "Heartbeat",
    "status": "StatusNotification",
    "meter": "MeterValues",
    "transaction": "TransactionEvent",
    "diagnostics": "LogStatusNotification",
    "firmware": "FirmwareStatusNotification",
    "certificate": "SignChargingStationCertificate",
}
TRIGGERED = {"certificate": "SignCertificate"}
"""What comes of a trigger, where it has another name."""


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
    request = remote_control.TriggerMessage(requested_message=message, evse=evse)
    return _simple(request, triggers=TRIGGERED.get(command.message, message))


@_express.register
def _reset(command: Reset, now: datetime) -> Expressed:
    request = provisioning.Reset(
        type="Immediate" if command.hard else "OnIdle", evse_id=command.evse_number or None
    )
    return _simple(request)


@_express.register
def _unlock(command: Unlock, now: datetime) -> Expressed:
    if command.evse_number <= 0:
        raise Invalid("to unlock needs an EVSE")
    request = remote_control.UnlockConnector(
        evse_id=command.evse_number, connector_id=command.connector_number
    )
    return _simple(request)


@_express.register
def _availability(command: SetAvailability, now: datetime) -> Expressed:
    """G04: without an EVSE it is the whole station."""
    request = availability.ChangeAvailability(
        operational_status="Operative" if command.operative else "Inoperative",
        evse=Evse(id=command.evse_number) if command.evse_number else None,
    )
    return _simple(request)


@_express.register
def _read_configuration(command: ReadConfiguration, now: datetime) -> Expressed:
    """B06 for named variables; B07 for everything, whose rows come as NotifyReport later."""
    if command.keys:
        return read_variables(command.keys)
    request = provisioning.GetBaseReport(
        request_id=command.report_id or int(now.timestamp()) % 2_000_000_000,
        report_base="FullInventory",
    )

    def accepted(response: HasStatus) -> CommandResult:
        result = _result(response)
        detail = {**result.detail, "rows": (), "unknown": (), "report_id": request.request_id}
        return CommandResult(result.status, result.word, detail)

    return single(asked(request, accepted))


@_express.register
def _write_configuration(command: WriteConfiguration, now: datetime) -> Expressed:
    return write_variable(command.key, command.value, command.attribute)


def _data(response: data_transfer.DataTransferResponse) -> CommandResult:
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    return CommandResult(status, response.status, {"data": response.data})


@_express.register
def _send_data(command: SendData, now: datetime) -> Expressed:
    request = data_transfer.DataTransfer(
        vendor_id=command.vendor_id, message_id=command.message_id, data=command.data
    )
    return single(asked(request, _data))


@_express.register
def _anything(command: Ask, now: datetime) -> Expressed:
    return said(MESSAGES, command, WORDS)


for _asks in certificate_orders.ORDERS:
    _express.register(_asks)
for _token_order in token_orders.ORDERS:
    _express.register(_token_order)
for _watch_order in watching.ORDERS:
    _express.register(_watch_order)
for _order in (update_firmware, publish_firmware, unpublish_firmware, request_log):
    _express.register(_order)
