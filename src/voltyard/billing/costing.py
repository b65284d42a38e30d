"""What sessions cost: while they run, at their end, and again when late values mend them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from uuid import UUID
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

from voltyard.billing import store
from voltyard.billing.events import SessionRated
from voltyard.billing.model import (
    ZERO,
    Asked,
    CostState,
    Phase,
    Rating,
    SessionCost,
    StationCost,
    Tariff,
)
from voltyard.billing.ports import NO_LIMIT, Limit, Places, Sessions, Stations, Tokens, Told
from voltyard.billing.prepaid import Prepaid
from voltyard.billing.rating import Metered, Reading, rate
from voltyard.billing.shelf import Shelf
from voltyard.billing.wording import money, text_of
from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Conflict, NotFound
from voltyard.sessions.events import SessionEnded, SessionStarted, SessionUpdated
from voltyard.sessions.model import IdToken, Session, SessionState, TokenKind
from voltyard.storage.engine import Database
from voltyard.tenancy import scope

log = logging.getLogger(__name__)

LIMITED_EVERY = timedelta(seconds=30)
RATINGS_MAX = 50
AT_START, AT_END = "start", "end"
RUNNING, LATE_VALUES, TARIFF_CHANGED, REOPENED = (
    "running", "late_values", "tariff_changed", "reopened",
)  # fmt: skip
Over = Callable[[Session, SessionCost], Awaitable[None]]


@dataclass(slots=True)
class Pending:
    """What a charger gets with the next answer about a session, once."""

    text: str = ""
    limit: Limit = NO_LIMIT


class Costing:
    """Keeps one ``SessionCost`` for every session that a tariff is chosen for."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        shelf: Shelf,
        *,
        stations: Stations,
        sessions: Sessions,
        tokens: Tokens,
        places: Places,
        prepaid: Prepaid,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._shelf = shelf
        self._stations = stations
        self._sessions = sessions
        self._tokens = tokens
        self.places = places
        self._prepaid = prepaid
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._pending: dict[UUID, Pending] = {}
        self._limits: dict[UUID, Limit] = {}
        self.over: Over | None = None
        self.texts_for: Callable[[UUID], str] = lambda station_id: ""

    async def load(self) -> None:
        """At start: the sessions that were running, with the names chargers have for them."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            running = await store.running_costs(tx)
        for cost in running:
            session = await self._session(cost.org_id, cost.session_id)
            if session is not None:
                self._shelf.put_cost(cost, session.transaction_ref)
                await self._ended_meanwhile(session)

    async def _ended_meanwhile(self, session: Session) -> None:
        if not session.open:
            await self._changed(session.org_id, session.id, AT_END)

    def listen(self) -> None:
        self._bus.subscribe(SessionStarted, self._on_started, name="billing.started")
        self._bus.subscribe(SessionUpdated, self._on_updated, name="billing.updated")
        self._bus.subscribe(SessionEnded, self._on_ended, name="billing.ended")

    async def _on_started(self, event: SessionStarted) -> None:
        if self._shelf.prices(event.org_id):
            await self._changed(event.org_id, event.session_id, AT_START)

    async def _on_updated(self, event: SessionUpdated) -> None:
        if self._shelf.prices(event.org_id):
            await self._changed(event.org_id, event.session_id, LATE_VALUES)

    async def _on_ended(self, event: SessionEnded) -> None:
        if self._shelf.prices(event.org_id) or self._shelf.cost(event.session_id):
            await self._changed(event.org_id, event.session_id, AT_END)

    async def _changed(self, org_id: UUID, session_id: UUID, reason: str) -> None:
        """A session began, ended or was mended."""
        async with self._lock(session_id):
            session = await self._session(org_id, session_id)
            if session is None or session.state is SessionState.QUARANTINED:
                return
            known = await self._known(session)
            if session.open:
                await self._going_on(session, known)
            elif known is None or self._differs(session, known):
                await self._rate_again(session, known, reason)
            else:
                await self._settle(session, known)

    async def _going_on(self, session: Session, known: SessionCost | None) -> None:
        """The tariff is chosen when it begins, and again once somebody is known."""
        if known is not None and known.state is CostState.FINAL:
            await self._keep(session, await self._rated(session, known, REOPENED))
            return
        chosen = await self._with_phases(session, known)
        if chosen is None:
            return
        fresh = self._prepaid.held(chosen, session)
        if fresh != known:
            if fresh.hold is not None and (known is None or known.hold is None):
                self.limit(session.id, Limit(max_cost=fresh.hold))
            await self._keep(session, fresh)

    async def _rate_again(self, session: Session, known: SessionCost | None, reason: str) -> None:
        again = known is not None and known.state is CostState.FINAL
        base = known if again else await self._with_phases(session, known)
        if base is None:
            return
        if not again:
            base, reason = self._prepaid.held(base, session), AT_END
        fresh = await self._rated(session, base, reason)
        await self._keep(session, fresh)
        self._limits.pop(session.id, None)
        self._pending.pop(session.id, None)
        await self._settle(session, fresh)
        await self._bus.publish(
            SessionRated(
                fresh.org_id, fresh.station_id, fresh.session_id,
                fresh.cost.gross, fresh.cost.currency, fresh.reason, fresh.rated_at,
            )
        )  # fmt: skip

    async def _settle(self, session: Session, cost: SessionCost) -> None:
        """Book it and have it paid; told again after a crash, only what is missing is done."""
        await self._prepaid.book(session, cost)
        if self.over is not None:
            await self.over(session, cost)

    def _differs(self, session: Session, known: SessionCost) -> bool:
        """Whether there is something that was not rated yet."""
        if known.state is CostState.RUNNING:
            return True
        rated_until = known.cost.until_at
        return abs(session.energy_wh - known.energy_wh) > 0.5 or rated_until != session.ended_at

    async def _with_phases(self, session: Session, known: SessionCost | None) -> SessionCost | None:
        """With the tariff that counts for whoever charges there."""
        if known is not None and len(known.phases) > 1:
            return known
        chosen = self._shelf.chosen(await self._asked(session))
        if chosen is None:
            return known
        tariff, assignment = chosen
        if known is not None:
            first = known.phases[0]
            better = assignment.target.drivers and assignment.target is not first.target
            if not better or tariff.terms.currency != first.tariff.terms.currency:
                return known
        phases = (Phase(session.started_at, tariff, assignment.target),)
        now = self._clock.now()
        return SessionCost(
            session.id, session.org_id, session.station_id, CostState.RUNNING, phases,
            rate(Metered(session.started_at, session.started_at, 0.0), phases, ZoneInfo("UTC")),
            now, AT_START,
        )  # fmt: skip

    async def _asked(self, session: Session) -> Asked:
        group = ""
        token = session.id_token or ""
        if token and self._shelf.groups(session.org_id):
            kind = TokenKind(session.id_token_kind or TokenKind.RFID)
            found, _ = await self._tokens.lookup(session.org_id, IdToken(token, kind))
            group = "" if found is None else found.group_id
        return Asked(
            session.org_id, session.site_id, session.station_id, session.evse_id, token, group
        )

    async def _rated(self, session: Session, base: SessionCost, reason: str) -> SessionCost:
        now = self._clock.now()
        until_at = session.ended_at or max(now, session.started_at)
        curve = await self._sessions.curve(session.org_id, session.id)
        readings = tuple(Reading(each.at, each.energy_wh, each.offered_w) for each in curve)
        metered = Metered(session.started_at, until_at, max(0.0, session.energy_wh), readings)
        phases = (replace(base.phases[0], from_at=session.started_at), *base.phases[1:])
        cost = rate(metered, phases, await self._zone(session.site_id))
        ratings = base.ratings
        if base.state is CostState.FINAL:
            before = Rating(base.rated_at, base.cost.gross, base.energy_wh, base.reason)
            ratings = (*ratings, before)[-RATINGS_MAX:]
        state = CostState.RUNNING if session.open else CostState.FINAL
        return replace(
            base, state=state, phases=phases, cost=cost, rated_at=now, reason=reason,
            energy_wh=session.energy_wh, ratings=ratings,
        )  # fmt: skip

    async def _zone(self, site_id: UUID | None) -> tzinfo:
        if site_id is None:
            return ZoneInfo("UTC")
        return ZoneInfo((await self.places.get(site_id)).timezone)

    async def _keep(self, session: Session, cost: SessionCost) -> None:
        async with scope.transaction(self._database, scope.of(cost.org_id)) as tx:
            await store.save_cost(tx, cost)
        self._shelf.put_cost(cost, session.transaction_ref)

    async def _known(self, session: Session) -> SessionCost | None:
        known = self._shelf.cost(session.id)
        if known is None and not session.open:
            async with scope.transaction(self._database, scope.of(session.org_id)) as tx:
                known = await store.cost_of(tx, session.id)
        return known

    async def _session(self, org_id: UUID, session_id: UUID) -> Session | None:
        try:
            return await self._sessions.session(org_id, session_id)
        except NotFound:
            return None

    def _lock(self, session_id: UUID) -> asyncio.Lock:
        return self._locks.setdefault(session_id, asyncio.Lock())

    # Running

    def due(self, cost: SessionCost, now: datetime) -> bool:
        """Whether the cost of a running session is to be reckoned now."""
        every_s = self._shelf.settings_of(cost.org_id).running_cost_s
        waited = now - cost.rated_at
        if self.limit_of(cost) != NO_LIMIT and waited >= LIMITED_EVERY:
            return True
        return every_s > 0 and waited >= timedelta(seconds=every_s)

    async def reckon(self, session_id: UUID, org_id: UUID) -> tuple[Session, SessionCost] | None:
        """The cost of a running session up to now; None if it runs no longer."""
        async with self._lock(session_id):
            session = await self._session(org_id, session_id)
            known = self._shelf.cost(session_id)
            if session is None or not session.open or known is None:
                return None
            fresh = await self._rated(session, known, RUNNING)
            await self._keep(session, fresh)
            return session, fresh

    def limit(self, session_id: UUID, limit: Limit) -> None:
        """Told to the charger with the next answer, if it can be; watched over in any case."""
        self._limits[session_id] = limit
        self._pending.setdefault(session_id, Pending()).limit = limit

    def limit_of(self, cost: SessionCost) -> Limit:
        """What a session may cost, take and last."""
        found = self._limits.get(cost.session_id, NO_LIMIT)
        if cost.hold is not None and found.max_cost is None:
            return replace(found, max_cost=cost.hold)
        return found

    def over_limit(self, session: Session, cost: SessionCost) -> bool:
        """Whether a session has used up what it may."""
        limit, now = self.limit_of(cost), self._clock.now()
        lasted_s = (now - session.started_at).total_seconds()
        return (
            (limit.max_cost is not None and cost.cost.gross >= limit.max_cost)
            or (limit.max_energy_wh is not None and session.energy_wh >= limit.max_energy_wh)
            or (limit.max_time_s is not None and lasted_s >= limit.max_time_s)
        )

    def told(self, station_id: UUID, ref: str, *, ended: bool) -> Told | None:
        """What goes along with an answer; nearly always nothing."""
        session_id = self._shelf.session_id(station_id, ref)
        if session_id is None:
            return None
        pending = self._pending.pop(session_id, None)
        if not ended:
            if pending is None:
                return None
            language = self.texts_for(station_id)
            text = pending.text if language else ""
            return Told(text=text, language=language, limit=pending.limit)
        cost = self._shelf.cost(session_id)
        if cost is None or cost.state is not CostState.FINAL:
            return None
        language = self.texts_for(station_id)
        shown = money(cost.cost.gross, cost.cost.currency, language or "en")
        return Told(cost.cost.gross, shown if language else "", language)

    # Changed while charging

    async def change(self, session_id: UUID, org_id: UUID, tariff: Tariff) -> SessionCost:
        """From now on another tariff counts for a running session. Conflict: it is over, or it
        would be charged in another currency."""
        async with self._lock(session_id):
            session = await self._session(org_id, session_id)
            known = self._shelf.cost(session_id)
            if session is None or known is None:
                raise NotFound("There is no such session with a tariff.")
            if not session.open:
                raise Conflict("The session is over.")
            before = known.phases[-1].tariff
            if before.terms.currency != tariff.terms.currency:
                raise Conflict("A session stays in its currency.", code="no_currency_change")
            phases = (*known.phases, Phase(self._clock.now(), tariff, known.phases[-1].target))
            fresh = await self._rated(session, replace(known, phases=phases), TARIFF_CHANGED)
            await self._keep(session, fresh)
        language = self.texts_for(session.station_id)
        if language:
            pending = self._pending.setdefault(session_id, Pending())
            pending.text = text_of(tariff, language)
        return fresh

    async def station_cost(self, station_id: UUID, ref: str, told: StationCost) -> None:
        """What the charger reckoned itself; kept beside ours, a difference is shown."""
        session_id = self._shelf.session_id(station_id, ref)
        if session_id is None:
            return
        async with self._lock(session_id):
            known = self._shelf.cost(session_id)
            if known is None:
                return
            fresh = replace(known, station_cost=told)
            async with scope.transaction(self._database, scope.of(known.org_id)) as tx:
                await store.save_cost(tx, fresh)
            self._shelf.put_cost(fresh, ref)
        differs = fresh.differs
        if fresh.state is CostState.FINAL and differs is not None and differs != ZERO:
            station = self._stations.station(station_id)
            if station is not None:
                self._stations.flag(station.ref, "cost_differs", f"{_signed(differs)}: {ref}")


def _signed(amount: Decimal) -> str:
    return f"{amount:+f}"
