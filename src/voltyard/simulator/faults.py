"""Chargers that misbehave: what can go wrong, seeded plans of it, and the state it leaves."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from voltyard.clock import seeded
from voltyard.errors import Invalid


class FaultKind(StrEnum):
    DROP_LINK = "drop_link"
    """The connection breaks and cannot be made again for the duration."""
    SILENT_LINK = "silent_link"
    """Half open: frames vanish in both directions and nobody is told."""
    DELAY_ANSWERS = "delay_answers"
    """Answers to commands come ``value`` seconds late, beyond the timeout perhaps."""
    DUPLICATE = "duplicate"
    """A share ``value`` of messages is sent twice, with the same or a new message id."""
    REORDER = "reorder"
    """Messages queued while offline are sent in another order."""
    REBOOT = "reboot"
    """The charger restarts; its quirks say what it forgets."""
    IGNORE_LIMIT = "ignore_limit"
    """Profiles are accepted and not obeyed: each EVSE keeps to the limit it had."""
    DRAW_FULL = "draw_full"
    """Profiles are accepted and not obeyed: full power."""
    REJECT_PROFILE = "reject_profile"
    """SetChargingProfile is rejected."""
    FAULT = "fault"
    """An EVSE (number ``value``) is faulted and gives no power."""
    CLOCK_SKEW = "clock_skew"
    """The charger's own clock is ``value`` seconds off."""
    METER_KWH = "meter_kwh"
    """The energy register is sent in kWh, labelled Wh."""
    METER_ZERO = "meter_zero"
    """The energy register is sent as 0."""
    STALE_SOC = "stale_soc"
    """The state of charge sent no longer changes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: begins at ``at`` (aware), lasts ``duration_s`` of the clock's seconds."""

    at: datetime
    kind: FaultKind
    duration_s: float = 0.0
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Quirks:
    """What a charger's make does wrong all the time; the default is a good one.

    ``message_ids_restart``: ids begin anew after each reboot. ``offline_start_zero``: a
    transaction begun offline reports a meter start of 0. ``boots_on_reconnect``: sends a
    BootNotification on each connection.
    """

    keeps_profiles: bool = True
    keeps_transaction: bool = True
    forgets_transaction: bool = False
    message_ids_restart: bool = False
    offline_start_zero: bool = False
    boots_on_reconnect: bool = False
    rate_units: tuple[str, ...] = ("A", "W")


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Everything one charger will do wrong, known beforehand."""

    faults: tuple[Fault, ...] = ()
    quirks: Quirks = Quirks()


class Mischief:
    """The faults in force at the moment, read by the charger's parts."""

    __slots__ = (
        "answer_delay_s",
        "draw_full",
        "duplicate_share",
        "ignore_limit",
        "meter_kwh",
        "meter_zero",
        "muted",
        "reject_profile",
        "reorder",
        "rng",
        "skew_s",
        "stale_soc",
    )

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.muted = False
        self.answer_delay_s = 0.0
        self.duplicate_share = 0.0
        self.reorder = False
        self.ignore_limit = False
        self.draw_full = False
        self.reject_profile = False
        self.skew_s = 0.0
        self.meter_kwh = False
        self.meter_zero = False
        self.stale_soc = False

    def begin(self, fault: Fault) -> None:
        self._set(fault.kind, on=True, value=fault.value)

    def end(self, fault: Fault) -> None:
        self._set(fault.kind, on=False, value=0.0)

    def duplicates(self) -> bool:
        return self.duplicate_share > 0 and self.rng.random() < self.duplicate_share

    def energy_wh(self, energy_wh: float) -> float:
        """The energy register as it is told."""
        if self.meter_zero:
            return 0.0
        return energy_wh / 1000.0 if self.meter_kwh else energy_wh

    def _set(self, kind: FaultKind, *, on: bool, value: float) -> None:
        if kind is FaultKind.DELAY_ANSWERS:
            self.answer_delay_s = value
        elif kind is FaultKind.DUPLICATE:
            self.duplicate_share = value
        elif kind is FaultKind.CLOCK_SKEW:
            self.skew_s = value
        elif kind in _SWITCHES:
            setattr(self, _SWITCHES[kind], on)


_SWITCHES: Mapping[FaultKind, str] = {
    FaultKind.SILENT_LINK: "muted",
    FaultKind.REORDER: "reorder",
    FaultKind.IGNORE_LIMIT: "ignore_limit",
    FaultKind.DRAW_FULL: "draw_full",
    FaultKind.REJECT_PROFILE: "reject_profile",
    FaultKind.METER_KWH: "meter_kwh",
    FaultKind.METER_ZERO: "meter_zero",
    FaultKind.STALE_SOC: "stale_soc",
}


@dataclass(frozen=True, slots=True)
class _Chance:
    """How often a kind strikes one charger over the whole run, and how."""

    kind: FaultKind
    times: float
    duration_s: tuple[float, float]
    value: tuple[float, float] = (0.0, 0.0)


