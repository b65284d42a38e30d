"""Building blocks of OCPP 1.6 messages used by several profiles."""

from typing import Annotated, Literal

from voltyard.ocpp.wire import Instant, OneOf, Str20, Wire, Word
from voltyard.sessions.model import Authorisation, AuthorisationStatus
from voltyard.units import iso_z

AuthorizationStatusWord = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]
TriggerMessageStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "NotImplemented")]


class IdTagInfo(Wire):
    status: AuthorizationStatusWord
    expiry_date: Instant | None = None
    parent_id_tag: Str20 | None = None


AUTHORISATION_STATUS: dict[AuthorisationStatus, AuthorizationStatusWord] = {
    AuthorisationStatus.ACCEPTED: "Accepted",
    AuthorisationStatus.BLOCKED: "Blocked",
    AuthorisationStatus.EXPIRED: "Expired",
    AuthorisationStatus.INVALID: "Invalid",
    AuthorisationStatus.UNKNOWN: "Invalid",
    AuthorisationStatus.CONCURRENT: "ConcurrentTx",
    AuthorisationStatus.NOT_HERE: "Blocked",
    AuthorisationStatus.NOT_NOW: "Blocked",
    AuthorisationStatus.RESERVED: "Blocked",
    AuthorisationStatus.NO_CREDIT: "Blocked",
}
"""1.6 has no word for place and time: the token is known, and not allowed."""
ID_TAG_MAX = 20


def id_tag_info(authorisation: Authorisation) -> IdTagInfo:
    """The expiry date is that of the answer: a charger keeps it in its cache until then.

    A group whose name does not fit a charger's idTag is left out.
    """
    until_at, group = authorisation.until_at, authorisation.group
    return IdTagInfo(
        status=AUTHORISATION_STATUS[authorisation.status],
        expiry_date=None if until_at is None else iso_z(until_at),
        parent_id_tag=group if 0 < len(group) <= ID_TAG_MAX else None,
    )
