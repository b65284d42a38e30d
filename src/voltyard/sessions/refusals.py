"""Tokens that were refused, or let in without being known: kept, so that people can be told why."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.sessions.authorisation import Place
from voltyard.sessions.model import Authorisation, AuthorisationStatus, IdToken
from voltyard.sessions.tokens import key
from voltyard.storage.groupcommit import GroupCommit, Write

AGAIN_AFTER = timedelta(minutes=1)
"""A card held to the reader again and again is one refusal."""
REMEMBERED_MAX = 5_000
KEPT_FOR = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Refusal:
    """``known`` is False for a token of no record; with status accepted the site let it in."""

    at: datetime
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    token: str
    token_kind: str
    status: AuthorisationStatus
    reason: str
    known: bool


@dataclass(frozen=True, slots=True)
class RefusalFilter:
    """``text`` is in the token; ``token`` is the whole of it, however it is written."""

    text: str = ""
    token: str = ""
    site_id: UUID | None = None
    status: AuthorisationStatus | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None


class RefusalLog:
    """Writes without being waited for: what it cannot keep up with is dropped, never the answer."""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits
        self._told: dict[tuple[UUID, str, str], datetime] = {}

    def note(self, place: Place, token: IdToken, found: Authorisation, now: datetime) -> None:
        if (found.accepted and found.known) or not token.value:
            return
        mark = (place.station_id, key(token.value), found.status.value)
        told = self._told.get(mark)
        if told is not None and now - told < AGAIN_AFTER:
            return
        self._remember(mark, now)
        row = {
            "org_id": place.org_id,
            "at": now,
            "site_id": place.site_id,
            "station_id": place.station_id,
            "evse_id": place.evse_id,
            "token": token.value,
            "token_kind": token.kind.value,
            "status": found.status.value,
            "reason": found.reason,
            "known": found.known,
            "fleet_org_id": found.fleet_org_id,
        }
        self._commits.offer([Write("refusals", row)])

    def _remember(self, mark: tuple[UUID, str, str], now: datetime) -> None:
        if len(self._told) >= REMEMBERED_MAX:
            recent = {m: at for m, at in self._told.items() if now - at < AGAIN_AFTER}
            self._told = recent if len(recent) < REMEMBERED_MAX else {}
        self._told[mark] = now
