"""What a charger may hold: the most it may draw, through limits sent, confirmed, lost, expired.

Pure. A ``Held`` states an upper bound that is true whatever happens next without a new command.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from voltyard.energy.steering import CHARGING, Steer, Way

WATT = 0.5
"""Limits are whole watts or more: those that differ by less are the same. Any more would add up: a
thousand outlets that may each keep one watt too much are a kilowatt over.
"""


class FallbackState(StrEnum):
    """What is known of the fail-safe limit in the charger."""

    UNKNOWN = "unknown"
    SENT = "sent"
    """Accepted, not yet read back."""
    VERIFIED = "verified"
    FAILED = "failed"
    """Not taken or not obeyed. It is sent again now and then."""


@dataclass(frozen=True, slots=True)
class Live:
    """A live limit that may be in force until ``until_at`` (None: until it is replaced)."""

    power_w: float
    until_at: datetime | None

    def expired(self, now: datetime) -> bool:
        return self.until_at is not None and now >= self.until_at


@dataclass(frozen=True, slots=True)
class Held:
    """The limits one EVSE may be acting on.

    A live limit overrides ``fallback_w`` while it lasts; when it ends (expiry, end of
    transaction) the fallback holds, so the EVSE counts at the largest of all at all times.
    More than one live limit means that it is not known which of them is in force.
    """

    fallback_w: float
    lives: tuple[Live, ...] = ()
    fallback_state: FallbackState = FallbackState.UNKNOWN

    @property
    def ceiling_w(self) -> float:
        return max(self.fallback_w, self.live_w) if self.lives else self.fallback_w

    @property
    def live_w(self) -> float:
        """The largest live limit that may be in force, 0 without one."""
        return max([live.power_w for live in self.lives], default=0.0)

    @property
    def live_until(self) -> datetime | None:
        """When the last live limit is over for sure; None without one or without an end."""
        ends = [live.until_at for live in self.lives]
        if not ends or None in ends:
            return None
        return max(end for end in ends if end is not None)

    @property
    def is_sure(self) -> bool:
        """Whether exactly one live limit can be in force."""
        return len(self.lives) == 1

    def at(self, now: datetime) -> "Held":
        """The same with expired live limits dropped."""
        for live in self.lives:
            if live.expired(now):
                return replace(self, lives=tuple(li for li in self.lives if not li.expired(now)))
        return self

    def endless(self) -> "Held":
        """The same with live limits that last until they are replaced."""
        return replace(self, lives=tuple(replace(li, until_at=None) for li in self.lives))

    def ending(self, at: datetime) -> "Held":
        """The same with an end for live limits that have none."""
        lives = tuple(li if li.until_at else replace(li, until_at=at) for li in self.lives)
        return replace(self, lives=lives)

    def transaction_ended(self) -> "Held":
        """A transaction's limit ends with it."""
        return replace(self, lives=()) if self.lives else self


@dataclass(frozen=True, slots=True)
class Change:
    """A limit about to be sent: ``fallback`` tells a fail-safe from a live limit."""

    power_w: float
    fallback: bool = False
    until_at: datetime | None = None
    """When a live limit is over for sure, by the most generous reading of its validity."""
    steer: Steer = CHARGING
    way: Way = Way.SET

    def while_unconfirmed(self, held: Held) -> Held:
        """What must be assumed from the moment it is sent: the old and the new."""
        if self.fallback:
            failed = held.fallback_state is FallbackState.FAILED
            return replace(
                held,
                fallback_w=max(held.fallback_w, self.power_w),
                fallback_state=FallbackState.FAILED if failed else FallbackState.UNKNOWN,
            )
        new = Live(self.power_w, self.until_at)
        kept = tuple(live for live in held.lives if not _covers(new, live))
        if any(_covers(live, new) for live in kept):
            return replace(held, lives=kept)
        return replace(held, lives=(*kept, new))

    def when_confirmed(self, held: Held) -> Held:
        """What holds once the charger said yes: the new alone."""
        if self.fallback:
            return replace(held, fallback_w=self.power_w, fallback_state=FallbackState.SENT)
        return replace(held, lives=(Live(self.power_w, self.until_at),))

    def raises(self, held: Held) -> bool:
        return self.power_w > held.ceiling_w + WATT


def _covers(first: Live, second: Live) -> bool:
    """Whether the first is at least as high for at least as long."""
    if first.power_w < second.power_w:
        return False
    if first.until_at is None:
        return True
    return second.until_at is not None and first.until_at >= second.until_at


def sure_end(sent_at: datetime, valid_s: float, slack_s: float) -> datetime:
    """When a limit valid for ``valid_s`` is over, with ``slack_s`` for clocks and delays."""
    return sent_at + timedelta(seconds=valid_s + slack_s)
