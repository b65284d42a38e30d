"""Local lists kept in step with the tokens: looked at on connect and after each change of tokens.

A list is read by its version only; one that has another version than was sent is replaced whole.
What is known of lists is held in memory and written in group commits, in the order in which it
changed.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.arrivals import Arrivals
from voltyard.chargers.commands import ClearCache, CommandResult, StationLink
from voltyard.chargers.events import (
    EvsesChanged,
    StationApproved,
    StationChanged,
    StationConnected,
)
from voltyard.chargers.model import (
    ConfigEntry,
    Evse,
    Station,
    StationFilter,
    StationRef,
    StationState,
    StationView,
)
from voltyard.clock import Clock, seeded
from voltyard.errors import ChargerOffline, ChargerRefused, Conflict, NotFound, VoltyardError
from voltyard.fleets.events import TokensChanged, VehiclesChanged
from voltyard.fleets.model import Token, Vehicle
from voltyard.locallists import asking, store
from voltyard.locallists.model import (
    ListState,
    LocalList,
    Outlet,
    Reach,
    Step,
    Wanted,
    differs,
    holds_more,
    reaches,
    revoked,
    steps,
    wanted,
)
from voltyard.storage.engine import Database
from voltyard.storage.groupcommit import REFUSALS, GroupCommit
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction

log = logging.getLogger(__name__)

AT_ONCE = 8
FIRST_S, SPREAD_S = 20.0, 40.0
"""After a connect: limits come first, and ten thousand chargers do not ask at once."""
SOON_S = 2.0
TIMEOUT_S = 60.0
ABILITY_FOR = timedelta(hours=24)
TOKENS_FOR_S = 5.0
"""Many chargers looked at one after the other share one reading of the tokens."""

Tokens = list[tuple[Token, Vehicle | None]]


class Stations(Protocol):
    """``ChargerService`` is one."""

    def station(self, station_id: UUID) -> Station | None: ...

    def outlets(self, station_id: UUID) -> Sequence[Evse]: ...

    def evses(self) -> Sequence[Evse]: ...

    def link(self, station_id: UUID) -> StationLink | None: ...

    def flag(self, station: StationRef, flag: str, detail: str) -> None: ...

    def list_stations(self, org_id: UUID, wanted: StationFilter = ...) -> Sequence[StationView]: ...

    async def config(self, org_id: UUID, station_id: UUID) -> list[ConfigEntry]: ...


class Fleets(Protocol):
    """``FleetService`` is one."""

    async def all(self, org_id: UUID) -> list[Vehicle]: ...

    async def all_tokens(self, org_id: UUID) -> list[Token]: ...


class Areas(Protocol):
    """``SiteService`` is one."""

    async def area_of(self, site_id: UUID, bay_id: UUID) -> UUID | None: ...


class LocalListService:
    """Events name stations to look at; ``run`` looks at them, ``AT_ONCE`` at a time."""

    def __init__(
        self,
        database: Database,
        commits: GroupCommit,
        bus: Bus,
        clock: Clock,
        *,
        stations: Stations,
        fleets: Fleets,
        areas: Areas,
    ) -> None:
        self._database = database
        self._commits = commits
        self._bus = bus
        self._clock = clock
        self._stations = stations
        self._fleets = fleets
        self._areas = areas
        self._arrivals = Arrivals(clock)
        self._lists: dict[UUID, LocalList] = {}
        self._tokens_read: dict[UUID, tuple[float, Tokens]] = {}
        self._reaches: dict[UUID, Mapping[str, Reach]] = {}
        self._waiting: asyncio.Queue[tuple[UUID, float]] = asyncio.Queue()
        self._under_way: set[UUID] = set()
        self._again: set[UUID] = set()
        self._whole: set[UUID] = set()
        self._ticked_at: datetime | None = None

    async def load(self) -> None:
        """At start, after the chargers and before the first connection."""
        async with transaction(self._database, SYSTEM) as tx:
            self._lists = {each.station_id: each for each in await store.all_lists(tx)}
        now = self._clock.now()
        for org_id in sorted({evse.org_id for evse in self._stations.evses()}):
            self._reaches[org_id] = reaches(await self._tokens(org_id), now)
            await self._revoked_meanwhile(org_id)
        self._ticked_at = now

    async def _revoked_meanwhile(self, org_id: UUID) -> None:
        """A server that stopped between a revocation and its mark makes the mark now."""
        reach = self._reaches[org_id]
        stale = [
            each
            for each in self._lists.values()
            if each.org_id == org_id and not each.clear_cache and holds_more(each, reach)
        ]
        await self._mark(stale)

    def listen(self) -> None:
        bus = self._bus
        self._arrivals.listen(bus, name="locallists.arrivals")
        bus.subscribe(StationConnected, self._on_connected, name="locallists.connected")
        bus.subscribe(StationApproved, self._on_connected, name="locallists.approved")
        bus.subscribe(StationChanged, self._on_station, name="locallists.station")
        bus.subscribe(EvsesChanged, self._on_station, name="locallists.evses")
        bus.subscribe(TokensChanged, self._on_tokens, name="locallists.tokens")
        bus.subscribe(VehiclesChanged, self._on_tokens, name="locallists.vehicles")

    async def run(self) -> None:
        """Until cancelled; one slow charger delays nobody but those beyond ``AT_ONCE``."""
        turn = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                station_id, after_s = await self._waiting.get()
                group.create_task(self._look(station_id, after_s, turn))

    async def tick(self) -> None:
        """Now and then: tokens that have begun or ceased to be valid meanwhile."""
        now, last = self._clock.now(), self._ticked_at
        self._ticked_at = now
        for org_id in list(self._reaches):
            tokens = await self._fleets.all_tokens(org_id)
            instants = [at for token in tokens for at in (token.valid_from, token.valid_until)]
            if last is not None and any(at is not None and last < at <= now for at in instants):
                await self._tokens_changed(org_id, by_time=True)

    # People

    async def of_station(self, who: Principal, station_id: UUID) -> LocalList:
        """What is known of a charger's list. NotFound for somebody else's."""
        require(who, Permission.VIEW)
        self._station(who, station_id)
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await store.of_station(tx, station_id)
        return found or LocalList(station_id, who.org_id)

    def known(self, station: Station) -> LocalList:
        """What is known of a charger's list, from memory."""
        return self._of(station)

    def under_way(self, station_id: UUID) -> bool:
        """Whether a look at its list is due or has begun."""
        return station_id in self._under_way

    async def resend(
        self, who: Principal, station_id: UUID, *, whole: bool = True, remote: str = ""
    ) -> None:
        """Read again what the charger can do and replace its list; or only send what differs.

        Returns at once. ChargerOffline, Conflict.
        """
        require(who, Permission.CHARGERS_COMMAND)
        station = self._station(who, station_id)
        if self._stations.link(station_id) is None:
            raise ChargerOffline("The charger is not connected.")
        if station.state is not StationState.APPROVED:
            raise Conflict("The charger is not in service.", code="not_approved")
        async with transaction(self._database, of(who.org_id)) as tx:
            await audit.write(
                tx, who, "locallist.resend" if whole else "locallist.sync", "station", station_id,
                at=self._clock.now(), remote=remote,
            )  # fmt: skip
        if whole:
            self._whole.add(station_id)
        self._ask_for(station_id, 0.0)

    def _station(self, who: Principal, station_id: UUID) -> Station:
        station = self._stations.station(station_id)
        if station is None or station.org_id != who.org_id:
            raise NotFound("There is no such charger.")
        return station

    # What calls for a look

    async def _on_connected(self, event: StationConnected | StationApproved) -> None:
        if event.org_id not in self._reaches:
            tokens = await self._tokens(event.org_id)
            self._reaches.setdefault(event.org_id, reaches(tokens, self._clock.now()))
        self._ask_for(event.station_id, FIRST_S + self._spread_s(event.station_id, SPREAD_S))

    async def _on_station(self, event: StationChanged | EvsesChanged) -> None:
        self._ask_for(event.station_id, FIRST_S)

    async def _on_tokens(self, event: TokensChanged | VehiclesChanged) -> None:
        await self._tokens_changed(event.org_id)

    async def _tokens_changed(self, org_id: UUID, *, by_time: bool = False) -> None:
        """Every connected charger of theirs, spread; who lost a right is forgotten by caches.

        What ends ``by_time`` ends in caches too: the answers in them carry their expiry.
        """
        tokens = await self._tokens(org_id)
        self._tokens_read[org_id] = (self._clock.monotonic_s(), tokens)
        after = reaches(tokens, self._clock.now())
        before = self._reaches.get(org_id)
        self._reaches[org_id] = after
        stations = self._stations.list_stations(org_id)
        if before is not None and not by_time and revoked(before, after):
            mine = [v.station for v in stations if v.station.state is StationState.APPROVED]
            await self._mark([self._of(station) for station in mine])
        spread_s = SOON_S + len(stations) / AT_ONCE
        for view in stations:
            if view.station.connected:
                self._ask_for(view.station.id, SOON_S + self._spread_s(view.station.id, spread_s))

    def _ask_for(self, station_id: UUID, after_s: float) -> None:
        if station_id in self._under_way:
            self._again.add(station_id)
            return
        self._under_way.add(station_id)
        self._waiting.put_nowait((station_id, after_s))

    @staticmethod
    def _spread_s(station_id: UUID, most_s: float) -> float:
        return seeded(0, "local list", station_id).uniform(0.0, most_s)

    # A look

    async def _look(self, station_id: UUID, after_s: float, turn: asyncio.Semaphore) -> None:
        again_s = SOON_S
        try:
            await self._clock.sleep(after_s)
            async with turn:
                await self._arrivals.calm()
                self._again.discard(station_id)
                await self._set_right(station_id)
        except VoltyardError as error:
            log.info("the local list of %s was not set: %s", station_id, error)
        except REFUSALS as error:
            log.warning("the local list of %s is looked at later: %r", station_id, error)
            self._again.add(station_id)
            again_s = FIRST_S
        finally:
            self._under_way.discard(station_id)
        if station_id in self._again:
            self._again.discard(station_id)
            self._ask_for(station_id, again_s)

    async def _set_right(self, station_id: UUID) -> None:
        station, link = self._stations.station(station_id), self._stations.link(station_id)
        if station is None or link is None or station.state is not StationState.APPROVED:
            return
        if link.version not in asking.KEYS:
            return
        known = self._of(station)
        if known.clear_cache:
            known = await self._clear_cache(link, known)
        known = await self._able(link, station, known)
        if known.state in (ListState.UNSUPPORTED, ListState.DISABLED):
            await self._save(known)
            return
        told = await asking.version(link)
        if told is None:
            await self._save(replace(known, state=ListState.UNSUPPORTED))
            return
        await self._bring(link, station, known, told)

    async def _able(self, link: StationLink, station: Station, known: LocalList) -> LocalList:
        """What the charger can do is asked once a day, and after a firmware may have changed it."""
        now, whole = self._clock.now(), station.id in self._whole
        fresh = known.read_at is not None and now - known.read_at < ABILITY_FOR
        booted = station.booted_at
        if fresh and not whole and (booted is None or (known.read_at or now) > booted):
            return known
        able = await asking.ability(link)
        if not able.supported:
            state = ListState.UNSUPPORTED
        elif not able.enabled:
            state = ListState.DISABLED
        else:
            usable = known.state not in (ListState.UNSUPPORTED, ListState.DISABLED)
            state = known.state if usable else ListState.PENDING
        return replace(
            known,
            state=state,
            read_at=now,
            entries_max=able.entries_max or await self._stored_max(station, link, state),
            per_message=able.per_message,
        )

    async def _stored_max(
        self, station: Station, link: StationLink, state: ListState
    ) -> int | None:
        """2.0.1 tells how many entries there may be only in reports of its device model."""
        if link.version == "1.6" or state in (ListState.UNSUPPORTED, ListState.DISABLED):
            return None
        for entry in await self._stations.config(station.org_id, station.id):
            if (entry.row.component, entry.row.name) == ("LocalAuthListCtrlr", "Entries"):
                traits = entry.row.traits
                if traits is not None and traits.max_limit:
                    return int(traits.max_limit)
        return None

    async def _bring(
        self, link: StationLink, station: Station, known: LocalList, told: int
    ) -> None:
        """Differences if the charger has what it was sent, else everything."""
        now = self._clock.now()
        whole = station.id in self._whole
        self._whole.discard(station.id)
        want, left_out = await self._wanted(station, link.version, known.entries_max)
        if left_out and left_out != known.left_out:
            self._stations.flag(station.ref, "local_list_full", f"{left_out} tokens do not fit")
        known = replace(known, checked_at=now, left_out=left_out)
        if told != known.version:
            if known.synced_at is not None:
                detail = f"has version {told}, was sent {known.version}"
                self._stations.flag(station.ref, "local_list_drift", detail)
                known = replace(known, drifts=known.drifts + 1, drifted_at=now)
            whole = True
        empty = told == 0 and not want
        if empty and not whole:
            await self._save(self._synced(known))
            return
        if empty and known.version == 0:
            await self._save(self._synced(known))
            return
        await self._send(link, known, want, told, whole=whole)

    async def _send(
        self, link: StationLink, known: LocalList, want: Wanted, told: int, *, whole: bool
    ) -> None:
        """What was refused as a difference is sent whole, once."""
        for full in (False, True) if not whole else (True,):
            if not full and not differs(known, want):
                await self._save(self._synced(known))
                return
            known, word = await self._through(link, known, steps(known, want, told, full=full))
            if not word:
                await self._save(self._synced(known))
                return
            told = max(told, known.version)
        state = ListState.UNSUPPORTED if word == "NotSupported" else ListState.FAILED
        await self._save(replace(known, state=state, failure=word))

    async def _through(
        self, link: StationLink, known: LocalList, todo: Sequence[Step]
    ) -> tuple[LocalList, str]:
        """Send step by step, keeping what was taken; with the word of a refusal, or without."""
        for step in todo:
            try:
                result = await link.send(step.command, timeout_s=TIMEOUT_S)
            except ChargerRefused as error:
                return known, error.detail or error.code
            if not result.accepted:
                return known, result.word or "refused"
            known = replace(known, version=step.command.version, entries=step.entries)
            await self._save(replace(known, state=ListState.PENDING))
        return known, ""

    def _synced(self, known: LocalList) -> LocalList:
        now = self._clock.now()
        return replace(known, state=ListState.SYNCED, synced_at=now, failure="")

    async def _clear_cache(self, link: StationLink, known: LocalList) -> LocalList:
        """A charger without a cache has nothing to forget; one that refuses is flagged.

        What is revoked while the message is under way is asked for again.
        """
        self._lists[known.station_id] = replace(known, clear_cache=False)
        try:
            result: CommandResult = await link.send(ClearCache(), timeout_s=TIMEOUT_S)
            word = result.word
            if not result.accepted:
                self._stations.flag(link.station, "clear_cache_refused", word)
        except ChargerRefused as error:
            word = error.detail or error.code
        except VoltyardError:
            self._lists[known.station_id] = replace(known, clear_cache=True)
            raise
        cleared = replace(known, cache_cleared_at=self._clock.now(), cache_word=word)
        await self._save(cleared)
        return cleared

    # What is wanted

    async def _wanted(self, station: Station, version: str, most: int | None) -> tuple[Wanted, int]:
        outlets = [
            Outlet(evse.number, await self._area_of(evse))
            for evse in self._stations.outlets(station.id)
        ]
        tokens = await self._tokens_now(station.org_id)
        return wanted(tokens, station.site_id, outlets, version, self._clock.now(), most)

    async def _area_of(self, evse: Evse) -> UUID | None:
        if evse.site_id is None or evse.bay_id is None:
            return None
        return await self._areas.area_of(evse.site_id, evse.bay_id)

    async def _tokens_now(self, org_id: UUID) -> Tokens:
        """As they are or were ``TOKENS_FOR_S`` ago; each change of them is a look of its own."""
        now_s = self._clock.monotonic_s()
        read_s, tokens = self._tokens_read.get(org_id, (-TOKENS_FOR_S, []))
        if now_s - read_s >= TOKENS_FOR_S:
            tokens = await self._tokens(org_id)
            self._tokens_read[org_id] = (now_s, tokens)
        return tokens

    async def _tokens(self, org_id: UUID) -> Tokens:
        vehicles = {vehicle.id: vehicle for vehicle in await self._fleets.all(org_id)}
        return [
            (token, None if token.vehicle_id is None else vehicles.get(token.vehicle_id))
            for token in await self._fleets.all_tokens(org_id)
        ]

    # What is kept

    def _of(self, station: Station) -> LocalList:
        return self._lists.get(station.id) or LocalList(station.id, station.org_id)

    async def _save(self, row: LocalList) -> None:
        """Whether the cache is to be cleared may have changed meanwhile, and holds."""
        current = self._lists.get(row.station_id)
        row = replace(row, clear_cache=current is not None and current.clear_cache)
        if row != current:
            await self._keep(row)

    async def _mark(self, rows: Sequence[LocalList]) -> None:
        """The caches of these chargers have to be cleared."""
        await self._keep(*[replace(row, clear_cache=True) for row in rows])

    async def _keep(self, *rows: LocalList) -> None:
        """Memory first: what is written later was known later."""
        before = {row.station_id: self._lists.get(row.station_id) for row in rows}
        self._lists.update({row.station_id: row for row in rows})
        try:
            await self._commits.submit([store.write(row) for row in rows])
        except (*REFUSALS, VoltyardError):
            self._forget(rows, before)
            raise

    def _forget(self, rows: Sequence[LocalList], before: Mapping[UUID, LocalList | None]) -> None:
        """What the database refused was never so, unless it has changed again."""
        for row in rows:
            former = before[row.station_id]
            if self._lists.get(row.station_id) is row:
                if former is None:
                    del self._lists[row.station_id]
                else:
                    self._lists[row.station_id] = former
