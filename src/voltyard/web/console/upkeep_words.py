"""Words for firmware updates and logs: states, failures, and what a charger waits for."""

from collections.abc import Mapping

from voltyard.diagnostics.model import LogFailure, LogState
from voltyard.firmware.model import CampaignState, Failure, UpdateState
from voltyard.web.i18n import N_

CAMPAIGN_WORDS: Mapping[str, str] = {
    CampaignState.RUNNING: N_("Running"),
    CampaignState.PAUSED: N_("Paused"),
    CampaignState.STOPPED: N_("Stopped by itself"),
    CampaignState.CANCELLED: N_("Cancelled"),
    CampaignState.DONE: N_("Done"),
}
WHY_WORDS: Mapping[str, str] = {
    "canary_failed": N_("A canary failed: no other charger was touched."),
    "too_many_failed": N_("Too many chargers failed."),
}
UPDATE_WORDS: Mapping[str, str] = {
    UpdateState.WAITING: N_("Waits"),
    UpdateState.ASKED: N_("Asked"),
    UpdateState.SCHEDULED: N_("Download planned"),
    UpdateState.DOWNLOADING: N_("Downloads"),
    UpdateState.PAUSED: N_("Download paused"),
    UpdateState.DOWNLOADED: N_("Downloaded"),
    UpdateState.VERIFIED: N_("Signature checked"),
    UpdateState.INSTALL_SCHEDULED: N_("Installation planned"),
    UpdateState.INSTALLING: N_("Installs"),
    UpdateState.REBOOTING: N_("Restarts"),
    UpdateState.INSTALLED: N_("Installed, not proven yet"),
    UpdateState.DONE: N_("Done"),
    UpdateState.FAILED: N_("Failed"),
    UpdateState.SKIPPED: N_("Has it already"),
    UpdateState.CANCELLED: N_("Left out"),
}
FAILURE_WORDS: Mapping[str, str] = {
    Failure.DOWNLOAD: N_("The download failed"),
    Failure.INSTALL: N_("The installation failed"),
    Failure.VERIFICATION: N_("The installed firmware did not pass its check"),
    Failure.SIGNATURE: N_("The signature is not valid"),
    Failure.CERTIFICATE: N_("The signing certificate is not valid"),
    Failure.REVOKED: N_("The signing certificate is revoked"),
    Failure.REJECTED: N_("The charger refused"),
    Failure.UNSUPPORTED: N_("The charger knows no such update"),
    Failure.NEEDS_SIGNATURE: N_("The charger takes signed firmware only"),
    Failure.SILENT: N_("The charger went silent"),
    Failure.NO_PROOF: N_("It never started with the new version"),
    Failure.WRONG_VERSION: N_("It started with another version"),
}
BLOCKED_WORDS: Mapping[str, str] = {
    "offline": N_("not connected"),
    "charger_offline": N_("not connected"),
    "not_approved": N_("not approved"),
    "window": N_("outside of its time window"),
    "session": N_("a vehicle charges"),
    "departure": N_("a departure is near"),
    "parallel": N_("enough others are under way"),
    "too_many": N_("too much is waiting to be sent to it"),
}
LOG_WORDS: Mapping[str, str] = {
    LogState.ASKED: N_("Asked"),
    LogState.ACCEPTED: N_("Accepted"),
    LogState.UPLOADING: N_("Uploads"),
    LogState.ARRIVED: N_("Arrived"),
    LogState.DONE: N_("Done"),
    LogState.FAILED: N_("Failed"),
    LogState.CANCELLED: N_("Replaced by a newer request"),
}
LOG_FAILURE_WORDS: Mapping[str, str] = {
    LogFailure.NOTHING: N_("The charger has no such log"),
    LogFailure.REJECTED: N_("The charger refused"),
    LogFailure.UNSUPPORTED: N_("The charger knows no such request"),
    LogFailure.UPLOAD: N_("The upload failed"),
    LogFailure.BAD_MESSAGE: N_("The charger did not understand the request"),
    LogFailure.NOT_SUPPORTED: N_("The charger cannot upload in this way"),
    LogFailure.PERMISSION: N_("The charger was not let in there"),
    LogFailure.NOTHING_ARRIVED: N_("It says it has uploaded, but nothing arrived"),
    LogFailure.SILENT: N_("The charger went silent"),
    LogFailure.OFFLINE: N_("The connection was lost"),
}
DAYS = (
    N_("Monday"),
    N_("Tuesday"),
    N_("Wednesday"),
    N_("Thursday"),
    N_("Friday"),
    N_("Saturday"),
    N_("Sunday"),
)
UPDATE_SHAPES: Mapping[str, str] = {
    UpdateState.WAITING: "waiting",
    UpdateState.DONE: "ready",
    UpdateState.SKIPPED: "ready",
    UpdateState.FAILED: "faulted",
    UpdateState.CANCELLED: "blocked",
}
"""Shape and colour of a state; all others are under way."""
LOG_SHAPES: Mapping[str, str] = {
    LogState.DONE: "ready",
    LogState.FAILED: "faulted",
    LogState.CANCELLED: "blocked",
}
