"""What happens unasked: at the door, when a charger warns, before certificates end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from voltyard.bus import Bus
from voltyard.chargers.admission import Proof
from voltyard.chargers.commands import Trigger, WriteConfiguration
from voltyard.chargers.events import StationBooted, StationConnected
from voltyard.chargers.model import Peer, Station, StationRef, StationState
from voltyard.chargers.service import ChargerService
from voltyard.clock import Clock
from voltyard.errors import ChargerRefused, VoltyardError
from voltyard.pki import store, x509
from voltyard.pki.authorities import Authorities
from voltyard.pki.book import Book
from voltyard.pki.door import Door
from voltyard.pki.events import ConnectionRefused, SecurityEventReported, SecurityProfileChanged
from voltyard.pki.issuing import Issuing
from voltyard.pki.model import (
    VALID,
    CertificateFilter,
    CertificateState,
    Issuer,
    Presented,
    Profile,
    SecurityEvent,
    StationSecurity,
    event_kind,
    is_critical,
    plain,
)
from voltyard.pki.warnings import Warnings
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import scope

log = logging.getLogger(__name__)

TELL_AGAIN_S = 3600.0
RENEW_EVERY = timedelta(days=1)
FACTORY_EVERY = timedelta(hours=1)
NAME_KEYS = {"1.6": "CpoName"}
NAME_VARIABLE = "SecurityCtrlr.OrganizationName"
INFO_MAX = 255
KIND_MAX = 50
EVENTS_PER_HOUR = 600
TOLD_MAX = 10_000
"""Refusals remembered so that the same one is not told within the hour."""


Note = Callable[[Tx], Awaitable[None]]


class Desk:
    """Implements ``chargers.admission.SecurityDesk``."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        stations: ChargerService,
        authorities: Authorities,
        book: Book,
        warnings: Warnings,
        lowest: Profile,
    ) -> None:
        self.database = database
        self._bus = bus
        self.clock = clock
        self.stations = stations
        self._book = book
        self._warnings = warnings
        self._authorities = authorities
        self._door = Door(book, clock, lowest)
        self._issuing = Issuing(
            database, bus, clock, stations, authorities, book, self._door, self.spawn
        )
        self._warned: set[UUID] = set()
        self._storing: dict[UUID, asyncio.Lock] = {}
        self._heard: dict[UUID, tuple[datetime, int]] = {}
        self._told: dict[tuple[UUID, str], datetime] = {}
        self._background: set[asyncio.Task[None]] = set()

    def listen(self) -> None:
        self._bus.subscribe(StationConnected, self._on_connected, name="pki.connected")
        self._bus.subscribe(StationBooted, self._on_booted, name="pki.booted")
        self._warnings.listen(self._bus)

    async def load(self) -> None:
        """At start, before the first connection."""
        await self._authorities.load()
        async with scope.transaction(self.database, scope.SYSTEM) as tx:
            for security in await store.stations(tx):
                self._book.securities[security.station_id] = security
            self._warned = await store.organisations_with_events(tx)
            self._book.policies = await store.policies(tx)
            for anchor in await store.anchors(tx):
                self._book.add_anchor(anchor, x509.read_certificates(anchor.certificate)[0])
            for revocation in await store.revocations(tx):
                self._book.revoke(revocation)
            for row in await store.signed(tx, self.clock.now()):
                if row.issuer is Issuer.BUILT_IN and row.fingerprint is not None:
                    self._book.issued[row.fingerprint] = row.station_id
                if row.state in VALID:
                    self._book.ends_at(row)
                if row.state is CertificateState.ISSUED:
                    self._book.open.add(row.station_id)
            for waiting in await store.certificates(
                tx, CertificateFilter(state=CertificateState.WAITING), limit=10_000
            ):
                self._book.open.add(waiting.station_id)

    def prove(self, station: Station, peer: Peer, *, password: bool) -> Proof:
        return self._door.prove(station, peer, password=password)

    def vouched(self, org_id: UUID, peer: Peer) -> bool:
        return self._door.vouched(org_id, peer)

    def admitted(self, station: Station, peer: Peer, proof: Proof, *, password: bool) -> None:
        shown = self._door.shown(station, peer)
        profile = self._door.profile(peer, shown, password=password)
        self._book.presented[station.id] = shown.presented or Presented(profile)
        if shown.pin is not None:
            self._set(station.id, station.org_id, certificate_name=shown.pin)
            self.spawn(self._store(station.id, station.org_id))

    def refused(self, station: Station, fault: str, detail: str, *, remote: str) -> None:
        """Kept and told, the same at most once an hour: a guesser shall not fill the database."""
        now = self.clock.now()
        told_at = self._told.get((station.id, fault))
        if told_at is not None and (now - told_at).total_seconds() < TELL_AGAIN_S:
            return
        if len(self._told) >= TOLD_MAX:
            self._told.clear()
        self._told[(station.id, fault)] = now
        log.warning("%s from %s refused: %s %s", station.identity, remote, fault, detail)
        self.spawn(self._keep_refusal(station, fault, detail, remote, now))

    async def _keep_refusal(
        self, station: Station, fault: str, detail: str, remote: str, at: datetime
    ) -> None:
        by_certificate = fault.startswith("certificate_")
        kind = (
            "InvalidChargingStationCertificate" if by_certificate else "FailedToAuthenticateAtCsms"
        )
        await self._keep_event(station.ref, kind, at, f"{fault}: {detail} ({remote})", "voltyard")
        await self._bus.publish(
            ConnectionRefused(
                station.org_id, station.site_id, station.id, fault, detail, remote, at
            )
        )

    async def certificate_requested(
        self, station: StationRef, csr: str, *, use: str, request_id: int | None
    ) -> bool:
        await self.learn_organisation(station.org_id)
        taken = await self._issuing.requested(station, csr, use, request_id)
        if taken and self._book.policy(station.org_id).issuer is Issuer.EXTERNAL:
            await self._warnings.waits(station.id)
        return taken

    async def security_event(self, station: StationRef, kind: str, at: datetime, info: str) -> None:
        """Returns after its commit; the same event again is kept once (A04.FR.02).

        Of one station at most EVENTS_PER_HOUR are kept, then they are only flagged.
        """
        if self._too_many(station):
            self.stations.flag(station, "security_events_many", kind)
            return
        await self._keep_event(station, event_kind(kind), at, info, "charger")

    def _too_many(self, station: StationRef) -> bool:
        now = self.clock.now()
        begun_at, count = self._heard.get(station.id, (now, 0))
        if now - begun_at >= timedelta(hours=1):
            begun_at, count = now, 0
        self._heard[station.id] = (begun_at, count + 1)
        return count >= EVENTS_PER_HOUR

    async def _keep_event(
        self, station: StationRef, kind: str, at: datetime, info: str, source: str
    ) -> None:
        kind, info = plain(kind)[:KIND_MAX], plain(info)[:INFO_MAX]
        event = SecurityEvent(
            id=uuid5(station.id, f"{source} {at.isoformat()} {kind} {info}"),
            org_id=station.org_id,
            station_id=station.id,
            at=at,
            received_at=self.clock.now(),
            kind=kind,
            info=info,
            critical=is_critical(kind),
            source=source,
        )
        async with scope.transaction(self.database, scope.of(station.org_id)) as tx:
            new = await store.insert_event(tx, event)
        if new:
            self._warned.add(station.org_id)
            await self._bus.publish(
                SecurityEventReported(
                    event.org_id,
                    station.site_id,
                    event.station_id,
                    event.id,
                    event.kind,
                    event.info,
                    event.critical,
                    source,
                    at,
                )
            )

    async def _on_connected(self, event: StationConnected) -> None:
        """What it has shown is asked of it from now on; an upgrade that was under way is done."""
        shown = self._book.presented.get(event.station_id)
        if shown is None or not self._book.needs_row(event.station_id, shown):
            return
        if await self._ended_meanwhile(event, shown):
            return
        before = self._book.security(event.station_id, event.org_id)
        after = self._set(event.station_id, event.org_id, **_having_shown(before, shown, event.at))
        if after != replace(before, used_at=after.used_at):
            await self._store(event.station_id, event.org_id)
        if after.required > before.required:
            await self._bus.publish(
                SecurityProfileChanged(
                    event.org_id, event.site_id, event.station_id, after.required, event.at
                )
            )
        if shown.fingerprint is not None and shown.fingerprint != before.used_fingerprint:
            await self._now_in_use(event, shown.fingerprint)

    async def _ended_meanwhile(self, event: StationConnected, shown: Presented) -> bool:
        """Between the door and here its certificate may have been revoked."""
        link = self.stations.link(event.station_id)
        if link is None or not self._book.is_revoked(event.org_id, shown):
            return False
        await link.close("its certificate is not trusted any more")
        return True

    async def _now_in_use(self, event: StationConnected, fingerprint: str) -> None:
        async with scope.transaction(self.database, scope.of(event.org_id)) as tx:
            await store.replace_others(tx, event.station_id, fingerprint)
            row = await store.by_fingerprint(tx, event.station_id, fingerprint)
        if row is not None:
            self._book.ends_at(row)
            await self._issuing.told(row)

    async def _on_booted(self, event: StationBooted) -> None:
        """What was signed meanwhile goes out; a maker's certificate is replaced (A00.FR.406)."""
        station = self.stations.station(event.station_id)
        if station is None or station.state is not StationState.APPROVED:
            return
        if event.station_id in self._book.open:
            self.spawn(self._issuing.resume_station(event.station_id, event.org_id))
        shown = self._book.presented.get(event.station_id)
        if shown is not None and shown.by_manufacturer:
            self.spawn(self._ask_quietly(station, FACTORY_EVERY))

    async def sweep(self) -> None:
        """Now and then (once a minute will do): what is open goes on, what ends is renewed."""
        if self._book.open:
            await self._issuing.resume()
        if self._book.ends:
            await self._renew_ending()
            await self._warnings.ends(dict(self._book.ends))
        for org_id in tuple(self._warned):
            await self._warnings.tidy(org_id)

    async def _renew_ending(self) -> None:
        now = self.clock.now()
        for station_id, end_at in tuple(self._book.ends.items()):
            station = self.stations.station(station_id)
            if station is None or station_id in self._book.open:
                continue
            left = timedelta(days=self._book.policy(station.org_id).renew_days)
            if station.connected and end_at <= now + left:
                await self._ask_quietly(station, RENEW_EVERY)

    async def _ask_quietly(self, station: Station, every: timedelta) -> None:
        """A charger that refuses is flagged and asked again later."""
        security = self._book.security(station.id, station.org_id)
        asked_at = security.renewal_asked_at
        if asked_at is not None and self.clock.now() - asked_at < every:
            return
        try:
            await self.ask_for_request(station, "voltyard")
        except VoltyardError as error:
            self.stations.flag(station.ref, "renewal_failed", error.message)

    async def ask_for_request(self, station: Station, by: str) -> str:
        """A02: the station is told whose it is, then asked for a request; its word for it."""
        await self.learn_organisation(station.org_id)
        await self.change(station.id, station.org_id, renewal_asked_at=self.clock.now())
        name = self._book.organisation(station.org_id)
        if name:
            await self._name_operator(station, name, by)
        result = await self.stations.command(station.id, Trigger("certificate"), by)
        if not result.accepted:
            word = result.word or result.status.value
            raise ChargerRefused(f"the charger answered {word}", detail=word)
        return result.word

    async def _name_operator(self, station: Station, name: str, by: str) -> None:
        """A02.FR.13: the CPO's name belongs into the request. Chargers without the key go on."""
        key = NAME_KEYS.get(station.ocpp_version or "", NAME_VARIABLE)
        try:
            result = await self.stations.command(station.id, WriteConfiguration(key, name), by)
        except VoltyardError as error:
            self.stations.flag(station.ref, "cpo_name_refused", error.message)
            return
        if not result.accepted:
            self.stations.flag(station.ref, "cpo_name_refused", result.word)

    async def learn_organisation(self, org_id: UUID) -> None:
        if org_id not in self._book.organisations:
            async with scope.transaction(self.database, scope.of(org_id)) as tx:
                self._book.organisations[org_id] = await store.organisation_name(tx, org_id)

    async def change(
        self, station_id: UUID, org_id: UUID, note: Note | None = None, **fields: Any
    ) -> StationSecurity:
        """Set these fields of a station's security; returns after the commit.

        In memory at once, so that what two tasks change at a time both stays; ``note`` writes into
        the same transaction, and when that fails the fields are as they were.
        """
        before = self._book.security(station_id, org_id)
        after = self._set(station_id, org_id, **fields)
        try:
            await self._store(station_id, org_id, note)
        except BaseException:
            self._set(station_id, org_id, **{name: getattr(before, name) for name in fields})
            raise
        return after

    def _set(self, station_id: UUID, org_id: UUID, **fields: Any) -> StationSecurity:
        after = replace(self._book.security(station_id, org_id), **fields)
        self._book.securities[station_id] = after
        return after

    async def _store(self, station_id: UUID, org_id: UUID, note: Note | None = None) -> None:
        """What memory has now, one after the other: the last to be written is the newest."""
        async with (
            self._storing.setdefault(station_id, asyncio.Lock()),
            scope.transaction(self.database, scope.of(org_id)) as tx,
        ):
            await store.save_station(tx, self._book.security(station_id, org_id))
            if note is not None:
                await note(tx)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of pki failed", exc_info=task.exception())

    async def settle(self) -> None:
        """Until what is under way in the background is done."""
        while self._background:
            await asyncio.wait(tuple(self._background))

    async def close(self) -> None:
        for task in tuple(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)


def _having_shown(before: StationSecurity, shown: Presented, at: datetime) -> dict[str, Any]:
    """A profile of 2 or 3 that was shown is required from then on; 1 needs no remembering."""
    done = before.target is not None and shown.profile >= before.target
    kept = shown.profile if shown.profile >= Profile.TLS_BASIC else before.required
    return {
        "required": max(before.required, kept),
        "target": None if done else before.target,
        "target_at": None if done else before.target_at,
        "used": shown.profile,
        "used_at": at,
        "used_fingerprint": shown.fingerprint,
        "used_not_after": shown.not_after,
        "by_manufacturer": shown.by_manufacturer,
    }
