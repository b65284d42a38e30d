"""OCPP 2.1 block B: boot, the device model read and written, network profiles, reset."""

from typing import Annotated, Literal

from msgspec import Meta

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import provisioning as provisioning_201
from voltyard.ocpp.v201.provisioning import OcppTransportWord
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Integer, Natural, Some, Str48, Str50, Str64, Str2000, Str2500

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


class ReportData(provisioning_201.ReportData, kw_only=True):
    variable_characteristics: VariableCharacteristics | None = None


class GetVariableResult(provisioning_201.GetVariableResult, kw_only=True):
    attribute_status_info: StatusInfo | None = None


class SetVariableData(provisioning_201.SetVariableData, kw_only=True):
    attribute_value: Str2500


class SetVariableResult(provisioning_201.SetVariableResult, kw_only=True):
    attribute_status_info: StatusInfo | None = None


class Apn(provisioning_201.Apn, kw_only=True):
    apn: Str2000
    apn_user_name: Str50 | None = None
    apn_password: Str64 | None = None


class Vpn(provisioning_201.Vpn, kw_only=True):
    server: Str2000
    user: Str50
    password: Str64
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


class BootNotificationResponse(provisioning_201.BootNotificationResponse, kw_only=True):
    status_info: StatusInfo | None = None


class NotifyReport(provisioning_201.NotifyReport, kw_only=True):
    report_data: Some[ReportData] | None = None
    seq_no: Natural | None = None


class NotifyReportResponse(Wire201):
    pass


class GetBaseReport(provisioning_201.GetBaseReport):
    pass


class GetBaseReportResponse(provisioning_201.GetBaseReportResponse, kw_only=True):
    status_info: StatusInfo | None = None


class GetReport(provisioning_201.GetReport):
    pass


class GetReportResponse(provisioning_201.GetReportResponse, kw_only=True):
    status_info: StatusInfo | None = None


class GetVariables(provisioning_201.GetVariables):
    pass


class GetVariablesResponse(provisioning_201.GetVariablesResponse, kw_only=True):
    get_variable_result: Some[GetVariableResult]


class SetVariables(provisioning_201.SetVariables, kw_only=True):
    set_variable_data: Some[SetVariableData]


class SetVariablesResponse(provisioning_201.SetVariablesResponse, kw_only=True):
    set_variable_result: Some[SetVariableResult]


class SetNetworkProfile(Wire201):
    configuration_slot: Integer
    connection_data: NetworkConnectionProfile


class SetNetworkProfileResponse(provisioning_201.SetNetworkProfileResponse, kw_only=True):
    status_info: StatusInfo | None = None


class Reset(Wire201):
    type: ResetWord
    evse_id: Natural | None = None


class ResetResponse(provisioning_201.ResetResponse, kw_only=True):
    status_info: StatusInfo | None = None
