"""OCPP 1.6 transactions and meter values from a charger."""

from datetime import datetime
from typing import Annotated, ClassVar

from voltyard.ocpp.learned import read_meter_values
from voltyard.ocpp.metering import ENERGY_IMPORT
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.tokens import token_16
from voltyard.ocpp.usual_metering import Row
from voltyard.ocpp.v16.types import IdTagInfo, id_tag_info
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Natural,
    OneOf,
    Register,
    Samples,
    Standard,
    Str20,
    Wire,
    Word,
)
from voltyard.sessions.model import (
    Authorisation,
    AuthorisationStatus,
    MeterReading,
    Phase,
    TransactionReport,
)

ReasonWord = Annotated[
    Word,
    OneOf(
        "EmergencyStop",
        "EVDisconnected",
        "HardReset",
        "Local",
        "Other",
        "PowerLoss",
        "Reboot",
        "Remote",
        "SoftReset",
        "UnlockCommand",
        "DeAuthorized",
        flag="reason_unknown",
    ),
]
ContextWord = Annotated[
    Word,
    OneOf(
        "Interruption.Begin",
        "Interruption.End",
        "Sample.Clock",
        "Sample.Periodic",
        "Transaction.Begin",
        "Transaction.End",
        "Trigger",
        "Other",
    ),
]
FormatWord = Annotated[Word, OneOf("Raw", "SignedData")]
MeasurandWord = Annotated[
    Word,
    OneOf(
        "Energy.Active.Export.Register",
        "Energy.Active.Import.Register",
        "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Register",
        "Energy.Active.Export.Interval",
        "Energy.Active.Import.Interval",
        "Energy.Reactive.Export.Interval",
        "Energy.Reactive.Import.Interval",
        "Power.Active.Export",
        "Power.Active.Import",
        "Power.Offered",
        "Power.Reactive.Export",
        "Power.Reactive.Import",
        "Power.Factor",
        "Current.Import",
        "Current.Export",
        "Current.Offered",
        "Voltage",
        "Frequency",
        "Temperature",
        "SoC",
        "RPM",
    ),
]
PhaseWord = Annotated[
    Word, OneOf("L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1")
]
LocationWord = Annotated[Word, OneOf("Cable", "EV", "Inlet", "Outlet", "Body")]
UnitWord = Annotated[
    Word,
    OneOf(
        "Wh",
        "kWh",
        "varh",
        "kvarh",
        "W",
        "kW",
        "VA",
        "kVA",
        "var",
        "kvar",
        "A",
        "V",
        "K",
        "Celcius",
        "Celsius",
        "Fahrenheit",
        "Percent",
        "Hertz",
    ),
]


class SampledValue(Wire):
    expected: ClassVar[tuple[str, ...]] = ("value",)

    value: Annotated[str | float | None, Standard(str)] = None
    context: ContextWord | None = None
    format: FormatWord | None = None
    measurand: MeasurandWord | None = None
    phase: PhaseWord | None = None
    location: LocationWord | None = None
    unit: UnitWord | None = None

    def row(self) -> Row | None:
        """Signed data is no number and is left to the meter's own channel."""
        if self.value is None or self.format == "SignedData":
            return None
        return (
            self.value,
            self.measurand or ENERGY_IMPORT,
            self.unit,
            self.phase,
            self.location,
            self.context,
            0,
        )


class MeterValue(Wire):
    expected: ClassVar[tuple[str, ...]] = ("timestamp", "sampledValue")

    sampled_value: Samples[SampledValue] | None = None
    timestamp: Instant | None = None


class StartTransaction(Wire):
    expected: ClassVar[tuple[str, ...]] = ("idTag", "meterStart", "timestamp")

    connector_id: Natural
    id_tag: Str20 | None = None
    meter_start: Annotated[Register, Standard(Integer)] | None = None
    timestamp: Instant | None = None
    reservation_id: Integer | None = None


class StartTransactionResponse(Wire):
    id_tag_info: IdTagInfo
    transaction_id: Integer


async def start(exchange: Exchange, request: StartTransaction) -> StartTransactionResponse:
    """Connector 0 is no outlet: the domain is left to find which one it was."""
    if request.connector_id == 0:
        exchange.flag("start_on_connector_0")
    at = exchange.instant(request.timestamp)
    token = None if request.id_tag is None else token_16(request.id_tag)
    ack = await exchange.sessions.report(
        exchange.station,
        TransactionReport(
            phase=Phase.STARTED,
            at=at,
            message_key=exchange.message_id,
            evse_number=request.connector_id or None,
            connector_number=1,
            id_token=token,
            readings=_register(exchange, request.meter_start, at, "begin"),
            reservation_number=request.reservation_id,
            undated=exchange.undated,
        ),
    )
    authorisation = ack.authorisation or Authorisation(AuthorisationStatus.ACCEPTED)
    return StartTransactionResponse(
        id_tag_info=id_tag_info(authorisation), transaction_id=int(ack.transaction_ref)
    )


class StopTransaction(Wire):
    expected: ClassVar[tuple[str, ...]] = ("transactionId", "meterStop", "timestamp")

    transaction_id: Integer | None = None
    id_tag: Str20 | None = None
    meter_stop: Annotated[Register, Standard(Integer)] | None = None
    timestamp: Instant | None = None
    reason: ReasonWord | None = None
    transaction_data: list[MeterValue] | None = None


class StopTransactionResponse(Wire):
    id_tag_info: IdTagInfo | None = None


async def stop(exchange: Exchange, request: StopTransaction) -> StopTransactionResponse:
    """Always confirmed once it is stored, whatever its id: a charger repeats it otherwise."""
    reference = None if request.transaction_id is None else str(request.transaction_id)
    at = exchange.instant(request.timestamp)
    readings = (
        *read_meter_values(exchange, request.transaction_data or ()),
        *_register(exchange, request.meter_stop, at, "end"),
    )
    ack = await exchange.sessions.report(
        exchange.station,
        TransactionReport(
            phase=Phase.ENDED,
            at=at,
            message_key=exchange.message_id,
            transaction_ref=reference,
            id_token=token_16(request.id_tag) if request.id_tag else None,
            readings=readings,
            stop_reason=request.reason or "Local",
            undated=exchange.undated,
        ),
    )
    if request.id_tag is None or ack.authorisation is None:
        return StopTransactionResponse()
    return StopTransactionResponse(id_tag_info=id_tag_info(ack.authorisation))


class MeterValues(Wire):
    connector_id: Natural
    meter_value: Samples[MeterValue]
    transaction_id: Integer | None = None


class MeterValuesResponse(Wire):
    pass


async def meter_values(exchange: Exchange, request: MeterValues) -> MeterValuesResponse:
    readings = read_meter_values(exchange, request.meter_value)
    if not readings:
        return MeterValuesResponse()
    reference = None if request.transaction_id is None else str(request.transaction_id)
    await exchange.sessions.meter(exchange.station, request.connector_id, reference, readings)
    return MeterValuesResponse()


def _register(
    exchange: Exchange, energy_wh: float | None, at: datetime, context: str
) -> tuple[MeterReading, ...]:
    if energy_wh is None:
        return ()
    if energy_wh < 0:
        exchange.flag("energy_negative", f"{energy_wh:g}")
        return ()
    return (MeterReading(at=at, energy_wh=float(energy_wh), context=context),)
