"""Read models of sessions: lists, one session with its curve, rows for a CSV file."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.errors import NotFound
from voltyard.sessions import store
from voltyard.sessions.model import IdToken, MeterSample, Session, SessionFilter
from voltyard.sessions.refusals import Refusal, RefusalFilter
from voltyard.sessions.tokens import spellings
from voltyard.storage.engine import Database
from voltyard.tenancy import scope
from voltyard.units import iso_z

PAGE_MAX = 1_000
CURVE_MAX = 20_000
CSV_BATCH = 500
EVERYTHING = SessionFilter()
CSV_COLUMNS = (
    "session_id",
    "site_id",
    "station_id",
    "evse_id",
    "transaction",
    "state",
    "started_at",
    "ended_at",
    "duration_s",
    "vehicle_id",
    "duty_id",
    "token",
    "energy_wh",
    "meter_start_wh",
    "meter_stop_wh",
    "soc_start_pct",
    "soc_end_pct",
    "stop_reason",
    "flags",
    "energy_exported_wh",
    "operator_id",
)


@dataclass(frozen=True, slots=True)
class SessionPage:
    sessions: tuple[Session, ...]
    total: int


class SessionReads:
    """All take the organisation whose rows may be seen; another's are not found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        org_id: UUID,
        wanted: SessionFilter = EVERYTHING,
        *,
        limit: int = 50,
        offset: int = 0,
    ) -> SessionPage:
        """Newest start first."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            found = await store.page(tx, wanted, limit=min(limit, PAGE_MAX), offset=offset)
            return SessionPage(tuple(found), await store.count(tx, wanted))

    async def session(self, org_id: UUID, session_id: UUID) -> Session:
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            found = await store.one(tx, session_id)
        if found is None:
            raise NotFound("no such session", detail=str(session_id))
        return found

    async def curve(self, org_id: UUID, session_id: UUID) -> list[MeterSample]:
        """The stored readings by time, as reported; of more than ``CURVE_MAX`` evenly as many."""
        await self.session(org_id, session_id)
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.curve(tx, session_id, limit=CURVE_MAX)

    async def registers(
        self, org_id: UUID, session_ids: Sequence[UUID], since: datetime, bucket_s: float
    ) -> Mapping[UUID, Sequence[tuple[datetime, float]]]:
        """How the registers (Wh) of sessions went up: the last reading of every ``bucket_s``."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.registers(tx, session_ids, since, bucket_s)

    async def last_uses(self, org_id: UUID, tokens: Sequence[str]) -> Mapping[str, Session]:
        """Each token's newest session, for those that have one; by the token as it was given."""
        written = {each.value.upper(): token for token in tokens for each in _written(token)}
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            sessions = await store.newest_of_tokens(tx, org_id, list(written))
        found: dict[str, Session] = {}
        for session in sorted(sessions, key=lambda each: each.started_at):
            found[written[(session.id_token or "").upper()]] = session
        return found

    async def refusals(
        self, org_id: UUID, wanted: RefusalFilter, *, limit: int = 50, offset: int = 0
    ) -> tuple[list[Refusal], int]:
        """Newest first, and how many match in all."""
        ways = [each.value.upper() for each in _written(wanted.token)]
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.refusals(tx, wanted, ways, limit=limit, offset=offset)

    async def csv_rows(
        self, org_id: UUID, wanted: SessionFilter = EVERYTHING
    ) -> AsyncIterator[tuple[str, ...]]:
        """A header, then every session that matches, oldest first; never all in memory."""
        yield CSV_COLUMNS
        last: Session | None = None
        while True:
            async with scope.transaction(self._database, scope.of(org_id)) as tx:
                found = await store.batch(tx, wanted, after=last, size=CSV_BATCH)
            for session in found:
                yield csv_row(session)
            if len(found) < CSV_BATCH:
                return
            last = found[-1]


def _written(token: str) -> tuple[IdToken, ...]:
    return spellings(IdToken(token)) if token else ()


def csv_row(session: Session) -> tuple[str, ...]:
    """Instants in UTC; text that a spreadsheet would run as a formula is defused."""
    ended_at = session.ended_at
    duration_s = (ended_at - session.started_at).total_seconds() if ended_at else None
    return (
        str(session.id),
        _text(session.site_id),
        str(session.station_id),
        _text(session.evse_id),
        _safe(session.transaction_ref),
        session.state.value,
        iso_z(session.started_at),
        iso_z(ended_at) if ended_at else "",
        _number(duration_s),
        _text(session.vehicle_id),
        _text(session.duty_id),
        _safe(session.id_token or ""),
        _number(session.energy_wh),
        _number(session.meter_start_wh),
        _number(session.meter_last_wh),
        _number(session.soc_start_pct),
        _number(session.soc_last_pct),
        _safe(session.stop_reason or ""),
        " ".join(session.flags),
        _number(session.energy_exported_wh),
        _text(session.fleet_org_id),
    )


def _text(value: UUID | None) -> str:
    return "" if value is None else str(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}".removesuffix(".0")


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
