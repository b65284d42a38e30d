"""What is done on a charger itself: its profile raised (A05), its roots seen to (M03, M04, M05)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from voltyard.approvals.gate import Action, Gate, OpenGate
from voltyard.approvals.model import Kind
from voltyard.chargers.commands import (
    Command,
    CommandResult,
    CommandStatus,
    DeleteCertificate,
    InstallRoot,
    ReadCertificates,
    ReadConfiguration,
    Reset,
    SetNetworkProfile,
    WriteConfiguration,
)
from voltyard.chargers.model import ConfigRow, Station
from voltyard.errors import (
    ChargerOffline,
    ChargerRefused,
    Conflict,
    Invalid,
    NotFound,
    VoltyardError,
)
from voltyard.pki import store, x509
from voltyard.pki.approving import (
    RaiseProfile,
    RaiseProfiles,
    profile_change,
    profiles_change,
)
from voltyard.pki.model import (
    ROOT_USES,
    VALID,
    CertificateFilter,
    Installed,
    Profile,
    StationSecurity,
)
from voltyard.tenancy import scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

if TYPE_CHECKING:
    from voltyard.pki.service import PkiService

ROOT_MAX = 5_500
SLOTS = range(1, 10)
PRIORITY = "OCPPCommCtrlr.NetworkConfigurationPriority"
OLD_VERSION = "1.6"

AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one station among many."""

    station_id: UUID
    ok: bool = True
    code: str = ""
    message: str = ""


Send = Callable[[Command], Awaitable[CommandResult]]


