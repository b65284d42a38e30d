"""Sampled values of either OCPP version read into one MeterReading."""

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from voltyard.sessions.model import MeterReading
from voltyard.units import SQRT3

ENERGY_IMPORT = "Energy.Active.Import.Register"
ENERGY_EXPORT = "Energy.Active.Export.Register"
_ENERGY_NET = "Energy.Active.Net"
_POWER = "Power.Active.Import"
_POWER_EXPORT = "Power.Active.Export"
_CURRENT = "Current.Import"
_OFFERED = "Power.Offered"
_SOC = "SoC"
_SOC_DISPLAYED = "Display.PresentSOC"  # 2.1: as the vehicle shows it

CONTEXTS = {
    None: "sample",
    "Sample.Periodic": "sample",
    "Sample.Clock": "clock",
    "Transaction.Begin": "begin",
    "Transaction.End": "end",
    "Trigger": "trigger",
    "Interruption.Begin": "interruption",
    "Interruption.End": "interruption",
    "Other": "other",
}
CONTEXT_RANK = ("begin", "end", "interruption", "trigger", "clock", "other", "sample")

# unit → (what it measures, factor to the base unit)
_UNITS = {
    "wh": ("energy", 1.0),
    "kwh": ("energy", 1000.0),
    "mwh": ("energy", 1_000_000.0),
    "w": ("power", 1.0),
    "kw": ("power", 1000.0),
    "mw": ("power", 1_000_000.0),
    "va": ("power", 1.0),
    "kva": ("power", 1000.0),
    "a": ("current", 1.0),
    "ma": ("current", 0.001),
    "v": ("voltage", 1.0),
    "kv": ("voltage", 1000.0),
    "percent": ("share", 1.0),
    "%": ("share", 1.0),
}
_QUANTITY = {
    ENERGY_IMPORT: "energy",
    ENERGY_EXPORT: "energy",
    _ENERGY_NET: "energy",
    _POWER: "power",
    _POWER_EXPORT: "power",
    _OFFERED: "power",
    _CURRENT: "current",
    "Voltage": "voltage",
    _SOC: "share",
    _SOC_DISPLAYED: "share",
}
OTHER_MEASURANDS = frozenset(
    {
        "Current.Export",
        "Current.Offered",
        "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Register",
        "Energy.Active.Export.Interval",
        "Energy.Active.Import.Interval",
        "Energy.Reactive.Export.Interval",
        "Energy.Reactive.Import.Interval",
        "Energy.Reactive.Net",
        "Energy.Apparent.Net",
        "Energy.Apparent.Import",
        "Energy.Apparent.Export",
        "Frequency",
        "Power.Factor",
        "Power.Reactive.Export",
        "Power.Reactive.Import",
        "RPM",
        "Temperature",
        "Current.Export.Offered",
        "Current.Export.Minimum",
        "Current.Import.Offered",
        "Current.Import.Minimum",
        "Display.MinimumSOC",
        "Display.TargetSOC",
        "Display.MaximumSOC",
        "Display.RemainingTimeToMinimumSOC",
        "Display.RemainingTimeToTargetSOC",
        "Display.RemainingTimeToMaximumSOC",
        "Display.ChargingComplete",
        "Display.BatteryEnergyCapacity",
        "Display.InletHot",
        "Energy.Active.Import.CableLoss",
        "Energy.Active.Import.LocalGeneration.Register",
        "Energy.Active.Setpoint.Interval",
        "EnergyRequest.Target",
        "EnergyRequest.Minimum",
        "EnergyRequest.Maximum",
        "EnergyRequest.Minimum.V2X",
        "EnergyRequest.Maximum.V2X",
        "EnergyRequest.Bulk",
        "Power.Active.Setpoint",
        "Power.Active.Residual",
        "Power.Export.Minimum",
        "Power.Export.Offered",
        "Power.Import.Offered",
        "Power.Import.Minimum",
        "Voltage.Minimum",
        "Voltage.Maximum",
    }
)
LOCATION_RANK = {None: 0, "Outlet": 0, "Cable": 1, "Body": 2, "Inlet": 3, "EV": 4}
PHASES = {"L1": 0, "L2": 1, "L3": 2, "L1-N": 0, "L2-N": 1, "L3-N": 2}
_LINE_TO_LINE = {"L1-L2": 0, "L2-L3": 1, "L3-L1": 2}

Flag = Callable[[str, str], None]


class Sample(NamedTuple):
    """One value as a charger wrote it; ``multiplier`` is the power of ten of 2.0.1."""

    value: str | float
    measurand: str = ENERGY_IMPORT
    unit: str | None = None
    phase: str | None = None
    location: str | None = None
    context: str | None = None
    multiplier: int = 0


class _Values:
    """The values of one measurand: best location wins, phases kept apart from the total."""

    __slots__ = ("lines", "phases", "rank", "total")

    def __init__(self) -> None:
        self.rank = 99
        self._clear()

    def _clear(self) -> None:
        self.total: float | None = None
        self.phases: list[float | None] = [None, None, None]
        self.lines: list[float] = []

    def put(self, value: float, phase: str | None, location: str | None) -> bool:
        """Whether the value counts (an unknown phase does not)."""
        rank = LOCATION_RANK.get(location, 5)
        if rank > self.rank:
            return True
        if rank < self.rank:
            self.rank = rank
            self._clear()
        if phase is None:
            self.total = value
        elif phase in PHASES:
            self.phases[PHASES[phase]] = value
        elif phase in _LINE_TO_LINE:
            self.lines.append(value)
        elif phase != "N":
            return False
        return True

    def summed(self) -> float | None:
        """The total, or what the phases add up to."""
        if self.total is not None:
            return self.total
        known = [value for value in self.phases if value is not None]
        return sum(known) if known else None

    def mean(self) -> float | None:
        """Phase-to-neutral (or DC) value."""
        if self.total is not None:
            return self.total
        known = [value for value in self.phases if value is not None]
        if known:
            return sum(known) / len(known)
        return sum(self.lines) / len(self.lines) / SQRT3 if self.lines else None


