"""Charging profiles as a charger keeps them: stacking, validity and the limit they add up to.

One store for OCPP 1.6 (§3.13) and 2.0.1 (part 2, K01): their wire forms differ only in names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import floor, inf
from typing import Any

from voltyard.errors import Invalid
from voltyard.units import amps_to_watts, watts_to_amps

_SETTLED = timedelta(microseconds=5)


class Purpose(StrEnum):
    STATION_MAX = "station_max"
    TX_DEFAULT = "tx_default"
    TX = "tx"


class Kind(StrEnum):
    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"
    DYNAMIC = "Dynamic"


PURPOSES: Mapping[str, Purpose] = {
    "ChargePointMaxProfile": Purpose.STATION_MAX,
    "ChargingStationMaxProfile": Purpose.STATION_MAX,
    "TxDefaultProfile": Purpose.TX_DEFAULT,
    "TxProfile": Purpose.TX,
}
_RECURRENCE = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class Period:
    """``limit`` is inf where only a setpoint is given; ``mode`` is OCPP 2.1's, empty to charge."""

    start_s: float
    limit: float
    phases: int | None = None
    setpoint: float | None = None
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A charging profile of EVSE ``evse`` (0: the whole station). ``unit`` is ``A`` or ``W``."""

    id: int
    evse: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    unit: str
    periods: tuple[Period, ...]
    start_at: datetime | None = None
    duration_s: float | None = None
    recurrence: timedelta | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction: str | None = None
    wire: Mapping[str, Any] | None = None
    away_s: float | None = None
    ends_away: bool = False
    pull_s: float | None = None


@dataclass(frozen=True, slots=True)
class Circuit:
    """What a limit depends on besides the profiles: the EVSE and when its transaction began."""

    evse: int
    phases: int
    max_power_w: float
    started_at: datetime | None = None


def parse(evse: int, wire: Mapping[str, Any]) -> Profile:
    """A profile from either version's wire form; raises ``Invalid`` where it makes no sense."""
    try:
        schedule = wire["chargingSchedule"]
        if not isinstance(schedule, Mapping):
            schedule = schedule[0]
        recurrence = wire.get("recurrencyKind")
        transaction = wire.get("transactionId")
        profile = Profile(
            id=int(wire["chargingProfileId"] if "chargingProfileId" in wire else wire["id"]),
            evse=evse,
            stack_level=int(wire["stackLevel"]),
            purpose=PURPOSES[wire["chargingProfilePurpose"]],
            kind=Kind(wire["chargingProfileKind"]),
            unit=str(schedule["chargingRateUnit"]),
            periods=tuple(_period(row) for row in schedule["chargingSchedulePeriod"]),
            start_at=_instant(schedule.get("startSchedule")),
            duration_s=schedule.get("duration"),
            recurrence=None if recurrence is None else _RECURRENCE[recurrence],
            valid_from=_instant(wire.get("validFrom")),
            valid_to=_instant(wire.get("validTo")),
            transaction=None if transaction is None else str(transaction),
            wire=dict(wire),
            away_s=wire.get("maxOfflineDuration"),
            ends_away=bool(wire.get("invalidAfterOfflineDuration")),
            pull_s=wire.get("dynUpdateInterval") or None,
        )
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise Invalid("the charging profile is malformed", detail=repr(error)) from error
    _check(profile)
    return profile


def _period(row: Mapping[str, Any]) -> Period:
    mode = str(row.get("operationMode", ""))
    setpoint = row.get("setpoint")
    limit = row.get("limit")
    if limit is None:
        if not mode or (mode != "Idle" and setpoint is None):
            raise ValueError("a period needs a limit or a setpoint")
        limit = 0.0 if mode == "Idle" else inf
    return Period(
        float(row["startPeriod"]),
        float(limit),
        row.get("numberPhases"),
        None if setpoint is None else float(setpoint),
        mode,
    )


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant needs a timezone")
    return at


