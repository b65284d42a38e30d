"""OCPP 2.0.1 block B: boot, the device model read and written, network profiles, reset."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from voltyard.chargers.model import BootInfo, BootStatus, ConfigRow, Traits
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.types import (
    Component,
    ComponentVariable,
    GenericDeviceModelStatusWord,
    StatusInfo,
    Variable,
    Wire201,
)
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Items,
    OneOf,
    Some,
    Str6,
    Str16,
    Str20,
    Str25,
    Str50,
    Str255,
    Str512,
    Str1000,
    Str2500,
    Word,
)
from voltyard.units import iso_z

BootReasonWord = Annotated[
    Word,
    OneOf(
        "ApplicationReset",
        "FirmwareUpdate",
        "LocalReset",
        "PowerUp",
        "RemoteReset",
        "ScheduledReset",
        "Triggered",
        "Unknown",
        "Watchdog",
        flag="",
    ),
]
RegistrationStatusWord = Literal["Accepted", "Pending", "Rejected"]
AttributeWord = Annotated[Word, OneOf("Actual", "Target", "MinSet", "MaxSet")]
MutabilityWord = Annotated[Word, OneOf("ReadOnly", "WriteOnly", "ReadWrite")]
DataWord = Annotated[
    Word,
    OneOf(
        "string",
        "decimal",
        "integer",
        "dateTime",
        "boolean",
        "OptionList",
        "SequenceList",
        "MemberList",
    ),
]
ReportBaseWord = Literal["ConfigurationInventory", "FullInventory", "SummaryInventory"]
ComponentCriterionWord = Literal["Active", "Available", "Enabled", "Problem"]
GetVariableStatusWord = Annotated[
    Word,
    OneOf(
        "Accepted", "Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"
    ),
]
SetVariableStatusWord = Annotated[
    Word,
    OneOf(
        "Accepted",
        "Rejected",
        "UnknownComponent",
        "UnknownVariable",
        "NotSupportedAttributeType",
        "RebootRequired",
    ),
]
ApnAuthenticationWord = Literal["CHAP", "NONE", "PAP", "AUTO"]
OcppVersionWord = Literal["OCPP12", "OCPP15", "OCPP16", "OCPP20"]
OcppTransportWord = Literal["JSON", "SOAP"]
OcppInterfaceWord = Literal[
    "Wired0", "Wired1", "Wired2", "Wired3", "Wireless0", "Wireless1", "Wireless2", "Wireless3"
]
VpnWord = Literal["IKEv2", "IPSec", "L2TP", "PPTP"]
SetNetworkProfileStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "Failed")]
ResetWord = Literal["Immediate", "OnIdle"]
ResetStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "Scheduled")]


class Modem(Wire201):
    iccid: Str20 | None = None
    imsi: Str20 | None = None


class ChargingStation(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "model",
        "vendorName",
    )

    serial_number: Str25 | None = None
    model: Str20 | None = None
    modem: Modem | None = None
    vendor_name: Str50 | None = None
    firmware_version: Str50 | None = None


class VariableAttribute(Wire201):
    type: AttributeWord | None = None
    value: Str2500 | None = None
    mutability: MutabilityWord | None = None
    persistent: bool = False
    constant: bool = False


class VariableCharacteristics(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "dataType",
        "supportsMonitoring",
    )

    unit: Str16 | None = None
    data_type: DataWord | None = None
    min_limit: float | None = None
    max_limit: float | None = None
    values_list: Str1000 | None = None
    supports_monitoring: bool | None = None


class ReportData(Wire201):
    component: Component
    variable: Variable
    variable_attribute: Annotated[Sequence[VariableAttribute], Items(1, 4)]
    variable_characteristics: VariableCharacteristics | None = None


class GetVariableData(Wire201):
    component: Component
    variable: Variable
    attribute_type: AttributeWord | None = None


class GetVariableResult(Wire201):
    attribute_status: GetVariableStatusWord
    component: Component
    variable: Variable
    attribute_status_info: StatusInfo | None = None
    attribute_type: AttributeWord | None = None
    attribute_value: Str2500 | None = None


class SetVariableData(Wire201):
    attribute_value: Str1000
    component: Component
    variable: Variable
    attribute_type: AttributeWord | None = None


class SetVariableResult(Wire201):
    attribute_status: SetVariableStatusWord
    component: Component
    variable: Variable
    attribute_type: AttributeWord | None = None
    attribute_status_info: StatusInfo | None = None


class Apn(Wire201):
    apn: Str512
    apn_authentication: ApnAuthenticationWord
    apn_user_name: Str20 | None = None
    apn_password: Str20 | None = None
    sim_pin: Integer | None = None
    preferred_network: Str6 | None = None
    use_only_preferred_network: bool = False


class Vpn(Wire201):
    server: Str512
    user: Str20
    password: Str20
    key: Str255
    type: VpnWord
    group: Str20 | None = None


class NetworkConnectionProfile(Wire201):
    ocpp_version: OcppVersionWord
    ocpp_transport: OcppTransportWord
    ocpp_csms_url: Str512
    message_timeout: Integer
    security_profile: Integer
    ocpp_interface: OcppInterfaceWord
    apn: Apn | None = None
    vpn: Vpn | None = None


class BootNotification(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("reason",)

    charging_station: ChargingStation
    reason: BootReasonWord | None = None


class BootNotificationResponse(Wire201):
    current_time: Instant
    interval: Integer
    status: RegistrationStatusWord
    status_info: StatusInfo | None = None


BOOT_STATUS: dict[BootStatus, RegistrationStatusWord] = {
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


class NotifyReport(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "generatedAt",
        "seqNo",
    )

    request_id: Integer
    generated_at: Instant | None = None
    report_data: Some[ReportData] | None = None
    tbc: bool = False
    seq_no: Integer | None = None


class NotifyReportResponse(Wire201):
    pass


async def notify_report(exchange: Exchange, request: NotifyReport) -> NotifyReportResponse:
    """B07, B08. The last part of a report has no ``tbc``."""
    rows = [row for data in request.report_data or () for row in _rows(data)]
    await exchange.chargers.configuration_reported(
        exchange.station, rows, complete=not request.tbc, report_id=request.request_id
    )
    return NotifyReportResponse()


def _rows(data: ReportData) -> list[ConfigRow]:
    return [
        config_row(
            data.component,
            data.variable,
            attribute.value,
            attribute.type,
            traits=_traits(attribute, data.variable_characteristics),
        )
        for attribute in data.variable_attribute
    ]


def _traits(attribute: VariableAttribute, like: VariableCharacteristics | None) -> Traits:
    like = like or VariableCharacteristics()
    return Traits(
        mutability=attribute.mutability,
        persistent=attribute.persistent,
        constant=attribute.constant,
        unit=like.unit,
        data_type=like.data_type,
        min_limit=like.min_limit,
        max_limit=like.max_limit,
        values_list=like.values_list,
        supports_monitoring=like.supports_monitoring,
    )


def config_row(
    component: Component,
    variable: Variable,
    value: str | None,
    attribute: str | None,
    *,
    traits: Traits | None = None,
) -> ConfigRow:
    """A variable's attribute as a row; without ``traits`` nothing is known but its value."""
    evse = component.evse
    return ConfigRow(
        name=variable.name,
        value=value,
        readonly=traits is not None and traits.mutability == "ReadOnly",
        component=component.name,
        instance=variable.instance or "",
        evse_number=None if evse is None else evse.id,
        attribute=attribute or "Actual",
        component_instance=component.instance or "",
        connector_number=None if evse is None else evse.connector_id,
        traits=traits,
    )