class Field:
    """Commands of a person to one charger; raise as ``ChargerService.command`` does."""

    def __init__(self, pki: "PkiService") -> None:
        self._pki = pki
        self._approvals: Gate = OpenGate()

    def gated_by(self, gate: Gate) -> None:
        """Security profiles are configuration: raising one may wait for a second person."""
        self._approvals = gate
        gate.carries_out(Action("pki.raise_profile", RaiseProfile, self._carry_out, provable=False))

    async def _carry_out(self, who: Principal, asked: RaiseProfile) -> Mapping[str, Any]:
        await self.raise_profile(
            who,
            asked.station_id,
            asked.profile,
            url=asked.url,
            slot=asked.slot,
            interface=asked.interface,
        )
        return {}

    async def each(
        self,
        station_ids: Sequence[UUID],
        work: Callable[[UUID], Awaitable[object]],
        told: Callable[[Done], None] | None = None,
    ) -> list[Done]:
        """The same for many stations, some at a time; one that fails stops no other.

        ``told`` hears of each as soon as it is done.
        """
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(station_id: UUID) -> Done:
            async with slots:
                done = await _tried(station_id, work)
            if told is not None:
                told(done)
            return done

        return list(await asyncio.gather(*(one(station_id) for station_id in station_ids)))

    async def raise_profile(
        self,
        who: Principal,
        station_id: UUID,
        profile: Profile,
        *,
        url: str | None = None,
        slot: int | None = None,
        interface: str = "Wired0",
        permitted: bool = False,
    ) -> StationSecurity:
        """Tell the charger to come with a higher profile; the old one holds until it has.

        Raises Conflict where what the new one needs is missing, ChargerRefused with the charger's
        word, Proposed. ``url``, ``slot`` and ``interface`` are for 2.0.1, whose profiles are of a
        network. ``permitted``: as one of many, of which ``permit_many`` was asked.
        """
        require(who, Permission.CHARGERS_COMMAND)
        station = self._pki.station_of(who, station_id)
        before = self._pki.security_of(station)
        if profile <= max(before.required, before.used or Profile.NONE):
            raise Conflict("a security profile is only raised", code="profile")
        await self._check_ready(station, profile)
        if self._pki.stations.link(station_id) is None:
            raise ChargerOffline("the charger is not connected")
        asked = RaiseProfile(station_id, profile, url, slot, interface)
        if not permitted:
            async with self._approvals.guarding(who):
                self._approvals.check(
                    who, Kind.CONFIGURATION, lambda: profile_change(station, before, asked)
                )
        await self._pki.change(
            station_id, who.org_id, target=profile, target_at=self._pki.clock.now()
        )
        await self._note(who, station, "station.raise_profile", {"to": int(profile)})
        send = self._sender(station, who.name)
        try:
            if station.ocpp_version == OLD_VERSION:
                value = str(int(profile))
                await _accepted(send, WriteConfiguration("SecurityProfile", value))
            else:
                where = url or self._pki.settings.url
                await self._to_network(send, profile, where, slot, interface)
        except ChargerRefused:
            await self._pki.change(station_id, who.org_id, target=None, target_at=None)
            raise
        return self._pki.security_of(station)

    async def permit_many(
        self, who: Principal, station_ids: Sequence[UUID], profile: Profile, url: str | None
    ) -> None:
        """Before the same for many stations: all wait as one. Raises Proposed."""
        require(who, Permission.CHARGERS_COMMAND)
        wanted, asked = set(station_ids), RaiseProfiles(tuple(station_ids), profile, url)
        found = [view.station for view in self._pki.stations.list_stations(who.org_id)]
        mine = [(s, self._pki.security_of(s)) for s in found if s.id in wanted]
        if mine:
            async with self._approvals.guarding(who):
                self._approvals.check(who, Kind.CONFIGURATION, lambda: profiles_change(mine, asked))

    async def _check_ready(self, station: Station, profile: Profile) -> None:
        """A05: the prerequisites are ours to see to before the charger is told."""
        if profile >= Profile.TLS_BASIC and not self._pki.settings.tls_offered:
            raise Conflict("chargers cannot reach this server by TLS: see the settings", code="tls")
        view = self._pki.stations.station_view(station.org_id, station.id)
        if profile in (Profile.BASIC, Profile.TLS_BASIC) and not view.has_password:
            raise Conflict("this charger has no password here", code="profile")
        if profile is not Profile.TLS_CERTIFICATE:
            return
        now = self._pki.clock.now()
        async with scope.transaction(self._pki.database, scope.of(station.org_id)) as tx:
            wanted = CertificateFilter(station_id=station.id)
            rows = await store.certificates(tx, wanted, limit=50)
        good = [r for r in rows if r.state in VALID and r.not_after and r.not_after > now]
        if not good:
            raise Conflict("this charger has no certificate yet: renew it first", code="profile")

    async def _to_network(
        self, send: Send, profile: Profile, url: str, slot: int | None, interface: str
    ) -> None:
        """A05 of 2.0.1: a slot of its own, first in the order, the present one after it; reset."""
        scheme = "wss://" if profile >= Profile.TLS_BASIC else "ws://"
        if not url.startswith(scheme):
            raise Invalid(f"the address for this profile begins with {scheme}", code="url")
        order = await self._order(send)
        free = next((n for n in SLOTS if str(n) not in order), None)
        chosen = slot if slot is not None else free
        if chosen is None or str(chosen) in order:
            raise Conflict("every slot of the charger is in use: name one", code="slot")
        network = SetNetworkProfile(chosen, url, int(profile), interface=interface)
        await _accepted(send, network)
        wanted = ",".join([str(chosen), *order])
        await _accepted(send, WriteConfiguration(PRIORITY, wanted))
        await _accepted(send, Reset())

    async def _order(self, send: Send) -> list[str]:
        result = await send(ReadConfiguration((PRIORITY,)))
        rows: tuple[ConfigRow, ...] = tuple(result.detail.get("rows", ()))
        text = next((row.value for row in rows if row.value), "")
        return [part.strip() for part in (text or "").split(",") if part.strip()]

    async def install_root(
        self, who: Principal, station_id: UUID, use: str, pem: str | None = None
    ) -> str:
        """Put a root on the charger (M05); without ``pem`` the built-in ones. Its last word."""
        require(who, Permission.CHARGERS_COMMAND)
        station = self._pki.station_of(who, station_id)
        if use not in ROOT_USES:
            raise Invalid(f"a use is one of {', '.join(ROOT_USES)}", fields={"use": "unknown"})
        ours = [view.root for view in await self._pki.authorities(who) if view.current]
        texts = ours if pem is None else [pem]
        for text in texts:
            found = x509.read_certificates(text)
            if len(found) != 1 or len(text) > ROOT_MAX or not x509.is_authority(found[0]):
                raise Invalid(f"one authority's certificate of at most {ROOT_MAX} characters")
        word = ""
        for text in texts:
            send = self._sender(station, who.name)
            word = (await _accepted(send, InstallRoot(use, text))).word
        await self._note(who, station, "station.install_root", {"use": use})
        return word

    async def read_installed(self, who: Principal, station_id: UUID) -> StationSecurity:
        """Which certificates the charger holds (M03)."""
        require(who, Permission.CHARGERS_COMMAND)
        station = self._pki.station_of(who, station_id)
        result = await self._sender(station, who.name)(ReadCertificates())
        found = tuple(
            Installed(
                str(entry["use"]),
                str(entry["algorithm"]),
                str(entry["issuer_name_hash"]),
                str(entry["issuer_key_hash"]),
                str(entry["serial"]),
            )
            for entry in result.detail.get("certificates", ())
        )
        now = self._pki.clock.now()
        return await self._pki.change(station_id, who.org_id, installed=found, installed_at=now)

    async def delete_installed(
        self, who: Principal, station_id: UUID, algorithm: str, serial: str, key_hash: str
    ) -> StationSecurity:
        """Delete one of those last read (M04). Not the last root the charger knows us by."""
        require(who, Permission.CHARGERS_COMMAND)
        station = self._pki.station_of(who, station_id)
        security = self._pki.security_of(station)
        wanted = (algorithm, serial, key_hash)
        found = [
            e for e in security.installed if (e.algorithm, e.serial, e.issuer_key_hash) == wanted
        ]
        if not found:
            raise NotFound("the charger holds no such certificate: read them first")
        roots = [entry for entry in security.installed if entry.use == "csms_root"]
        if roots and all(entry in found for entry in roots) and _uses_tls(security):
            raise Conflict("it is the last root the charger knows this server by", code="last_root")
        entry = found[0]
        command = DeleteCertificate(
            entry.algorithm, entry.issuer_name_hash, entry.issuer_key_hash, entry.serial
        )
        result = await self._sender(station, who.name)(command)
        if not result.accepted and result.word != "NotFound":
            raise ChargerRefused(f"the charger answered {result.word}", detail=result.word)
        await self._note(who, station, "station.delete_certificate", {"serial": serial})
        left = tuple(held for held in self._pki.security_of(station).installed if held != entry)
        return await self._pki.change(station_id, who.org_id, installed=left)

    def _sender(self, station: Station, by: str) -> Send:
        async def send(command: Command) -> CommandResult:
            return await self._pki.stations.command(station.id, command, by)

        return send

    async def _note(
        self, who: Principal, station: Station, action: str, detail: dict[str, Any]
    ) -> None:
        async with scope.transaction(self._pki.database, scope.of(who.org_id)) as tx:
            await self._pki.audit(tx, who, action, "station", str(station.id), detail)


async def _tried(station_id: UUID, work: Callable[[UUID], Awaitable[object]]) -> Done:
    try:
        await work(station_id)
    except VoltyardError as error:
        return Done(station_id, ok=False, code=error.code, message=error.message)
    return Done(station_id)


def _uses_tls(security: StationSecurity) -> bool:
    return max(security.required, security.used or Profile.NONE) >= Profile.TLS_BASIC


async def _accepted(send: Send, command: Command) -> CommandResult:
    """Raises ChargerRefused with the charger's word. A reboot it needs first counts as yes."""
    result = await send(command)
    fine = (CommandStatus.ACCEPTED, CommandStatus.REBOOT_REQUIRED, CommandStatus.SCHEDULED)
    if result.status not in fine:
        word = result.word or result.status.value
        raise ChargerRefused(
            f"the charger answered {word} to {type(command).__name__}", detail=word
        )
    return result
