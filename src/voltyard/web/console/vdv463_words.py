"""Words for presystems (VDV 463)."""

from collections.abc import Mapping

from voltyard.timetable.vdv463.model import Kind, LinkState, State, Target, VehicleKey, Version
from voltyard.web.i18n import N_

KINDS: Mapping[Kind, str] = {
    Kind.ANY: N_("Whatever it says it is"),
    Kind.BMS: N_("Depot management (BMS)"),
    Kind.ITCS: N_("Traffic control (ITCS)"),
}
VERSIONS: Mapping[Version, str] = {
    Version.V10: N_("1.0, strict"),
    Version.V11: "1.1",
    Version.V20: "2.0-rc1",
}
FIRST_VERSIONS: Mapping[Version, str] = {
    version: VERSIONS[version] for version in (Version.V10, Version.V11)
}
VEHICLE_KEYS: Mapping[VehicleKey, str] = {
    VehicleKey.AUTO: N_("VIN, name, id or number plate"),
    VehicleKey.VIN: "VIN",
    VehicleKey.NAME: N_("Name"),
    VehicleKey.ID: N_("Id"),
}
TARGETS: Mapping[Target, str] = {
    Target.MAX: N_("The higher state of charge"),
    Target.MIN: N_("The lower state of charge"),
}
LINKS: Mapping[LinkState, str] = {
    LinkState.OFFLINE: N_("Not connected"),
    LinkState.CONNECTED: N_("Connected, has not said who it is"),
    LinkState.BOOTED: N_("Accepted, waits for information"),
    LinkState.OPEN: N_("Connected"),
}
LINK_SHAPES: Mapping[LinkState, str] = {
    LinkState.OFFLINE: "offline",
    LinkState.CONNECTED: "waiting",
    LinkState.BOOTED: "waiting",
    LinkState.OPEN: "ready",
}
STATES: Mapping[State, str] = {
    State.STANDING: N_("Stands"),
    State.OUTDONE: N_("Another goes first"),
    State.REJECTED: N_("Rejected"),
    State.DONE: N_("Departed"),
}
STATE_SHAPES: Mapping[State, str] = {
    State.STANDING: "ready",
    State.OUTDONE: "waiting",
    State.REJECTED: "faulted",
    State.DONE: "offline",
}
KINDS_OF_MESSAGE: Mapping[str, str] = {
    "request": N_("Request"),
    "confirmation": N_("Confirmation"),
    "error": N_("Error"),
    "broken": N_("No frame"),
}
FIELDS: Mapping[str, str] = {
    "vehicle": N_("Vehicle"),
    "point": N_("Charging point"),
    "arrival_at": N_("Arrival"),
    "departure_at": N_("Departure"),
    "min_soc_pct": N_("At least"),
    "max_soc_pct": N_("Up to"),
    "arrival_soc_pct": N_("Charge at arrival"),
    "priority": N_("Priority"),
    "ad_hoc": N_("At once"),
    "preconditioning": N_("Preconditioning"),
}
FAULTS = (
    N_("letters, digits, . _ ~ - and at most three slashes"),
    N_("needs 1 to 100 characters"),
    N_("at most 100 characters, and no colon"),
    N_("at most 200 characters"),
    N_("at most 8 numbers that rise"),
    N_("there is no such site"),
    N_("is none of its sites"),
    N_("This path is taken."),
    N_("The presystem is not valid."),
)
"""What the room says of settings, for the catalogue."""
