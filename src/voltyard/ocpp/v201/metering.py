"""OCPP 2.0.1 block J: meter values."""

from typing import Annotated, ClassVar

from voltyard.ocpp.learned import read_meter_values
from voltyard.ocpp.metering import ENERGY_IMPORT
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.usual_metering import Row
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Natural,
    OneOf,
    Samples,
    Standard,
    Str20,
    Str50,
    Str2500,
    Word,
)

ReadingContextWord = Annotated[
    Word,
    OneOf(
        "Interruption.Begin",
        "Interruption.End",
        "Other",
        "Sample.Clock",
        "Sample.Periodic",
        "Transaction.Begin",
        "Transaction.End",
        "Trigger",
    ),
]
MeasurandWord = Annotated[
    Word,
    OneOf(
        "Current.Export",
        "Current.Import",
        "Current.Offered",
        "Energy.Active.Export.Register",
        "Energy.Active.Import.Register",
        "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Register",
        "Energy.Active.Export.Interval",
        "Energy.Active.Import.Interval",
        "Energy.Active.Net",
        "Energy.Reactive.Export.Interval",
        "Energy.Reactive.Import.Interval",
        "Energy.Reactive.Net",
        "Energy.Apparent.Net",
        "Energy.Apparent.Import",
        "Energy.Apparent.Export",
        "Frequency",
        "Power.Active.Export",
        "Power.Active.Import",
        "Power.Factor",
        "Power.Offered",
        "Power.Reactive.Export",
        "Power.Reactive.Import",
        "SoC",
        "Voltage",
    ),
]
PhaseWord = Annotated[
    Word, OneOf("L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1")
]
LocationWord = Annotated[Word, OneOf("Body", "Cable", "EV", "Inlet", "Outlet")]


class SignedMeterValue(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "signedMeterData",
        "signingMethod",
        "encodingMethod",
        "publicKey",
    )

    signed_meter_data: Str2500 | None = None
    signing_method: Str50 | None = None
    encoding_method: Str50 | None = None
    public_key: Str2500 | None = None


class UnitOfMeasure(Wire201):
    unit: Str20 | None = None
    multiplier: Integer | None = None


class SampledValue(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("value",)

    value: Annotated[float | str | None, Standard(float)] = None
    context: ReadingContextWord | None = None
    measurand: MeasurandWord | None = None
    phase: PhaseWord | None = None
    location: LocationWord | None = None
    signed_meter_value: SignedMeterValue | None = None
    unit_of_measure: UnitOfMeasure | None = None

    def row(self) -> Row | None:
        """None without a value."""
        if self.value is None:
            return None
        unit = self.unit_of_measure
        return (
            self.value,
            self.measurand or ENERGY_IMPORT,
            None if unit is None else unit.unit,
            self.phase,
            self.location,
            self.context,
            0 if unit is None else unit.multiplier or 0,
        )


class MeterValue(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timestamp",)

    sampled_value: Samples[SampledValue]
    timestamp: Instant | None = None


class MeterValues(Wire201):
    evse_id: Natural
    meter_value: Samples[MeterValue]


class MeterValuesResponse(Wire201):
    pass


async def meter_values(exchange: Exchange, request: MeterValues) -> MeterValuesResponse:
    """J01: values outside of transactions."""
    readings = read_meter_values(exchange, request.meter_value)
    if readings:
        await exchange.sessions.meter(exchange.station, request.evse_id, None, readings)
    return MeterValuesResponse()
