"""Who may connect: known stations by password, unknown ones held for a person's approval."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers import store
from voltyard.chargers.directory import Directory, Entry
from voltyard.chargers.events import StationSeen
from voltyard.chargers.model import (
    IN_THE_CLEAR,
    Admission,
    Admitted,
    Peer,
    Station,
    StationRef,
    StationState,
    station_id_of,
)
from voltyard.chargers.passwords import Passwords, Verdict
from voltyard.clock import Clock
from voltyard.storage.engine import Database
from voltyard.tenancy import scope

IDENTITY = re.compile(r"[^\x00-\x1f\x7f/\\]{1,128}")
BUSY_RETRY_S = 60


@dataclass(frozen=True, slots=True)
class Home:
    """Where unknown stations are held: an organisation, and the site when there is one only."""

    org_id: UUID
    site_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ChargerSettings:
    """``frame_payload_max`` is where a logged payload is cut, in characters.

    ``pending_retry_s`` and ``hold_retry_s`` are how long a station waits before it boots again:
    until a person approves it, and until its fail-safe limit is confirmed. ``evses_max`` bounds
    the EVSEs a station may bring into being by naming them.
    """

    allow_no_password: bool = False
    auto_approve: bool = False
    heartbeat_s: int = 300
    pending_retry_s: int = 60
    hold_retry_s: int = 10
    pending_max: int = 100
    evses_max: int = 64
    evse_power_w: float = 150_000.0
    frame_payload_max: int = 16_384
    seen_write_s: float = 60.0


FindHome = Callable[[], Awaitable[Home | None]]


@dataclass(frozen=True, slots=True)
class Proof:
    """What the way a charger is connected proves.

    ``certificate``: it has shown a certificate that is this station's. ``fault``: it is refused,
    whatever its password; a flag's name, ``detail`` with it.
    """

    certificate: bool = False
    fault: str | None = None
    detail: str = ""


class Doorkeeper(Protocol):
    """Who knows certificates and what each station must prove (OCPP security profiles)."""

    def prove(self, station: Station, peer: Peer, *, password: bool) -> Proof:
        """``password``: it is known by one, should it have no certificate."""

    def vouched(self, org_id: UUID, peer: Peer) -> bool:
        """Whether a stranger shows a certificate of a maker this organisation trusts."""

    def admitted(self, station: Station, peer: Peer, proof: Proof, *, password: bool) -> None:
        """It is let in."""

    def refused(self, station: Station, fault: str, detail: str, *, remote: str) -> None:
        """It is not."""

    def coming_passwords(self, station: Station) -> Sequence[str]:
        """Hashes of passwords it was told and has not come with yet (A01)."""

    async def password_shown(self, station: Station, password_hash: str) -> None:
        """It has come with one of them; returns after the commit."""


class SecurityDesk(Doorkeeper, Protocol):
    """Who knows certificates: at the door, and when a charger asks for one or warns."""

    async def certificate_requested(
        self, station: StationRef, csr: str, *, use: str, request_id: int | None
    ) -> bool:
        """Whether the request is taken; the certificate comes later, as a command."""

    async def security_event(
        self, station: StationRef, kind: str, at: datetime, info: str
    ) -> None: ...


class Gatekeeper:
    """Decides on a new connection from memory; the database is asked only about strangers."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        directory: Directory,
        passwords: Passwords,
        settings: ChargerSettings,
        home: FindHome,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._directory = directory
        self._passwords = passwords
        self._settings = settings
        self._home = home
        self.door: Doorkeeper | None = None

    async def admit(
        self, identity: str, password: str | None, *, remote: str, peer: Peer = IN_THE_CLEAR
    ) -> Admitted:
        if IDENTITY.fullmatch(identity) is None:
            return Admitted(Admission.UNKNOWN)
        entry = self._directory.by_identity(identity) or await self._look_up(identity)
        if entry is None:
            return await self._stranger(identity, password, remote, peer)
        if entry.station.state in (StationState.REJECTED, StationState.RETIRED):
            return Admitted(Admission.UNKNOWN)
        entry.remote = remote
        return await self._known(entry, password, remote, peer)

    async def _known(self, entry: Entry, password: str | None, remote: str, peer: Peer) -> Admitted:
        """By its certificate or else by its password, never below its security profile."""
        if self.door is None:
            return await self._by_password(entry, password, remote)
        has_password = entry.password_hash is not None
        proof = self.door.prove(entry.station, peer, password=has_password)
        if proof.fault is not None:
            entry.note(proof.fault, f"{remote} {proof.detail}".strip(), self._clock.now())
            self.door.refused(entry.station, proof.fault, proof.detail, remote=remote)
            return Admitted(Admission.UNAUTHORISED)
        if proof.certificate:
            admitted = Admitted(Admission.ACCEPT, entry.station)
        else:
            admitted = await self._by_password(entry, password, remote)
        if admitted.admission is Admission.ACCEPT:
            self.door.admitted(entry.station, peer, proof, password=has_password)
        return admitted

    async def _by_password(self, entry: Entry, password: str | None, remote: str) -> Admitted:
        who = (entry.station.identity, _host(remote))
        now = self._clock.now()
        if entry.password_hash is None:
            if self._settings.allow_no_password:
                return Admitted(Admission.ACCEPT, entry.station)
            entry.note("no_password_set", remote, now)
            return Admitted(Admission.UNAUTHORISED)
        if password is None:
            entry.note("no_password_sent", remote, now)
            delay_s = self._passwords.refused(who, now)
            return Admitted(Admission.UNAUTHORISED, retry_after_s=delay_s or None)
        checked = await self._passwords.check(
            entry.station.id, entry.password_hash, password, who=who, at=now
        )
        if checked.verdict is Verdict.RIGHT:
            return Admitted(Admission.ACCEPT, entry.station)
        if checked.verdict is Verdict.WRONG and await self._by_new_password(entry, password, who):
            return Admitted(Admission.ACCEPT, entry.station)
        if checked.verdict is Verdict.LATER:
            return Admitted(Admission.BUSY, retry_after_s=checked.retry_after_s)
        entry.note("wrong_password", remote, now)
        return Admitted(Admission.UNAUTHORISED)

    async def _by_new_password(self, entry: Entry, password: str, who: tuple[str, str]) -> bool:
        """One it was told (A01); from now on it is the only one."""
        for coming in () if self.door is None else self.door.coming_passwords(entry.station):
            checked = await self._passwords.check(
                entry.station.id, coming, password, who=who, at=self._clock.now()
            )
            if checked.verdict is Verdict.RIGHT and self.door is not None:
                await self.door.password_shown(entry.station, coming)
                return True
        return False

    async def _stranger(
        self, identity: str, password: str | None, remote: str, peer: Peer
    ) -> Admitted:
        """Hold it: its first password becomes its own, so approving needs no typing."""
        home = await self._home()
        if home is None:
            return Admitted(Admission.BUSY, retry_after_s=BUSY_RETRY_S)
        pending = sum(entry.station.state is StationState.PENDING for entry in self._directory)
        approve = self._settings.auto_approve
        if not approve and pending >= self._settings.pending_max:
            return Admitted(Admission.BUSY, retry_after_s=10 * BUSY_RETRY_S)
        entry = await self._create(identity, password, remote, home, approve=approve)
        vouched = self.door is not None and self.door.vouched(home.org_id, peer)
        if password is None and not vouched and not self._settings.allow_no_password:
            entry.note("no_password_sent", remote, self._clock.now())
            return Admitted(Admission.UNAUTHORISED)
        if entry.station.state is StationState.PENDING:
            event = StationSeen(entry.station.org_id, entry.station.id, identity, self._clock.now())
            await self._bus.publish(event)
        return await self._known(entry, password, remote, peer)

    async def _create(
        self, identity: str, password: str | None, remote: str, home: Home, *, approve: bool
    ) -> Entry:
        state = StationState.APPROVED if approve else StationState.PENDING
        station = Station(
            station_id_of(home.org_id, identity),
            home.org_id,
            home.site_id if approve else None,
            identity,
            state,
            name=identity,
        )
        hashed = None if password is None else await self._passwords.hash(password)
        async with scope.transaction(self._database, scope.of(home.org_id)) as tx:
            await store.insert_station(tx, station, password_hash=hashed, at=self._clock.now())
        entry = await self._look_up(identity)
        assert entry is not None
        entry.remote = remote
        return entry

    async def _look_up(self, identity: str) -> Entry | None:
        """From the database, kept from then on; two at once end with one entry."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            found = await store.load_one(tx, identity=identity)
        known = self._directory.by_identity(identity)
        if known is not None or found is None:
            return known
        found.station = replace(found.station, connected=False)
        self._directory.add(found)
        return found


def _host(remote: str) -> str:
    """Without the port: whoever guesses comes from another one each time."""
    host, _, port = remote.rpartition(":")
    return host if host and port.isdigit() else remote