_DROP = _Chance(FaultKind.DROP_LINK, 1.0, (5, 900))
_SILENT = _Chance(FaultKind.SILENT_LINK, 0.3, (60, 600))
_DELAY = _Chance(FaultKind.DELAY_ANSWERS, 0.3, (120, 900), (2, 45))
_DUPLICATE = _Chance(FaultKind.DUPLICATE, 0.5, (600, 7200), (0.05, 0.5))
_REORDER = _Chance(FaultKind.REORDER, 0.2, (3600, 14400))
_REBOOT = _Chance(FaultKind.REBOOT, 0.3, (30, 180))
_FAULT = _Chance(FaultKind.FAULT, 0.05, (300, 1800), (1, 1))
_IGNORE = _Chance(FaultKind.IGNORE_LIMIT, 0.05, (600, 3600))
_FULL = _Chance(FaultKind.DRAW_FULL, 0.05, (600, 3600))
_REJECT = _Chance(FaultKind.REJECT_PROFILE, 0.2, (300, 3600))
_SKEW = _Chance(FaultKind.CLOCK_SKEW, 0.2, (3600, 36000), (-90, 90))
_KWH = _Chance(FaultKind.METER_KWH, 0.1, (600, 3600))
_ZERO = _Chance(FaultKind.METER_ZERO, 0.1, (60, 1800))
_STALE = _Chance(FaultKind.STALE_SOC, 0.1, (600, 3600))

FAULT_SETS: Mapping[str, tuple[_Chance, ...]] = {
    "none": (),
    "light": (_DROP, _DUPLICATE),
    "links": (_DROP, _DROP, _SILENT, _DELAY, _DUPLICATE, _REORDER),
    "reboots": (_DROP, _REBOOT, _REBOOT, _REBOOT),
    "liar": (_IGNORE, _REJECT, _SKEW, _KWH, _ZERO, _STALE),
    "rogue": (_FULL, _IGNORE, _DROP),
    "heavy": (
        _DROP,
        _DROP,
        _SILENT,
        _DELAY,
        _DUPLICATE,
        _REORDER,
        _REBOOT,
        _FAULT,
        _IGNORE,
        _REJECT,
        _SKEW,
        _STALE,
        _ZERO,
    ),
}


def fault_plan(
    seed: int,
    fault_set: str,
    identity: str,
    start_at: datetime,
    end_at: datetime,
    evses: int = 1,
) -> FaultPlan:
    """The plan of one charger: the same arguments give the same plan. Raises ``Invalid``."""
    chances = FAULT_SETS.get(fault_set)
    if chances is None:
        known = ", ".join(FAULT_SETS)
        raise Invalid(f"there is no fault set {fault_set!r}; known are {known}")
    rng = seeded(seed, "faults", fault_set, identity)
    faults: list[Fault] = []
    for chance in chances:
        for _ in range(_count(rng, chance.times)):
            faults.append(_draw(rng, chance, start_at, end_at, evses))
    quirks = _quirks(rng) if fault_set in ("heavy", "reboots") else Quirks()
    return FaultPlan(tuple(sorted(faults, key=lambda fault: fault.at)), quirks)


def _count(rng: random.Random, times: float) -> int:
    """A Poisson count with mean ``times``."""
    count, product = 0, rng.random()
    threshold = 2.718281828459045**-times
    while product > threshold:
        count += 1
        product *= rng.random()
    return count


def _draw(
    rng: random.Random, chance: _Chance, start_at: datetime, end_at: datetime, evses: int
) -> Fault:
    span_s = (end_at - start_at).total_seconds()
    value = rng.uniform(*chance.value)
    if chance.kind is FaultKind.FAULT:
        value = float(rng.randint(1, evses))
    return Fault(
        at=start_at + timedelta(seconds=round(rng.uniform(0.0, span_s), 3)),
        kind=chance.kind,
        duration_s=round(rng.uniform(*chance.duration_s), 3),
        value=value,
    )


def _quirks(rng: random.Random) -> Quirks:
    return Quirks(
        keeps_profiles=rng.random() < 0.7,
        keeps_transaction=rng.random() < 0.6,
        forgets_transaction=rng.random() < 0.3,
        message_ids_restart=rng.random() < 0.3,
        offline_start_zero=rng.random() < 0.2,
        boots_on_reconnect=rng.random() < 0.2,
    )


PlanOf = Callable[[str], FaultPlan]


def no_faults(_: str) -> FaultPlan:
    """A ``PlanOf`` for chargers that all behave."""
    return FaultPlan()


def plans(
    seed: int, fault_set: str, identities: Sequence[str], start_at: datetime, end_at: datetime
) -> dict[str, FaultPlan]:
    """A plan for each charger of a depot."""
    return {name: fault_plan(seed, fault_set, name, start_at, end_at) for name in identities}
