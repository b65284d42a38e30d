"""What a simulated meter tells, as quantities; each OCPP version writes them its own way."""

from collections.abc import Iterable
from dataclasses import dataclass

from voltyard.errors import Invalid
from voltyard.simulator.evse import Evse
from voltyard.simulator.faults import Mischief
from voltyard.units import NOMINAL_VOLTAGE_V, watts_to_amps

ENERGY = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
SOC = "SoC"
CURRENT = "Current.Import"
VOLTAGE = "Voltage"
OFFERED = "Power.Offered"
EXPORTED = "Energy.Active.Export.Register"
GIVEN = "Power.Active.Export"
MEASURANDS = (ENERGY, POWER, SOC, CURRENT, VOLTAGE, OFFERED, EXPORTED, GIVEN)


@dataclass(frozen=True, slots=True)
class Reading:
    measurand: str
    value: float
    unit: str
    phase: str | None = None
    location: str = "Outlet"


def check_measurands(text: str) -> None:
    """Raises ``Invalid`` unless each of a comma-separated list is known."""
    unknown = [name for name in text.split(",") if name and name not in MEASURANDS]
    if unknown:
        raise Invalid(f"unknown measurands: {', '.join(unknown)}")


def register_wh(evse: Evse, mischief: Mischief) -> int:
    """The energy register as told, in whole Wh."""
    return int(mischief.energy_wh(evse.energy_wh) + 1e-6)


def readings(
    evse: Evse, soc_pct: float | None, mischief: Mischief, measurands: Iterable[str]
) -> list[Reading]:
    """One sample of the asked measurands, as far as this EVSE knows them."""
    found: list[Reading] = []
    for measurand in measurands:
        if measurand == ENERGY:
            found.append(Reading(ENERGY, register_wh(evse, mischief), "Wh"))
        elif measurand == POWER:
            found.append(Reading(POWER, round(max(0.0, evse.power_w), 1), "W"))
        elif measurand == EXPORTED:
            found.append(Reading(EXPORTED, int(evse.exported_wh + 1e-6), "Wh"))
        elif measurand == GIVEN:
            found.append(Reading(GIVEN, round(max(0.0, -evse.power_w), 1), "W"))
        elif measurand == SOC and soc_pct is not None:
            found.append(Reading(SOC, soc_pct, "Percent", location="EV"))
        elif measurand == OFFERED:
            found.append(Reading(OFFERED, evse.spec.max_power_w, "W"))
        elif not evse.spec.direct_current:
            found.extend(_alternating(evse, measurand))
    return found


def _alternating(evse: Evse, measurand: str) -> Iterable[Reading]:
    phases = evse.spec.phases
    for phase in range(1, phases + 1):
        if measurand == CURRENT:
            amps = round(watts_to_amps(evse.power_w, phases), 2)
            yield Reading(CURRENT, amps, "A", f"L{phase}")
        elif measurand == VOLTAGE:
            yield Reading(VOLTAGE, NOMINAL_VOLTAGE_V, "V", f"L{phase}-N")
