"""Building blocks of OCPP 2.1 messages used by several blocks."""

from typing import Annotated

from voltyard.ocpp.v201 import types as types_201
from voltyard.ocpp.v201.types import AuthorizationStatusWord, Variable, Wire201
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Items,
    Natural,
    OneOf,
    Some,
    Str8,
    Str20,
    Str50,
    Str255,
    Str1024,
    Word,
)

MessageFormatWord = Annotated[Word, OneOf("ASCII", "HTML", "URI", "UTF8", "QRCODE")]
EnergyTransferModeWord = Annotated[
    Word,
    OneOf(
        "AC_single_phase",
        "AC_two_phase",
        "AC_three_phase",
        "DC",
        "AC_BPT",
        "AC_BPT_DER",
        "AC_DER",
        "DC_BPT",
        "DC_ACDP",
        "DC_ACDP_BPT",
        "WPT",
    ),
]
OperationModeWord = Annotated[
    Word,
    OneOf(
        "Idle",
        "ChargingOnly",
        "CentralSetpoint",
        "ExternalSetpoint",
        "ExternalLimits",
        "CentralFrequency",
        "LocalFrequency",
        "LocalLoadBalancing",
    ),
]
DerControlWord = Annotated[
    Word,
    OneOf(
        "EnterService",
        "FreqDroop",
        "FreqWatt",
        "FixedPFAbsorb",
        "FixedPFInject",
        "FixedVar",
        "Gradients",
        "HFMustTrip",
        "HFMayTrip",
        "HVMustTrip",
        "HVMomCess",
        "HVMayTrip",
        "LimitMaxDischarge",
        "LFMustTrip",
        "LVMustTrip",
        "LVMomCess",
        "LVMayTrip",
        "PowerMonitoringMustTrip",
        "VoltVar",
        "VoltWatt",
        "WattPF",
        "WattVar",
    ),
]


class StatusInfo(types_201.StatusInfo, kw_only=True):
    additional_info: Str1024 | None = None


class Evse(Wire201):
    id: Natural
    connector_id: Natural | None = None


class Component(Wire201):
    name: Str50
    evse: Evse | None = None
    instance: Str50 | None = None


class ComponentVariable(Wire201):
    component: Component
    variable: Variable | None = None


class AdditionalInfo(Wire201):
    additional_id_token: Str255
    type: Str50


class IdTokenWire(Wire201):
    id_token: Str255
    type: Str20
    additional_info: Some[AdditionalInfo] | None = None


class MessageContent(Wire201):
    format: MessageFormatWord
    content: Str1024
    language: Str8 | None = None


class IdTokenInfo(Wire201):
    status: AuthorizationStatusWord
    cache_expiry_date_time: Instant | None = None
    charging_priority: Integer | None = None
    group_id_token: IdTokenWire | None = None
    language1: Str8 | None = None
    language2: Str8 | None = None
    evse_id: Some[Natural] | None = None
    personal_message: MessageContent | None = None


class TaxRate(Wire201):
    type: Str20
    tax: float
    stack: Natural | None = None


class Price(Wire201):
    excl_tax: float | None = None
    incl_tax: float | None = None
    tax_rates: Annotated[list[TaxRate], Items(1, 5)] | None = None