def _check(profile: Profile) -> None:
    starts = [period.start_s for period in profile.periods]
    if not starts or starts[0] != 0 or starts != sorted(starts):
        raise Invalid("schedule periods must begin at 0 and rise")
    if profile.unit not in ("A", "W") or any(period.limit < 0 for period in profile.periods):
        raise Invalid("a schedule limit is in A or W and not negative")
    if profile.kind is Kind.DYNAMIC and len(starts) != 1:
        raise Invalid("what is updated has one period", code="InvalidSchedule")
    if profile.kind is not Kind.DYNAMIC and profile.pull_s is not None:
        raise Invalid("only what is updated is pulled", code="InvalidProfile")
    if profile.kind is Kind.RECURRING and (profile.recurrence is None or profile.start_at is None):
        raise Invalid("a recurring profile needs its recurrence and start")
    if profile.purpose is Purpose.STATION_MAX and profile.evse != 0:
        raise Invalid("a station maximum belongs to the whole station")
    if profile.purpose is Purpose.TX and profile.evse == 0:
        raise Invalid("a transaction profile belongs to one EVSE")


class ProfileStore:
    """All profiles of one station.

    ``one_default_level`` is 2.0.1's rule that a TxDefaultProfile of the station and one of an
    EVSE may not share a stack level (K01.FR.52/53); in 1.6 the EVSE's then wins.
    """

    def __init__(self, *, one_default_level: bool = False) -> None:
        self._one_default_level = one_default_level
        self._profiles: dict[int, Profile] = {}
        self.away_since: datetime | None = None
        """When the connection was lost, by the charger's clock."""

    def get(self, profile_id: int) -> Profile | None:
        return self._profiles.get(profile_id)

    def update(self, profile_id: int, values: Mapping[str, Any], at: datetime) -> None:
        """K28.FR.06, FR.09: new values for what is updated, from now on. Raises ``Invalid``."""
        known = self._profiles.get(profile_id)
        if known is None or known.kind is not Kind.DYNAMIC:
            raise Invalid("no such dynamic profile", code="InvalidProfile")
        period = known.periods[0]
        if "limit" in values:
            period = replace(period, limit=float(values["limit"]))
        if "setpoint" in values:
            period = replace(period, setpoint=float(values["setpoint"]))
        self._profiles[profile_id] = replace(known, periods=(period,), start_at=at)

    def connected(self, at: datetime) -> None:
        """K01.FR.101, FR.102: what must not outlast an absence that long is gone for good."""
        for profile in self.profiles:
            if profile.ends_away and self._too_long_away(profile, at):
                del self._profiles[profile.id]
        self.away_since = None

    @property
    def mind_absence(self) -> bool:
        """Whether any of them depends on the connection."""
        return any(profile.away_s is not None for profile in self._profiles.values())

    def _too_long_away(self, profile: Profile, at: datetime) -> bool:
        if profile.away_s is None or self.away_since is None:
            return False
        return at >= self.away_since + timedelta(seconds=profile.away_s)

    def prevailing(self, circuit: Circuit, at: datetime) -> tuple[Profile, Period] | None:
        """The profile of a transaction that holds, and its period."""
        at += _SETTLED
        for purpose in (Purpose.TX, Purpose.TX_DEFAULT):
            found = self._prevailing(purpose, circuit, at)
            if found is not None:
                return found
        return None

    @property
    def profiles(self) -> Sequence[Profile]:
        return tuple(self._profiles.values())

    def install(self, profile: Profile) -> None:
        """Replaces the same id, and the same purpose, level and EVSE. Raises ``Invalid``."""
        if self._one_default_level and any(self._collides(profile, p) for p in self.profiles):
            raise Invalid("a default profile of this level exists", code="DuplicateProfile")
        for other in self.profiles:
            if _same_place(profile, other):
                del self._profiles[other.id]
        self._profiles.pop(profile.id, None)
        self._profiles[profile.id] = profile

    def clear(
        self,
        *,
        profile_id: int | None = None,
        evse: int | None = None,
        purpose: Purpose | None = None,
        stack_level: int | None = None,
    ) -> int:
        """Remove what matches; an id alone decides. Returns how many went."""
        gone = [
            p.id
            for p in self.profiles
            if (
                p.id == profile_id
                if profile_id is not None
                else (evse is None or p.evse == evse)
                and (purpose is None or p.purpose is purpose)
                and (stack_level is None or p.stack_level == stack_level)
            )
        ]
        for key in gone:
            del self._profiles[key]
        return len(gone)

    def end_transaction(self, evse: int) -> None:
        self.clear(evse=evse, purpose=Purpose.TX)

    def forget(self) -> None:
        """A charger that keeps profiles in volatile memory lost power."""
        self._profiles.clear()

    def evse_limit_w(self, circuit: Circuit, at: datetime) -> float:
        """What one EVSE may draw by its own profiles: TxProfile, else TxDefaultProfile."""
        at += _SETTLED
        for purpose in (Purpose.TX, Purpose.TX_DEFAULT):
            limit_w = self._prevailing_w(purpose, circuit, at)
            if limit_w is not None:
                return limit_w
        return inf

    def station_limit_w(self, phases: int, at: datetime) -> float:
        """What all EVSEs together may draw by the station's maximum."""
        circuit = Circuit(0, phases, inf)
        limit_w = self._prevailing_w(Purpose.STATION_MAX, circuit, at + _SETTLED)
        return inf if limit_w is None else limit_w

    def next_change_at(self, circuits: Iterable[Circuit], at: datetime) -> datetime | None:
        """The next instant after ``at`` at which any limit may change."""
        found: list[datetime] = []
        whole = Circuit(0, 3, inf)
        for circuit in circuits:
            for profile in self._profiles.values():
                if profile.evse in (0, circuit.evse):
                    found.extend(_marks(profile, circuit, at + _SETTLED))
                    found.extend(self._away_marks(profile, at + _SETTLED))
        for profile in self._profiles.values():
            if profile.purpose is Purpose.STATION_MAX:
                found.extend(_marks(profile, whole, at + _SETTLED))
        return min(found, default=None)

    def _away_marks(self, profile: Profile, at: datetime) -> list[datetime]:
        if self.away_since is None or profile.away_s is None:
            return []
        mark = self.away_since + timedelta(seconds=profile.away_s)
        return [mark] if mark > at else []

    def _prevailing_w(self, purpose: Purpose, circuit: Circuit, at: datetime) -> float | None:
        found = self._prevailing(purpose, circuit, at)
        return None if found is None else _watts(*found, circuit.phases)

    def _prevailing(
        self, purpose: Purpose, circuit: Circuit, at: datetime
    ) -> tuple[Profile, Period] | None:
        best: tuple[int, int] | None = None
        found: tuple[Profile, Period] | None = None
        for profile in self._profiles.values():
            if profile.purpose is not purpose or profile.evse not in (0, circuit.evse):
                continue
            rank = (profile.stack_level, profile.evse)
            if best is not None and rank <= best:
                continue
            period = _period_at(profile, circuit, at)
            if period is not None and not self._too_long_away(profile, at):
                best, found = rank, (profile, period)
        return found

    def _collides(self, new: Profile, old: Profile) -> bool:
        return (
            new.purpose is old.purpose is Purpose.TX_DEFAULT
            and new.stack_level == old.stack_level
            and new.id != old.id
            and new.evse != old.evse
            and 0 in (new.evse, old.evse)
        )


