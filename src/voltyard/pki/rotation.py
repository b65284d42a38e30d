"""A station's password is exchanged (A01): the old one holds until it has come with the new one."""

import secrets
import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voltyard.chargers.commands import CommandStatus, WriteConfiguration
from voltyard.chargers.model import Station
from voltyard.errors import ChargerOffline, ChargerRefused, Conflict
from voltyard.pki.model import Profile, StationSecurity
from voltyard.tenancy import scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

if TYPE_CHECKING:
    from uuid import UUID

    from voltyard.pki.service import PkiService

OLD_VERSION = "1.6"
OLD_KEY = "AuthorizationKey"
KEY = "SecurityCtrlr.BasicAuthPassword"
OLD_BYTES = 20
LENGTH = 32
WAITING_MAX = 3
_TAKEN = (CommandStatus.ACCEPTED, CommandStatus.REBOOT_REQUIRED, CommandStatus.SCHEDULED)


def new_password(version: str) -> str:
    """What a station is told. For 1.6 it is the hexadecimal text of bytes that are no UTF-8.

    Some chargers of 1.6 send those bytes, others the text; the door reads both as the text.
    """
    if version == OLD_VERSION:
        return (b"\xff" + secrets.token_bytes(OLD_BYTES - 1)).hex().upper()
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(LENGTH))


class Rotation:
    def __init__(self, pki: "PkiService") -> None:
        self._pki = pki

    async def rotate(self, who: Principal, station_id: "UUID") -> StationSecurity:
        """Tell the charger a new password that nobody else ever sees.

        Kept before it is sent: a charger whose answer is lost may have taken it. Raises
        ChargerOffline, ChargerRefused with its word, Conflict where it uses none.
        """
        require(who, Permission.CHARGERS_WRITE)
        station = self._pki.station_of(who, station_id)
        self._check(station)
        password = new_password(station.ocpp_version or "")
        hashed = await self._pki.stations.hashed(password)
        before = self.waiting(station)
        kept = [*before, hashed][-WAITING_MAX:]
        await self._pki.change(
            station_id,
            who.org_id,
            next_passwords=" ".join(kept),
            password_asked_at=self._pki.clock.now(),
        )
        key = OLD_KEY if station.ocpp_version == OLD_VERSION else KEY
        try:
            await self._tell(who, station, key, password)
        except ChargerRefused:
            await self._pki.change(station_id, who.org_id, next_passwords=" ".join(before))
            raise
        async with scope.transaction(self._pki.database, scope.of(who.org_id)) as tx:
            await self._pki.audit(tx, who, "station.rotate", "station", str(station_id), {})
        return self._pki.security_of(station)

    def _check(self, station: Station) -> None:
        if self._pki.stations.link(station.id) is None:
            raise ChargerOffline("the charger is not connected")
        view = self._pki.stations.station_view(station.org_id, station.id)
        security = self._pki.security_of(station)
        if security.used is Profile.TLS_CERTIFICATE or not view.has_password:
            raise Conflict("this charger is known by no password", code="password")

    async def _tell(self, who: Principal, station: Station, key: str, password: str) -> None:
        command = WriteConfiguration(key, password)
        result = await self._pki.stations.command(station.id, command, who.name)
        if result.status not in _TAKEN:
            word = result.word or result.status.value
            raise ChargerRefused(f"the charger answered {word}", detail=word)

    def waiting(self, station: Station) -> Sequence[str]:
        """Hashes of what the station may come with besides its password."""
        return self._pki.security_of(station).next_passwords.split()
