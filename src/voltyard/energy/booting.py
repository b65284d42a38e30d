"""Chargers that have booted and wait to be accepted until their fail-safe limit is confirmed. Pure.

A charger in Pending may be given limits and may not begin transactions (OCPP 1.6 §4.2, 2.0.1
B02). None waits for ever: one that takes no fail-safe is accepted once the others made room.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from voltyard.energy.confirm import FallbackState
from voltyard.energy.outlet import Outlet


@dataclass(frozen=True, slots=True)
class BootRules:
    """``install_s``: how long its fail-safe may take to be confirmed. ``room_s``: how long
    it then waits, counted at its full power, for the others to be cut. A charger not heard of for
    ``forget_s`` begins anew. One that is to be switched off is told so each ``again_s`` until it
    answers, at most ``tries`` times."""

    install_s: float = 60.0
    room_s: float = 30.0
    forget_s: float = 600.0
    again_s: float = 30.0
    tries: int = 10


class Verdict(StrEnum):
    WAIT = "wait"
    READY = "ready"
    """It holds its fail-safe limit, or none is asked of it."""
    UNLIMITED = "unlimited"
    """It took none in time: accepted, and counted at its full power."""
    TOO_MUCH = "too_much"
    """It took none, and its full power fits nowhere: it is switched off before it is accepted."""


@dataclass(slots=True)
class Hold:
    """``link`` is the connection it booted on; ``asked`` that it was told to boot
    again, ``switched_off`` that its outlets were told to give nothing and that it answered."""

    since: datetime
    heard_at: datetime
    link: object
    room_since: datetime | None = None
    asked: bool = False
    switched_off: bool = False
    off_tries: int = 0
    off_at: datetime | None = None

    def answered(self) -> None:
        self.switched_off = True

    def off_due(self, now: datetime, rules: BootRules) -> bool:
        """Whether to tell it (again) to give nothing; noted as told."""
        if self.off_at is not None and now < self.off_at + timedelta(seconds=rules.again_s):
            return False
        if self.off_tries >= rules.tries:
            self.switched_off = True
            return False
        self.off_at, self.off_tries = now, self.off_tries + 1
        return True


class Holds:
    """Who waits, by station."""

    def __init__(self, rules: BootRules) -> None:
        self._rules = rules
        self._holds: dict[UUID, Hold] = {}

    def __iter__(self) -> Iterator[tuple[UUID, Hold]]:
        return iter(list(self._holds.items()))

    def booted(self, station_id: UUID, link: object, now: datetime) -> bool:
        """Note a boot; False when it only asks again while it waits, and has lost nothing.

        Its time runs from the first boot on, over connections that it breaks meanwhile.
        """
        known = self._holds.get(station_id)
        if known is not None and now - known.heard_at > timedelta(seconds=self._rules.forget_s):
            known = None
        if known is None:
            self._holds[station_id] = Hold(now, now, link)
            return True
        known.heard_at = now
        again = known.link is link
        if not again:
            known.link, known.asked = link, False
        return not again

    def verdict(
        self, station_id: UUID, outlets: Sequence[Outlet], now: datetime, fits: Callable[[], bool]
    ) -> Verdict:
        """``outlets``: those of the station that the tree knows. ``fits`` tells whether no node
        above them is over its limit, with them at what they may draw; seldom asked."""
        hold = self._holds.get(station_id)
        without = [outlet for outlet in outlets if outlet.reinstall]
        if hold is None or not without:
            return Verdict.READY
        rules = self._rules
        refused = any(o.held.fallback_state is FallbackState.FAILED for o in without)
        if not refused and now < hold.since + timedelta(seconds=rules.install_s):
            return Verdict.WAIT
        hold.room_since = hold.room_since or now
        if hold.switched_off or fits():
            return Verdict.UNLIMITED
        over = now >= hold.room_since + timedelta(seconds=rules.room_s)
        return Verdict.TOO_MUCH if over else Verdict.WAIT

    def over(self, station_ids: Iterable[UUID]) -> None:
        """They were accepted."""
        for station_id in station_ids:
            self._holds.pop(station_id, None)
