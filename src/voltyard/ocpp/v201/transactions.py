"""OCPP 2.0.1 block E: transactions."""

from typing import Annotated, ClassVar, Literal

from voltyard.billing.ports import Told
from voltyard.ocpp.learned import read_meter_values
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.metering import MeterValue
from voltyard.ocpp.v201.types import (
    Evse,
    IdTokenInfo,
    IdTokenWire,
    MessageContent,
    Wire201,
    id_token_info,
    read_token,
)
from voltyard.ocpp.wire import Instant, Integer, OneOf, Samples, Standard, Str36, Word
from voltyard.sessions.model import ChargingState, Phase, TransactionReport

TriggerReasonWord = Annotated[
    Word,
    OneOf(
        "Authorized",
        "CablePluggedIn",
        "ChargingRateChanged",
        "ChargingStateChanged",
        "Deauthorized",
        "EnergyLimitReached",
        "EVCommunicationLost",
        "EVConnectTimeout",
        "MeterValueClock",
        "MeterValuePeriodic",
        "TimeLimitReached",
        "Trigger",
        "UnlockCommand",
        "StopAuthorized",
        "EVDeparted",
        "EVDetected",
        "RemoteStop",
        "RemoteStart",
        "AbnormalCondition",
        "SignedDataReceived",
        "ResetCommand",
        flag="reason_unknown",
    ),
]
ChargingStateWord = Annotated[
    Word,
    OneOf(
        "Charging",
        "EVConnected",
        "SuspendedEV",
        "SuspendedEVSE",
        "Idle",
        flag="charging_state_unknown",
    ),
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
        "Local",
        "LocalOutOfCredit",
        "MasterPass",
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
        flag="reason_unknown",
    ),
]


class Transaction(Wire201):
    transaction_id: Str36
    charging_state: ChargingStateWord | None = None
    time_spent_charging: Integer | None = None
    stopped_reason: ReasonWord | None = None
    remote_start_id: Integer | None = None


class TransactionEvent(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "timestamp",
        "triggerReason",
        "seqNo",
    )

    event_type: Literal["Started", "Updated", "Ended"]
    transaction_info: Transaction
    meter_value: Samples[MeterValue] | None = None
    timestamp: Instant | None = None
    trigger_reason: TriggerReasonWord | None = None
    seq_no: Integer | None = None
    offline: bool = False
    number_of_phases_used: Integer | None = None
    cable_max_current: Annotated[int | float, Standard(int)] | None = None
    reservation_id: Integer | None = None
    evse: Evse | None = None
    id_token: IdTokenWire | None = None


class TransactionEventResponse(Wire201):
    total_cost: float | None = None
    charging_priority: Integer | None = None
    id_token_info: IdTokenInfo | None = None
    updated_personal_message: MessageContent | None = None


PHASE = {"Started": Phase.STARTED, "Updated": Phase.UPDATED, "Ended": Phase.ENDED}
CHARGING_STATE = {
    "Charging": ChargingState.CHARGING,
    "EVConnected": ChargingState.EV_CONNECTED,
    "SuspendedEV": ChargingState.SUSPENDED_EV,
    "SuspendedEVSE": ChargingState.SUSPENDED_EVSE,
    "Idle": ChargingState.IDLE,
}


async def transaction_event(
    exchange: Exchange, request: TransactionEvent
) -> TransactionEventResponse:
    """E01–E12. Answered after the commit; a token in it is answered with its authorisation."""
    response, _ = await answered(exchange, request)
    return response


async def answered(
    exchange: Exchange, request: TransactionEvent
) -> tuple[TransactionEventResponse, Told | None]:
    """The answer, and what billing has to say with it."""
    ack = await exchange.sessions.report(exchange.station, _report(exchange, request))
    response = TransactionEventResponse()
    if request.id_token is not None and ack.authorisation is not None:
        response.id_token_info = id_token_info(ack.authorisation)
    told = _told(exchange, request)
    if told is not None:
        _price(response, told)
    return response, told


def _told(exchange: Exchange, request: TransactionEvent) -> Told | None:
    """From memory: nearly always nothing but at the end."""
    pricing = exchange.chargers.pricing
    if pricing is None:
        return None
    ref, ended = request.transaction_info.transaction_id, request.event_type == "Ended"
    return pricing.told(exchange.station, ref, ended=ended)


def _price(response: TransactionEventResponse, told: Told) -> None:
    """I03, I06: what it cost, or that it costs something else from now on."""
    response.total_cost = None if told.total is None else float(told.total)
    if told.text:
        response.updated_personal_message = MessageContent(
            format="UTF8", content=told.text, language=told.language
        )


def _report(exchange: Exchange, request: TransactionEvent) -> TransactionReport:
    info, evse = request.transaction_info, request.evse
    at = exchange.instant(request.timestamp)
    readings = read_meter_values(exchange, request.meter_value or ())
    return TransactionReport(
        phase=PHASE[request.event_type],
        at=at,
        message_key=exchange.message_id,
        evse_number=None if evse is None else evse.id or None,
        connector_number=None if evse is None else evse.connector_id or None,
        transaction_ref=info.transaction_id,
        seq_no=request.seq_no,
        offline=request.offline,
        id_token=None if request.id_token is None else read_token(exchange, request.id_token),
        readings=readings,
        stop_reason=_stop_reason(request),
        charging_state=CHARGING_STATE.get(info.charging_state or ""),
        remote_start_id=info.remote_start_id,
        trigger=request.trigger_reason,
        reservation_number=request.reservation_id,
        undated=exchange.undated,
    )


def _stop_reason(request: TransactionEvent) -> str | None:
    """At the end a missing reason means Local (TransactionType.stoppedReason)."""
    reason = request.transaction_info.stopped_reason
    return "Local" if reason is None and request.event_type == "Ended" else reason


class GetTransactionStatus(Wire201):
    transaction_id: Str36 | None = None


class GetTransactionStatusResponse(Wire201):
    messages_in_queue: bool
    ongoing_indicator: bool | None = None
