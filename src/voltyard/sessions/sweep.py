"""When a session whose stop never came is over: unplugged, or silent for too long. Pure."""

from dataclasses import dataclass
from datetime import datetime

from voltyard.chargers.model import PLUGGED, Evse, EvseStatus
from voltyard.sessions.fold import Tracked
from voltyard.sessions.model import Flag


@dataclass(frozen=True, slots=True)
class SessionRules:
    """``zombie_s``: nothing heard while the outlet says that nobody is plugged in.

    ``eternal_s``: nothing heard from a connected charger that does not say plugged either.
    ``silent_s``: nothing heard at all, or from a vehicle that just stands there: a vehicle may
    wait a whole weekend for its duty, and a charger cut off keeps its messages for later.
    """

    zombie_s: float = 300.0
    eternal_s: float = 6 * 3600.0
    silent_s: float = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Verdict:
    flag: Flag
    at: datetime


def judge(
    tracked: Tracked, evse: Evse | None, *, online: bool, now: datetime, rules: SessionRules
) -> Verdict | None:
    """Whether and as of when to close an open session."""
    session = tracked.session
    last_at = session.last_reading_at or session.started_at
    silent_s = (now - (tracked.heard_at or last_at)).total_seconds()
    if online and evse is not None and evse.status is EvseStatus.AVAILABLE:
        since_at = evse.status_at or last_at
        free_s = (now - since_at).total_seconds()
        if silent_s >= rules.zombie_s and free_s >= rules.zombie_s:
            return Verdict(Flag.NO_STOP, max(since_at, last_at))
    waiting = not online or (evse is not None and evse.status in PLUGGED)
    if silent_s >= (rules.silent_s if waiting else rules.eternal_s):
        return Verdict(Flag.ETERNAL, last_at)
    return None
