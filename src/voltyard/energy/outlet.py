"""One EVSE as its controller sees it, and which limit it should be sent next. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.chargers.commands import Command, RemoteStop, SetAvailability
from voltyard.chargers.model import Abilities, Evse, EvseStatus, PowerMode, Station
from voltyard.energy.confirm import WATT, Change, FallbackState, Held, sure_end
from voltyard.energy.ports import LiveSession
from voltyard.energy.profiles import (
    ends_with_transaction,
    has_live_layer,
    live_profile_id,
    settable_w,
)
from voltyard.energy.steering import CHARGING, UPDATE_REFUSALS, Installed, Steer, Way
from voltyard.energy.watch import Obedience, Step

RETRY_FIRST_S = 10.0
RETRY_CUT_S = 30.0
RETRY_LAST_S = 300.0
RETRY_UNKNOWN_S = 3600.0
FALLBACK_TRIES = 3
LEAST_PART_W = 500.0
VERIFY_NEVER_S = 86_400.0
SHOWN_TOLERANCE_W = 50.0
STOP_AGAIN_S = 60.0
OFF_FOR_S = 900.0
NO_TRANSACTION = frozenset(
    {EvseStatus.AVAILABLE, EvseStatus.PREPARING, EvseStatus.FINISHING, EvseStatus.RESERVED}
)


@dataclass(frozen=True, slots=True)
class Timing:
    """How the dead man's switch is set. ``valid_s`` is about three times ``refresh_s``.

    ``slack_s`` is how much later than stated a charger may end a limit (clock, queues).
    """

    refresh_s: float = 300.0
    valid_s: int = 900
    slack_s: float = 90.0
    send_timeout_s: float = 30.0
    end_by: datetime | None = None
    """When live limits must be over for sure: something on site allows less from then on."""
    over_end_by: datetime | None = None
    """The same for outlets below a node that is over on paper, or will be when its limit falls
    any moment: until that is settled, they get nothing that outlasts the very next fall."""

    def while_over(self) -> "Timing":
        return replace(self, end_by=self.over_end_by)

    def valid_from(self, now: datetime) -> int:
        """How long a live limit sent now may last."""
        if self.end_by is None:
            return self.valid_s
        left_s = (self.end_by - now).total_seconds() - self.slack_s
        return max(1, min(self.valid_s, int(left_s)))


@dataclass(frozen=True, slots=True)
class Target:
    """What an EVSE should be limited to: ``live_w`` None without a session."""

    live_w: float | None
    fallback_w: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Commands of one kind that failed one after the other; ``unsure`` if any went unanswered."""

    count: int
    last_at: datetime
    unsure: bool
    unknown: bool = False
    """The charger said that it does not know the message: it is asked hardly ever again."""

    def holds_back(self, now: datetime, *, cut: bool) -> bool:
        """Cuts are tried again soon; the rest waits longer each time."""
        if self.unknown and self.count >= FALLBACK_TRIES:
            return now < self.last_at + timedelta(seconds=RETRY_UNKNOWN_S)
        pause_s = min(RETRY_CUT_S if cut else RETRY_LAST_S, RETRY_FIRST_S * 2.0 ** (self.count - 1))
        return now < self.last_at + timedelta(seconds=pause_s)


