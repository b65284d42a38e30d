"""The console's words for studies: states, and what is run just now."""

from collections.abc import Mapping

from voltyard.study.orders import State
from voltyard.web.i18n import N_

STATE_WORDS: Mapping[State, str] = {
    State.WAITING: N_("Waits"),
    State.RUNNING: N_("Runs"),
    State.DONE: N_("Done"),
    State.REFUSED: N_("Cannot be studied"),
    State.FAILED: N_("Failed"),
    State.TOO_LONG: N_("Took too long"),
    State.CANCELLED: N_("Cancelled"),
    State.INTERRUPTED: N_("Interrupted"),
}
BADGES: Mapping[State, str] = {
    State.WAITING: "",
    State.RUNNING: "active",
    State.DONE: "good",
    State.REFUSED: "warning",
    State.FAILED: "critical",
    State.TOO_LONG: "warning",
    State.CANCELLED: "",
    State.INTERRUPTED: "warning",
}
STATE_TEXTS: Mapping[State, str] = {
    State.REFUSED: N_("What it is of says why:"),
    State.FAILED: N_("The run broke off. Run it again; if it fails again, the log says why."),
    State.TOO_LONG: N_(
        "A study is ended after an hour, so that others have their turn. A shorter period, fewer"
        " cases or the quick way take less time."
    ),
    State.CANCELLED: N_("It was cancelled. It can be run again on what it was of."),
    State.INTERRUPTED: N_("The server ended again and again while it ran. It can be run again."),
}
STAGE_WORDS: Mapping[str, str] = {
    "base": N_("The site as it is"),
    "case": N_("What if"),
    "limit": N_("Smallest grid connection"),
    "chargers": N_("Fewest chargers"),
    "room": N_("Room for more vehicles"),
}
