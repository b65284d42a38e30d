"""Tariffs and costs: what people decide, and the parts put together.

Implements ``ports.Pricing``, which the OCPP room asks.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from voltyard.billing import store
from voltyard.billing.commands import (
    BillingSettings,
    NewAssignment,
    checked_name,
    checked_settings,
    checked_terms,
)
from voltyard.billing.costing import Costing
from voltyard.billing.devices import Devices
from voltyard.billing.events import TariffsChanged
from voltyard.billing.model import (
    Asked,
    Assignment,
    CostState,
    SessionCost,
    StationCost,
    Target,
    Tariff,
    Terms,
)
from voltyard.billing.payments import Payments
from voltyard.billing.ports import (
    Limit,
    Places,
    Quote,
    Receipt,
    Sessions,
    Settlement,
    Stations,
    Tokens,
    Told,
    VatVerdict,
    Words,
)
from voltyard.billing.prepaid import Prepaid
from voltyard.billing.shelf import Shelf
from voltyard.billing.store import Placed
from voltyard.billing.wording import text_of
from voltyard.bus import Bus
from voltyard.chargers.commands import RemoteStop
from voltyard.chargers.model import Evse, Station, StationRef
from voltyard.clock import Clock
from voltyard.errors import ChargerRefused, Conflict, Invalid, NotFound, VoltyardError
from voltyard.ids import new_id
from voltyard.sessions.events import SessionStarted, SessionUpdated
from voltyard.sessions.model import Authorisation, IdToken, Session
from voltyard.storage.engine import Database, Tx
from voltyard.storage.groupcommit import REFUSALS
from voltyard.tenancy import audit, scope
from voltyard.tenancy.access import require
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.model import Permission, Principal

log = logging.getLogger(__name__)

TOLD_AT_ONCE = 64
_CLASHES = {
    store.NAMED_ONCE: ("name", "There is a tariff of that name."),
    store.ASSIGNED_ONCE: ("ref", "There is a tariff for that already."),
}


class BillingService:
    """``costing``, ``devices``, ``prepaid`` and ``payments`` are its parts."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        *,
        stations: Stations,
        sessions: Sessions,
        tokens: Tokens,
        places: Places,
        words: Words,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._stations = stations
        self._sessions = sessions
        self._words = words
        self._shelf = Shelf()
        self.prepaid = Prepaid(database, clock, self._shelf)
        self.costing = Costing(
            database, bus, clock, self._shelf, stations=stations, sessions=sessions,
            tokens=tokens, places=places, prepaid=self.prepaid,
        )  # fmt: skip
        self.devices = Devices(database, bus, clock, self._shelf, stations=stations, words=words)
        self.payments = Payments(
            database, bus, clock, self._shelf, self.costing, stations=stations,
            sessions=sessions, words=words,
        )  # fmt: skip
        self.costing.texts_for = self.devices.language
        self.costing.over = self.payments.over
        self.payments.settled_by_us = lambda found: self.devices.abilities(found).settled_by_us

    async def load(self) -> None:
        """At start, after the sessions and before the first connection."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            self._shelf.tariffs = {each.id: each for each in await store.tariffs(tx)}
            self._shelf.assign(await store.assignments(tx))
            self._shelf.settings = await store.settings(tx)
            for account in await store.accounts(tx):
                self._shelf.put_account(account)
            self._shelf.web_keys = {each.station_id: each for each in await store.web_keys(tx)}
            self._shelf.placed = {
                (each.station_id, each.evse_number): each for each in await store.placed(tx)
            }
        await self.costing.load()
        await self.payments.load()

    def listen(self) -> None:
        self._bus.subscribe(SessionStarted, self._on_session, name="billing.payment")
        self._bus.subscribe(SessionUpdated, self._on_session, name="billing.payment")
        self.costing.listen()
        self.devices.listen()

    async def _on_session(self, event: SessionStarted | SessionUpdated) -> None:
        if self.payments.waiting:
            with suppress(NotFound):
                await self.payments.began(
                    await self._sessions.session(event.org_id, event.session_id)
                )

    async def tick(self) -> None:
        """Every few seconds: running costs that are due, and sessions that used up their limit.

        Chargers are told side by side: one that does not answer keeps no other from being stopped.
        """
        now = self._clock.now()
        turn = asyncio.Semaphore(TOLD_AT_ONCE)
        async with asyncio.TaskGroup() as telling:
            for cost in self._shelf.running():
                if self.costing.due(cost, now):
                    reckoned = await self.costing.reckon(cost.session_id, cost.org_id)
                    if reckoned is not None:
                        telling.create_task(self._in_turn(turn, cost, *reckoned))

    async def _in_turn(
        self, turn: asyncio.Semaphore, before: SessionCost, session: Session, cost: SessionCost
    ) -> None:
        async with turn:
            try:
                await self._tell(before, session, cost)
            except REFUSALS as error:
                log.warning("what %s was told was not kept: %r", session.station_id, error)

    async def _tell(self, before: SessionCost, session: Session, cost: SessionCost) -> None:
        if self.costing.over_limit(session, cost):
            await self._stop(session)
        if cost.cost.gross != before.cost.gross or not before.cost.lines:
            ref = session.transaction_ref
            await self.devices.tell_cost(session.station_id, ref, cost.cost.gross)

    async def _stop(self, session: Session) -> None:
        """C17 where the charger does not keep the limit by itself; asked again if it failed."""
        station = self._stations.station(session.station_id)
        if station is None or not self._stations.is_connected(session.station_id):
            return
        try:
            result = await self._stations.command(
                session.station_id, RemoteStop(session.transaction_ref), "voltyard"
            )
        except VoltyardError as error:
            self._stations.flag(station.ref, "not_stopped_at_limit", error.message)
            return
        if not result.accepted:
            self._stations.flag(station.ref, "not_stopped_at_limit", result.word)

    # Asked by the OCPP room

    async def quote(
        self, station: StationRef, token: IdToken, authorisation: Authorisation
    ) -> Quote | None:
        """I01, I08: what it costs whoever was accepted here; None where nobody can show it."""
        known = self.devices.abilities(station.id)
        language = self.devices.language(station.id)
        if not authorisation.accepted or not (language or known.local):
            return None
        place = Asked(
            station.org_id, station.site_id, station.id, self._only_outlet(station.id),
            token.value, authorisation.group,
        )  # fmt: skip
        found = self._shelf.chosen(place)
        if found is None:
            return None
        tariff, assignment = found
        driver = tariff if known.local and assignment.target.drivers else None
        return Quote(text_of(tariff, language) if language else "", language, driver)

    def _only_outlet(self, station_id: UUID) -> UUID | None:
        """A token is shown to the station; with one outlet that is where."""
        outlets: Sequence[Evse] = self._stations.outlets(station_id)
        return outlets[0].id if len(outlets) == 1 else None

    def told(self, station: StationRef, transaction_ref: str, *, ended: bool) -> Told | None:
        return self.costing.told(station.id, transaction_ref, ended=ended)

    def vat(self, number: str) -> VatVerdict:
        return self.payments.vat(number)

    async def station_cost(
        self, station: StationRef, transaction_ref: str, cost: StationCost
    ) -> None:
        await self.costing.station_cost(station.id, transaction_ref, cost)

    async def paid_by(
        self,
        station: StationRef,
        transaction_ref: str,
        psp_ref: str,
        details: Mapping[str, str],
        limit: Limit,
    ) -> None:
        await self.payments.paid_by(station, transaction_ref, psp_ref, details, limit)

    async def settled(self, station: StationRef, settlement: Settlement) -> Receipt:
        return await self.payments.settled(station, settlement)

    # Asked by sessions: ``sessions.ports.Credit``

    def refuses(self, org_id: UUID, station_id: UUID, value: str) -> bool | None:
        return self.prepaid.refuses(org_id, station_id, value)

    def takes_cards(self, org_id: UUID) -> bool:
        """Whether cards shown at terminals of chargers may pay (C18)."""
        return self._shelf.settings_of(org_id).direct_payment

    # People: tariffs

    def tariffs(self, who: Principal, *, retired: bool = False) -> list[Tariff]:
        require(who, Permission.VIEW)
        found = [
            each
            for each in self._shelf.tariffs.values()
            if each.org_id == who.org_id and (retired or not each.retired)
        ]
        return sorted(found, key=lambda each: (each.name.casefold(), each.id))

    def tariff(self, who: Principal, tariff_id: UUID) -> Tariff:
        require(who, Permission.VIEW)
        found = self._shelf.tariffs.get(tariff_id)
        if found is None or found.org_id != who.org_id:
            raise NotFound("There is no such tariff.", detail=str(tariff_id))
        return found

    async def versions(self, who: Principal, tariff_id: UUID) -> list[tuple[Tariff, str]]:
        """Newest first, each with the name of who made it."""
        self.tariff(who, tariff_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            return await store.versions(tx, tariff_id)

    async def create(self, who: Principal, name: str, terms: Terms, *, remote: str = "") -> Tariff:
        require(who, Permission.TARIFFS_WRITE)
        tariff = Tariff(
            new_id(), who.org_id, checked_name(name), 1, checked_terms(terms), self._clock.now()
        )
        await self._save(who, "tariff.create", tariff, remote)
        return tariff

    async def update(
        self, who: Principal, tariff_id: UUID, name: str, terms: Terms, *, remote: str = ""
    ) -> Tariff:
        """A new version. Running sessions stay with theirs unless ``change_running`` is asked."""
        require(who, Permission.TARIFFS_WRITE)
        before = self.tariff(who, tariff_id)
        if before.retired:
            raise Conflict("The tariff is retired.")
        checked_terms(terms)
        if (checked_name(name), terms) == (before.name, before.terms):
            return before
        after = replace(
            before, name=checked_name(name), terms=terms, number=before.number + 1,
            changed_at=self._clock.now(),
        )  # fmt: skip
        await self._save(who, "tariff.change", after, remote)
        return after

    async def retire(self, who: Principal, tariff_id: UUID, *, remote: str = "") -> Tariff:
        """Conflict while it is for somebody."""
        require(who, Permission.TARIFFS_WRITE)
        before = self.tariff(who, tariff_id)
        if any(each.tariff_id == tariff_id for each in self._shelf.assignments.values()):
            raise Conflict("The tariff is in use.", code="in_use")
        after = replace(before, retired=True, changed_at=self._clock.now())
        await self._save(who, "tariff.retire", after, remote)
        return after

    async def _save(self, who: Principal, action: str, tariff: Tariff, remote: str) -> None:
        with refusals(_CLASHES):
            async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
                await store.put_tariff(tx, tariff, who.name)
                detail = {"name": tariff.name, "version": str(tariff.number)}
                await self._noted(tx, who, action, "tariff", tariff.id, detail, remote)
        self._shelf.tariffs[tariff.id] = tariff
        await self._changed(who.org_id)

    def assignments(self, who: Principal) -> list[Assignment]:
        """The most particular first, as they count."""
        require(who, Permission.VIEW)
        found = [each for each in self._shelf.assignments.values() if each.org_id == who.org_id]
        order = list(Target)
        return sorted(found, key=lambda each: (order.index(each.target), each.ref))

    async def assign(self, who: Principal, new: NewAssignment, *, remote: str = "") -> Assignment:
        require(who, Permission.TARIFFS_WRITE)
        tariff = self.tariff(who, new.tariff_id)
        if tariff.retired:
            raise Conflict("The tariff is retired.")
        ref = await self._checked_ref(who, new)
        row = Assignment(new_id(), who.org_id, tariff.id, new.target, ref)
        with refusals(_CLASHES):
            async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
                await store.insert_assignment(tx, row)
                detail = {"tariff": tariff.name, "for": f"{row.target} {row.ref}".strip()}
                await self._noted(tx, who, "tariff.assign", "tariff", tariff.id, detail, remote)
        self._shelf.assign([*self._shelf.assignments.values(), row])
        await self._changed(who.org_id)
        return row

    async def unassign(self, who: Principal, assignment_id: UUID, *, remote: str = "") -> None:
        require(who, Permission.TARIFFS_WRITE)
        row = self._shelf.assignments.get(assignment_id)
        if row is None or row.org_id != who.org_id:
            raise NotFound("There is no such assignment.")
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.delete_assignment(tx, assignment_id)
            detail = {"for": f"{row.target} {row.ref}".strip()}
            await self._noted(tx, who, "tariff.unassign", "tariff", row.tariff_id, detail, remote)
        kept = [each for each in self._shelf.assignments.values() if each.id != assignment_id]
        self._shelf.assign(kept)
        await self._changed(who.org_id)

    async def _checked_ref(self, who: Principal, new: NewAssignment) -> str:
        ref = new.ref.strip()
        if new.target is Target.ORGANISATION:
            return ""
        if new.target in (Target.TOKEN, Target.GROUP):
            if not 0 < len(ref) <= 255:
                raise Invalid("Who is it for?", fields={"ref": "1 to 255 characters"})
            return ref.upper() if new.target is Target.TOKEN else ref
        try:
            place_id = UUID(ref)
        except ValueError:
            raise Invalid("Which place is it for?", fields={"ref": "an id"}) from None
        if await self._org_of(new.target, place_id) != who.org_id:
            raise NotFound("There is no such place.", fields={"ref": "unknown"})
        return str(place_id)

    async def _org_of(self, target: Target, place_id: UUID) -> UUID | None:
        if target is Target.STATION:
            station = self._stations.station(place_id)
            return None if station is None else station.org_id
        if target is Target.EVSE:
            evse = self._stations.evse(place_id)
            return None if evse is None else evse.org_id
        try:
            return (await self.costing.places.get(place_id)).org_id
        except NotFound:
            return None

    def settings(self, who: Principal) -> BillingSettings:
        require(who, Permission.VIEW)
        return self._shelf.settings_of(who.org_id)

    async def change_settings(
        self, who: Principal, settings: BillingSettings, *, remote: str = ""
    ) -> BillingSettings:
        require(who, Permission.TARIFFS_WRITE)
        checked_settings(settings)
        before = self._shelf.settings_of(who.org_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.save_settings(tx, who.org_id, settings)
            detail = audit.changes(before, settings)
            await self._noted(tx, who, "settings", "organisation", who.org_id, detail, remote)
        self._shelf.settings[who.org_id] = settings
        await self._changed(who.org_id)
        return settings

    # People: costs

    async def cost(self, who: Principal, session_id: UUID) -> SessionCost | None:
        """What a session costs, None if no tariff counts for it."""
        require(who, Permission.VIEW)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            return await store.cost_of(tx, session_id)

    async def totals(
        self, who: Principal, session_ids: Sequence[UUID]
    ) -> Mapping[UUID, tuple[Decimal, str, str]]:
        """Gross, currency and state of those of the sessions that cost something."""
        require(who, Permission.VIEW)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            return await store.totals(tx, session_ids)

    async def change_running(
        self, who: Principal, session_id: UUID, tariff_id: UUID, *, remote: str = ""
    ) -> SessionCost:
        """Another tariff for a session from now on (I06, I11).

        A charger that reckons by itself must accept it first: ChargerRefused with its word
        otherwise (``TooManyElements``, ``ConditionNotSupported``, ``TxNotFound``,
        ``NoCurrencyChange``, ``Rejected``), and the old one goes on. Not in another currency.
        """
        require(who, Permission.TARIFFS_WRITE)
        tariff = self.tariff(who, tariff_id)
        session = await self._sessions.session(who.org_id, session_id)
        known = self._shelf.cost(session_id)
        if known is None or known.state is CostState.FINAL or not session.open:
            raise Conflict("The session is over, or has no tariff.")
        if known.phases[-1].tariff.terms.currency != tariff.terms.currency:
            raise Conflict("A session stays in its currency.", code="no_currency_change")
        if self.devices.abilities(session.station_id).local:
            await self._change_there(who, session, tariff)
        found = await self.costing.change(session_id, who.org_id, tariff)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            detail = {"tariff": tariff.name, "version": str(tariff.number)}
            await self._noted(tx, who, "session.tariff", "session", session_id, detail, remote)
        return found

    async def _change_there(self, who: Principal, session: Session, tariff: Tariff) -> None:
        station = self._stations.station(session.station_id)
        version = "" if station is None else station.ocpp_version or ""
        command = self._words.change(version, session.transaction_ref, tariff)
        if command is None:
            return
        result = await self._stations.command(session.station_id, command, who.name)
        if not result.accepted:
            raise ChargerRefused(f"The charger says {result.word}.", detail=result.word)

    def on_station(self, who: Principal, station_id: UUID) -> list[Placed]:
        """Default tariffs on a charger that reckons by itself, as it answered."""
        require(who, Permission.VIEW)
        found = [
            row
            for row in self._shelf.placed.values()
            if row.station_id == station_id and row.org_id == who.org_id
        ]
        return sorted(found, key=lambda row: row.evse_number)

    def station(self, who: Principal, station_id: UUID) -> Station:
        found = self._stations.station(station_id)
        if found is None or found.org_id != who.org_id:
            raise NotFound("There is no such charger.", detail=str(station_id))
        return found

    async def _changed(self, org_id: UUID) -> None:
        await self._bus.publish(TariffsChanged(org_id, self._clock.now()))

    async def _noted(
        self,
        tx: Tx,
        who: Principal,
        action: str,
        kind: str,
        object_id: UUID,
        detail: Mapping[str, object],
        remote: str,
    ) -> None:
        at = self._clock.now()
        await audit.write(
            tx, who, f"billing.{action}", kind, object_id, detail, at=at, remote=remote
        )
