"""Passwords of people: argon2id, which ones are refused, and how guessing is slowed down."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from voltyard.errors import Invalid

TIME_COST = 3
MEMORY_KIB = 65_536
LENGTH_MIN = 12
LENGTH_MAX = 256
DISTINCT_MIN = 5
FREE_ATTEMPTS = 5
FIRST_LOCK_S = 30
LONGEST_LOCK_S = 900
REMOTE_FREE_ATTEMPTS = 20
SUSPECTS_MAX = 10_000

Offload = Callable[[Callable[[], object]], Awaitable[object]]
"""Runs a slow function off the event loop, or in place (virtual time)."""

_COMMON_WORDS = """
password passwort passw0rd kennwort geheim secret admin administrator root welcome
willkommen hallo hello letmein login changeme change default test testing user benutzer
master superuser qwerty qwertz qwertyuiop qwertzuiop asdfgh asdfghjkl yxcvbnm zxcvbnm
iloveyou ichliebedich dragon monkey football fussball baseball sunshine sonnenschein
princess shadow schatz sommer summer winter spring fruehling herbst autumn berlin hamburg
muenchen london company firma voltyard depot charger charging laden ladestation dispatch
dispatcher werkstatt betriebshof abc abcdef abcdefgh
"""
COMMON = frozenset(_COMMON_WORDS.split())
SEQUENCES = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)
_PLAIN = str.maketrans("0134578@$!|", "oleastbasil")


async def in_place(work: Callable[[], object]) -> object:
    return work()


async def in_thread(work: Callable[[], object]) -> object:
    return await asyncio.to_thread(work)


def check_strength(
    password: str, *, personal: tuple[str, ...] = (), field: str = "password"
) -> None:
    """Refuse (Invalid, code ``weak_password``) what is guessed first.

    ``personal`` are words of the person (e-mail address, name, organisation) that may not make
    up the password. Nothing else is demanded: length beats rules about characters
    (NIST SP 800-63B §5.1.1.2).
    """
    reason = _weakness(password, personal)
    if reason:
        raise Invalid(reason, code="weak_password", fields={field: reason})


def _weakness(password: str, personal: tuple[str, ...]) -> str:
    if len(password) < LENGTH_MIN:
        return f"A password needs at least {LENGTH_MIN} characters."
    if len(password) > LENGTH_MAX:
        return f"A password may have at most {LENGTH_MAX} characters."
    lowered = password.lower()
    if len(set(lowered)) < DISTINCT_MIN:
        return "This password repeats too few characters."
    if any(_run_of(lowered, sequence) for sequence in SEQUENCES):
        return "This password is a run of the keyboard or the alphabet."
    words = {word for text in personal for word in _words(text) if len(word) >= 4}
    if _is_made_of(lowered, COMMON | words):
        return "This password is among those that are tried first."
    return ""


def _run_of(text: str, sequence: str) -> bool:
    return text in sequence * 3 or text in sequence[::-1] * 3


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def _is_made_of(lowered: str, words: frozenset[str] | set[str]) -> bool:
    """Whether, digits and signs at the ends aside, it is one common word (or it, repeated)."""
    inner = lowered.strip("0123456789!?.,-_#*+$%& ")
    cores = {inner, inner.translate(_PLAIN), "".join(c for c in lowered if c.isalpha())}
    for core in cores:
        for word in words:
            count = len(core) // len(word)
            if core and core == word * max(1, count):
                return True
    return False


@dataclass(frozen=True, slots=True)
class Verified:
    """``rehash`` is a new hash to store when the old one's cost is out of date."""

    right: bool
    rehash: str | None = None


class PasswordBook:
    """Hashes and checks. ``offload`` keeps the event loop free; two checks run at a time."""

    def __init__(
        self,
        offload: Offload = in_thread,
        *,
        time_cost: int = TIME_COST,
        memory_kib: int = MEMORY_KIB,
    ) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._offload = offload
        self._slots = asyncio.Semaphore(2)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        async with self._slots:
            return str(await self._offload(lambda: self._hasher.hash(password)))

    async def verify(self, stored: str | None, password: str) -> Verified:
        """``stored`` None (no such person) takes as long and is never right."""
        if stored is None:
            if self._nobody is None:
                self._nobody = await self.hash("no person has this password")
            async with self._slots:
                await self._offload(lambda: self._matches(self._nobody or "", password))
            return Verified(False)
        async with self._slots:
            right = bool(await self._offload(lambda: self._matches(stored, password)))
        if right and self._hasher.check_needs_rehash(stored):
            return Verified(True, await self.hash(password))
        return Verified(right)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def lock_s(failures: int, free: int = FREE_ATTEMPTS) -> int:
    """How long the next attempt must wait after ``failures`` in a row: 30 s doubling to 15 min."""
    extra = failures - free
    return 0 if extra < 0 else min(FIRST_LOCK_S * 2 ** min(extra, 10), LONGEST_LOCK_S)


@dataclass(slots=True)
class _Suspect:
    failures: int = 0
    last_at: datetime | None = None
    locked_until: datetime | None = None


class Suspects:
    """Failures by remote address and by names nobody has, in memory, the oldest forgotten."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._known: OrderedDict[str, _Suspect] = OrderedDict()

    def wait_s(self, key: str, at: datetime) -> int:
        suspect = self._known.get(key)
        if suspect is None or suspect.locked_until is None or suspect.locked_until <= at:
            return 0
        return max(1, round((suspect.locked_until - at).total_seconds()))

    def failed(self, key: str, at: datetime) -> None:
        suspect = self._known.setdefault(key, _Suspect())
        self._known.move_to_end(key)
        if suspect.last_at is not None and at - suspect.last_at > timedelta(hours=1):
            suspect.failures = 0
        suspect.failures += 1
        suspect.last_at = at
        wait = lock_s(suspect.failures, self._free)
        suspect.locked_until = at + timedelta(seconds=wait) if wait else None
        while len(self._known) > SUSPECTS_MAX:
            self._known.popitem(last=False)

    def cleared(self, key: str) -> None:
        self._known.pop(key, None)
