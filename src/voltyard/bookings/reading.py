"""Bookings, series and decisions as they are read; the tenant wall is the database's."""

from uuid import UUID

from voltyard.bookings import store
from voltyard.bookings.model import Booking, BookingFilter, Decision, Series
from voltyard.errors import NotFound
from voltyard.storage.engine import Database
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import of, transaction


class BookingReads:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def bookings(
        self, who: Principal, wanted: BookingFilter, *, limit: int = 100, offset: int = 0
    ) -> tuple[list[Booking], int]:
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            return await store.find(tx, wanted, limit=limit, offset=offset)

    async def booking(self, who: Principal, booking_id: UUID) -> Booking:
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await store.one(tx, booking_id)
        if found is None:
            raise NotFound("There is no such booking.")
        return found

    async def series(self, who: Principal, site_id: UUID) -> list[Series]:
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            return await store.series(tx, site_id=site_id)

    async def decisions(
        self,
        who: Principal,
        *,
        session_id: UUID | None = None,
        site_id: UUID | None = None,
        booking_id: UUID | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[Decision], int]:
        require(who, Permission.VIEW)
        async with transaction(self._database, of(who.org_id)) as tx:
            return await store.decisions(
                tx,
                session_id=session_id,
                site_id=site_id,
                booking_id=booking_id,
                limit=limit,
                offset=offset,
            )