def _same_place(new: Profile, old: Profile) -> bool:
    return (new.purpose, new.stack_level, new.evse) == (old.purpose, old.stack_level, old.evse)


def _watts(profile: Profile, period: Period, phases: int) -> float:
    """The most that may be taken: a setpoint is one, too."""
    limit = period.limit
    if period.setpoint is not None:
        limit = min(limit, max(0.0, period.setpoint))
    if profile.unit == "W" or limit == inf:
        return limit
    return amps_to_watts(limit, min(phases, period.phases or phases))


def setpoint_w(found: tuple[Profile, Period], phases: int) -> float | None:
    """What is to flow, below 0 back; None where the vehicle decides under a limit."""
    profile, period = found
    if period.setpoint is None or profile.unit == "W":
        return period.setpoint
    return amps_to_watts(period.setpoint, min(phases, period.phases or phases))


def _origin(profile: Profile, circuit: Circuit, at: datetime) -> datetime | None:
    """When the schedule that may hold at ``at`` began; None before its first start."""
    if profile.kind is Kind.RELATIVE or profile.start_at is None:
        # A clock set back during the transaction does not take the schedule's first period away.
        return None if circuit.started_at is None else min(circuit.started_at, at)
    if profile.kind is Kind.RECURRING and profile.recurrence is not None:
        turns = floor((at - profile.start_at) / profile.recurrence)
        return None if turns < 0 else profile.start_at + turns * profile.recurrence
    return profile.start_at if profile.start_at <= at else None


