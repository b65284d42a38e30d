"""OCPP 2.0.1 block B, G, P: boot, heartbeat, reports, availability and data transfer."""

from typing import ClassVar

import msgspec

from voltyard.chargers.model import BootInfo, BootStatus, ConfigRow, EvseStatus, StatusReport
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.types import Component, StatusInfo, Variable, Wire201
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Natural,
    Str16,
    Str20,
    Str25,
    Str50,
    Str255,
    Str1000,
    Str2500,
    Word,
)
from voltyard.units import iso_z


class Modem(Wire201):
    iccid: Str20 | None = None
    imsi: Str20 | None = None


class ChargingStation(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("model", "vendorName")

    model: Str20 | None = None
    vendor_name: Str50 | None = None
    serial_number: Str25 | None = None
    firmware_version: Str50 | None = None
    modem: Modem | None = None


class BootNotification(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("reason",)

    charging_station: ChargingStation
    reason: Word | None = None


class BootNotificationResponse(Wire201):
    current_time: str
    interval: int
    status: Word
    status_info: StatusInfo | None = None


BOOT_STATUS = {
    BootStatus.ACCEPTED: "Accepted",
    BootStatus.PENDING: "Pending",
    BootStatus.REJECTED: "Rejected",
}
BOOT_REASONS = frozenset(
    {
        "ApplicationReset",
        "FirmwareUpdate",
        "LocalReset",
        "PowerUp",
        "RemoteReset",
        "ScheduledReset",
        "Triggered",
        "Unknown",
        "Watchdog",
    }
)


async def boot(exchange: Exchange, request: BootNotification) -> BootNotificationResponse:
    if request.reason is not None and request.reason not in BOOT_REASONS:
        exchange.flag("reason_unknown", request.reason)
    station = request.charging_station
    modem = station.modem or Modem()
    reply = await exchange.chargers.booted(
        exchange.station,
        BootInfo(
            vendor=station.vendor_name or "",
            model=station.model or "",
            serial=station.serial_number,
            firmware=station.firmware_version,
            reason=request.reason,
            iccid=modem.iccid,
            imsi=modem.imsi,
        ),
    )
    exchange.held = reply.held
    return BootNotificationResponse(
        current_time=iso_z(reply.at), interval=reply.interval_s, status=BOOT_STATUS[reply.status]
    )


class Heartbeat(Wire201):
    pass


class HeartbeatResponse(Wire201):
    current_time: str


async def heartbeat(exchange: Exchange, request: Heartbeat) -> HeartbeatResponse:
    at = await exchange.chargers.heartbeat(exchange.station)
    return HeartbeatResponse(current_time=iso_z(at))


class StatusNotification(Wire201):
    connector_status: Word
    evse_id: Natural
    connector_id: Natural
    timestamp: Instant | None = None


class StatusNotificationResponse(Wire201):
    pass


STATUS = {
    "Available": EvseStatus.AVAILABLE,
    "Occupied": EvseStatus.OCCUPIED,
    "Reserved": EvseStatus.RESERVED,
    "Unavailable": EvseStatus.UNAVAILABLE,
    "Faulted": EvseStatus.FAULTED,
}


async def status(exchange: Exchange, request: StatusNotification) -> StatusNotificationResponse:
    known = STATUS.get(request.connector_status)
    if known is None:
        exchange.flag("status_unknown", request.connector_status)
    report = StatusReport(
        evse_number=request.evse_id,
        connector_number=request.connector_id,
        status=known or EvseStatus.UNKNOWN,
        at=exchange.instant(request.timestamp),
    )
    await exchange.chargers.status(exchange.station, report)
    return StatusNotificationResponse()


class VariableAttribute(Wire201):
    type: Word | None = None
    value: Str2500 | None = None
    mutability: Word | None = None
    persistent: bool | None = None
    constant: bool | None = None


class VariableCharacteristics(Wire201):
    data_type: Word | None = None
    supports_monitoring: bool | None = None
    unit: Str16 | None = None
    min_limit: float | None = None
    max_limit: float | None = None
    values_list: Str1000 | None = None


class ReportData(Wire201):
    component: Component
    variable: Variable
    variable_attribute: list[VariableAttribute]
    variable_characteristics: VariableCharacteristics | None = None


class NotifyReport(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("generatedAt", "seqNo")

    request_id: Integer
    generated_at: Instant | None = None
    seq_no: Integer | None = None
    tbc: bool = False
    report_data: list[ReportData] | None = None


class NotifyReportResponse(Wire201):
    pass


async def notify_report(exchange: Exchange, request: NotifyReport) -> NotifyReportResponse:
    """B07, B08. The last part of a report has no ``tbc``."""
    rows = [row for data in request.report_data or () for row in _rows(data)]
    await exchange.chargers.configuration_reported(exchange.station, rows, complete=not request.tbc)
    return NotifyReportResponse()


def _rows(data: ReportData) -> list[ConfigRow]:
    return [
        config_row(
            data.component,
            data.variable,
            attribute.value,
            attribute.type,
            readonly=attribute.mutability == "ReadOnly",
        )
        for attribute in data.variable_attribute
    ]


def config_row(
    component: Component,
    variable: Variable,
    value: str | None,
    attribute: str | None,
    *,
    readonly: bool = False,
) -> ConfigRow:
    """``instance`` is the variable's, else the component's."""
    return ConfigRow(
        name=variable.name,
        value=value,
        readonly=readonly,
        component=component.name,
        instance=variable.instance or component.instance or "",
        evse_number=None if component.evse is None else component.evse.id,
        attribute=attribute or "Actual",
    )


class DataTransfer(Wire201):
    vendor_id: Str255
    message_id: Str50 | None = None
    data: object = None


class DataTransferResponse(Wire201):
    status: Word
    data: object = None
    status_info: StatusInfo | None = None


async def data_transfer(exchange: Exchange, request: DataTransfer) -> DataTransferResponse:
    """2.0.1 data is any JSON; the domain gets text as it is and the rest as JSON text."""
    data = request.data
    if data is not None and not isinstance(data, str):
        data = msgspec.json.encode(data).decode()
    understood = await exchange.chargers.data_received(
        exchange.station, request.vendor_id, request.message_id, data
    )
    return DataTransferResponse(status="Accepted" if understood else "UnknownVendorId")
