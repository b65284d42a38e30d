"""OCPP 2.1 block B: boot, the device model read and written, network profiles, reset."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from voltyard.ocpp.v21.types import Component, ComponentVariable, StatusInfo
from voltyard.ocpp.v201 import provisioning as provisioning_201
from voltyard.ocpp.v201.provisioning import (
    ApnAuthenticationWord,
    AttributeWord,
    ComponentCriterionWord,
    GetVariableStatusWord,
    OcppTransportWord,
    RegistrationStatusWord,
    ResetStatusWord,
    SetNetworkProfileStatusWord,
    SetVariableStatusWord,
    VariableAttribute,
    VpnWord,
)
from voltyard.ocpp.v201.types import GenericDeviceModelStatusWord, Variable, Wire201
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Items,
    Natural,
    Some,
    Str6,
    Str48,
    Str50,
    Str64,
    Str255,
    Str2000,
    Str2500,
)

OcppVersionWord = Literal["OCPP12", "OCPP15", "OCPP16", "OCPP20", "OCPP201", "OCPP21"]
OcppInterfaceWord = Literal[
    "Wired0",
    "Wired1",
    "Wired2",
    "Wired3",
    "Wireless0",
    "Wireless1",
    "Wireless2",
    "Wireless3",
    "Any",
]
ResetWord = Literal["Immediate", "OnIdle", "ImmediateAndResume"]


class VariableCharacteristics(provisioning_201.VariableCharacteristics, kw_only=True):
    max_elements: Annotated[int, Meta(ge=1)] | None = None


class ReportData(Wire201):
    component: Component
    variable: Variable
    variable_attribute: Annotated[list[VariableAttribute], Items(1, 4)]
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
    attribute_value: Str2500
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
    apn: Str2000
    apn_authentication: ApnAuthenticationWord
    apn_user_name: Str50 | None = None
    apn_password: Str64 | None = None
    sim_pin: Integer | None = None
    preferred_network: Str6 | None = None
    use_only_preferred_network: bool = False


class Vpn(Wire201):
    server: Str2000
    user: Str50
    password: Str64
    key: Str255
    type: VpnWord
    group: Str50 | None = None


class NetworkConnectionProfile(Wire201):
    ocpp_interface: OcppInterfaceWord
    ocpp_transport: OcppTransportWord
    message_timeout: Integer
    ocpp_csms_url: Str2000
    security_profile: Natural
    apn: Apn | None = None
    ocpp_version: OcppVersionWord | None = None
    identity: Str48 | None = None
    basic_auth_password: Str64 | None = None
    vpn: Vpn | None = None


class BootNotification(provisioning_201.BootNotification):
    pass


class BootNotificationResponse(Wire201):
    current_time: Instant
    interval: Integer
    status: RegistrationStatusWord
    status_info: StatusInfo | None = None


class NotifyReport(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "generatedAt",
        "seqNo",
    )

    request_id: Integer
    generated_at: Instant | None = None
    report_data: Some[ReportData] | None = None
    tbc: bool = False
    seq_no: Natural | None = None


class NotifyReportResponse(Wire201):
    pass


class GetBaseReport(provisioning_201.GetBaseReport):
    pass


class GetBaseReportResponse(Wire201):
    status: GenericDeviceModelStatusWord
    status_info: StatusInfo | None = None


class GetReport(Wire201):
    request_id: Integer
    component_variable: Some[ComponentVariable] | None = None
    component_criteria: Annotated[list[ComponentCriterionWord], Items(1, 4)] | None = None


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
    evse_id: Natural | None = None


class ResetResponse(Wire201):
    status: ResetStatusWord
    status_info: StatusInfo | None = None
