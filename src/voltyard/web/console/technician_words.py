"""Words of drift, bulk results and monitors, and their shapes."""

from collections.abc import Mapping

from voltyard.bulk.model import BulkState, ResultState
from voltyard.chargers.commands import MonitorKind
from voltyard.configuration.model import DriftState
from voltyard.web.i18n import N_

DRIFT_WORDS: Mapping[DriftState, str] = {
    DriftState.DRIFTED: N_("differs"),
    DriftState.REPAIRED: N_("set right"),
    DriftState.REBOOT_NEEDED: N_("set, needs a restart"),
    DriftState.REFUSED: N_("refused by the charger"),
    DriftState.READ_ONLY: N_("read-only"),
    DriftState.UNKNOWN_KEY: N_("not known to the charger"),
}
DRIFT_SHAPES: Mapping[DriftState, str] = {
    DriftState.DRIFTED: "waiting",
    DriftState.REPAIRED: "ready",
    DriftState.REBOOT_NEEDED: "waiting",
    DriftState.REFUSED: "faulted",
    DriftState.READ_ONLY: "blocked",
    DriftState.UNKNOWN_KEY: "blocked",
}
RESULT_WORDS: Mapping[ResultState, str] = {
    ResultState.WAITING: N_("waits"),
    ResultState.ACCEPTED: N_("done"),
    ResultState.REFUSED: N_("refused"),
    ResultState.FAILED: N_("failed"),
    ResultState.SKIPPED: N_("not asked"),
}
RESULT_SHAPES: Mapping[ResultState, str] = {
    ResultState.WAITING: "waiting",
    ResultState.ACCEPTED: "ready",
    ResultState.REFUSED: "blocked",
    ResultState.FAILED: "faulted",
    ResultState.SKIPPED: "blocked",
}
BULK_WORDS: Mapping[BulkState, str] = {
    BulkState.RUNNING: N_("under way"),
    BulkState.DONE: N_("ended"),
    BulkState.CANCELLED: N_("cancelled"),
    BulkState.INTERRUPTED: N_("interrupted by a restart"),
}
KIND_WORDS: Mapping[MonitorKind, str] = {
    MonitorKind.UPPER_THRESHOLD: N_("rises above"),
    MonitorKind.LOWER_THRESHOLD: N_("falls below"),
    MonitorKind.DELTA: N_("changes by"),
    MonitorKind.PERIODIC: N_("every so many seconds"),
    MonitorKind.PERIODIC_CLOCK_ALIGNED: N_("every so many seconds by the clock"),
}
SEVERITY_WORDS: tuple[str, ...] = (
    N_("Danger"),
    N_("Hardware failure"),
    N_("System failure"),
    N_("Critical"),
    N_("Error"),
    N_("Alert"),
    N_("Warning"),
    N_("Notice"),
    N_("Informational"),
    N_("Debug"),
)
"""By OCPP's number."""
