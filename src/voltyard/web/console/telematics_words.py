"""Words for telematics."""

from collections.abc import Mapping

from voltyard.telematics.model import Charging, Departures, Flag, Health, Kind
from voltyard.telematics.rule import Origin, Verdict
from voltyard.web.i18n import N_

KINDS: Mapping[Kind, str] = {
    Kind.GEOTAB: "Geotab",
    Kind.SAMSARA: "Samsara",
    Kind.RFMS: "rFMS",
    Kind.MQTT: "MQTT",
    Kind.WEBHOOK: N_("Signed webhook"),
}
ABOUT: Mapping[Kind, str] = {
    Kind.GEOTAB: N_("MyGeotab is asked for charge, charging state and odometer."),
    Kind.SAMSARA: N_("The feed of vehicle statistics is followed; its webhook may hasten it."),
    Kind.RFMS: N_("Truck makers' vehicle statuses, rFMS 4."),
    Kind.MQTT: N_("A broker that vehicles or another system publish to."),
    Kind.WEBHOOK: N_("Another system posts to an address of its own and signs each message."),
}
HEALTH: Mapping[Health, str] = {
    Health.OFF: N_("Switched off"),
    Health.NEVER: N_("Not heard yet"),
    Health.GOOD: N_("Heard"),
    Health.FAILING: N_("Fails, is tried again"),
    Health.SILENT: N_("Silent"),
}
HEALTH_SHAPES: Mapping[Health, str] = {
    Health.OFF: "none",
    Health.NEVER: "waiting",
    Health.GOOD: "ready",
    Health.FAILING: "at_risk",
    Health.SILENT: "offline",
}
DEPARTURES: Mapping[Departures, str] = {
    Departures.SHOWN: N_("are shown only"),
    Departures.NEW: N_("give a duty to a vehicle that has none"),
    Departures.MOVE: N_("also move duties that others gave"),
}
CHARGING: Mapping[Charging, str] = {
    Charging.NONE: N_("not charging"),
    Charging.YES: N_("charging"),
    Charging.AC: N_("charging, AC"),
    Charging.DC: N_("charging, DC"),
    Charging.DONE: N_("charged"),
    Charging.FAULT: N_("charging fault"),
}
FLAGS: Mapping[Flag, str] = {
    Flag.FUTURE: N_("from the future"),
    Flag.OLD: N_("too old when it came"),
    Flag.SOC_RANGE: N_("charge outside of 0 to 100 %"),
    Flag.SOC_JUMP: N_("charge jumps"),
    Flag.ODOMETER_RANGE: N_("odometer cannot be"),
    Flag.ODOMETER_BACK: N_("odometer goes back"),
    Flag.REACH_RANGE: N_("range cannot be"),
    Flag.POSITION_RANGE: N_("position cannot be"),
    Flag.DEPARTURE_RANGE: N_("departure is past or too far ahead"),
}
ORIGINS: Mapping[Origin, str] = {
    Origin.CHARGER: N_("Charger"),
    Origin.VEHICLE: N_("Vehicle, at its charger"),
    Origin.TELEMATICS: N_("Telematics"),
    Origin.TIMETABLE: N_("Timetable, at arrival"),
    Origin.ASSUMED: N_("Assumed at arrival"),
}
VERDICTS: Mapping[Verdict, str] = {
    Verdict.USED: N_("counts"),
    Verdict.OUTDONE: N_("another goes first"),
    Verdict.STALE: N_("too old"),
    Verdict.DOUBTED: N_("not believed"),
    Verdict.SILENT: N_("says nothing"),
}
VERDICT_SHAPES: Mapping[Verdict, str] = {
    Verdict.USED: "ready",
    Verdict.OUTDONE: "waiting",
    Verdict.STALE: "offline",
    Verdict.DOUBTED: "at_risk",
    Verdict.SILENT: "none",
}
USED: Mapping[Origin, str] = {
    Origin.CHARGER: N_("%(soc)s from the charger, %(ago)s"),
    Origin.VEHICLE: N_("%(soc)s from the vehicle at its charger, %(ago)s"),
    Origin.TELEMATICS: N_("%(soc)s from %(source)s, %(ago)s"),
    Origin.TIMETABLE: N_("%(soc)s at arrival, by the timetable"),
    Origin.ASSUMED: N_("%(soc)s at arrival is assumed: nobody tells"),
}
CHARGER_SILENT = N_("charger says nothing")
FAULTS = (
    N_("duties need a site"),
    N_("is needed to get in"),
    N_("is written in Base64"),
    N_("begins with https:// and a host, and names no user"),
    N_("a host name such as my.geotab.com"),
    N_("a host name or address"),
    N_("the topic it publishes to"),
    N_("This connection cannot work as it is set up."),
    N_("The kind of a connection stays as it is."),
    N_("There is a connection of this name."),
    N_("This connection is not asked, it tells."),
    N_("there is no such vehicle"),
)
"""What the room says of settings, for the catalogue."""