@dataclass(slots=True)
class Outlet:
    """State of one EVSE, owned by the controller of its site.

    ``heard`` is True once the charger answered or spoke since it last connected; until then it
    counts as offline. ``commissioned`` is False for a charger that never connected: nothing is
    known to be there, so it counts as nothing. ``says_idle``: since it last connected the charger
    said that no transaction runs here. ``takes_no_limit``: it was switched off because of that.
    ``fresh``: it booted, and its fail-safe limit was not sent.
    """

    evse: Evse
    station: Station
    held: Held
    commissioned: bool = True
    granted_w: float = 0.0
    connected: bool = False
    session: LiveSession | None = None
    target: Target = field(default_factory=lambda: Target(None, 0.0))
    in_flight: Change | None = None
    in_flight_for: UUID | None = None
    refreshed_at: datetime | None = None
    changed_at: datetime | None = None
    live_failure: "Failure | None" = None
    fallback_failure: "Failure | None" = None
    verify_at: datetime | None = None
    reinstall: bool = True
    fresh: bool = False
    charging_since: datetime | None = None
    paused_since: datetime | None = None
    obedience: Obedience = field(default_factory=Obedience)
    mismatches: int = 0
    insisted_at: datetime | None = None
    off_since: datetime | None = None
    unsaved: bool = False
    says_idle: bool = False
    takes_no_limit: bool = False
    ruled_out: bool = False
    """A policy of the site leaves its vehicle nothing now."""
    asked: bool = False
    """A vehicle waits for its limit: it is sent anew, whether or not it changes."""
    abilities: Abilities = field(default_factory=Abilities)
    steer: Steer = CHARGING
    """What its vehicle is to do beyond charging under the limit; with any, that is 0 W."""
    steer_until: datetime | None = None
    """What is sent ends then by itself, whatever becomes of us."""
    applied: Steer = CHARGING
    steer_failed_at: datetime | None = None
    installed: Installed | None = None
    update_refusals: int = 0
    loose_s: float | None = None
    """An update may be taken late, while the connection lasts: its limit counts without end until
    another is confirmed, and so long after the connection is gone."""
    loose_over: bool = False

    def counted_w(self, now: datetime) -> float:
        """The most this EVSE may draw as far as anybody knows."""
        if not self.commissioned or self.is_shut:
            return 0.0
        ceiling_w = self.held.at(now).ceiling_w
        return max(ceiling_w, self.obedience.counted_w(self.evse.max_power_w))

    @property
    def steady_w(self) -> float:
        """The live limit up to which it draws no more than now, by the lowest that may hold.

        Without one, its fail-safe limit, which fits together with everybody else's.
        """
        if self.held.lives:
            return min(live.power_w for live in self.held.lives)
        return min(self.target.fallback_w, self.held.fallback_w)

    @property
    def is_shut(self) -> bool:
        """Switched off by us, and it says that it is."""
        off = self.takes_no_limit and self.connected and self.session is None
        return off and self.evse.status is EvseStatus.UNAVAILABLE

    def settable_w(self, power_w: float) -> float:
        return settable_w(self.evse, self.station.quirks, power_w)

    def told(self, status: EvseStatus, error_code: str | None) -> bool:
        """What the charger says of itself; whether that is news."""
        idle = status in NO_TRANSACTION
        if (status, error_code, idle) == (self.evse.status, self.evse.error_code, self.says_idle):
            return False
        self.evse = replace(self.evse, status=status, error_code=error_code)
        self.says_idle = idle
        return True

    def forget_expired(self, now: datetime) -> None:
        """Limits that ran out, and those of a transaction that ended while nobody was in charge."""
        if self.loose_over and self.loose_s is not None:
            self._hold(self.held.ending(now + timedelta(seconds=self.loose_s)))
            self.loose_s, self.loose_over = None, False
        self._hold(self.held.at(now))
        if self.says_idle and self.session is None and self.in_flight is None:
            self._drop_limits_of_the_transaction()

    def aim(self, live_w: float | None, fallback_active_w: float, fallback_idle_w: float) -> None:
        """Set the target. The higher fail-safe is for an EVSE that is granted at least that."""
        idle_w = self.settable_w(fallback_idle_w)
        if live_w is None:
            self.target = Target(None, idle_w)
            return
        live_w = self.settable_w(0.0 if self.is_steered else live_w)
        if not has_live_layer(self.station.quirks):
            self.target = Target(None, max(live_w, 0.0))
            return
        active_w = self.settable_w(fallback_active_w)
        self.target = Target(live_w, active_w if live_w >= active_w else min(idle_w, active_w))

    def next_change(self, now: datetime, timing: Timing) -> Change | None:
        """The one limit to send now, the most urgent first; None when all is as it should be."""
        if not self.connected or not self.commissioned or self.in_flight is not None:
            return None
        return next(self._wanted(now, timing), None)

    def failsafe_first(self) -> Change | None:
        """Its fail-safe limit, whatever else it should be sent."""
        if not self.connected or not self.commissioned or self.in_flight is not None:
            return None
        return Change(self.target.fallback_w, fallback=True)

    def _wanted(self, now: datetime, timing: Timing) -> Iterator[Change]:
        target, held = self.target, self.held
        fallback = Change(target.fallback_w, fallback=True)
        live = self._live_wanted(now, timing)
        if live is not None and self._cuts(live) and not self._waits(live, now, cut=True):
            yield live
        lower = held.fallback_w > target.fallback_w + WATT
        if (self.reinstall or lower) and not self._waits(fallback, now, cut=lower):
            yield fallback
        stale = self.session is not None and live is not None and self._live_is_stale(now, timing)
        if live is not None and stale and not self._waits(live, now, cut=False):
            yield live
        higher = held.fallback_w < target.fallback_w - WATT and self._may_raise_fallback()
        if higher and not stale and not self._waits(fallback, now, cut=False):
            yield fallback

    def _live_wanted(self, now: datetime, timing: Timing) -> Change | None:
        """That of its session. One that outlasted its session goes down to what an outlet may
        draw where nobody charges: the next vehicle would take it, however low limits are then."""
        until_at = sure_end(now, self.valid_s(now, timing), timing.slack_s)
        if self.session is None:
            lasts = self.held.lives and not ends_with_transaction(self.station.quirks)
            return Change(self.target.fallback_w, until_at=until_at) if lasts else None
        if self.target.live_w is None:
            return None
        way = self._way(now, timing)
        return Change(self.target.live_w, until_at=until_at, steer=self.steer, way=way)

    def _way(self, now: datetime, timing: Timing) -> Way:
        """After anything odd, and where it must end earlier, a profile takes another's place."""
        quirks, installed = self.station.quirks, self.installed
        able = self.abilities.dynamic and quirks.dynamic and ends_with_transaction(quirks)
        if not able or self.live_failure is not None or self.update_refusals >= UPDATE_REFUSALS:
            return Way.SET
        if self.valid_s(now, timing) < timing.valid_s or self.session is None:
            return Way.SET
        if self.asked or installed is None or self.steer.mode is PowerMode.IDLE:
            return Way.INSTALL
        same = (installed.session_id, installed.mode) == (self.session.session_id, self.steer.mode)
        return Way.UPDATE if same and installed.valid_s == timing.valid_s else Way.INSTALL

    def valid_s(self, now: datetime, timing: Timing) -> int:
        """How long a live limit sent now may last."""
        valid_s = timing.valid_from(now)
        if self.steer_until is None:
            return valid_s
        return max(1, min(valid_s, int((self.steer_until - now).total_seconds())))

    def pulled(self, profile_id: int, now: datetime, timing: Timing) -> Change | None:
        """What the charger may be told again of the profile it asks about."""
        ours = profile_id == live_profile_id(self.evse) and self.connected
        sure = self.held.is_sure and self.in_flight is None and self.steer == self.applied
        if not ours or not sure or self._way(now, timing) is not Way.UPDATE:
            return None
        return Change(self.held.live_w, steer=self.applied, way=Way.UPDATE)

    @property
    def is_steered(self) -> bool:
        return self.steer.mode is not PowerMode.LIMIT

    def _cuts(self, live: Change) -> bool:
        now_w = self.held.live_w if self.held.lives else self.held.fallback_w
        return now_w > live.power_w + WATT

    def _waits(self, change: Change, now: datetime, *, cut: bool) -> bool:
        failure = self.fallback_failure if change.fallback else self.live_failure
        return failure is not None and failure.holds_back(now, cut=cut)

    def _live_is_stale(self, now: datetime, timing: Timing) -> bool:
        assert self.target.live_w is not None
        held = self.held
        if self.asked or self.steer != self.applied:
            return True
        if not held.is_sure or held.live_w < self.target.live_w - WATT:
            return True
        return self.renewal_due(now, timing)

    def renewal_due(self, now: datetime, timing: Timing) -> bool:
        if self.refreshed_at is None:
            return True
        if now >= self.refreshed_at + timedelta(seconds=timing.refresh_s):
            return True
        ends_at = self.held.live_until
        lead_s = timing.slack_s + timing.refresh_s / 2.0
        early = ends_at is not None and now >= ends_at - timedelta(seconds=lead_s)
        return early and now >= self.refreshed_at + timedelta(seconds=timing.refresh_s / 5.0)

    def _may_raise_fallback(self) -> bool:
        """Beneath a live limit that is sure; or, without a session, room is asked for it."""
        if self.target.live_w is None:
            return True
        return self.held.is_sure and self.held.live_w >= self.target.fallback_w - WATT

    def sent(self, change: Change) -> None:
        """From now on both the old and the new limit count."""
        self.in_flight = change
        self.in_flight_for = None if self.session is None else self.session.session_id
        self._hold(change.while_unconfirmed(self.held))

    def confirmed(self, change: Change, now: datetime, valid_s: int = 0) -> None:
        """``valid_s``: how long a live limit lasts that was sent to be updated."""
        self.in_flight = None
        self._hold(change.when_confirmed(self.held))
        if change.fallback:
            self.reinstall, self.fallback_failure = False, None
            if not has_live_layer(self.station.quirks):
                self.granted_w, self.changed_at = change.power_w, now
            return
        self.live_failure, self.asked = None, False
        self.loose_s, self.loose_over = None, False
        if self.session is None or self._for_another_session():
            self.installed = None
            self._drop_limits_of_the_transaction()
            return
        self.refreshed_at, self.applied = now, change.steer
        if change.way is not Way.UPDATE:
            self._is_installed(change, valid_s)
        if abs(change.power_w - self.granted_w) > WATT:
            self.changed_at = now
        if change.power_w > 0.0 >= self.granted_w:
            self.charging_since = now
        elif change.power_w <= 0.0 < self.granted_w:
            self.paused_since, self.charging_since = now, None
        self.granted_w = change.power_w

    def _is_installed(self, change: Change, valid_s: int) -> None:
        self.installed = None
        if change.way is Way.INSTALL and self.session is not None:
            self.installed = Installed(self.session.session_id, change.steer.mode, valid_s)

    def _for_another_session(self) -> bool:
        """A limit of a transaction that ended while it was on its way ended too."""
        current = None if self.session is None else self.session.session_id
        return self.in_flight_for != current

    def refused(
        self, change: Change, before: Held, now: datetime, *, unknown: bool = False
    ) -> None:
        """The charger said no: it goes on with what it held before."""
        self.in_flight = None
        self._hold(before)
        if change.way is Way.INSTALL:
            self.update_refusals = UPDATE_REFUSALS
        elif change.way is Way.UPDATE:
            self.update_refusals += 1
        if self._for_another_session():
            self._drop_limits_of_the_transaction()
        self._failed(change, now, unsure=False, unknown=unknown)

    def unanswered(self, change: Change, now: datetime, valid_s: float = 0.0) -> None:
        """Nobody knows: both limits go on counting. What is updated lasts from when it is taken,
        which may be as late as the connection stands: ``valid_s``, with slack, from then."""
        self.in_flight = None
        if change.way is not Way.SET:
            self.lasts_from_when_taken(valid_s)
        self._failed(change, now, unsure=True)

    def lasts_from_when_taken(self, valid_s: float) -> None:
        """Nobody knows when it is taken, but that it needs the connection of now."""
        self.loose_s, self.loose_over = valid_s, self.loose_over or not self.connected
        self._hold(self.held.endless())

    def _failed(
        self, change: Change, now: datetime, *, unsure: bool, unknown: bool = False
    ) -> None:
        if not change.fallback:
            self.installed = None
            if change.steer.mode is not PowerMode.LIMIT:
                self.steer_failed_at = now
        known = self.fallback_failure if change.fallback else self.live_failure
        count = 1 if known is None else known.count + 1
        unsure = unsure or (known is not None and known.unsure)
        failure = Failure(count, now, unsure, unknown)
        if not change.fallback:
            self.live_failure = failure
            return
        self.fallback_failure = failure
        if count >= FALLBACK_TRIES and not unsure:
            # A charger that takes no default may give whatever its hardware can.
            self._hold(Held(self.evse.max_power_w, self.held.lives, FallbackState.FAILED))

    def withdrawn(self, before: Held) -> None:
        """It was never sent."""
        self.in_flight = None
        self._hold(before)
        self.unsaved = True

    def as_far_as(
        self, change: Change, free_w: float, now: datetime, timing: Timing
    ) -> Change | None:
        """A raise cut down to the room there is; a renewal of what holds when that is due."""
        ceiling_w = self.held.ceiling_w
        if change.power_w <= ceiling_w + free_w:
            return change
        if change.fallback:
            return None
        part = replace(change, power_w=self.settable_w(ceiling_w + free_w))
        if part.power_w >= max(ceiling_w + LEAST_PART_W, self.evse.min_power_w):
            return part
        if self.held.is_sure and (self.asked or self.renewal_due(now, timing)):
            return replace(change, power_w=self.held.live_w)
        if self.asked and not self.held.lives:
            return replace(change, power_w=self.settable_w(ceiling_w))
        return None

    def ask_for_limit(self) -> None:
        """A charger may have refused it while its vehicle was not ready for it (K15.FR.17)."""
        self.asked, self.live_failure = True, None

    def _hold(self, held: Held) -> None:
        if held is not self.held:
            self.unsaved = self.unsaved or held != self.held
            self.held = held

    @property
    def is_controllable(self) -> bool:
        """Whether a new limit is likely to reach it and be obeyed."""
        return self.connected and self.live_failure is None and self.obedience.step < Step.FENCED

    def came_online(self) -> None:
        self.connected, self.commissioned, self.says_idle = True, True, False
        self.reinstall, self.refreshed_at, self.verify_at = True, None, None
        self.live_failure = self.fallback_failure = None
        self.installed, self.update_refusals = None, 0
        self.loose_over = self.loose_s is not None
        self.unsaved = True

    def booted(self) -> None:
        """Some makes forget their limits then: until it confirms one, it counts at full power."""
        self.came_online()
        self.fresh, self.abilities = True, Abilities()
        most_w = max(self.held.fallback_w, self.evse.max_power_w)
        self._hold(Held(most_w, self.held.lives, FallbackState.UNKNOWN))

    def accepted_without(self) -> None:
        """It took no fail-safe limit in time. Some take one as soon as they are accepted."""
        if self.reinstall:
            self.fallback_failure = None
            self._hold(replace(self.held, fallback_state=FallbackState.FAILED))

    def went_offline(self) -> None:
        self.connected, self.installed = False, None
        self.loose_over = self.loose_s is not None

    def began(self, session: LiveSession, now: datetime) -> None:
        """A session runs here; the same one again only brings news of it."""
        if self.session is None or self.session.session_id != session.session_id:
            self.ended()
            self.paused_since = now
        self.session = session

    def ended(self) -> None:
        """The transaction is over, and a limit that was its own with it."""
        self.session, self.charging_since, self.paused_since = None, None, None
        self.granted_w, self.refreshed_at, self.live_failure = 0.0, None, None
        self.asked, self.installed, self.steer_failed_at = False, None, None
        self.steer, self.steer_until, self.applied = CHARGING, None, CHARGING
        if self.in_flight is None:
            self._drop_limits_of_the_transaction()

    def _drop_limits_of_the_transaction(self) -> None:
        """Only what a charger that is heard said: out of hearing, its transaction may go on."""
        if self.connected and ends_with_transaction(self.station.quirks):
            self._hold(self.held.transaction_ended())

    def verification_due(self, now: datetime) -> bool:
        return (
            self.connected
            and self.session is None
            and self.in_flight is None
            and self.held.fallback_state is FallbackState.SENT
            and (self.verify_at is None or now >= self.verify_at)
        )

    def read_back(self, shown_w: float | None, now: datetime) -> None:
        """What the charger says its schedule is; None when it cannot tell.

        Installed again when it is higher than it should be; after some tries it counts as shown.
        """
        if shown_w is None:
            self.verify_at = now + timedelta(seconds=VERIFY_NEVER_S)
            return
        if shown_w <= self.held.fallback_w + SHOWN_TOLERANCE_W:
            self.mismatches = 0
            self._hold(replace(self.held, fallback_state=FallbackState.VERIFIED))
            return
        self.mismatches += 1
        self.reinstall = True
        if self.mismatches >= FALLBACK_TRIES:
            worst_w = max(self.held.fallback_w, min(shown_w, self.evse.max_power_w))
            self._hold(Held(worst_w, self.held.lives, FallbackState.FAILED))
            self.reinstall = False

    @property
    def may_need_insistence(self) -> bool:
        return self.off_since is not None or self.obedience.step >= Step.STOP

    def insistence(self, now: datetime) -> Command | None:
        """What to do about a charger that ignores its limit, beyond making room for it."""
        if self.off_since is not None:
            return self._back_on(now)
        step = self.obedience.step
        if step < Step.STOP or self._insisted_recently(now):
            return None
        self.insisted_at = now
        if step is Step.STOP and self.session is not None:
            return RemoteStop(self.session.transaction_ref)
        if step is Step.SWITCH_OFF:
            self.off_since = now
            return SetAvailability(self.evse.number, operative=False)
        return None

    def _insisted_recently(self, now: datetime) -> bool:
        return self.insisted_at is not None and now < self.insisted_at + timedelta(
            seconds=STOP_AGAIN_S
        )

    def shut(self, now: datetime) -> Command:
        """Out of service until it takes a limit."""
        self.off_since, self.takes_no_limit = now, True
        return SetAvailability(self.evse.number, operative=False)

    def _back_on(self, now: datetime) -> Command | None:
        assert self.off_since is not None
        if self.takes_no_limit:
            if self.reinstall or self.held.fallback_state is FallbackState.FAILED:
                return None
            self.off_since, self.takes_no_limit = None, False
            return SetAvailability(self.evse.number, operative=True)
        if self.obedience.step >= Step.FENCED or now < self.off_since + timedelta(
            seconds=OFF_FOR_S
        ):
            return None
        self.off_since = None
        return SetAvailability(self.evse.number, operative=True)