class GetBaseReport(Wire201):
    request_id: Integer
    report_base: ReportBaseWord


class GetBaseReportResponse(Wire201):
    status: GenericDeviceModelStatusWord
    status_info: StatusInfo | None = None


class GetReport(Wire201):
    request_id: Integer
    component_variable: Some[ComponentVariable] | None = None
    component_criteria: Annotated[Sequence[ComponentCriterionWord], Items(1, 4)] | None = None


class GetReportResponse(Wire201):
    status: GenericDeviceModelStatusWord
    status_info: StatusInfo | None = None


class GetVariables(Wire201):
    get_variable_data: Some[GetVariableData]


class GetVariablesResponse(Wire201):
    get_variable_result: Some[GetVariableResult]


class SetVariables(Wire201):
    set_variable_data: Some[SetVariableData]


class SetVariablesResponse(Wire201):
    set_variable_result: Some[SetVariableResult]


class SetNetworkProfile(Wire201):
    configuration_slot: Integer
    connection_data: NetworkConnectionProfile


class SetNetworkProfileResponse(Wire201):
    status: SetNetworkProfileStatusWord
    status_info: StatusInfo | None = None


class Reset(Wire201):
    type: ResetWord
    evse_id: Integer | None = None


class ResetResponse(Wire201):
    status: ResetStatusWord
    status_info: StatusInfo | None = None
