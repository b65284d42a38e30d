"""Building blocks of OCPP 2.1 messages used by several blocks."""

from collections.abc import Sequence
from typing import Annotated

from voltyard.ocpp.v201 import types as types_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Items, Natural, OneOf, Some, Str20, Str255, Str1024, Word

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


class AdditionalInfo(types_201.AdditionalInfo, kw_only=True):
    additional_id_token: Str255


class IdTokenWire(types_201.IdTokenWire, kw_only=True):
    id_token: Str255
    type: Str20
    additional_info: Some[AdditionalInfo] | None = None


class MessageContent(types_201.MessageContent, kw_only=True):
    format: MessageFormatWord
    content: Str1024


class IdTokenInfo(types_201.IdTokenInfo, kw_only=True):
    group_id_token: IdTokenWire | None = None
    evse_id: Some[Natural] | None = None
    personal_message: MessageContent | None = None


class TaxRate(Wire201):
    type: Str20
    tax: float
    stack: Natural | None = None


class Price(Wire201):
    excl_tax: float | None = None
    incl_tax: float | None = None
    tax_rates: Annotated[Sequence[TaxRate], Items(1, 5)] | None = None
