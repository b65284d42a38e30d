"""From a request to the certificate a station uses: checked, signed, sent, confirmed (A02, A03)."""

import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.commands import CommandStatus, GiveCertificate
from voltyard.chargers.model import StationRef
from voltyard.chargers.service import ChargerService
from voltyard.clock import Clock
from voltyard.errors import ChargerOffline, ChargerRefused, ChargerTimeout, Invalid, VoltyardError
from voltyard.ids import new_id
from voltyard.pki import authority as make
from voltyard.pki import store, x509
from voltyard.pki.authorities import Authorities
from voltyard.pki.book import Book
from voltyard.pki.door import Door
from voltyard.pki.events import CertificateChanged, TrustChanged
from voltyard.pki.model import (
    OPEN,
    AnchorUse,
    CertificateFilter,
    CertificateState,
    Issuer,
    StationCertificate,
    plain,
)
from voltyard.pki.sealing import SealError
from voltyard.pki.x509 import Certificate, Request
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import scope

log = logging.getLogger(__name__)

REQUEST_MAX = 5_500
CHAIN_MAX = 10_000
REQUESTS_PER_DAY = 20
RESEND_S = 600.0
_LIMITS = frozenset({"certificatesignedmaxchainsize", "maxcertificatechainsize"})

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Issuing:
    """Keeps every request and what became of it; a certificate is stored before it is sent."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        stations: ChargerService,
        authorities: Authorities,
        book: Book,
        door: Door,
        spawn: Spawn,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._stations = stations
        self._authorities = authorities
        self._book = book
        self._door = door
        self._spawn = spawn
        self._sending: set[UUID] = set()

    async def requested(
        self, station: StationRef, text: str, use: str, request_id: int | None = None
    ) -> bool:
        """Whether the request is taken (A02.FR.11/12). The same one again is the same one."""
        now = self._clock.now()
        fault, csr = self._look(station, text, use)
        async with scope.transaction(self._database, scope.of(station.org_id)) as tx:
            since = now - timedelta(days=1)
            if await store.requests_since(tx, station.id, since) >= REQUESTS_PER_DAY:
                self._stations.flag(station, "csr_too_many", f"over {REQUESTS_PER_DAY} in a day")
                return False
            row = replace(self._row(station, csr, text, use), request_id=request_id)
            if csr is not None and fault is None:
                if await self._known(tx, row):
                    return True
                if await store.key_of_another(tx, row.key_hash, station.id):
                    fault = "another station has asked with the same key"
            if fault is None:
                await store.close_open(tx, station.id, "a newer request came")
            else:
                row = replace(row, state=CertificateState.REFUSED, reason=plain(fault)[:500])
            await store.insert_certificate(tx, row)
        if fault is not None:
            self._stations.flag(station, "csr_refused", fault)
        else:
            self._book.open.add(station.id)
        await self.told(row)
        if fault is None and row.issuer is Issuer.BUILT_IN:
            self._spawn(self.sign(row))
        return fault is None

    async def _known(self, tx: Tx, row: StationCertificate) -> bool:
        """A02.FR.17: a station repeats a request until its certificate comes."""
        wanted = CertificateFilter(station_id=row.station_id)
        for known in await store.certificates(tx, wanted, limit=5):
            if known.key_hash == row.key_hash and known.state in OPEN:
                if known.state is CertificateState.ISSUED:
                    self._spawn(self.deliver(known))
                return True
        return False

    def _look(self, station: StationRef, text: str, use: str) -> tuple[str | None, Request | None]:
        known = self._stations.station(station.id)
        if use != "station":
            return "certificates for ISO 15118 are not signed here", None
        if known is None or len(text) > REQUEST_MAX:
            return f"it is longer than {REQUEST_MAX} characters", None
        try:
            csr = x509.read_request(text)
        except Invalid as error:
            return error.message, None
        policy = self._book.policy(station.org_id)
        wanted = None if policy.any_organisation else self._book.organisation(station.org_id)
        return x509.request_fault(csr, self._door.names(known), wanted), csr

    def _row(
        self, station: StationRef, csr: Request | None, text: str, use: str
    ) -> StationCertificate:
        return StationCertificate(
            id=new_id(),
            org_id=station.org_id,
            station_id=station.id,
            state=CertificateState.WAITING,
            issuer=self._book.policy(station.org_id).issuer,
            csr=plain(text[:REQUEST_MAX]) if csr is None else x509.request_pem(csr),
            key_hash="" if csr is None else x509.key_hash(csr.public_key()),
            requested_at=self._clock.now(),
            use=use,
            subject="" if csr is None else csr.subject.rfc4514_string()[:500],
        )

    async def sign(self, row: StationCertificate) -> None:
        """By the built-in authority; what cannot be signed is refused and shown."""
        csr = x509.read_request(row.csr)
        algorithm = make.algorithm_for(csr.public_key())
        try:
            authority, new = await self._authorities.get(algorithm)
        except SealError as error:
            await self.moved(row, CertificateState.REFUSED, reason=error.message)
            return
        if new:
            await self._bus.publish(TrustChanged(self._clock.now()))
        policy = self._book.policy(row.org_id)
        name = x509.request_names(csr)[0]
        try:
            await self._check_name(row, name)
            leaf = make.issue_station(
                authority,
                csr,
                name=name,
                organisation=self._book.organisation(row.org_id) or "voltyard",
                now=self._clock.now(),
                days=policy.valid_days,
            )
        except Invalid as error:
            await self.moved(row, CertificateState.REFUSED, reason=error.message)
            return
        await self.issued(row, leaf, [authority.issuing.certificate])

    async def _check_name(self, row: StationCertificate, name: str) -> None:
        """No certificate of ours ever carries the name of another organisation's station."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            if await store.name_is_taken(tx, name, row.station_id):
                raise Invalid(f"“{name}” is the name of another station", code="csr")

    async def issued(
        self, row: StationCertificate, leaf: Certificate, others: list[Certificate]
    ) -> StationCertificate:
        """Keep what was signed, then send it."""
        signed = replace(
            row,
            state=CertificateState.ISSUED,
            chain=x509.to_pem(x509.ordered([leaf, *others], leaf)),
            serial=x509.serial(leaf),
            fingerprint=x509.fingerprint(leaf),
            issuer_hash=x509.issuer_hash(leaf),
            subject=leaf.subject.rfc4514_string()[:500],
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
            issued_at=self._clock.now(),
        )
        await self._save(signed)
        if row.issuer is Issuer.BUILT_IN:
            self._book.issued[x509.fingerprint(leaf)] = row.station_id
        self._book.open.add(row.station_id)
        await self.told(signed)
        await self.deliver(signed)
        return signed

    async def deliver(self, row: StationCertificate) -> None:
        """A station that cannot be heard gets it when it is back."""
        if self._stations.link(row.station_id) is None or row.id in self._sending:
            return
        self._sending.add(row.id)
        try:
            await self._send(row)
        finally:
            self._sending.discard(row.id)

    async def _send(self, row: StationCertificate) -> None:
        row = replace(row, sent_at=self._clock.now())
        await self._save(row)
        command = GiveCertificate(await self._fitting(row), row.use, row.request_id)
        try:
            result = await self._stations.command(row.station_id, command, "voltyard")
        except (ChargerOffline, ChargerTimeout) as error:
            log.info("certificate %s waits: %s", row.id, error.message)
            return
        except ChargerRefused as error:
            await self.moved(row, CertificateState.REJECTED, reason=error.detail or error.message)
            return
        except VoltyardError as error:
            await self.moved(row, CertificateState.REJECTED, reason=error.message)
            return
        if result.status is CommandStatus.ACCEPTED:
            await self.moved(row, CertificateState.INSTALLED)
            self._book.ends_at(row)
        else:
            detail = " ".join(str(part) for part in result.detail.values() if part)
            await self.moved(
                row, CertificateState.REJECTED, reason=f"{result.word} {detail}".strip()
            )

    async def _fitting(self, row: StationCertificate) -> str:
        """As much of the chain as the station takes; we need no more than its own certificate."""
        limit = CHAIN_MAX
        for entry in await self._stations.config(row.org_id, row.station_id):
            value = (entry.row.value or "").strip()
            if entry.row.name.lower() in _LIMITS and value.isdigit() and int(value) > 0:
                limit = min(limit, int(value))
        chain = x509.read_certificates(row.chain)
        while len(chain) > 1 and len(x509.to_pem(chain)) > limit:
            chain.pop()
        return x509.to_pem(chain)

    async def moved(
        self, row: StationCertificate, state: CertificateState, reason: str = ""
    ) -> StationCertificate:
        """Into a state a station or a person has put it in."""
        changed = replace(
            row, state=state, reason=plain(reason)[:500], answered_at=self._clock.now()
        )
        await self._save(changed)
        self._book.open.discard(row.station_id)
        await self.told(changed)
        return changed

    async def upload(self, row: StationCertificate, pem: str) -> StationCertificate:
        """The chain an authority elsewhere has signed. Raises Invalid, naming what is wrong."""
        found = x509.read_certificates(pem)
        leaf = next((c for c in found if x509.key_hash(c.public_key()) == row.key_hash), None)
        if leaf is None:
            raise Invalid("no certificate here is for the key of this request", code="chain")
        others = [c for c in found if c != leaf]
        anchors = self._book.trusted(row.org_id, AnchorUse.OPERATOR)
        if x509.path(leaf, others, anchors, self._clock.now()) is None:
            raise Invalid(
                "the chain leads to nothing that is trusted as the operator's, or is not valid now;"
                " import its root first",
                code="chain",
            )
        station = self._stations.station(row.station_id)
        if station is None or x509.common_name(leaf) not in self._door.names(station):
            raise Invalid(f"its CN is {x509.common_name(leaf) or 'missing'}", code="chain")
        policy = self._book.policy(row.org_id)
        wanted = None if policy.any_organisation else self._book.organisation(row.org_id)
        fault = x509.organisation_fault(leaf, wanted)
        if fault is not None:
            raise Invalid(fault, code="chain")
        return await self.issued(row, leaf, others)

    async def resume(self) -> None:
        """What was left open: signed now if it can be, sent again if it was not answered."""
        now = self._clock.now()
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            waiting = await store.certificates(
                tx, CertificateFilter(state=CertificateState.WAITING), limit=1_000
            )
            issued = await store.issued_unsent(tx)
        self._book.open = {row.station_id for row in (*waiting, *issued)}
        for row in waiting:
            if row.issuer is Issuer.BUILT_IN and (now - row.requested_at).total_seconds() > 30:
                await self.sign(row)
        for row in issued:
            if row.sent_at is None or (now - row.sent_at).total_seconds() >= RESEND_S:
                await self.deliver(row)

    async def resume_station(self, station_id: UUID, org_id: UUID) -> None:
        """It is back: what was signed meanwhile goes out."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            wanted = CertificateFilter(station_id=station_id, state=CertificateState.ISSUED)
            issued = await store.certificates(tx, wanted, limit=5)
        for row in issued:
            await self.deliver(row)

    async def _save(self, row: StationCertificate) -> None:
        async with scope.transaction(self._database, scope.of(row.org_id)) as tx:
            await store.update_certificate(tx, row)

    async def told(self, row: StationCertificate) -> None:
        station = self._stations.station(row.station_id)
        site_id = None if station is None else station.site_id
        await self._bus.publish(
            CertificateChanged(
                row.org_id,
                site_id,
                row.station_id,
                row.id,
                row.state.value,
                row.reason,
                self._clock.now(),
            )
        )
