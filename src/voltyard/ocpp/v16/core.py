"""OCPP 1.6 Core: boot, heartbeat, status, authorisation and data transfer from a charger."""

from typing import Annotated, ClassVar, Literal

import msgspec

from voltyard.chargers.model import BootInfo, BootStatus, EvseStatus, StatusReport
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.tokens import token_16
from voltyard.ocpp.v16.types import IdTagInfo, id_tag_info
from voltyard.ocpp.wire import (
    Info50,
    Instant,
    Integer,
    Natural,
    OneOf,
    Standard,
    Str20,
    Str25,
    Str50,
    Str255,
    Wire,
    Word,
)
from voltyard.units import iso_z

INFO_KEPT = 500

RegistrationStatusWord = Literal["Accepted", "Pending", "Rejected"]
ErrorCodeWord = Annotated[
    Word,
    OneOf(
        "ConnectorLockFailure",
        "EVCommunicationError",
        "GroundFailure",
        "HighTemperature",
        "InternalError",
        "LocalListConflict",
        "NoError",
        "OtherError",
        "OverCurrentFailure",
        "PowerMeterFailure",
        "PowerSwitchFailure",
        "ReaderFailure",
        "ResetFailure",
        "UnderVoltage",
        "OverVoltage",
        "WeakSignal",
        flag="error_code_unknown",
    ),
]
ChargePointStatusWord = Annotated[
    Word,
    OneOf(
        "Available",
        "Preparing",
        "Charging",
        "SuspendedEVSE",
        "SuspendedEV",
        "Finishing",
        "Reserved",
        "Unavailable",
        "Faulted",
        flag="status_unknown",
    ),
]
DataTransferStatusWord = Annotated[
    Word, OneOf("Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId")
]


class BootNotification(Wire):
    expected: ClassVar[tuple[str, ...]] = ("chargePointVendor", "chargePointModel")

    charge_point_vendor: Str20 | None = None
    charge_point_model: Str20 | None = None
    charge_point_serial_number: Str25 | None = None
    charge_box_serial_number: Str25 | None = None
    firmware_version: Str50 | None = None
    iccid: Str20 | None = None
    imsi: Str20 | None = None
    meter_type: Str25 | None = None
    meter_serial_number: Str25 | None = None


class BootNotificationResponse(Wire):
    status: RegistrationStatusWord
    current_time: Instant
    interval: Integer


BOOT_STATUS: dict[BootStatus, RegistrationStatusWord] = {
    BootStatus.ACCEPTED: "Accepted",
    BootStatus.PENDING: "Pending",
    BootStatus.REJECTED: "Rejected",
}


async def boot(exchange: Exchange, request: BootNotification) -> BootNotificationResponse:
    reply = await exchange.chargers.booted(
        exchange.station,
        BootInfo(
            vendor=request.charge_point_vendor or "",
            model=request.charge_point_model or "",
            serial=request.charge_point_serial_number or request.charge_box_serial_number,
            firmware=request.firmware_version,
            iccid=request.iccid,
            imsi=request.imsi,
        ),
    )
    exchange.held = reply.held
    return BootNotificationResponse(
        status=BOOT_STATUS[reply.status], current_time=iso_z(reply.at), interval=reply.interval_s
    )


class Heartbeat(Wire):
    pass


class HeartbeatResponse(Wire):
    current_time: Instant


async def heartbeat(exchange: Exchange, request: Heartbeat) -> HeartbeatResponse:
    at = await exchange.chargers.heartbeat(exchange.station)
    return HeartbeatResponse(current_time=iso_z(at))


class StatusNotification(Wire):
    expected: ClassVar[tuple[str, ...]] = ("errorCode",)

    connector_id: Natural
    status: ChargePointStatusWord
    error_code: ErrorCodeWord | None = None
    info: Info50 | None = None
    timestamp: Instant | None = None
    vendor_id: Str255 | None = None
    vendor_error_code: Str50 | None = None


class StatusNotificationResponse(Wire):
    pass


STATUS = {
    "Available": EvseStatus.AVAILABLE,
    "Preparing": EvseStatus.PREPARING,
    "Occupied": EvseStatus.OCCUPIED,
    "Charging": EvseStatus.CHARGING,
    "SuspendedEVSE": EvseStatus.SUSPENDED_EVSE,
    "SuspendedEV": EvseStatus.SUSPENDED_EV,
    "Finishing": EvseStatus.FINISHING,
    "Reserved": EvseStatus.RESERVED,
    "Unavailable": EvseStatus.UNAVAILABLE,
    "Faulted": EvseStatus.FAULTED,
}


async def status(exchange: Exchange, request: StatusNotification) -> StatusNotificationResponse:
    at = exchange.received_at if request.timestamp is None else exchange.instant(request.timestamp)
    error = None if request.error_code in (None, "", "NoError") else request.error_code
    report = StatusReport(
        evse_number=request.connector_id,
        connector_number=1 if request.connector_id else 0,
        status=STATUS.get(request.status, EvseStatus.UNKNOWN),
        at=at,
        error_code=error,
        info=request.info[:INFO_KEPT] if request.info else None,
        vendor_error=request.vendor_error_code or None,
    )
    await exchange.chargers.status(exchange.station, report)
    return StatusNotificationResponse()


class Authorize(Wire):
    id_tag: Str20


class AuthorizeResponse(Wire):
    id_tag_info: IdTagInfo


async def authorise(exchange: Exchange, request: Authorize) -> AuthorizeResponse:
    authorisation = await exchange.sessions.authorise(
        exchange.station, None, token_16(request.id_tag)
    )
    return AuthorizeResponse(id_tag_info=id_tag_info(authorisation))


class DataTransfer(Wire):
    vendor_id: Str255
    message_id: Str50 | None = None
    data: Annotated[object, Standard(str)] = None


class DataTransferResponse(Wire):
    status: DataTransferStatusWord
    data: Annotated[object, Standard(str)] = None


async def data_transfer(exchange: Exchange, request: DataTransfer) -> DataTransferResponse:
    """1.6 data is text; a JSON value in its place is passed on as its text."""
    data = request.data
    if data is not None and not isinstance(data, str):
        exchange.flag("data_not_text", request.vendor_id)
        data = msgspec.json.encode(data).decode()
    understood = await exchange.chargers.data_received(
        exchange.station, request.vendor_id, request.message_id, data
    )
    return DataTransferResponse(status="Accepted" if understood else "UnknownVendorId")
