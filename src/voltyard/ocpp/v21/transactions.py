"""OCPP 2.1 block E: transactions."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta, field

from voltyard.ocpp.v21.metering import MeterValue
from voltyard.ocpp.v21.types import (
    IdTokenInfo,
    IdTokenWire,
    MessageContent,
    OperationModeWord,
    Price,
)
from voltyard.ocpp.v201 import transactions as transactions_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Items,
    Natural,
    OneOf,
    Percent,
    Samples,
    Some,
    Str3,
    Str60,
    Str500,
    Word,
)

CostDimensionWord = Annotated[
    Word,
    OneOf("Energy", "MaxCurrent", "MinCurrent", "MaxPower", "MinPower", "IdleTIme", "ChargingTime"),
]
TariffCostWord = Annotated[Word, OneOf("NormalCost", "MinCost", "MaxCost")]
TriggerReasonWord = Annotated[
    Word,
    OneOf(
        "AbnormalCondition",
        "Authorized",
        "CablePluggedIn",
        "ChargingRateChanged",
        "ChargingStateChanged",
        "CostLimitReached",
        "Deauthorized",
        "EnergyLimitReached",
        "EVCommunicationLost",
        "EVConnectTimeout",
        "EVDeparted",
        "EVDetected",
        "LimitSet",
        "MeterValueClock",
        "MeterValuePeriodic",
        "OperationModeChanged",
        "RemoteStart",
        "RemoteStop",
        "ResetCommand",
        "RunningCost",
        "SignedDataReceived",
        "SoCLimitReached",
        "StopAuthorized",
        "TariffChanged",
        "TariffNotAccepted",
        "TimeLimitReached",
        "Trigger",
        "TxResumed",
        "UnlockCommand",
        flag="reason_unknown",
    ),
]
PreconditioningStatusWord = Annotated[
    Word, OneOf("Unknown", "Ready", "NotReady", "Preconditioning")
]
ReasonWord = Annotated[
    Word,
    OneOf(
        "DeAuthorized",
        "EmergencyStop",
        "EnergyLimitReached",
        "EVDisconnected",
        "GroundFault",
        "ImmediateReset",
        "MasterPass",
        "Local",
        "LocalOutOfCredit",
        "Other",
        "OvercurrentFault",
        "PowerLoss",
        "PowerQuality",
        "Reboot",
        "Remote",
        "SOCLimitReached",
        "StoppedByEV",
        "TimeLimitReached",
        "Timeout",
        "ReqEnergyTransferRejected",
        flag="reason_unknown",
    ),
]


class CostDimension(Wire201):
    type: CostDimensionWord
    volume: float


class ChargingPeriod(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("startPeriod",)

    dimensions: Some[CostDimension] | None = None
    tariff_id: Str60 | None = None
    start_period: Instant | None = None


class TotalPrice(Wire201):
    excl_tax: float | None = None
    incl_tax: float | None = None


class TotalCost(Wire201):
    currency: Str3
    type_of_cost: TariffCostWord
    total: TotalPrice
    fixed: Price | None = None
    energy: Price | None = None
    charging_time: Price | None = None
    idle_time: Price | None = None
    reservation_time: Price | None = None
    reservation_fixed: Price | None = None


class TotalUsage(Wire201):
    energy: float
    charging_time: Integer
    idle_time: Integer
    reservation_time: Integer | None = None


class CostDetails(Wire201):
    total_cost: TotalCost
    total_usage: TotalUsage
    charging_periods: Some[ChargingPeriod] | None = None
    failure_to_calculate: bool | None = None
    failure_reason: Str500 | None = None


class TransactionLimit(Wire201):
    max_cost: float | None = None
    max_energy: float | None = None
    max_time: Integer | None = None
    max_soc: Percent | None = field(default=None, name="maxSoC")


class Transaction(transactions_201.Transaction, kw_only=True):
    stopped_reason: ReasonWord | None = None
    operation_mode: OperationModeWord | None = None
    tariff_id: Str60 | None = None
    transaction_limit: TransactionLimit | None = None


class TransactionEvent(transactions_201.TransactionEvent, kw_only=True):
    transaction_info: Transaction
    cost_details: CostDetails | None = None
    meter_value: Samples[MeterValue] | None = None
    trigger_reason: TriggerReasonWord | None = None
    seq_no: Natural | None = None
    number_of_phases_used: Annotated[int, Meta(ge=0, le=3)] | None = None
    reservation_id: Natural | None = None
    preconditioning_status: PreconditioningStatusWord | None = None
    evse_sleep: bool | None = None
    id_token: IdTokenWire | None = None


class TransactionEventResponse(transactions_201.TransactionEventResponse, kw_only=True):
    id_token_info: IdTokenInfo | None = None
    transaction_limit: TransactionLimit | None = None
    updated_personal_message: MessageContent | None = None
    updated_personal_message_extra: Annotated[Sequence[MessageContent], Items(1, 4)] | None = None


class GetTransactionStatus(transactions_201.GetTransactionStatus):
    pass


class GetTransactionStatusResponse(transactions_201.GetTransactionStatusResponse):
    pass