def read_samples(samples: Iterable[Sample], at: datetime, flag: Flag) -> MeterReading | None:
    """One reading of all samples taken at one instant; None if none of them is of use."""
    found: dict[str, _Values] = {}
    context, seen = "sample", None
    noted: list[str] = []

    def note(name: str, detail: str) -> None:
        noted.append(name)
        flag(name, detail)

    for sample in samples:
        if sample.context != seen:
            seen = sample.context
            context = _stronger(context, CONTEXTS.get(seen, "other"))
        value = base_value(sample, note)
        if value is None:
            continue
        values = found.setdefault(sample.measurand, _Values())
        if not values.put(value, sample.phase, sample.location):
            note("phase_unknown", str(sample.phase)[:40])
    if not found:
        return None
    return _reading(found, at, context, noted, note)


def _reading(
    found: dict[str, _Values], at: datetime, context: str, noted: list[str], note: Flag
) -> MeterReading:
    energy = _summed(found, ENERGY_IMPORT)
    if energy is None and _ENERGY_NET in found:
        energy = _summed(found, _ENERGY_NET)
        note("energy_net_only", "")
    soc = _summed(found, _SOC)
    if soc is None:
        soc = _summed(found, _SOC_DISPLAYED)
    if soc is not None and not 0.0 <= soc <= 100.0:
        note("soc_out_of_range", f"{soc:g}")
        soc = None
    currents = found.get(_CURRENT)
    current = None if currents is None else _currents(currents)
    voltages = found.get("Voltage")
    voltage = None if voltages is None else voltages.mean()
    power = _power(found)
    if power is None and currents is not None and voltage is not None:
        power = _derived_power(currents, voltage)
        noted.append("power_derived")
    return MeterReading(
        at=at,
        energy_wh=_not_negative(energy, "energy_negative", note),
        power_w=power,
        soc_pct=soc,
        current_a=current,
        voltage_v=voltage,
        offered_w=_not_negative(_summed(found, _OFFERED), "offered_negative", note),
        context=context,
        flags=tuple(dict.fromkeys(noted)),
        export_wh=_not_negative(_summed(found, ENERGY_EXPORT), "energy_negative", note),
    )


def base_value(sample: Sample, note: Flag) -> float | None:
    """The value in Wh, W, A, V or %; None for what we do not use or cannot read."""
    quantity = _QUANTITY.get(sample.measurand)
    if quantity is None:
        if sample.measurand not in OTHER_MEASURANDS:
            note("measurand_unknown", sample.measurand[:60])
        return None
    value = _number(sample.value)
    if value is None:
        note("value_unreadable", f"{sample.measurand} {str(sample.value)[:40]!r}")
        return None
    if not -24 <= sample.multiplier <= 24:
        note("multiplier_absurd", str(sample.multiplier))
        return None
    if sample.multiplier:
        value *= 10.0**sample.multiplier
    return value if sample.unit is None else value * _factor(sample, quantity, note)


def _factor(sample: Sample, quantity: str, note: Flag) -> float:
    """To the base unit. A unit of another quantity is an oversight: the default unit counts."""
    assert sample.unit is not None
    measures, factor = _UNITS.get(sample.unit.strip().lower(), (None, 1.0))
    if measures == quantity:
        return factor
    if sample.unit in ("Wh", "W") and quantity == "share":
        return 1.0
    note("unit_mismatch", f"{sample.measurand} in {sample.unit[:20]}")
    return factor if measures is not None and {measures, quantity} == {"energy", "power"} else 1.0


def _number(value: str | float) -> float | None:
    """Decimal comma and spaces are read, infinities are not."""
    if isinstance(value, str):
        try:
            value = float(value.strip().replace(",", "."))
        except ValueError:
            return None
    return value if math.isfinite(value) and abs(value) < 1e15 else None


def _summed(found: dict[str, _Values], measurand: str) -> float | None:
    values = found.get(measurand)
    return None if values is None else values.summed()


def _power(found: dict[str, _Values]) -> float | None:
    """Import, less what is fed back; negative import is kept as discharge."""
    power = _summed(found, _POWER)
    export = _summed(found, _POWER_EXPORT)
    if export:
        return (power or 0.0) - abs(export)
    return power


def _currents(values: _Values) -> tuple[float | None, float | None, float | None]:
    if any(value is not None for value in values.phases):
        return values.phases[0], values.phases[1], values.phases[2]
    return values.total, None, None


def _derived_power(currents: _Values, voltage_v: float) -> float | None:
    total = currents.summed()
    return None if total is None else total * voltage_v


def _not_negative(value: float | None, name: str, note: Flag) -> float | None:
    if value is not None and value < 0:
        note(name, f"{value:g}")
        return None
    return value


def _stronger(context: str, other: str) -> str:
    return min(context, other, key=CONTEXT_RANK.index)
