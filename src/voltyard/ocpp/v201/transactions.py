"""OCPP 2.0.1 blocks C, E, J: authorisation, transactions and meter values."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from voltyard.ocpp.metering import ENERGY_IMPORT, Sample, read_samples
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.types import (
    Evse,
    IdTokenInfo,
    IdTokenWire,
    MessageContent,
    Wire201,
    id_token_info,
    read_token,
)
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Natural,
    Str20,
    Str36,
    Str50,
    Str2500,
    Str5500,
    Word,
)
from voltyard.sessions.model import (
    ChargingState,
    MeterReading,
    Phase,
    TransactionReport,
)


class Authorize(Wire201):
    id_token: IdTokenWire
    certificate: Str5500 | None = None
    iso15118_certificate_hash_data: list[object] | None = None


class AuthorizeResponse(Wire201):
    id_token_info: IdTokenInfo
    certificate_status: Word | None = None


async def authorise(exchange: Exchange, request: Authorize) -> AuthorizeResponse:
    """C01. Contract certificates are not checked here; the token alone decides."""
    if request.certificate is not None or request.iso15118_certificate_hash_data:
        exchange.flag("contract_certificate_ignored")
    authorisation = await exchange.sessions.authorise(
        exchange.station, None, read_token(exchange, request.id_token)
    )
    return AuthorizeResponse(id_token_info=id_token_info(authorisation))


class UnitOfMeasure(Wire201):
    unit: Str20 | None = None
    multiplier: int | None = None


class SignedMeterValue(Wire201):
    signed_meter_data: Str2500 | None = None
    signing_method: Str50 | None = None
    encoding_method: Str50 | None = None
    public_key: Str2500 | None = None


class SampledValue(Wire201):
    value: float | str
    context: Word | None = None
    measurand: Word | None = None
    phase: Word | None = None
    location: Word | None = None
    signed_meter_value: SignedMeterValue | None = None
    unit_of_measure: UnitOfMeasure | None = None


class MeterValue(Wire201):
    sampled_value: list[SampledValue]
    timestamp: Instant | None = None


class Transaction(Wire201):
    transaction_id: Str36
    charging_state: Word | None = None
    time_spent_charging: Integer | None = None
    stopped_reason: Word | None = None
    remote_start_id: Integer | None = None


class TransactionEvent(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("triggerReason", "seqNo")

    event_type: Literal["Started", "Updated", "Ended"]
    transaction_info: Transaction
    timestamp: Instant | None = None
    trigger_reason: Word | None = None
    seq_no: Integer | None = None
    offline: bool = False
    number_of_phases_used: Integer | None = None
    cable_max_current: int | float | None = None
    reservation_id: Integer | None = None
    evse: Evse | None = None
    id_token: IdTokenWire | None = None
    meter_value: list[MeterValue] | None = None


class TransactionEventResponse(Wire201):
    total_cost: float | None = None
    charging_priority: int | None = None
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
TRIGGER_REASONS = frozenset(
    {
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
    }
)
STOPPED_REASONS = frozenset(
    {
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
    }
)


async def transaction_event(
    exchange: Exchange, request: TransactionEvent
) -> TransactionEventResponse:
    """E01–E12. Answered after the commit; a token in it is answered with its authorisation."""
    ack = await exchange.sessions.report(exchange.station, _report(exchange, request))
    if request.id_token is None or ack.authorisation is None:
        return TransactionEventResponse()
    return TransactionEventResponse(id_token_info=id_token_info(ack.authorisation))


def _report(exchange: Exchange, request: TransactionEvent) -> TransactionReport:
    info, evse = request.transaction_info, request.evse
    if request.trigger_reason is not None and request.trigger_reason not in TRIGGER_REASONS:
        exchange.flag("reason_unknown", request.trigger_reason)
    if request.meter_value is not None and not request.meter_value:
        exchange.flag("no_samples")
    at = exchange.instant(request.timestamp)
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
        readings=tuple(read_meter_values(exchange, request.meter_value or ())),
        stop_reason=_stop_reason(exchange, request),
        charging_state=_charging_state(exchange, info.charging_state),
        remote_start_id=info.remote_start_id,
        trigger=request.trigger_reason,
    )


def _stop_reason(exchange: Exchange, request: TransactionEvent) -> str | None:
    """At the end a missing reason means Local (TransactionType.stoppedReason)."""
    reason = request.transaction_info.stopped_reason
    if reason is not None and reason not in STOPPED_REASONS:
        exchange.flag("reason_unknown", reason)
    return "Local" if reason is None and request.event_type == "Ended" else reason


def _charging_state(exchange: Exchange, word: str | None) -> ChargingState | None:
    if word is None:
        return None
    state = CHARGING_STATE.get(word)
    if state is None:
        exchange.flag("charging_state_unknown", word)
    return state


class MeterValues(Wire201):
    evse_id: Natural
    meter_value: list[MeterValue]


class MeterValuesResponse(Wire201):
    pass


async def meter_values(exchange: Exchange, request: MeterValues) -> MeterValuesResponse:
    """J01: values outside of transactions."""
    readings = tuple(read_meter_values(exchange, request.meter_value))
    if not request.meter_value:
        exchange.flag("no_samples")
    if readings:
        await exchange.sessions.meter(exchange.station, request.evse_id, None, readings)
    return MeterValuesResponse()


def read_meter_values(
    exchange: Exchange, values: "list[MeterValue] | tuple[()]"
) -> Iterator[MeterReading]:
    for value in values:
        if not value.sampled_value:
            exchange.flag("no_samples")
        at = exchange.instant(value.timestamp)
        reading = read_samples(_samples(value), at, exchange.flag)
        if reading is not None:
            yield reading


def _samples(value: MeterValue) -> Iterator[Sample]:
    for sampled in value.sampled_value:
        unit = sampled.unit_of_measure
        yield Sample(
            sampled.value,
            sampled.measurand or ENERGY_IMPORT,
            None if unit is None else unit.unit,
            sampled.phase,
            sampled.location,
            sampled.context,
            0 if unit is None or unit.multiplier is None else unit.multiplier,
        )
