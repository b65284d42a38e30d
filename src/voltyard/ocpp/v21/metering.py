"""OCPP 2.1 block J: meter values."""

from typing import Annotated, ClassVar

from voltyard.ocpp.v201 import metering as metering_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import OneOf, Samples, Str50, Str2500, Str32768, Word

MeasurandWord = Annotated[
    Word,
    OneOf(
        "Current.Export",
        "Current.Export.Offered",
        "Current.Export.Minimum",
        "Current.Import",
        "Current.Import.Offered",
        "Current.Import.Minimum",
        "Current.Offered",
        "Display.PresentSOC",
        "Display.MinimumSOC",
        "Display.TargetSOC",
        "Display.MaximumSOC",
        "Display.RemainingTimeToMinimumSOC",
        "Display.RemainingTimeToTargetSOC",
        "Display.RemainingTimeToMaximumSOC",
        "Display.ChargingComplete",
        "Display.BatteryEnergyCapacity",
        "Display.InletHot",
        "Energy.Active.Export.Interval",
        "Energy.Active.Export.Register",
        "Energy.Active.Import.Interval",
        "Energy.Active.Import.Register",
        "Energy.Active.Import.CableLoss",
        "Energy.Active.Import.LocalGeneration.Register",
        "Energy.Active.Net",
        "Energy.Active.Setpoint.Interval",
        "Energy.Apparent.Export",
        "Energy.Apparent.Import",
        "Energy.Apparent.Net",
        "Energy.Reactive.Export.Interval",
        "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Interval",
        "Energy.Reactive.Import.Register",
        "Energy.Reactive.Net",
        "EnergyRequest.Target",
        "EnergyRequest.Minimum",
        "EnergyRequest.Maximum",
        "EnergyRequest.Minimum.V2X",
        "EnergyRequest.Maximum.V2X",
        "EnergyRequest.Bulk",
        "Frequency",
        "Power.Active.Export",
        "Power.Active.Import",
        "Power.Active.Setpoint",
        "Power.Active.Residual",
        "Power.Export.Minimum",
        "Power.Export.Offered",
        "Power.Factor",
        "Power.Import.Offered",
        "Power.Import.Minimum",
        "Power.Offered",
        "Power.Reactive.Export",
        "Power.Reactive.Import",
        "SoC",
        "Voltage",
        "Voltage.Minimum",
        "Voltage.Maximum",
    ),
]
LocationWord = Annotated[Word, OneOf("Body", "Cable", "EV", "Inlet", "Outlet", "Upstream")]


class SignedMeterValue(metering_201.SignedMeterValue, kw_only=True):
    expected: ClassVar[tuple[str, ...]] = (
        "signedMeterData",
        "encodingMethod",
    )

    signed_meter_data: Str32768 | None = None
    signing_method: Str50 | None = None
    public_key: Str2500 | None = None


class SampledValue(metering_201.SampledValue, kw_only=True):
    measurand: MeasurandWord | None = None
    location: LocationWord | None = None
    signed_meter_value: SignedMeterValue | None = None


class MeterValue(metering_201.MeterValue, kw_only=True):
    sampled_value: Samples[SampledValue]


class MeterValues(metering_201.MeterValues, kw_only=True):
    meter_value: Samples[MeterValue]


class MeterValuesResponse(Wire201):
    pass
