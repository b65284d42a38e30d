"""What a simulated charger remembers of tokens: its local list, its cache, its reservations.

It decides without the server only when it cannot ask it (1.6 §3.5, 2.0.1 C13, C14).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from voltyard.simulator.evse import Evse, Status, Token

if TYPE_CHECKING:
    from voltyard.simulator.charger import Charger

LIST_MAX = 200
PER_MESSAGE = 50
CACHE_MAX = 500
_OUT_OF_ORDER = (Status.FAULTED, Status.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a token stands on the list or in the cache."""

    status: str
    group: str = ""
    until_at: datetime | None = None

    def accepted(self, now: datetime) -> bool:
        return self.status == "Accepted" and (self.until_at is None or now < self.until_at)


@dataclass(frozen=True, slots=True)
class Reserved:
    """``evse`` 0: any outlet."""

    number: int
    evse: int
    token: str
    group: str
    until_at: datetime


def read_instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


class TokenMemory:
    """Survives a reboot, as the standard wants it of a list and of reservations."""

    def __init__(self, charger: "Charger") -> None:
        self._charger = charger
        self.version = 0
        self.list: dict[str, Standing] = {}
        self.cache: dict[str, Standing] = {}
        self.reservations: dict[int, Reserved] = {}

    # The list and the cache

    def change_list(
        self, version: int, rows: Iterable[tuple[str, Standing | None]], *, full: bool
    ) -> str:
        """The word of the answer; a standing of None takes a token off."""
        changes = {token.upper(): standing for token, standing in rows}
        if len(changes) > PER_MESSAGE or (full and None in changes.values()):
            return "Failed"
        if not full and version <= self.version:
            return "VersionMismatch"
        held: dict[str, Standing | None] = {} if full else dict(self.list)
        held.update(changes)
        kept = {token: standing for token, standing in held.items() if standing is not None}
        if len(kept) > LIST_MAX:
            return "Failed"
        self.list, self.version = kept, version if kept else 0
        return "Accepted"

    def answered(self, token: Token, standing: Standing) -> None:
        """What the server said goes into the cache; the oldest answer makes room."""
        if not self._charger.settings.cache:
            return
        self.cache.pop(token.value.upper(), None)
        self.cache[token.value.upper()] = standing
        if len(self.cache) > CACHE_MAX:
            self.cache.pop(next(iter(self.cache)))

    def offline(self, token: Token) -> bool:
        """The list decides, then the cache, then the policy for tokens it does not know."""
        settings, now = self._charger.settings, self._charger.stage.device_now()
        name = token.value.upper()
        if settings.local_list and name in self.list:
            return self.list[name].accepted(now)
        if settings.cache and name in self.cache:
            return self.cache[name].accepted(now)
        return settings.offline_unknown

    def group_of(self, token: Token) -> str:
        name = token.value.upper()
        known = self.list.get(name) or self.cache.get(name)
        return "" if known is None else known.group

    def one_group(self, first: Token, second: Token) -> bool:
        group = self.group_of(first)
        return group != "" and group == self.group_of(second)

    # Reservations

    def reserve(self, wish: Reserved) -> str:
        """The word of the answer; the same number again replaces what it was (1.6 §5.13)."""
        charger = self._charger
        targets = [e for e in charger.evses if wish.evse in (0, e.spec.number)]
        if not targets or wish.until_at <= charger.stage.device_now():
            return "Rejected"
        states = [evse.status for evse in targets if not self._taken(evse, wish.number)]
        if Status.AVAILABLE not in states and Status.RESERVED not in states:
            return _why_not([evse.status for evse in targets])
        former = self.reservations.pop(wish.number, None)
        if former is not None:
            self._show(former, None)
        self.reservations[wish.number] = wish
        self._show(wish, wish.number)
        charger.spawn(self._expire(wish))
        return "Accepted"

    def _taken(self, evse: Evse, number: int) -> bool:
        return evse.reservation not in (None, number)

    def cancel(self, number: int) -> bool:
        gone = self.reservations.pop(number, None)
        if gone is not None:
            self._show(gone, None)
        return gone is not None

    def keeps_away(self, evse: Evse, token: Token) -> bool:
        """Whether the outlet is kept for somebody else."""
        if evse.reservation is None:
            return False
        return not self._fits(self.reservations[evse.reservation], token)

    def use(self, evse: Evse, token: Token) -> int | None:
        """The reservation a transaction uses up, by its number."""
        for reserved in list(self.reservations.values()):
            if reserved.evse in (0, evse.spec.number) and self._fits(reserved, token):
                self.cancel(reserved.number)
                return reserved.number
        return None

    def drop_out_of_order(self) -> None:
        """An outlet that is faulted or taken out of service keeps nothing (1.6 §5.13)."""
        for evse in self._charger.evses:
            if evse.reservation is not None and evse.status in _OUT_OF_ORDER:
                number = evse.reservation
                self.cancel(number)
                self._charger.dialect.reservation_over(number, "Removed")

    def _fits(self, reserved: Reserved, token: Token) -> bool:
        if reserved.token.upper() == token.value.upper():
            return True
        return reserved.group != "" and reserved.group == self.group_of(token)

    def _show(self, reserved: Reserved, number: int | None) -> None:
        for evse in self._charger.evses:
            if evse.spec.number == reserved.evse:
                evse.reservation = number

    async def _expire(self, reserved: Reserved) -> None:
        charger = self._charger
        wait_s = (reserved.until_at - charger.stage.device_now()).total_seconds()
        await charger.clock.sleep(max(0.0, wait_s))
        if self.reservations.get(reserved.number) is reserved:
            self.cancel(reserved.number)
            charger.dialect.reservation_over(reserved.number, "Expired")
            charger.report_all()


def _why_not(states: list[Status]) -> str:
    words: Mapping[Status, str] = {
        Status.FAULTED: "Faulted",
        Status.UNAVAILABLE: "Unavailable",
    }
    return words.get(states[0], "Occupied")
