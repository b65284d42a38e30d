"""Vehicles at the door: who they are, what they tell, what they are answered.

HTTP is left to whoever carries the messages; here a message is bytes, a version and the user and
password of HTTP Basic.
"""

import hashlib
import hmac
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from voltyard.clock import Clock
from voltyard.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from voltyard.fleets.model import Vehicle
from voltyard.preconditioning import store
from voltyard.preconditioning.model import Reported
from voltyard.preconditioning.ports import Vehicles
from voltyard.preconditioning.vdv261 import codec
from voltyard.preconditioning.vdv261.codec import VERSIONS, Told, clean_vin
from voltyard.preconditioning.vdv261.model import (
    DEFAULT,
    Coding,
    Credential,
    Heard,
    coding_of,
)
from voltyard.storage.engine import Database
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.passwords import PasswordBook, Suspects
from voltyard.tenancy.scope import SYSTEM, of, transaction

PASSWORD_LENGTH = 24
PASSWORD_MIN = 8
PASSWORD_MAX = 150
SIGNS = "_-+#*!()?"
FREE_ATTEMPTS = 10
A_MINUTE_MAX = 60
"""Messages of one vehicle; it sends one every ten seconds."""
KEEP_CHANGED = timedelta(minutes=1)
KEEP_AGAIN = timedelta(minutes=10)
_CLASHES = {
    "vdv261_vehicles_vin": ("vin", "Another vehicle shows this VIN."),
}
_KIND = "vdv261"


class Room(Protocol):
    """What becomes of messages."""

    async def reported(self, report: Reported) -> None: ...

    def told(self, vehicle_id: UUID) -> tuple[Told, ZoneInfo]: ...

    def forgotten(self, vehicle_id: UUID) -> None: ...


@dataclass(slots=True)
class _Pace:
    minute: int = -1
    count: int = 0


