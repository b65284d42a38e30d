"""The console's words for states: one place, so that board, tables and exports agree."""

from collections.abc import Callable

from voltyard.web.console.views import CommandProgress, Outlook, TileState


def _(text: str) -> str:
    """Marks a text for the catalogue; translated where it is shown."""
    return text


TILE_WORDS: dict[TileState, str] = {
    TileState.FREE: _("Free"),
    TileState.PLUGGED: _("Plugged in"),
    TileState.CHARGING: _("Charging"),
    TileState.WAITING: _("Waiting"),
    TileState.READY: _("Ready"),
    TileState.BLOCKED: _("Blocked"),
    TileState.OFFLINE: _("Offline"),
    TileState.FAULTED: _("Faulted"),
    TileState.EMPTY: _("No charger"),
}
OUTLOOK_WORDS: dict[Outlook, str] = {
    Outlook.NONE: _("No departure"),
    Outlook.READY: _("Ready"),
    Outlook.ON_TIME: _("On time"),
    Outlook.AT_RISK: _("At risk"),
    Outlook.MISSED: _("Missed"),
}
PROGRESS_WORDS: dict[CommandProgress, str] = {
    CommandProgress.RUNNING: _("Running"),
    CommandProgress.DONE: _("Done"),
    CommandProgress.REFUSED: _("Refused"),
    CommandProgress.FAILED: _("Failed"),
}
OTHER_WORDS: dict[str, str] = {
    "admin": _("Administrator"),
    "dispatcher": _("Dispatcher"),
    "technician": _("Technician"),
    "viewer": _("Viewer"),
    "active": _("Active"),
    "ended": _("Ended"),
    "quarantined": _("Quarantined"),
    "pending": _("Waits for approval"),
    "approved": _("Approved"),
    "rejected": _("Rejected"),
    "retired": _("Retired"),
    "critical": _("Critical"),
    "warning": _("Warning"),
    "info": _("Info"),
    "planned": _("Planned"),
    "present": _("In depot"),
    "departed": _("Departed"),
    "cancelled": _("Cancelled"),
    "grid": _("Grid connection"),
    "transformer": _("Transformer"),
    "feeder": _("Feeder"),
    "cabinet": _("Cabinet"),
    "evse": _("Outlet"),
    "contract": _("Contract"),
    "manual": _("Manual"),
    "csv": "CSV",
    "spice_ev": "SpiceEV",
    "api": "API",
    "rfid": "RFID",
    "mac": "MAC",
    "view": _("See everything"),
    "duties:write": _("Change duties"),
    "fleet:write": _("Change vehicles and tokens"),
    "sessions:control": _("Start and stop charging"),
    "chargers:command": _("Send commands to chargers"),
    "chargers:write": _("Approve and configure chargers"),
    "alerts:write": _("Acknowledge alerts"),
    "sites:write": _("Change sites and limits"),
    "people:write": _("Manage people and keys"),
    "audit:view": _("Read the audit log"),
}


SCRIPT_WORDS: dict[str, str] = {
    "measured": _("Measured"),
    "plan": _("Plan"),
    "limit": _("Limit"),
    "reserved": _("Held back"),
    "power": _("Power"),
    "charge": _("Charge"),
    "connected": _("Connected"),
    "offline": _("Offline"),
    "time": _("Time"),
    "direction": _("Direction"),
    "action": _("Action"),
    "content": _("Content"),
    "from_charger": _("From the charger"),
    "to_charger": _("To the charger"),
    "waiting": _("Waiting for messages …"),
    "pause": _("Pause"),
    "resume": _("Go on"),
    "yes": _("Yes, do it"),
    "copied": _("Copied"),
    "load_failed": _("The chart could not be loaded."),
    "chart": _("Chart of power over time"),
    "no_data": _("No values in this time yet."),
    "now": _("Now"),
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

    def command(self, name: str) -> str:
        """The title of a command of the charger page, or its code made readable."""
        from voltyard.web.console.commands import BY_NAME

        spec = BY_NAME.get(name)
        return self._say(spec.title) if spec else name.replace("_", " ").capitalize()

    def for_scripts(self, locale: str) -> dict[str, object]:
        """The few words that elements in the page need."""
        return {
            "locale": locale,
            "tile": {state.value: self.tile(state) for state in TileState},
            "outlook": {outlook.value: self.outlook(outlook) for outlook in Outlook},
            "text": {name: self._say(text) for name, text in SCRIPT_WORDS.items()},
        }

    def flag(self, flag: str) -> str:
        return flag.replace("_", " ")