def _period_at(profile: Profile, circuit: Circuit, at: datetime) -> Period | None:
    if profile.valid_from is not None and at < profile.valid_from:
        return None
    if profile.valid_to is not None and at >= profile.valid_to:
        return None
    origin = _origin(profile, circuit, at)
    if origin is None:
        return None
    elapsed_s = (at - origin).total_seconds()
    if elapsed_s < 0 or (profile.duration_s is not None and elapsed_s >= profile.duration_s):
        return None
    found: Period | None = None
    for period in profile.periods:
        if period.start_s > elapsed_s:
            break
        found = period
    return found


def _marks(profile: Profile, circuit: Circuit, at: datetime) -> list[datetime]:
    """Instants after ``at`` at which what the profile says may change."""
    marks = [m for m in (profile.valid_from, profile.valid_to, profile.start_at) if m is not None]
    origin = _origin(profile, circuit, at)
    if origin is not None:
        marks.extend(origin + timedelta(seconds=p.start_s) for p in profile.periods)
        if profile.duration_s is not None:
            marks.append(origin + timedelta(seconds=profile.duration_s))
        if profile.recurrence is not None:
            marks.append(origin + profile.recurrence)
    return [mark for mark in marks if mark > at]


@dataclass(frozen=True, slots=True)
class Composite:
    """A composite schedule: (offset in s, limit in the asked unit) from ``start_at``."""

    start_at: datetime
    duration_s: int
    unit: str
    periods: tuple[tuple[int, float], ...]


def composite(
    store: ProfileStore,
    circuits: Sequence[Circuit],
    station_max_w: float,
    *,
    start_at: datetime,
    duration_s: int,
    unit: str,
) -> Composite:
    """What the profiles allow: of one circuit, or of all for the whole station (K08)."""
    phases = max(circuit.phases for circuit in circuits)

    def limit_w(at: datetime) -> float:
        own_w = sum(min(store.evse_limit_w(c, at), c.max_power_w) for c in circuits)
        cap_w = min(store.station_limit_w(phases, at), station_max_w)
        return min(own_w, cap_w)

    end_at = start_at + timedelta(seconds=duration_s)
    rows: list[tuple[int, float]] = []
    for at in _instants(store, circuits, start_at, end_at):
        offset_s = round((at - start_at).total_seconds())
        watts = limit_w(at)
        value = watts if unit == "W" else watts_to_amps(watts, phases)
        value = round(value, 1)
        if rows and rows[-1][0] == offset_s:
            rows.pop()
        if not rows or rows[-1][1] != value:
            rows.append((offset_s, value))
    return Composite(start_at, duration_s, unit, tuple(rows))


def _instants(
    store: ProfileStore, circuits: Sequence[Circuit], start_at: datetime, end_at: datetime
) -> list[datetime]:
    found = [start_at]
    while len(found) < 1000:
        following = store.next_change_at(circuits, found[-1])
        if following is None or following >= end_at:
            break
        found.append(following)
    return found
