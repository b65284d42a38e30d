"""The rooms of chargers and certificates on the real database; chargers are played by hand."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from cryptography import x509 as cx509
from cryptography.hazmat.primitives.serialization import Encoding
from pki_openssl import Keys

from tests.integration.chargers.charger_yard import HandClock
from voltyard.alerts.service import AlertService
from voltyard.bus import Bus
from voltyard.chargers.commands import Command, CommandResult, CommandStatus
from voltyard.chargers.model import Admission, BootInfo, Peer, Station, StationRef
from voltyard.chargers.passwords import Passwords, in_place
from voltyard.chargers.service import ChargerService, Home
from voltyard.pki.model import CertificateFilter, Policy, Profile, StationCertificate
from voltyard.pki.sealing import Vault
from voltyard.pki.service import PkiService, PkiSettings
from voltyard.storage.engine import PostgresDatabase, Tx
from voltyard.storage.groupcommit import GroupCommit
from voltyard.tenancy import scope
from voltyard.tenancy.model import ROLE_PERMISSIONS, Principal, Role

PASSWORD = "a password of sixteen"
ACCEPTED = CommandResult(CommandStatus.ACCEPTED, "Accepted")
Reply = CommandResult | Exception


class PresentClock(HandClock):
    """Stands a little after the present: what OpenSSL signs is valid from now on."""

    def __init__(self) -> None:
        super().__init__()
        self._now = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)

    def monotonic_s(self) -> float:
        return self._now.timestamp()


@dataclass
class PlayedLink:
    """A charger at the other end: answers by the command's kind, or as it always does."""

    station: StationRef
    version: str = "1.6"
    replies: dict[type, Callable[[Any], Reply]] = field(default_factory=dict)
    sent: list[Command] = field(default_factory=list)
    closed: str | None = None

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        self.sent.append(command)
        reply = self.replies.get(type(command), lambda asked: ACCEPTED)(command)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def close(self, reason: str) -> None:
        self.closed = reason

    def of(self, kind: type) -> list[Any]:
        return [command for command in self.sent if isinstance(command, kind)]


@dataclass
class Yard:
    database: PostgresDatabase
    folder: Path
    clock: PresentClock = field(default_factory=PresentClock)
    bus: Bus = field(default_factory=Bus)
    org_id: UUID = field(default_factory=uuid4)
    audited: list[str] = field(default_factory=list)
    chargers: ChargerService = field(init=False)
    alerts: AlertService = field(init=False)
    pki: PkiService = field(init=False)
    commits: GroupCommit = field(init=False)

    async def build(self, **settings: Any) -> None:
        """Every room anew over the same database, as after a restart."""

        async def home() -> Home:
            return Home(self.org_id)

        async def audit(
            tx: Tx, who: Principal, action: str, kind: str, id_: str, detail: Any
        ) -> None:
            self.audited.append(action)

        self.bus = Bus()
        self.chargers = ChargerService(
            self.database, self.commits, self.bus, self.clock,
            audit=audit, home=home, passwords=Passwords(in_place),
        )  # fmt: skip
        self.alerts = AlertService(self.database, self.bus, self.clock)
        self.pki = PkiService(
            self.database, self.bus, self.clock, self.chargers, self.alerts, audit=audit,
            vault=Vault(self.folder / "pki.key"), run_blocking=inline,
            settings=PkiSettings(**({"tls_offered": True} | settings)),
        )  # fmt: skip
        self.pki.listen()
        self.chargers.guarded_by(self.pki)
        await self.chargers.load()
        await self.alerts.load()
        await self.pki.load()

    def who(self, role: Role = Role.ADMIN, org_id: UUID | None = None) -> Principal:
        return Principal(
            org_id or self.org_id, "user", uuid4(), "Ada", ROLE_PERMISSIONS[role], role
        )

    async def organisation(self, org_id: UUID, name: str = "Yard") -> None:
        async with scope.transaction(self.database, scope.SYSTEM) as tx:
            await tx.execute(
                "INSERT INTO organisations (id, name, slug, created_at)"
                " VALUES (:id, :name, :slug, :at)",
                {"id": org_id, "name": name, "slug": org_id.hex, "at": self.clock.now()},
            )

    async def station(self, identity: str = "CP-1", password: str | None = PASSWORD) -> Station:
        return await self.chargers.create_station(self.who(), identity, password=password)

    async def connect(
        self, identity: str = "CP-1", *, version: str = "1.6", **knock: Any
    ) -> PlayedLink:
        admitted = await self.knock(identity, **knock)
        assert admitted[0] is Admission.ACCEPT, admitted
        station = admitted[1]
        assert station is not None
        link = PlayedLink(station.ref, version)
        await self.chargers.connected(link)
        await self.pki.settle()
        return link

    async def knock(
        self, identity: str, *, password: str | None = PASSWORD, chain: str = "", tls: bool = True
    ) -> tuple[Admission, Station | None]:
        shown = tuple(c.public_bytes(Encoding.DER) for c in loaded(chain))
        admitted = await self.chargers.admit(
            identity, password, remote="r", subprotocols=["ocpp1.6"],
            peer=Peer(secure=tls, chain=shown),
        )  # fmt: skip
        await self.pki.settle()
        return admitted.admission, admitted.station

    async def boots(self, link: PlayedLink) -> None:
        await self.chargers.booted(link.station, BootInfo("V", "M"))
        await self.pki.settle()

    async def ask(self, link: PlayedLink, keys: Keys, cn: str = "CP-1", o: str = "Yard") -> bool:
        return await self.ask_by(link, keys.request(cn, o))

    async def ask_by(self, link: PlayedLink, request: str, use: str = "station") -> bool:
        self.clock.advance(1)
        taken = await self.chargers.certificate_requested(link.station, request, use=use)
        await self.pki.settle()
        return taken

    async def rows(self, station: Station | StationRef | None = None) -> list[StationCertificate]:
        wanted = CertificateFilter(station_id=None if station is None else station.id)
        return await self.pki.certificates(self.who(), wanted)

    def keys(self, name: str = "station", kind: str = "ec") -> Keys:
        return Keys(self.folder, name).new(kind)

    def flags(self, station: Station | StationRef) -> dict[str, str]:
        view = self.chargers.station_view(self.org_id, station.id)
        return {flag.flag: flag.detail for flag in view.flags}

    def open_alerts(self) -> dict[str, Any]:
        return {alert.kind: alert for alert in self.alerts.open_now(self.org_id)}

    def required(self, station: Station | StationRef) -> Profile:
        return self.pki.security(self.who(), station.id).security.required


def loaded(chain: str) -> list[cx509.Certificate]:
    return cx509.load_pem_x509_certificates(chain.encode()) if chain else []


async def inline(work: Callable[[], Any]) -> Any:
    return work()


async def make_yard(database: PostgresDatabase, folder: Path, **settings: Any) -> Yard:
    yard = Yard(database, folder)
    yard.commits = GroupCommit(database, yard.clock, window_s=0)
    await yard.organisation(yard.org_id)
    await yard.build(**settings)
    await yard.pki.set_policy(yard.who(), Policy(organisation="Yard"))
    return yard


def running(yard: Yard) -> "asyncio.Task[None]":
    return asyncio.create_task(yard.commits.run())
