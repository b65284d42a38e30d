"""Building blocks of OCPP 1.6 messages used by several profiles."""

from typing import Annotated, Literal

from voltyard.ocpp.wire import Instant, OneOf, Str20, Wire, Word
from voltyard.sessions.model import Authorisation, AuthorisationStatus

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
    AuthorisationStatus.CONCURRENT: "ConcurrentTx",
}


def id_tag_info(authorisation: Authorisation) -> IdTagInfo:
    return IdTagInfo(status=AUTHORISATION_STATUS[authorisation.status])
