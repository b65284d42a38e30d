"""Use cases of reservations: made, told to the charger, used, cancelled, over in time."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.events import EvseStatusChanged, ReservationReported, StationConnected
from voltyard.chargers.model import Evse, EvseStatus, Station, StationState
from voltyard.clock import Clock
from voltyard.errors import (
    ChargerOffline,
    Conflict,
    Invalid,
    NotFound,
)
from voltyard.fleets.model import Token, Vehicle
from voltyard.ids import new_id
from voltyard.reservations import store
from voltyard.reservations.agreement import Agreement, Stations
from voltyard.reservations.commands import NewReservation, checked
from voltyard.reservations.desk import kept_from
from voltyard.reservations.model import OPEN, Reservation, ReservationState
from voltyard.sessions.model import IdToken, Session, TokenKind
from voltyard.sessions.tokens import spellings
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction

DOUBT = timedelta(minutes=2)
"""How long an answer about a reservation may be missing before it is taken back."""
OUT_OF_ORDER = frozenset({EvseStatus.UNAVAILABLE, EvseStatus.FAULTED})
_CLASHES = {store.OVERLAP: ("until_at", "The outlet is reserved at that time already.")}


class Tokens(Protocol):
    """``FleetService`` is one."""

    async def lookup(self, org_id: UUID, token: IdToken) -> tuple[Token | None, Vehicle | None]: ...


class Occupancy(Protocol):
    """``SessionService`` is one."""

    def occupied(self, station_id: UUID, evse_id: UUID) -> bool: ...


class ReservationService(Agreement):
    """Implements ``voltyard.sessions.ports.Reserved``."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        *,
        stations: Stations,
        tokens: Tokens,
        occupancy: Occupancy,
    ) -> None:
        super().__init__(database, bus, clock, stations)
        self._tokens = tokens
        self._occupancy = occupancy

    async def load(self) -> None:
        """At start, before the first connection."""
        async with transaction(self._database, SYSTEM) as tx:
            for reservation in await store.unfinished(tx):
                self._desk.put(reservation)

    def pending(self) -> Sequence[Reservation]:
        """Of all organisations: those that wait for their beginning or hold an outlet."""
        return [row for row in self._desk.all() if row.state in OPEN]

    def listen(self) -> None:
        self._bus.subscribe(ReservationReported, self._on_told, name="reservations.told")
        self._bus.subscribe(EvseStatusChanged, self._on_status, name="reservations.status")
        self._bus.subscribe(StationConnected, self._on_connected, name="reservations.connected")

    # For authorisation: from memory

    def refuses(
        self, station_id: UUID, evse_id: UUID | None, value: str, group: str, now: datetime
    ) -> bool:
        """Shown to a station where somebody charges, a token may be there to stop that."""
        holding = self._desk.holding(station_id, now)
        if not holding:
            return False
        outlets = self._stations.outlets(station_id)
        free = [evse.id for evse in outlets if not self._occupancy.occupied(station_id, evse.id)]
        if evse_id is None and len(free) < len(outlets):
            return False
        return kept_from(holding, evse_id, free, value, group)

    def expects(
        self, station_id: UUID, evse_id: UUID | None, value: str, group: str, now: datetime
    ) -> bool:
        return any(
            row.is_for(value, group) and (evse_id is None or row.evse_id in (None, evse_id))
            for row in self._desk.holding(station_id, now)
        )

    async def used(
        self, session: Session, number: int | None, value: str | None, group: str, now: datetime
    ) -> None:
        """By its number; a charger that names none has it found by outlet and token."""
        named = None if number is None else self._desk.numbered(session.station_id, number)
        if named is None:
            if number is not None:
                self._flag(session.station_id, "reservation_unknown", str(number))
            named = self._brought(session, value, group, now)
        elif value is not None and not named.is_for(value, group):
            self._flag(session.station_id, "reservation_of_another", f"{number}: {value}")
        if named is not None and named.state in OPEN:
            await self._keep(named, ReservationState.USED, session_id=session.id)

    def _brought(
        self, session: Session, value: str | None, group: str, now: datetime
    ) -> Reservation | None:
        if value is None:
            return None
        fitting = [
            row
            for row in self._desk.holding(session.station_id, now)
            if row.is_for(value, group) and row.evse_id in (None, session.evse_id)
        ]
        return min(fitting, key=lambda row: (row.evse_id is None, row.from_at), default=None)

    # People

    async def reserve(
        self, who: Principal, new: NewReservation, *, remote: str = ""
    ) -> Reservation:
        """Keep an outlet; one that begins now is agreed with the charger before this returns.

        Raises NotFound, Invalid, Conflict (``reserved`` at that time already, ``occupied``,
        ``refused`` by the charger), ChargerOffline, ChargerTimeout.
        """
        require(who, Permission.SESSIONS_CONTROL)
        now = self._clock.now()
        from_at = checked(new, now)
        station, evse = self._place(who.org_id, new)
        token = IdToken(new.token.strip(), TokenKind(new.token_kind))
        found, vehicle = await self._known(who.org_id, token)
        begins = from_at <= now
        if begins and not self._stations.is_connected(station.id):
            raise ChargerOffline("The charger is not connected.")
        if begins and evse is not None and self._occupancy.occupied(station.id, evse.id):
            raise Conflict("A vehicle charges there.", code="occupied")
        async with self._changing(who.org_id) as tx:
            reservation = Reservation(
                id=new_id(),
                org_id=who.org_id,
                site_id=station.site_id,
                station_id=station.id,
                evse_id=None if evse is None else evse.id,
                number=await store.next_number(tx),
                token=token.value,
                token_kind=token.kind.value,
                from_at=from_at,
                until_at=new.until_at,
                state=ReservationState.ASKED if begins else ReservationState.PLANNED,
                created_by=who.name,
                created_at=now,
                changed_at=now,
                group_id="" if found is None else found.group_id,
                vehicle_id=None if vehicle is None else vehicle.id,
                connector_type=new.connector_type,
            )
            await store.insert(tx, reservation)
            detail = {"station": station.identity, "token": token.value, "until": _text(new)}
            await audit.write(
                tx, who, "reservation.create", "reservation", reservation.id, detail,
                at=now, remote=remote,
            )  # fmt: skip
        self._desk.put(reservation)
        await self._tell(reservation)
        if not begins:
            return reservation
        return await self._agreed(reservation, who.name)

    async def cancel(
        self, who: Principal, reservation_id: UUID, *, remote: str = ""
    ) -> Reservation:
        """At once for whoever is shown a token; a charger that is away is told when it is back."""
        require(who, Permission.SESSIONS_CONTROL)
        now = self._clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await store.one(tx, reservation_id)
            if found is None:
                raise NotFound("There is no such reservation.")
            if found.state_at(now) not in OPEN:
                raise Conflict(f"The reservation is {found.state_at(now).value}.", code="over")
            on_charger = found.state is not ReservationState.PLANNED
            over = replace(
                found, state=ReservationState.CANCELLED, cancel_due=on_charger, changed_at=now
            )
            await store.save(tx, over)
            detail = {"number": found.number}
            await audit.write(
                tx, who, "reservation.cancel", "reservation", found.id, detail,
                at=now, remote=remote,
            )  # fmt: skip
        self._desk.put(over)
        await self._tell(over)
        if over.cancel_due and self._stations.is_connected(over.station_id):
            await self._take_back(over, who.name)
        return await self.reservation(who, reservation_id)

    async def reservation(self, who: Principal, reservation_id: UUID) -> Reservation:
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await store.one(tx, reservation_id)
        if found is None:
            raise NotFound("There is no such reservation.")
        return replace(found, state=found.state_at(self._clock.now()))

    async def reservations(
        self,
        who: Principal,
        *,
        station_id: UUID | None = None,
        site_id: UUID | None = None,
        open_only: bool = False,
        over_only: bool = False,
        text: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[Reservation], int]:
        """Latest end first, and how many match in all; ``text`` is in the token."""
        require(who, Permission.VIEW)
        now = self._clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            found, total = await store.find(
                tx,
                station_id=station_id,
                site_id=site_id,
                open_at=now if open_only else None,
                over_at=now if over_only else None,
                text=text,
                limit=limit,
                offset=offset,
            )
        return [replace(row, state=row.state_at(now)) for row in found], total

    # What happens unasked

    async def tick(self) -> None:
        """Every few seconds: what has begun is told to chargers, what is over is over."""
        now = self._clock.now()
        for row in self._desk.all():
            if row.cancel_due and now >= row.until_at:
                await self._keep(row, row.state, cancel_due=False)
            elif row.state_at(now) is ReservationState.EXPIRED and row.state in OPEN:
                await self._keep(row, ReservationState.EXPIRED)
            elif row.id not in self._under_way and self._stations.is_connected(row.station_id):
                self._go_on(row, now)

    def _go_on(self, row: Reservation, now: datetime) -> None:
        if row.cancel_due:
            self._spawn(self._quietly(self._take_back(row, "voltyard")))
        elif row.state is ReservationState.PLANNED and row.from_at <= now:
            self._spawn(self._quietly(self._begin(row)))
        elif row.state is ReservationState.ASKED and now - row.changed_at > DOUBT:
            self._spawn(self._quietly(self._doubted(row)))

    async def _begin(self, row: Reservation) -> None:
        await self._agreed(await self._keep(row, ReservationState.ASKED), "voltyard")

    async def _doubted(self, row: Reservation) -> None:
        """A server that stopped in between does not know what the charger answered."""
        gone = await self._keep(row, ReservationState.REFUSED, word="no answer", cancel_due=True)
        await self._take_back(gone, "voltyard")

    async def _on_told(self, event: ReservationReported) -> None:
        row = self._desk.numbered(event.station_id, event.number)
        if row is None:
            return
        if row.state not in OPEN:
            await self._keep(row, row.state, cancel_due=False)
            return
        over = event.told == "expired" or event.told == "no_transaction"
        state = ReservationState.EXPIRED if over else ReservationState.REMOVED
        await self._keep(row, state, word=event.told)

    async def _on_status(self, event: EvseStatusChanged) -> None:
        """An outlet out of order keeps nothing for anybody, nor does one that says it is free.

        Chargers of 1.6 tell of it in no other way.
        """
        status = EvseStatus(event.status)
        for row in self._desk.of_station(event.station_id):
            if row.state is not ReservationState.ACTIVE:
                continue
            if status in OUT_OF_ORDER and self._out_of_order(row, event.evse_id):
                await self._keep(row, ReservationState.REMOVED, word=status.value)
            elif row.evse_id == event.evse_id and status is EvseStatus.RESERVED:
                self._shown.add(row.id)
            elif (
                row.evse_id == event.evse_id
                and status is EvseStatus.AVAILABLE
                and row.id in self._shown
            ):
                await self._keep(row, ReservationState.REMOVED, word=status.value)

    def _out_of_order(self, row: Reservation, evse_id: UUID) -> bool:
        if row.evse_id is not None:
            return row.evse_id == evse_id
        outlets = self._stations.outlets(row.station_id)
        return all(evse.status in OUT_OF_ORDER for evse in outlets if evse.id != evse_id)

    async def _on_connected(self, event: StationConnected) -> None:
        for row in self._desk.of_station(event.station_id):
            if row.cancel_due and row.id not in self._under_way:
                self._spawn(self._quietly(self._take_back(row, "voltyard")))

    # Inside

    def _place(self, org_id: UUID, new: NewReservation) -> tuple[Station, Evse | None]:
        station = self._stations.station(new.station_id)
        if station is None or station.org_id != org_id:
            raise NotFound("There is no such charger.")
        if station.state is not StationState.APPROVED:
            raise Conflict("The charger is not in service.", code="not_approved")
        if new.evse_id is None:
            return station, None
        evse = self._stations.evse(new.evse_id)
        if evse is None or evse.station_id != station.id:
            raise Invalid("There is no such outlet.", fields={"evse_id": "not of this charger"})
        return station, evse

    async def _known(self, org_id: UUID, token: IdToken) -> tuple[Token | None, Vehicle | None]:
        for spelling in spellings(token):
            found, vehicle = await self._tokens.lookup(org_id, spelling)
            if found is not None:
                return found, vehicle
        return None, None

    @asynccontextmanager
    async def _changing(self, org_id: UUID) -> AsyncIterator[Tx]:
        with refusals(_CLASHES):
            async with transaction(self._database, of(org_id)) as tx:
                yield tx


def _text(new: NewReservation) -> str:
    return new.until_at.isoformat()
