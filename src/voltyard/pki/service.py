"""Certificates and security profiles of chargers: what people ask for, and what they may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from voltyard.alerts.service import AlertService
from voltyard.approvals.gate import Action, Gate, OpenGate
from voltyard.approvals.model import Kind
from voltyard.bus import Bus
from voltyard.chargers.model import Station
from voltyard.chargers.service import ChargerService
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.pki import authority as make
from voltyard.pki import store
from voltyard.pki.approving import RequireProfile, required_change
from voltyard.pki.authorities import Authorities, RunBlocking
from voltyard.pki.book import Book
from voltyard.pki.events import SecurityProfileChanged
from voltyard.pki.field import Field
from voltyard.pki.model import (
    VALID,
    CertificateFilter,
    CertificateState,
    EventFilter,
    Profile,
    Revocation,
    SecurityEvent,
    SecurityView,
    StationCertificate,
    StationSecurity,
)
from voltyard.pki.overview import Overview
from voltyard.pki.responding import Asked, Responder
from voltyard.pki.rotation import Rotation
from voltyard.pki.rounds import Rounds
from voltyard.pki.sealing import Vault
from voltyard.pki.trust import Audit, Trust
from voltyard.pki.warnings import Warnings
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

PAGE_MAX = 1_000
REASON_MAX = 200
REFUSED_KEPT_DAYS = 90
NO_EVENTS = EventFilter()
NO_CERTIFICATES = CertificateFilter()


@dataclass(frozen=True, slots=True)
class PkiSettings:
    """``lowest`` is asked of every station, whatever its own profile.

    ``tls_offered``: chargers can reach us by TLS; ``url`` is where, without an identity.
    ``keep_events_days``: how long security events are kept.
    """

    lowest: Profile = Profile.NONE
    tls_offered: bool = False
    url: str = ""
    keep_events_days: int = 730


class PkiService(Trust):
    """All take the organisation whose rows may be seen; another's are not found."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        stations: ChargerService,
        alerts: AlertService,
        *,
        audit: Audit,
        vault: Vault,
        run_blocking: RunBlocking,
        settings: PkiSettings | None = None,
    ) -> None:
        settings = settings or PkiSettings()
        book = Book()
        authorities = Authorities(database, clock, vault, book, run_blocking)
        warnings = Warnings(alerts, stations, clock)
        super().__init__(
            database, bus, clock, stations, authorities, book, warnings, settings.lowest
        )
        self.audit = audit
        self.settings = settings
        self._approvals: Gate = OpenGate()
        self.field = Field(self)
        self.rotation = Rotation(self)
        self.rounds = Rounds(self)
        self.overview = Overview(self, alerts)

    async def certificates(
        self,
        who: Principal,
        wanted: CertificateFilter = NO_CERTIFICATES,
        *,
        limit: int = 100,
        offset: int = 0,
    ) -> list[StationCertificate]:
        """Newest request first; ask for one more than a page to know whether there is a next."""
        require(who, Permission.VIEW)
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            return await store.certificates(tx, wanted, limit=min(limit, PAGE_MAX), offset=offset)

    async def certificate(self, who: Principal, certificate_id: UUID) -> StationCertificate:
        require(who, Permission.VIEW)
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            found = await store.certificate(tx, certificate_id)
        if found is None:
            raise NotFound("There is no such certificate.")
        return found

    async def renew(self, who: Principal, station_id: UUID) -> str:
        """Ask the station for a new request (A02); its word. Raises as a command does."""
        require(who, Permission.CHARGERS_COMMAND)
        station = self.station_of(who, station_id)
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            await self.audit(tx, who, "certificate.renew", "station", str(station_id), {})
        return await self.ask_for_request(station, who.name)

    async def upload(self, who: Principal, certificate_id: UUID, pem: str) -> StationCertificate:
        """The chain that an authority elsewhere has signed for a waiting request."""
        require(who, Permission.CHARGERS_WRITE)
        row = await self.certificate(who, certificate_id)
        if row.state is not CertificateState.WAITING:
            raise Conflict("this request does not wait for a certificate", code="certificate")
        await self.learn_organisation(who.org_id)
        issued = await self._issuing.upload(row, pem)
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            detail = {"serial": issued.serial, "subject": issued.subject}
            await self.audit(
                tx, who, "certificate.upload", "certificate", str(certificate_id), detail
            )
        return issued

    async def revoke(self, who: Principal, certificate_id: UUID, reason: str) -> StationCertificate:
        """No connection by it any more; one that stands by it is cut at once."""
        require(who, Permission.CHARGERS_WRITE)
        row = await self.certificate(who, certificate_id)
        revocable = VALID | {CertificateState.ISSUED, CertificateState.REJECTED}
        if row.state not in revocable or row.issuer_hash is None or row.serial is None:
            raise Conflict("this certificate cannot be revoked", code="certificate")
        now = self.clock.now()
        entry = Revocation(
            who.org_id, row.issuer_hash, row.serial, now, reason[:REASON_MAX], "operator"
        )
        changed = replace(
            row, state=CertificateState.REVOKED, revoked_at=now, reason=reason[:REASON_MAX]
        )
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            await store.insert_revocations(tx, [entry])
            await store.update_certificate(tx, changed)
            detail = {"serial": row.serial, "reason": reason[:REASON_MAX]}
            await self.audit(tx, who, "certificate.revoke", "certificate", str(row.id), detail)
        self._book.revoke(entry)
        await self._forget_end(row)
        await self._issuing.told(changed)
        await self._cut_revoked(who.org_id)
        return changed

    async def revoke_shown(self, who: Principal, station_id: UUID, reason: str) -> None:
        """Revoke the certificate a station has connected with, whoever issued it.

        Of one that has shown none since the start, the one it used or has taken last.
        """
        require(who, Permission.CHARGERS_WRITE)
        station = self.station_of(who, station_id)
        shown = self._book.presented.get(station_id)
        if shown is None or shown.issuer_hash is None or shown.serial is None:
            await self._revoke_held(who, station_id, reason)
            return
        fingerprint = shown.fingerprint or ""
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            row = await store.by_fingerprint(tx, station.id, fingerprint)
        if row is not None and row.state is not CertificateState.REVOKED:
            await self.revoke(who, row.id, reason)
            return
        entry = Revocation(
            who.org_id,
            shown.issuer_hash,
            shown.serial,
            self.clock.now(),
            reason[:REASON_MAX],
            "operator",
        )
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            await store.insert_revocations(tx, [entry])
            detail = {"serial": shown.serial, "reason": reason[:REASON_MAX]}
            await self.audit(tx, who, "certificate.revoke", "station", str(station_id), detail)
        self._book.revoke(entry)
        await self._cut_revoked(who.org_id)

    async def _revoke_held(self, who: Principal, station_id: UUID, reason: str) -> None:
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            held = await store.held(tx, frozenset({station_id}))
        if not held:
            raise Conflict("this station has shown no certificate", code="certificate")
        await self.revoke(who, held[0].id, reason)

    def security(self, who: Principal, station_id: UUID) -> SecurityView:
        require(who, Permission.VIEW)
        return self._view(self.station_of(who, station_id))

    def securities(self, who: Principal) -> list[SecurityView]:
        """Of every station, by identity."""
        require(who, Permission.VIEW)
        return [self._view(view.station) for view in self.stations.list_stations(who.org_id)]

    def gated_by(self, gate: Gate) -> None:
        """Security profiles are configuration: a change may wait for a second person."""
        self._approvals = gate
        self.field.gated_by(gate)
        self.rounds.gated_by(gate)
        gate.carries_out(Action("pki.require_profile", RequireProfile, self._carry_out))

    async def _carry_out(self, who: Principal, asked: RequireProfile) -> Mapping[str, Any]:
        await self.set_required(who, asked.station_id, asked.profile, asked.reason)
        return {}

    async def set_required(
        self, who: Principal, station_id: UUID, profile: Profile, reason: str
    ) -> SecurityView:
        """By a person's word alone; the one way down (A00.FR.005), for a charger that was reset.

        A connection below the new profile is cut.
        """
        require(who, Permission.SECURITY_WRITE)
        station = self.station_of(who, station_id)
        if not reason.strip():
            raise Invalid("say why", fields={"reason": "is needed"})
        security = self.security_of(station)
        before, asked = security.required, RequireProfile(station_id, profile, reason)
        async with self._approvals.guarding(who):
            self._approvals.check(
                who, Kind.CONFIGURATION, lambda: required_change(station, security, asked)
            )
        detail = {"from": int(before), "to": int(profile), "reason": reason[:REASON_MAX]}

        async def note(tx: Tx) -> None:
            await self.audit(tx, who, "station.profile", "station", str(station_id), detail)

        await self.change(
            station_id, who.org_id, note, required=profile, target=None, target_at=None
        )
        await self._bus.publish(
            SecurityProfileChanged(
                station.org_id, station.site_id, station.id, profile, self.clock.now()
            )
        )
        shown = self._book.presented.get(station_id)
        link = self.stations.link(station_id)
        if link is not None and (shown.profile if shown else Profile.NONE) < profile:
            await link.close("its security profile is too low")
        return self._view(station)

    async def set_certificate_name(
        self, who: Principal, station_id: UUID, name: str | None
    ) -> SecurityView:
        """The CN besides the identity that is this station's: its serial number, as a rule."""
        require(who, Permission.CHARGERS_WRITE)
        station = self.station_of(who, station_id)
        if name is not None and not 1 <= len(name) <= make.COMMON_NAME_MAX:
            why = f"1 to {make.COMMON_NAME_MAX} characters"
            raise Invalid("this cannot be a name", fields={"certificate_name": why})
        async with scope.transaction(self.database, scope.SYSTEM) as tx:
            taken = name is not None and await store.name_is_taken(tx, name, station_id)
        if taken:
            raise Conflict("this is another station's name", fields={"certificate_name": "taken"})

        async def note(tx: Tx) -> None:
            detail = {"certificate_name": name}
            await self.audit(tx, who, "station.name", "station", str(station_id), detail)

        await self.change(station_id, who.org_id, note, certificate_name=name)
        return self._view(station)

    async def events(
        self,
        who: Principal,
        wanted: EventFilter = NO_EVENTS,
        *,
        limit: int = 100,
        offset: int = 0,
    ) -> list[SecurityEvent]:
        """Newest first; ask for one more than a page to know whether there is a next."""
        require(who, Permission.VIEW)
        async with scope.transaction(self.database, scope.of(who.org_id)) as tx:
            return await store.events(tx, wanted, limit=min(limit, PAGE_MAX), offset=offset)

    def security_of(self, station: Station) -> StationSecurity:
        return self._book.security(station.id, station.org_id)

    def coming_passwords(self, station: Station) -> Sequence[str]:
        """The newest first: it is the likeliest, and each wrong one slows the next."""
        return tuple(reversed(self.rotation.waiting(station)))

    async def password_shown(self, station: Station, password_hash: str) -> None:
        """Told ones that came before it were never taken, or are not used any more."""
        await self.stations.adopt_password(station.id, password_hash)
        await self.change(
            station.id,
            station.org_id,
            next_passwords="",
            password_changed_at=self.clock.now(),
        )

    async def ocsp_response(
        self, algorithm: str, name_hash: bytes, key_hash: bytes, serial: int
    ) -> bytes | None:
        """What the built-in authority says of its own certificate (DER, RFC 6960); else None."""
        asked = Asked(algorithm, name_hash, key_hash, serial)
        responder = Responder(self.database, self.clock, self._authorities, self._book)
        return await responder.answer(asked)

    async def drop_old(self) -> None:
        """Security events, and requests that were refused, once they are old."""
        now = self.clock.now()
        async with scope.transaction(self.database, scope.SYSTEM) as tx:
            kept = timedelta(days=self.settings.keep_events_days)
            await store.drop_events_before(tx, now - kept)
            await store.drop_refused_before(tx, now - timedelta(days=REFUSED_KEPT_DAYS))

    def _view(self, station: Station) -> SecurityView:
        shown = self._book.presented.get(station.id)
        return SecurityView(
            station.id,
            station.identity,
            station.connected,
            self._book.security(station.id, station.org_id),
            max(self._book.security(station.id, station.org_id).required, self.settings.lowest),
            shown.profile if shown is not None and station.connected else None,
        )

    def station_of(self, who: Principal, station_id: UUID) -> Station:
        """Raises NotFound."""
        return self.stations.station_view(who.org_id, station_id).station

    async def _forget_end(self, row: StationCertificate) -> None:
        """What is left of a station's certificates decides when it has none."""
        self._book.ends.pop(row.station_id, None)
        async with scope.transaction(self.database, scope.of(row.org_id)) as tx:
            wanted = CertificateFilter(station_id=row.station_id)
            for other in await store.certificates(tx, wanted, limit=50):
                if other.state in VALID:
                    self._book.ends_at(other)
