"""What proposals, their states and what they change are called."""

from collections.abc import Callable, Mapping

from voltyard.approvals.model import Difference, Kind, State
from voltyard.web.i18n import N_

KINDS: Mapping[str, str] = {
    Kind.LIMITS: N_("Limits"),
    Kind.CONFIGURATION: N_("Configuration"),
    Kind.FIRMWARE: N_("Firmware"),
    Kind.SWITCHES: N_("Approvals"),
}
HINTS: Mapping[str, str] = {
    Kind.LIMITS: N_(
        "Limits of the electrical tree raised or removed, limits for a while lifted, ratings of "
        "outlets. What only lowers a limit is done at once."
    ),
    Kind.CONFIGURATION: N_(
        "Configuration of chargers by hand, makes, templates, repairs by hand, security and "
        "network profiles. What voltyard repairs by itself does not wait."
    ),
    Kind.FIRMWARE: N_(
        "Campaigns started or resumed, firmware by a message. Pausing and cancelling is done at "
        "once; waves of a campaign do not wait."
    ),
}
STATES: Mapping[str, str] = {
    State.WAITING: N_("Waits for a second person"),
    State.RUNNING: N_("Is being done"),
    State.DONE: N_("Done"),
    State.FAILED: N_("Failed"),
    State.OUTDATED: N_("Outdated"),
    State.REFUSED: N_("Refused"),
    State.WITHDRAWN: N_("Withdrawn"),
    State.EXPIRED: N_("Expired"),
}
SHAPES: Mapping[str, str] = {
    State.WAITING: "waiting",
    State.RUNNING: "charging",
    State.DONE: "ready",
    State.FAILED: "faulted",
    State.OUTDATED: "missed",
    State.REFUSED: "blocked",
    State.WITHDRAWN: "empty",
    State.EXPIRED: "empty",
}
STATUSES: Mapping[str, str] = {
    "waiting": N_("Waiting"),
    "decided": N_("Decided"),
    "all": N_("All"),
}
WHATS: Mapping[str, str] = {
    "limits": N_("Limits"),
    "held": N_("Limit for a while"),
    "name": N_("Name"),
    "kind": N_("Kind"),
    "below": N_("Hangs below"),
    "outlet": N_("Outlet"),
    "node_new": N_("New part of the tree"),
    "node_removed": N_("Part of the tree removed"),
    "site_with_tree": N_("Site with its tree"),
    "timezone": N_("Time zone"),
    "site": N_("Site"),
    "security_profile": N_("Security profile"),
    "network_profile": N_("Network profile"),
    "required_profile": N_("Least security profile"),
    "make": N_("Make"),
    "pattern": N_("For"),
    "template": N_("Template"),
    "version": N_("OCPP version"),
    "repairs": N_("Repairs"),
    "active": N_("Active"),
    "firmware": N_("Firmware"),
    "chargers": N_("Chargers"),
    "rollout": N_("Canaries and waves"),
    "start_at": N_("Start"),
    "force": N_("Whatever they run"),
    "campaign": N_("Campaign"),
    "failed_updates": N_("Updates failed"),
    "waiting_updates": N_("Updates still waiting"),
    "node_id": N_("Part of the tree"),
    "current_type": N_("Current"),
    "max_power_w": N_("Most power (W)"),
    "min_power_w": N_("Least power (W)"),
    "phases": N_("Phases"),
    "phase_rotation": N_("Phase rotation"),
    "voltage_v": N_("Voltage (V)"),
    "switch_limits": N_("Approval of limits"),
    "switch_configuration": N_("Approval of configuration"),
    "switch_firmware": N_("Approval of firmware"),
}
VALUES: Mapping[str, str] = {
    "yes": N_("yes"),
    "no": N_("no"),
    "on": N_("on"),
    "off": N_("off"),
    "running": N_("running"),
    "paused": N_("paused"),
    "stopped": N_("stopped"),
}
CODES: Mapping[str, str] = {
    "proposal_outdated": N_("What it rested on has changed meanwhile: nothing was done."),
    "interrupted": N_("It was interrupted: look whether it was done, or ask for it anew."),
    "proposer_gone": N_("Whoever proposed it has no access any more: nothing was done."),
    "charger_offline": N_("The charger was not connected."),
    "charger_timeout": N_("The charger did not answer in time: what it did is not known."),
}
REFUSALS = (
    N_("A second person decides, not the proposer."),
    N_("A person who is signed in decides, no API key."),
    N_("Only the proposer withdraws it."),
    N_("Only the proposer says why."),
    N_("Only the proposer asks anew."),
    N_("The proposal is decided already."),
    N_("The proposal has expired."),
    N_("Say why, in a sentence."),
    N_("There must be two people who may do this before one has to approve it."),
    N_("Too many changes wait for a second person already."),
    N_("A password cannot wait for a second person: set it on the charger's security page."),
)
"""What the room itself says no with."""


def what(row: Difference, say: Callable[[str], str]) -> str:
    """Its word, or the key of a charger as it is."""
    return say(WHATS[row.what]) if row.what in WHATS else row.what.replace("_", " ")


def value(row: Difference, text: str, say: Callable[[str], str]) -> str:
    """Values of chargers' own keys stay as they are."""
    return say(VALUES[text]) if row.what in WHATS and text in VALUES else text
