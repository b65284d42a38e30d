"""Charger passwords: argon2, remembered so that a storm of reconnections costs nothing."""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PARALLEL_CHECKS = 2
WAITING_CHECKS_MAX = 2_000
SUSPECTS_MAX = 10_000
LONGEST_DELAY_S = 300
FREE_ATTEMPTS = 2

Offload = Callable[[Callable[[], object]], Awaitable[object]]
"""Runs a slow function off the event loop, or in place (virtual time)."""


async def in_place(work: Callable[[], object]) -> object:
    return work()


async def in_thread(work: Callable[[], object]) -> object:
    return await asyncio.to_thread(work)


class Verdict(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Checked:
    verdict: Verdict
    retry_after_s: int = 0


@dataclass(slots=True)
class _Suspect:
    failures: int = 0
    not_before: datetime | None = None


class Passwords:
    """Checks passwords of stations.

    A password found right is remembered as a digest bound to the stored hash, so a changed
    password is asked for again. After ``FREE_ATTEMPTS`` wrong ones from one address the next
    is not even looked at for 1, 2, 4 … ``LONGEST_DELAY_S`` seconds; a remembered one always is.
    """

    def __init__(self, offload: Offload = in_thread) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._offload = offload
        self._right: dict[UUID, bytes] = {}
        self._suspects: OrderedDict[tuple[str, str], _Suspect] = OrderedDict()
        self._slots = asyncio.Semaphore(PARALLEL_CHECKS)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        return str(await self._offload(lambda: self._hasher.hash(password)))

    async def check(
        self,
        station_id: UUID,
        stored: str,
        presented: str,
        *,
        who: tuple[str, str],
        at: datetime,
    ) -> Checked:
        """``who`` is (identity, remote address): what a guesser is slowed down by."""
        digest = _digest(stored, presented)
        remembered = self._right.get(station_id)
        if remembered is not None and hmac.compare_digest(remembered, digest):
            return Checked(Verdict.RIGHT)
        delay_s = self._delay_s(who, at)
        if delay_s > 0:
            return Checked(Verdict.LATER, delay_s)
        if self._waiting >= WAITING_CHECKS_MAX:
            return Checked(Verdict.LATER, 30)
        if not await self._verify(stored, presented):
            self._failed(who, at)
            return Checked(Verdict.WRONG)
        self._right[station_id] = digest
        self._suspects.pop(who, None)
        return Checked(Verdict.RIGHT)

    def refused(self, who: tuple[str, str], at: datetime) -> int:
        """Count an attempt without a password; seconds until the next is looked at."""
        self._failed(who, at)
        return self._delay_s(who, at)

    async def _verify(self, stored: str, presented: str) -> bool:
        self._waiting += 1
        try:
            async with self._slots:
                return bool(await self._offload(lambda: self._matches(stored, presented)))
        finally:
            self._waiting -= 1

    def _matches(self, stored: str, presented: str) -> bool:
        try:
            return self._hasher.verify(stored, presented)
        except (VerificationError, InvalidHashError):
            return False

    def _failed(self, who: tuple[str, str], at: datetime) -> None:
        suspect = self._suspects.setdefault(who, _Suspect())
        self._suspects.move_to_end(who)
        suspect.failures += 1
        extra = suspect.failures - FREE_ATTEMPTS
        if extra > 0:
            delay_s = min(2 ** min(extra - 1, 20), LONGEST_DELAY_S)
            suspect.not_before = at + timedelta(seconds=delay_s)
        while len(self._suspects) > SUSPECTS_MAX:
            self._suspects.popitem(last=False)

    def _delay_s(self, who: tuple[str, str], at: datetime) -> int:
        suspect = self._suspects.get(who)
        if suspect is None or suspect.not_before is None or suspect.not_before <= at:
            return 0
        return max(1, round((suspect.not_before - at).total_seconds()))


def _digest(stored: str, presented: str) -> bytes:
    return hmac.digest(stored.encode(), presented.encode("utf-8", "replace"), hashlib.sha256)
