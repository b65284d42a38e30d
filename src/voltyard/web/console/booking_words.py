"""Words and shapes of bay bookings and of what was decided for them."""

from collections.abc import Mapping

from voltyard.bookings.model import Action, BookingState, Mode, Origin
from voltyard.web.i18n import N_

STATE_WORDS: Mapping[BookingState, str] = {
    BookingState.AHEAD: N_("Ahead"),
    BookingState.BUFFER: N_("Kept free"),
    BookingState.RUNNING: N_("Now"),
    BookingState.LIFTED: N_("Others let in"),
    BookingState.OVER: N_("Over"),
    BookingState.CANCELLED: N_("Cancelled"),
}
STATE_SHAPES: Mapping[BookingState, str] = {
    BookingState.AHEAD: "waiting",
    BookingState.BUFFER: "waiting",
    BookingState.RUNNING: "ready",
    BookingState.LIFTED: "blocked",
    BookingState.OVER: "free",
    BookingState.CANCELLED: "blocked",
}
ORIGIN_WORDS: Mapping[Origin, str] = {
    Origin.PERSON: N_("By hand"),
    Origin.SERIES: N_("Series"),
    Origin.TIMETABLE: N_("Timetable"),
}
MODE_WORDS: Mapping[Mode, str] = {
    Mode.OFF: N_("Off"),
    Mode.SOFT: N_("Soft: told, nothing is done"),
    Mode.STRICT: N_("Strict: refused and ended"),
}
DONE_WORDS: Mapping[Action, str] = {
    Action.REFUSED: N_("Refused: the place is booked for another vehicle."),
    Action.ENDED_FOR_ANOTHER: N_("Ended: another vehicle was due here."),
    Action.ENDED_AT_DEPARTURE: N_("Ended with its own booking."),
    Action.NOT_STOPPED: N_("Should have ended, but the charger did not stop it."),
    Action.ALLOWED_BY_PERSON: N_("Let go on by a person, whoever is due."),
}
NOTED_WORDS: Mapping[Action, str] = {
    **DONE_WORDS,
    Action.REFUSED: N_("Strict rules would have refused it: the place is booked for another."),
    Action.ENDED_FOR_ANOTHER: N_("Strict rules would have ended it: another vehicle was due here."),
    Action.ENDED_AT_DEPARTURE: N_("Strict rules would have ended it with its own booking."),
}
WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))


def said(action: Action, *, done: bool) -> str:
    """What was decided, in a sentence."""
    return (DONE_WORDS if done else NOTED_WORDS)[action]