class Vdv261Desk:
    """Credentials, codings and what vehicles told are kept in memory: a message that says nothing
    new asks the database nothing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: PasswordBook,
        room: Room,
        *,
        vehicles: Vehicles,
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._room = room
        self._vehicles = vehicles
        self._by_vin: dict[str, Credential] = {}
        self._heard: dict[UUID, Heard] = {}
        self._kept_at: dict[UUID, datetime] = {}
        self._codings: dict[UUID, Coding] = {}
        self._shown: dict[str, bytes] = {}
        self._suspects = Suspects(FREE_ATTEMPTS)
        self._paces: dict[UUID, _Pace] = {}
        self._salt = secrets.token_bytes(16)

    async def load(self) -> None:
        """What is stored; a vehicle's last word counts as long as it would have otherwise."""
        async with transaction(self._database, SYSTEM) as tx:
            known = await store.credentials(tx)
            heard = await store.heard(tx)
            contents = await store.settings(tx)
        self._by_vin = {one.vin: one for one in known}
        self._heard = {one.vehicle_id: one for one in heard}
        self._codings = {org_id: coding_of(content) for org_id, content in contents.items()}
        for credential in known:
            last = self._heard.get(credential.vehicle_id)
            if last is not None and last.fields:
                await self._room.reported(
                    codec.reported(last, credential.vin, self.coding(credential.org_id))
                )

    # Messages

    async def receive(
        self,
        version: int,
        user: str,
        password: str,
        body: bytes,
        *,
        remote: str = "",
        user_agent: str = "",
    ) -> bytes:
        """The answer to one message, never empty.

        Raises Unauthenticated, TooMany, Invalid (with the wrong fields), NotFound for a version
        that nobody knows. What is refused changes nothing of what the vehicle told before.
        """
        if version not in VERSIONS:
            raise NotFound("There is no such version.", code="version_unknown")
        known = await self._authenticated(user, password, remote)
        self._paced(known)
        coding = self.coding(known.org_id)
        wanted = coding.user_agents.get(str(version), "")
        now = self._clock.now()
        try:
            if wanted and not user_agent.startswith(wanted):
                said = "The User-Agent is not one of this version."
                raise Invalid(said, code="user_agent", fields={"user-agent": user_agent[:100]})
            message = codec.read(body, version, coding)
            if message.vin != known.vin:
                said = "is not the VIN that the credentials are of"
                raise Invalid("The message is another vehicle's.", fields={"vin": said})
        except Invalid as error:
            await self._faulty(known, version, error, now)
            raise
        before = self._heard.get(known.vehicle_id)
        heard = codec.merged(before, message, version, known, now)
        self._heard[known.vehicle_id] = heard
        await self._room.reported(codec.reported(heard, known.vin, coding))
        told, zone = self._room.told(known.vehicle_id)
        answer = codec.answer(message, version, told, coding, now, zone)
        heard = replace(heard, answer=answer)
        self._heard[known.vehicle_id] = heard
        if before is None or self._due(known, dict(before.fields) != dict(heard.fields), now):
            await self._keep(heard, now)
        return codec.written(answer)

    async def _authenticated(self, user: str, password: str, remote: str) -> Credential:
        """A right password is remembered (hashed), so that each message costs no argon2."""
        now, vin = self._clock.now(), user.strip().upper()[:32]
        key = f"{remote} {vin}"
        wait_s = self._suspects.wait_s(key, now)
        if wait_s:
            said = "Too many wrong passwords."
            raise TooMany(said, fields={"retry_after_s": str(wait_s)})
        known = self._by_vin.get(vin)
        proof = hashlib.blake2b(password.encode(), key=self._salt, person=b"vdv261").digest()
        if known is not None and known.enabled:
            if known.password_hash is None:
                return known
            shown = self._shown.get(vin)
            if shown is not None and hmac.compare_digest(shown, proof):
                return known
        stored = None if known is None or not known.enabled else known.password_hash
        verified = await self._passwords.verify(stored, password[:PASSWORD_MAX])
        if not verified.right or known is None or self._by_vin.get(vin) is not known:
            self._suspects.failed(key, now)
            raise Unauthenticated("VIN or password is wrong.", code="wrong_credentials")
        self._suspects.cleared(key)
        self._shown[vin] = proof
        return known

    def _paced(self, known: Credential) -> None:
        pace = self._paces.setdefault(known.vehicle_id, _Pace())
        minute = int(self._clock.monotonic_s() // 60)
        if pace.minute != minute:
            pace.minute, pace.count = minute, 0
        pace.count += 1
        if pace.count > A_MINUTE_MAX:
            raise TooMany("More messages than one a second.", fields={"retry_after_s": "10"})

    async def _faulty(self, known: Credential, version: int, error: Invalid, now: datetime) -> None:
        """Kept for people, at most once a minute while it is the same."""
        said = "; ".join(f"{name} {why}" for name, why in error.fields.items())
        fault = f"{error.message} {said}".strip()[:500]
        before = self._heard.get(known.vehicle_id)
        if before is None:
            before = Heard(known.vehicle_id, known.org_id, version, 0, now, {})
        recent = before.fault_at is not None and now - before.fault_at < timedelta(minutes=1)
        self._heard[known.vehicle_id] = heard = replace(before, fault=fault, fault_at=now)
        if not (recent and before.fault == fault):
            await self._keep(heard, now)

    def _due(self, known: Credential, changed: bool, now: datetime) -> bool:
        kept_at = self._kept_at.get(known.vehicle_id)
        return kept_at is None or now - kept_at >= (KEEP_CHANGED if changed else KEEP_AGAIN)

    async def _keep(self, heard: Heard, now: datetime) -> None:
        self._kept_at[heard.vehicle_id] = now
        async with transaction(self._database, of(heard.org_id)) as tx:
            await store.save_heard(tx, heard)

    # Access of vehicles

    def credentials(self, who: Principal) -> list[Credential]:
        """By VIN."""
        require(who, Permission.VIEW)
        return sorted(
            (one for one in self._by_vin.values() if one.org_id == who.org_id),
            key=lambda one: one.vin,
        )

    def credential(self, who: Principal, vehicle_id: UUID) -> Credential:
        found = [one for one in self.credentials(who) if one.vehicle_id == vehicle_id]
        if not found:
            raise NotFound("This vehicle has no access by VDV 261.")
        return found[0]

    def heard(self, who: Principal, vehicle_id: UUID) -> Heard | None:
        """What it told last, its changes merged."""
        require(who, Permission.VIEW)
        found = self._heard.get(vehicle_id)
        return found if found is not None and found.org_id == who.org_id else None

    async def admit(
        self,
        who: Principal,
        vehicle_id: UUID,
        *,
        vin: str = "",
        password: str = "",
        enabled: bool = True,
        without_password: bool = False,
        renew: bool = False,
        remote: str = "",
    ) -> tuple[Credential, str]:
        """Give a vehicle access, or change it; the password is returned once, else empty.

        Without ``vin`` the vehicle's own counts. A new access, or ``renew``, without ``password``
        is given one. Raises Invalid with fields, NotFound, Conflict for a VIN that is taken.
        """
        require(who, Permission.FLEET_WRITE)
        vehicle = await self._vehicle(who, vehicle_id)
        before = next((o for o in self._by_vin.values() if o.vehicle_id == vehicle_id), None)
        number = clean_vin(vin or (before.vin if before is not None else vehicle.vin or ""))
        secret = password
        if not password and not without_password and (before is None or renew):
            secret = _generated()
        if secret:
            _check_password(secret)
        kept = None if before is None or without_password else before.password_hash
        hashed = await self._passwords.hash(secret) if secret else kept
        if hashed is None and not without_password:
            secret = _generated()
            hashed = await self._passwords.hash(secret)
        now = self._clock.now()
        made = Credential(vehicle_id, who.org_id, number, hashed, enabled, now)
        taken = self._by_vin.get(number)
        if taken is not None and taken.vehicle_id != vehicle_id:
            raise Conflict(*_taken())
        with refusals(_CLASHES):
            async with transaction(self._database, of(who.org_id)) as tx:
                await store.save_credential(tx, made)
                detail = {"vin": number, "enabled": enabled, "password": bool(secret)}
                await audit.write(
                    tx, who, "vdv261.admit", "vehicle", vehicle_id, detail, at=now, remote=remote
                )
        if before is not None:
            self._by_vin.pop(before.vin, None)
            self._shown.pop(before.vin, None)
        self._by_vin[number] = made
        self._shown.pop(number, None)
        return made, secret if not password else ""

    async def remove(self, who: Principal, vehicle_id: UUID, *, remote: str = "") -> None:
        """It may tell no more, and what it told is forgotten."""
        require(who, Permission.FLEET_WRITE)
        known = self.credential(who, vehicle_id)
        now = self._clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.delete_credential(tx, vehicle_id)
            await audit.write(
                tx, who, "vdv261.remove", "vehicle", vehicle_id, {"vin": known.vin},
                at=now, remote=remote,
            )  # fmt: skip
        self._by_vin.pop(known.vin, None)
        self._shown.pop(known.vin, None)
        self._heard.pop(vehicle_id, None)
        self._room.forgotten(vehicle_id)

    async def _vehicle(self, who: Principal, vehicle_id: UUID) -> Vehicle:
        found = await self._vehicles.vehicles(who.org_id, [vehicle_id])
        if not found:
            raise NotFound("There is no such vehicle.")
        if found[0].org_id != who.org_id:
            raise Forbidden("This vehicle is an operator's.")
        return found[0]

    # Codings

    def coding(self, org_id: UUID) -> Coding:
        return self._codings.get(org_id, DEFAULT)

    def coding_seen(self, who: Principal) -> Coding:
        require(who, Permission.VIEW)
        return self.coding(who.org_id)

    async def save_coding(
        self, who: Principal, content: Mapping[str, Any], *, remote: str = ""
    ) -> Coding:
        """What is left out is as by default. Raises Invalid with the wrong fields."""
        require(who, Permission.FLEET_WRITE)
        made, now = coding_of(content), self._clock.now()
        before = self.coding(who.org_id)
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.save_settings(tx, who.org_id, msgspec.to_builtins(made), now)
            await audit.write(
                tx, who, "vdv261.coding", _KIND, who.org_id, audit.changes(before, made),
                at=now, remote=remote,
            )  # fmt: skip
        self._codings[who.org_id] = made
        return made


def _taken() -> Sequence[str]:
    return (_CLASHES["vdv261_vehicles_vin"][1],)


def _generated() -> str:
    """Of the signs that both versions allow, with one of each class."""
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits, SIGNS)
    picked = [secrets.choice(chars) for chars in classes]
    every = "".join(classes)
    picked += [secrets.choice(every) for _ in range(PASSWORD_LENGTH - len(picked))]
    secrets.SystemRandom().shuffle(picked)
    return "".join(picked)


def _check_password(password: str) -> None:
    """Of version 2: 8 to 150 ASCII characters, of four classes."""
    reason = ""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        reason = f"needs {PASSWORD_MIN} to {PASSWORD_MAX} characters"
    elif not (password.isascii() and password.isprintable()):
        reason = "may have printable ASCII characters only"
    else:
        has = (str.islower, str.isupper, str.isdigit, SIGNS.__contains__)
        if not all(any(test(char) for char in password) for test in has):
            reason = f"needs a small and a capital letter, a digit and one of {SIGNS}"
    if reason:
        raise Invalid("This password cannot be used.", fields={"password": reason})
