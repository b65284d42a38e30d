"""The console's words for states: one place, so that board, tables and exports agree."""

from collections.abc import Callable

from voltyard.web.console.commands import BY_NAME
from voltyard.web.console.views import CommandProgress, Outlook, TileState
from voltyard.web.i18n import N_

TILE_WORDS: dict[TileState, str] = {
    TileState.FREE: N_("Free"),
    TileState.PLUGGED: N_("Plugged in"),
    TileState.CHARGING: N_("Charging"),
    TileState.WAITING: N_("Waiting"),
    TileState.READY: N_("Ready"),
    TileState.BLOCKED: N_("Blocked"),
    TileState.OFFLINE: N_("Offline"),
    TileState.FAULTED: N_("Faulted"),
    TileState.EMPTY: N_("No charger"),
}
OUTLOOK_WORDS: dict[Outlook, str] = {
    Outlook.NONE: N_("No departure"),
    Outlook.READY: N_("Ready"),
    Outlook.ON_TIME: N_("On time"),
    Outlook.AT_RISK: N_("At risk"),
    Outlook.MISSED: N_("Missed"),
}
PROGRESS_WORDS: dict[CommandProgress, str] = {
    CommandProgress.RUNNING: N_("Running"),
    CommandProgress.DONE: N_("Done"),
    CommandProgress.REFUSED: N_("Refused"),
    CommandProgress.FAILED: N_("Failed"),
}
STATUS_WORDS: dict[str, str] = {
    "available": N_("Available"),
    "preparing": N_("Preparing"),
    "occupied": N_("Occupied"),
    "charging": N_("Charging"),
    "suspended_ev": N_("Paused by the vehicle"),
    "suspended_evse": N_("Paused by the charger"),
    "finishing": N_("Finishing"),
    "reserved": N_("Reserved"),
    "unavailable": N_("Unavailable"),
    "faulted": N_("Faulted"),
    "unknown": N_("unknown"),
}
OTHER_WORDS: dict[str, str] = {
    "accepted": N_("Accepted"),
    "invalid": N_("Invalid"),
    "expired": N_("Expired"),
    "blocked": N_("Blocked"),
    "concurrent": N_("Already charging elsewhere"),
    "not_here": N_("Not allowed here"),
    "not_now": N_("Not valid yet"),
    "admin": N_("Administrator"),
    "dispatcher": N_("Dispatcher"),
    "technician": N_("Technician"),
    "viewer": N_("Viewer"),
    "active": N_("Active"),
    "ended": N_("Ended"),
    "quarantined": N_("Quarantined"),
    "pending": N_("Waits for approval"),
    "approved": N_("Approved"),
    "rejected": N_("Rejected"),
    "retired": N_("Retired"),
    "critical": N_("Critical"),
    "warning": N_("Warning"),
    "info": N_("Info"),
    "planned": N_("Planned"),
    "present": N_("In depot"),
    "departed": N_("Departed"),
    "cancelled": N_("Cancelled"),
    "grid": N_("Grid connection"),
    "transformer": N_("Transformer"),
    "feeder": N_("Feeder"),
    "cabinet": N_("Cabinet"),
    "evse": N_("Outlet"),
    "contract": N_("Contract"),
    "manual": N_("Manual"),
    "csv": "CSV",
    "spice_ev": "SpiceEV",
    "api": "API",
    "rfid": "RFID",
    "mac": "MAC",
    "direct_payment": N_("Payment card"),
    "view": N_("See everything"),
    "duties:write": N_("Change duties"),
    "fleet:write": N_("Change vehicles and tokens"),
    "sessions:control": N_("Start and stop charging"),
    "chargers:command": N_("Send commands to chargers"),
    "chargers:write": N_("Approve and configure chargers"),
    "alerts:write": N_("Acknowledge alerts"),
    "sites:write": N_("Change sites and limits"),
    "security:write": N_("Change certificates and what is trusted"),
    "tariffs:write": N_("Change tariffs and prepaid accounts"),
    "payments:write": N_("Tell of payments, as kiosks do"),
    "notifications:write": N_("Set up who is told of alerts"),
    "people:write": N_("Manage people and keys"),
    "audit:view": N_("Read the audit log"),
}


SCRIPT_WORDS: dict[str, str] = {
    "measured": N_("Measured"),
    "plan": N_("Plan"),
    "limit": N_("Limit"),
    "reserved": N_("Held back"),
    "other": N_("Other load"),
    "power": N_("Power"),
    "charge": N_("Charge"),
    "connected": N_("Connected"),
    "offline": N_("Offline"),
    "time": N_("Time"),
    "direction": N_("Direction"),
    "action": N_("Action"),
    "content": N_("Content"),
    "from_charger": N_("From the charger"),
    "to_charger": N_("To the charger"),
    "waiting": N_("Waiting for messages …"),
    "pause": N_("Pause"),
    "resume": N_("Go on"),
    "yes": N_("Yes, do it"),
    "copied": N_("Copied"),
    "load_failed": N_("The chart could not be loaded."),
    "chart": N_("Chart of power over time"),
    "no_data": N_("No values in this time yet."),
    "now": N_("Now"),
}


class Words:
    """Looks up and translates the word for a state."""

    def __init__(self, say: Callable[[str], str]) -> None:
        self._say = say

    def tile(self, state: TileState) -> str:
        return self._say(TILE_WORDS[state])

    def outlook(self, outlook: Outlook) -> str:
        return self._say(OUTLOOK_WORDS[outlook])

    def progress(self, progress: CommandProgress) -> str:
        return self._say(PROGRESS_WORDS[progress])

    def of(self, word: str) -> str:
        """The word for any other coded value; the code itself, made readable, when unknown."""
        known = OTHER_WORDS.get(word)
        return self._say(known) if known else word.replace("_", " ").capitalize()

    def status(self, word: str) -> str:
        """What a connector says of itself, in words where we know them."""
        known = STATUS_WORDS.get(word)
        return self._say(known) if known else word

    def command(self, name: str) -> str:
        """The title of a command of the charger page, or its code made readable."""
        spec = BY_NAME.get(name)
        return self._say(spec.title) if spec else name.replace("_", " ").capitalize()

    def for_scripts(self, locale: str) -> dict[str, object]:
        """The few words that elements in the page need."""
        return {
            "locale": locale,
            "tile": {state.value: self.tile(state) for state in TileState},
            "outlook": {outlook.value: self.outlook(outlook) for outlook in Outlook},
            "status": {code: self._say(word) for code, word in STATUS_WORDS.items()},
            "text": {name: self._say(text) for name, text in SCRIPT_WORDS.items()},
        }

    def flag(self, flag: str) -> str:
        return flag.replace("_", " ")
