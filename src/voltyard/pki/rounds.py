"""One step of security for many stations, in the background, each outcome kept to be looked at.

Kept in memory only: what each station came to is on its own page and in the audit log.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from voltyard.approvals.gate import Action, Gate
from voltyard.errors import Invalid, NotFound, TooMany
from voltyard.ids import new_id
from voltyard.pki.approving import RaiseProfiles
from voltyard.pki.field import Done
from voltyard.pki.model import Profile
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

if TYPE_CHECKING:
    from voltyard.pki.service import PkiService

RUNNING_MAX = 8
KEPT_MAX = 50
STATIONS_MAX = 10_000


class Step(StrEnum):
    CERTIFICATE = "certificate"
    """Asked for a new request (A02)."""
    ROOT = "root"
    """Given the roots of the built-in authorities (M05)."""
    PROFILE = "profile"
    """Told to use a higher profile (A05)."""
    PASSWORD = "password"
    """Given a new password (A01)."""
    REVOKE = "revoke"
    """The certificate it shows is revoked."""


PERMISSIONS = {
    Step.CERTIFICATE: Permission.CHARGERS_COMMAND,
    Step.ROOT: Permission.CHARGERS_COMMAND,
    Step.PROFILE: Permission.CHARGERS_COMMAND,
    Step.PASSWORD: Permission.CHARGERS_WRITE,
    Step.REVOKE: Permission.CHARGERS_WRITE,
}


@dataclass(frozen=True, slots=True)
class Order:
    """``profile`` and ``url`` are for PROFILE, ``reason`` for REVOKE."""

    step: Step
    profile: Profile = Profile.TLS_BASIC
    reason: str = ""
    url: str | None = None


@dataclass(slots=True)
class Round:
    id: UUID
    org_id: UUID
    order: Order
    station_ids: tuple[UUID, ...]
    begun_at: datetime
    by: str
    ended_at: datetime | None = None
    done: dict[UUID, Done] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        return sum(not done.ok for done in self.done.values())


class Rounds:
    def __init__(self, pki: "PkiService") -> None:
        self._pki = pki
        self._rounds: dict[UUID, Round] = {}

    def gated_by(self, gate: Gate) -> None:
        gate.carries_out(
            Action("pki.raise_profiles", RaiseProfiles, self._carry_out, provable=False)
        )

    async def _carry_out(self, who: Principal, asked: RaiseProfiles) -> Mapping[str, Any]:
        order = Order(Step.PROFILE, asked.profile, url=asked.url)
        return {"round": str((await self.start(who, order, asked.station_ids)).id)}

    async def start(self, who: Principal, order: Order, station_ids: Sequence[UUID]) -> Round:
        """Raises Invalid without a station or reason, NotFound for another's, TooMany; Proposed
        where a higher profile waits for a second person."""
        require(who, PERMISSIONS[order.step])
        ids = tuple(dict.fromkeys(station_ids))
        if not ids:
            raise Invalid("Choose at least one charger.", fields={"station": "is needed"})
        if order.step is Step.REVOKE and not order.reason.strip():
            raise Invalid("Say why.", fields={"reason": "is needed"})
        for station_id in ids:
            self._pki.station_of(who, station_id)
        running = sum(one.ended_at is None for one in self._rounds.values())
        if running >= RUNNING_MAX or len(ids) > STATIONS_MAX:
            raise TooMany("enough is under way")
        if order.step is Step.PROFILE:
            await self._pki.field.permit_many(who, ids, order.profile, order.url)
        made = Round(new_id(), who.org_id, order, ids, self._pki.clock.now(), who.name)
        self._keep(made)
        self._pki.spawn(self._run(who, made))
        return made

    def _keep(self, made: Round) -> None:
        self._rounds[made.id] = made
        over = len(self._rounds) - KEPT_MAX
        old = [one.id for one in self._rounds.values() if one.ended_at is not None]
        for gone in old[: max(0, over)]:
            del self._rounds[gone]

    async def _run(self, who: Principal, made: Round) -> None:
        work = self._work(who, made.order)
        try:
            await self._pki.field.each(
                made.station_ids, work, lambda done: made.done.update({done.station_id: done})
            )
        finally:
            made.ended_at = self._pki.clock.now()

    def _work(self, who: Principal, order: Order) -> Callable[[UUID], Awaitable[object]]:
        pki = self._pki
        works: dict[Step, Callable[[UUID], Awaitable[object]]] = {
            Step.CERTIFICATE: lambda station_id: pki.renew(who, station_id),
            Step.ROOT: lambda station_id: pki.field.install_root(who, station_id, "csms_root"),
            Step.PROFILE: lambda station_id: pki.field.raise_profile(
                who, station_id, order.profile, url=order.url, permitted=True
            ),
            Step.PASSWORD: lambda station_id: pki.rotation.rotate(who, station_id),
            Step.REVOKE: lambda station_id: pki.revoke_shown(who, station_id, order.reason),
        }
        return works[order.step]

    def get(self, who: Principal, round_id: UUID) -> Round:
        require(who, Permission.VIEW)
        found = self._rounds.get(round_id)
        if found is None or found.org_id != who.org_id:
            raise NotFound("There is no such round any more.")
        return found

    def newest(self, who: Principal) -> list[Round]:
        require(who, Permission.VIEW)
        mine = [one for one in self._rounds.values() if one.org_id == who.org_id]
        return sorted(mine, key=lambda one: one.begun_at, reverse=True)
