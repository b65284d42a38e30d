"""Words and shapes of tokens, refusals, lists on chargers and reservations."""

from collections.abc import Callable, Mapping

from voltyard.access.model import Refused
from voltyard.fleets.model import TokenState
from voltyard.locallists.model import Difference, ListState
from voltyard.reservations.model import ReservationState
from voltyard.sessions.model import AuthorisationStatus
from voltyard.web.i18n import N_

TOKEN_WORDS: Mapping[TokenState, str] = {
    TokenState.VALID: N_("Valid"),
    TokenState.BLOCKED: N_("Blocked"),
    TokenState.EXPIRED: N_("Expired"),
    TokenState.NOT_YET: N_("Not valid yet"),
    TokenState.OUT_OF_SERVICE: N_("Vehicle out of service"),
}
TOKEN_SHAPES: Mapping[TokenState, str] = {
    TokenState.VALID: "ready",
    TokenState.BLOCKED: "faulted",
    TokenState.EXPIRED: "blocked",
    TokenState.NOT_YET: "waiting",
    TokenState.OUT_OF_SERVICE: "blocked",
}
STATUS_WORDS: Mapping[AuthorisationStatus, str] = {
    AuthorisationStatus.ACCEPTED: N_("Let in"),
    AuthorisationStatus.BLOCKED: N_("Blocked"),
    AuthorisationStatus.EXPIRED: N_("Expired"),
    AuthorisationStatus.INVALID: N_("Not valid"),
    AuthorisationStatus.UNKNOWN: N_("Unknown"),
    AuthorisationStatus.CONCURRENT: N_("Charges elsewhere"),
    AuthorisationStatus.NOT_HERE: N_("Not allowed here"),
    AuthorisationStatus.NOT_NOW: N_("Not valid yet"),
    AuthorisationStatus.RESERVED: N_("Reserved for others"),
    AuthorisationStatus.NO_CREDIT: N_("No credit"),
}
REASON_WORDS: Mapping[str, str] = {
    "unknown token": N_("No token of this value is on record."),
    "the outlet is reserved": N_("The outlet is reserved for another token."),
    "the token may not charge here": N_("The token is limited to other sites or areas."),
    "the token is blocked": N_("The token is blocked."),
    "the token has expired": N_("The token's time is over."),
    "the token is not valid yet": N_("The token's time has not begun."),
    "the vehicle is out of service": N_("Its vehicle is out of service."),
    "the token charges elsewhere": N_("It charged at another outlet at that moment."),
    "the prepaid balance is used up": N_("Nothing is left on its prepaid account."),
    "cards are not taken here": N_("Cards at terminals are not taken here."),
    "a master pass starts nothing": N_("A master pass stops others and starts nothing."),
    Refused.BOUND.value: N_("The area is kept for other operators."),
    Refused.RULE.value: N_("A rule of the site keeps it out"),
    Refused.FULL.value: N_("The last free outlets are kept for the fleet"),
}
ADVICE_WORDS: Mapping[AuthorisationStatus, str] = {
    AuthorisationStatus.ACCEPTED: N_("The site lets unknown tokens charge."),
    AuthorisationStatus.UNKNOWN: N_("Add the token, or let unknown tokens charge at this site."),
    AuthorisationStatus.BLOCKED: N_("Unblock it on its page."),
    AuthorisationStatus.EXPIRED: N_("Give it a later end."),
    AuthorisationStatus.NOT_NOW: N_("Give it an earlier beginning."),
    AuthorisationStatus.NOT_HERE: N_("Add this site or area to its places."),
    AuthorisationStatus.CONCURRENT: N_(
        "End the other session, or let the token charge in several places."
    ),
    AuthorisationStatus.RESERVED: N_("Release the reservation, or choose another outlet."),
    AuthorisationStatus.NO_CREDIT: N_("Top its prepaid account up."),
}
REASON_ADVICE: Mapping[str, str] = {
    "the vehicle is out of service": N_("Put the vehicle in service again."),
    Refused.BOUND.value: N_("Admit it to this area, or choose an outlet elsewhere."),
    Refused.RULE.value: N_("Change the access rule, or wait until it says otherwise."),
    Refused.FULL.value: N_("Change the access rule, or wait until it says otherwise."),
}


def why(reason: str, say: Callable[[str], str]) -> str:
    """A refusal's reason in words, with the name of the rule that decided."""
    base, colon, name = reason.partition(": ")
    return say(REASON_WORDS[base]) + colon + name if base in REASON_WORDS else reason


def advice(reason: str, status: AuthorisationStatus, say: Callable[[str], str]) -> str:
    """What would help against a refusal; empty where nothing is known to."""
    known = REASON_ADVICE.get(reason.partition(": ")[0]) or ADVICE_WORDS.get(status)
    return say(known) if known else ""


LIST_WORDS: Mapping[ListState, str] = {
    ListState.UNKNOWN: N_("Not looked at yet"),
    ListState.UNSUPPORTED: N_("Keeps no list"),
    ListState.DISABLED: N_("Switched off on the charger"),
    ListState.PENDING: N_("Being sent"),
    ListState.SYNCED: N_("In step"),
    ListState.FAILED: N_("Failed"),
}
LIST_SHAPES: Mapping[ListState, str] = {
    ListState.UNKNOWN: "empty",
    ListState.UNSUPPORTED: "blocked",
    ListState.DISABLED: "blocked",
    ListState.PENDING: "waiting",
    ListState.SYNCED: "ready",
    ListState.FAILED: "faulted",
}
DIFFERENCE_WORDS: Mapping[Difference, str] = {
    Difference.SAME: N_("In step"),
    Difference.MISSING: N_("To be added"),
    Difference.CHANGED: N_("To be changed"),
    Difference.EXTRA: N_("To be removed"),
}
DIFFERENCE_SHAPES: Mapping[Difference, str] = {
    Difference.SAME: "ready",
    Difference.MISSING: "waiting",
    Difference.CHANGED: "waiting",
    Difference.EXTRA: "waiting",
}
RESERVATION_WORDS: Mapping[ReservationState, str] = {
    ReservationState.PLANNED: N_("Planned"),
    ReservationState.ASKED: N_("Charger is asked"),
    ReservationState.ACTIVE: N_("Active"),
    ReservationState.USED: N_("Used"),
    ReservationState.CANCELLED: N_("Released"),
    ReservationState.EXPIRED: N_("Expired"),
    ReservationState.REMOVED: N_("Dropped by the charger"),
    ReservationState.REFUSED: N_("Refused"),
}
RESERVATION_SHAPES: Mapping[ReservationState, str] = {
    ReservationState.PLANNED: "plugged",
    ReservationState.ASKED: "waiting",
    ReservationState.ACTIVE: "ready",
    ReservationState.USED: "charging",
    ReservationState.CANCELLED: "blocked",
    ReservationState.EXPIRED: "blocked",
    ReservationState.REMOVED: "faulted",
    ReservationState.REFUSED: "faulted",
}
