"""Words and shapes of preconditioning and of VDV 261."""

from collections.abc import Mapping

from voltyard.preconditioning.model import Kind, RunState, Source
from voltyard.preconditioning.vdv261.model import DriveOff
from voltyard.web.i18n import N_

KINDS: Mapping[Kind, str] = {
    Kind.HEATING: N_("Heating"),
    Kind.VENTILATION: N_("Ventilation"),
    Kind.COOLING: N_("Cooling"),
    Kind.BATTERY: N_("Battery"),
}
STATES: Mapping[RunState, str] = {
    RunState.PLANNED: N_("Planned"),
    RunState.RUNNING: N_("Running"),
    RunState.DONE: N_("Done"),
    RunState.MISSED: N_("Missed"),
    RunState.CANCELLED: N_("Withdrawn"),
}
SHAPES: Mapping[RunState, str] = {
    RunState.PLANNED: "waiting",
    RunState.RUNNING: "charging",
    RunState.DONE: "ready",
    RunState.MISSED: "missed",
    RunState.CANCELLED: "blocked",
}
SOURCES: Mapping[Source, str] = {
    Source.PERSON: N_("By hand"),
    Source.PRESYSTEM: N_("Depot system"),
    Source.RULE: N_("Rule"),
    Source.VEHICLE: N_("Vehicle"),
}
REASONS: Mapping[str, str] = {
    "": "",
    "short": N_("It had too little power for a while."),
    "unplugged": N_("The vehicle was not plugged in."),
    "departed": N_("The vehicle left earlier."),
    "withdrawn": N_("Nobody wants it any more."),
}
DAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
DRIVE_OFF: Mapping[DriveOff, str] = {
    DriveOff.REMAINING: N_("Minutes until departure"),
    DriveOff.MINUTE_OF_DAY: N_("Minute of the day"),
}
TOLD: Mapping[str, str] = {
    "odo": N_("Odometer"),
    "bat_reqtime": N_("Time for the battery"),
    "bat_eamount": N_("Energy for the battery"),
    "prec_reqtime": N_("Time for the cabin"),
    "prec_eamount": N_("Energy for the cabin"),
    "chrg_stat": N_("Charging state"),
    "evccid": N_("EVCCID"),
    "bat_stat": N_("State of the battery"),
    "h2_stat": N_("State of the hydrogen tank"),
    "driveoff": N_("Departure"),
    "prec_dsrd": N_("Preconditioning wanted"),
    "prec_hvac": N_("Kind of preconditioning"),
    "ambienttemp": N_("Outside temperature"),
    "target_soc": N_("Target charge"),
    "target_dist": N_("Target distance"),
}
