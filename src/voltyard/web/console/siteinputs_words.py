"""Words for site meters and prices."""

from collections.abc import Mapping

from voltyard.energy.prices.model import Objective, Period
from voltyard.sitemeters.model import Covers, Fallback, MeterProtocol, Quality, Quantity
from voltyard.web.i18n import N_

QUALITY: Mapping[Quality, str] = {
    Quality.GOOD: N_("Readings come"),
    Quality.HELD: N_("Late, the last reading counts"),
    Quality.SILENT: N_("Silent, the fallback counts"),
    Quality.NEVER: N_("Never read, the fallback counts"),
    Quality.OFF: N_("Switched off"),
}
QUALITY_SHAPES: Mapping[Quality, str] = {
    Quality.GOOD: "ready",
    Quality.HELD: "waiting",
    Quality.SILENT: "faulted",
    Quality.NEVER: "waiting",
    Quality.OFF: "offline",
}
PROTOCOLS: Mapping[MeterProtocol, str] = {
    MeterProtocol.MODBUS: "Modbus TCP",
    MeterProtocol.MQTT: "MQTT",
    MeterProtocol.PUSH: N_("Readings are sent by REST"),
}
COVERS: Mapping[Covers, str] = {
    Covers.ALL: N_("Everything that flows there, chargers included"),
    Covers.OTHER: N_("Only load that is no charger"),
}
FALLBACKS: Mapping[Fallback, str] = {
    Fallback.HIGHEST: N_("The highest at this time of day of the last days"),
    Fallback.FIXED: N_("The fixed reserve"),
}
QUANTITIES: Mapping[Quantity, str] = {
    Quantity.POWER: N_("Power"),
    Quantity.POWER_L1: N_("Power L1"),
    Quantity.POWER_L2: N_("Power L2"),
    Quantity.POWER_L3: N_("Power L3"),
    Quantity.CURRENT_L1: N_("Current L1"),
    Quantity.CURRENT_L2: N_("Current L2"),
    Quantity.CURRENT_L3: N_("Current L3"),
    Quantity.ENERGY: N_("Energy counter"),
    Quantity.TIME: N_("Time of the reading"),
}
OBJECTIVES: Mapping[Objective, str] = {
    Objective.PEAK: N_("The least peak, then the least cost"),
    Objective.COST: N_("The least bill"),
    Objective.CARBON: N_("The least CO2"),
}
PERIODS: Mapping[Period, str] = {Period.MONTH: N_("Month"), Period.YEAR: N_("Year")}
