"""How what a charger says becomes one session: pure, and the same whatever the order or repeats.

Each fact has one owner message: the start gives start time, the stop gives end time and reason,
the earliest token and the newest state hold, energy is a function of the set of readings.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from voltyard.records import replace
from voltyard.sessions.export import exported
from voltyard.sessions.model import (
    Authorisation,
    Flag,
    MeterReading,
    Phase,
    Repair,
    Session,
    SessionState,
    TransactionReport,
)
from voltyard.sessions.register import Note, Point, Register, Source

GRACE = timedelta(seconds=5)
AHEAD_MAX = timedelta(minutes=15)
BEHIND_MAX = timedelta(days=45)
REPAIRS_MAX = 100
ABSURD = 1e12
SEQUENCE_MAX = 100_000
REPAIRED_ENDS = frozenset({Flag.NO_STOP, Flag.SUPERSEDED, Flag.ETERNAL})
REGISTER_FLAGS = frozenset(
    {
        Flag.NEGATIVE_ENERGY,
        Flag.REGISTER_RESET,
        Flag.REGISTER_JUMP,
        Flag.DROP_TO_ZERO,
        Flag.GLITCH,
        Flag.UNIT_MIXED,
        Flag.START_PLACEHOLDER,
        Flag.SESSION_RELATIVE,
    }
)


Rank = tuple[datetime, int]
"""Which of two facts is the newer: by instant, then by number or kind of message."""


@dataclass(slots=True, eq=False)
class Tracked:
    """A session in memory with what is needed to fold the next message into it.

    ``stop_seen`` tells a stop that the charger reported from an end that was assumed.
    ``in_flight`` counts commits under way: a repeated message waits for them too. ``keys`` is
    what the index has it under while it is open.
    """

    session: Session
    register: Register
    start_seen: bool = False
    stop_seen: bool = False
    heard_at: datetime | None = None
    token_at: datetime | None = None
    state_rank: Rank | None = None
    soc_start_rank: Rank | None = None
    soc_rank: Rank | None = None
    power_rank: Rank | None = None
    bare: deque[tuple[object, ...]] = field(default_factory=lambda: deque(maxlen=64))
    sequence: set[int] = field(default_factory=set)
    repairs: list[Repair] = field(default_factory=list)
    noted: tuple[Note, ...] = ()
    unsaved: bool = True
    in_flight: int = 0
    keys: tuple[str | None, ...] | None = None
    answered: Authorisation | None = None

    def repair(self, flag: Flag, at: datetime, was: object = None, now: object = None) -> None:
        """Note a correction once; the newest ``REPAIRS_MAX`` are kept."""
        self.session = self.session.flagged(flag.value)
        entry = Repair(flag.value, at, _text(was), _text(now))
        if entry not in self.repairs:
            self.repairs = [*self.repairs, entry][-REPAIRS_MAX:]
            self._show_repairs()

    def forget(self, flag: Flag) -> None:
        """The flag no longer holds; its repair stays as history."""
        flags = tuple(known for known in self.session.flags if known != flag.value)
        self.session = replace(self.session, flags=flags)

    def measure(self) -> None:
        """Carry the register's result and its repairs into the session."""
        measured = self.register.measured
        session = self.session
        shown = (session.energy_wh, session.meter_start_wh, session.meter_last_wh)
        if shown != (measured.energy_wh, measured.start_wh, measured.last_wh):
            self.session = replace(session, **_measured(self))
        if measured.notes != self.noted:
            self.noted = measured.notes
            others = [flag for flag in self.session.flags if flag not in REGISTER_FLAGS]
            found = dict.fromkeys(note.flag.value for note in measured.notes)
            self.session = replace(self.session, flags=(*others, *found))
            self._show_repairs()

    def _show_repairs(self) -> None:
        own = [
            Repair(
                note.flag.value,
                datetime.fromtimestamp(note.at_s, UTC),
                f"{note.was_wh:.0f} Wh",
                f"{note.now_wh:.0f} Wh",
            )
            for note in self.noted
        ]
        shown = sorted([*self.repairs, *own], key=lambda repair: repair.at)[-REPAIRS_MAX:]
        self.session = replace(self.session, repairs=tuple(shown))


def apply(tracked: Tracked, report: TransactionReport, now: datetime) -> list[MeterReading]:
    """Fold a report in; the readings that were new."""
    at, off = trusted(report.at, now)
    if off or report.undated:
        tracked.repair(Flag.CLOCK_OFF, at, report.at if off else None, at)
        tracked.register.doubt_time()
    tracked.heard_at = now
    session = tracked.session
    _identify(tracked, report, at)
    if report.offline:
        tracked.session = tracked.session.flagged(Flag.OFFLINE.value)
    if report.phase is Phase.STARTED:
        _started(tracked, at)
    elif report.phase is Phase.ENDED:
        _ended(tracked, report, at)
    else:
        _continued(tracked, at)
    rank = (at, -1 if report.seq_no is None else report.seq_no)
    if report.charging_state is not None and _newer(rank, tracked.state_rank):
        tracked.state_rank = rank
        if tracked.session.charging_state != report.charging_state.value:
            tracked.session = replace(tracked.session, charging_state=report.charging_state.value)
    if not tracked.start_seen and at < tracked.session.started_at:
        tracked.session = replace(tracked.session, started_at=at)
    _sequence(tracked, report)
    fresh = apply_readings(tracked, report.readings, now, phase=report.phase)
    if session.state is not tracked.session.state:
        tracked.unsaved = True
    return fresh


def apply_readings(
    tracked: Tracked,
    readings: Sequence[MeterReading],
    now: datetime,
    *,
    phase: Phase = Phase.UPDATED,
) -> list[MeterReading]:
    """Fold readings in; those that were new, at instants that can be true."""
    fresh = []
    for reading, source in zip(readings, _sources(readings, phase), strict=True):
        reading = finite(reading)
        at, off = trusted(reading.at, now)
        if off:
            tracked.repair(Flag.CLOCK_OFF, now, reading.at, at)
            tracked.register.doubt_time()
            reading = replace(reading, at=at)
        if source is not Source.SAMPLE:
            reading = replace(reading, context=source.name.lower())
        if _take(tracked, reading, source):
            fresh.append(reading)
    tracked.heard_at = now
    tracked.measure()
    return fresh


def end_by_repair(tracked: Tracked, flag: Flag, at: datetime) -> None:
    """Close a session whose stop never came; a late one will correct the end."""
    session = tracked.session
    ended_at = max(at, session.started_at)
    if flag is not Flag.SUPERSEDED and session.last_reading_at is not None:
        ended_at = max(ended_at, session.last_reading_at)
    tracked.repair(flag, ended_at, None, ended_at)
    tracked.session = replace(
        tracked.session,
        state=_closed_state(tracked),
        ended_at=ended_at,
        stop_reason=flag.value,
        power_w=0.0,
    )


def trusted(at: datetime, now: datetime) -> tuple[datetime, bool]:
    """The instant, or now if the charger's clock cannot be right (and that it was not)."""
    if now - BEHIND_MAX <= at <= now + AHEAD_MAX:
        return at, False
    return now, True


def finite(reading: MeterReading) -> MeterReading:
    """Without numbers that are none (a charger may well send the text NaN) or absurd."""
    values = (
        reading.energy_wh or 0.0,
        reading.power_w or 0.0,
        reading.soc_pct or 0.0,
        reading.voltage_v or 0.0,
        reading.offered_w or 0.0,
        reading.export_wh or 0.0,
        *[value or 0.0 for value in reading.current_a or ()],
    )
    if max(values) <= ABSURD and min(values) >= -ABSURD:
        return reading
    current = reading.current_a and tuple(map(_sane, reading.current_a))
    return replace(
        reading,
        energy_wh=_sane(reading.energy_wh),
        power_w=_sane(reading.power_w),
        soc_pct=_sane(reading.soc_pct),
        voltage_v=_sane(reading.voltage_v),
        offered_w=_sane(reading.offered_w),
        export_wh=_sane(reading.export_wh),
        current_a=current,
    )


def _sane(value: float | None) -> float | None:
    return value if value is not None and abs(value) <= ABSURD else None


def _identify(tracked: Tracked, report: TransactionReport, at: datetime) -> None:
    """The token of the earliest message that names one is the session's."""
    token = report.id_token
    if token is None or not token.value or report.phase is Phase.ENDED:
        return
    if tracked.session.id_token is None or tracked.token_at is None or at < tracked.token_at:
        tracked.token_at = at
        tracked.session = replace(
            tracked.session, id_token=token.value, id_token_kind=token.kind.value
        )


def _started(tracked: Tracked, at: datetime) -> None:
    session = tracked.session
    if tracked.start_seen:
        return
    tracked.start_seen = True
    if Flag.START_UNSEEN.value in session.flags:
        tracked.repair(Flag.START_UNSEEN, at, session.started_at, at)
        tracked.forget(Flag.START_UNSEEN)
    tracked.session = replace(tracked.session, started_at=at)
    if tracked.session.ended_at is not None:
        tracked.session = replace(tracked.session, state=_closed_state(tracked))


def _ended(tracked: Tracked, report: TransactionReport, at: datetime) -> None:
    session = tracked.session
    if tracked.stop_seen and session.ended_at is not None and at >= session.ended_at:
        return
    assumed = None if tracked.stop_seen else session.ended_at
    tracked.stop_seen = True
    ended_at = max(at, session.started_at) if tracked.start_seen else at
    if assumed is not None and assumed != ended_at:
        for flag in REPAIRED_ENDS:
            if flag.value in session.flags:
                tracked.repair(flag, at, assumed, ended_at)
    tracked.session = replace(
        tracked.session,
        ended_at=ended_at,
        stop_reason=report.stop_reason,
        state=_closed_state(tracked),
        power_w=0.0,
    )
    if tracked.register.cut((ended_at + GRACE).timestamp()):
        tracked.repair(Flag.VALUES_AFTER_END, ended_at)


def _continued(tracked: Tracked, at: datetime) -> None:
    """A sign of life of a session that was closed for silence opens it again."""
    session = tracked.session
    assumed = not tracked.stop_seen and session.ended_at is not None
    superseded = Flag.SUPERSEDED.value in session.flags
    if not assumed or superseded or session.ended_at is None or at <= session.ended_at + GRACE:
        return
    tracked.repair(Flag.REOPENED, at, session.ended_at, None)
    tracked.session = replace(
        tracked.session, state=_open_state(tracked), ended_at=None, stop_reason=None
    )


def _closed_state(tracked: Tracked) -> SessionState:
    """An end without its start is shown apart until the start comes."""
    if _foreign(tracked) or not tracked.start_seen:
        return SessionState.QUARANTINED
    return SessionState.ENDED


def _open_state(tracked: Tracked) -> SessionState:
    return SessionState.QUARANTINED if _foreign(tracked) else SessionState.ACTIVE


def _foreign(tracked: Tracked) -> bool:
    flags = tracked.session.flags
    return Flag.UNKNOWN_TRANSACTION.value in flags or Flag.FOREIGN_TRANSACTION.value in flags


def _sequence(tracked: Tracked, report: TransactionReport) -> None:
    """2.0.1 numbers its messages: what is missing at the end is flagged until it comes."""
    number = report.seq_no
    if number is None or not 0 <= number <= SEQUENCE_MAX:
        return
    tracked.sequence.add(number)
    last = tracked.session.last_seq_no
    highest = number if last is None else max(last, number)
    if highest != last:
        tracked.session = replace(tracked.session, last_seq_no=highest)
    missing = highest + 1 - len(tracked.sequence)
    if missing and tracked.stop_seen:
        tracked.session = tracked.session.flagged(Flag.SEQUENCE_GAP.value)
    elif Flag.SEQUENCE_GAP.value in tracked.session.flags:
        tracked.forget(Flag.SEQUENCE_GAP)


def _take(tracked: Tracked, reading: MeterReading, source: Source) -> bool:
    """One reading into register and newest values; False if it was known or comes too late."""
    session = tracked.session
    late = session.ended_at is not None and reading.at > session.ended_at + GRACE
    if late and source is Source.SAMPLE:
        _continued(tracked, reading.at)
        if tracked.session.ended_at is not None:
            tracked.repair(Flag.VALUES_AFTER_END, session.ended_at or reading.at)
            return False
    if reading.energy_wh is not None:
        point = Point(reading.at.timestamp(), source, reading.energy_wh, reading.power_w)
        if not tracked.register.add(point):
            return False
    else:
        bare = (reading.at, reading.power_w, reading.soc_pct, reading.current_a)
        if bare in tracked.bare:
            return False
        tracked.bare.append(bare)
    _newest_values(tracked, reading, (reading.at, int(source)))
    return True


def _newest_values(tracked: Tracked, reading: MeterReading, rank: Rank) -> None:
    session = tracked.session
    at = reading.at
    changes = _measured(tracked)
    if reading.export_wh is not None:
        changes |= exported(session, reading.export_wh, at)
    if session.last_reading_at is None or at > session.last_reading_at:
        changes["last_reading_at"] = at
    if reading.soc_pct is not None:
        if tracked.soc_start_rank is None or rank < tracked.soc_start_rank:
            tracked.soc_start_rank = rank
            changes["soc_start_pct"] = reading.soc_pct
        if _newer(rank, tracked.soc_rank):
            tracked.soc_rank = rank
            changes["soc_last_pct"] = reading.soc_pct
    power_w = _power_w(tracked, reading)
    if power_w is not None and _newer(rank, tracked.power_rank):
        tracked.power_rank = rank
        changes["power_w"] = 0.0 if tracked.stop_seen else power_w
    if not tracked.start_seen and at < session.started_at:
        changes["started_at"] = at
    tracked.session = replace(session, **changes)


def _measured(tracked: Tracked) -> dict[str, Any]:
    """The register's result as columns of the session: one copy of it a reading is enough."""
    measured = tracked.register.measured
    return {
        "energy_wh": measured.energy_wh,
        "meter_start_wh": measured.start_wh,
        "meter_last_wh": measured.last_wh,
    }


def _power_w(tracked: Tracked, reading: MeterReading) -> float | None:
    """As measured; else from currents and voltage; else from the register's last step.

    A register in other units than it says (Wh called kWh) would show megawatts: that is no power.
    """
    if reading.power_w is not None:
        return reading.power_w
    if reading.current_a is not None and reading.voltage_v is not None:
        return sum(part or 0.0 for part in reading.current_a) * reading.voltage_v
    points = tracked.register.points
    if reading.energy_wh is None or len(points) < 2 or tracked.noted:
        return None
    before, last = points[-2], points[-1]
    passed_s = last.at_s - before.at_s
    if last.at_s != reading.at.timestamp() or not 1 <= passed_s <= 3600:
        return None
    power_w = max(0.0, last.wh - before.wh) * 3600 / passed_s
    return power_w if power_w <= tracked.register.cap_w else None


def _sources(readings: Sequence[MeterReading], phase: Phase) -> list[Source]:
    """Which readings are the register at start and stop, by context or by place."""
    sources = [_source(reading.context) for reading in readings]
    if phase is Phase.STARTED and Source.BEGIN not in sources:
        with_energy = [n for n, reading in enumerate(readings) if reading.energy_wh is not None]
        if with_energy:
            sources[min(with_energy, key=lambda n: readings[n].at)] = Source.BEGIN
    if phase is Phase.ENDED and Source.END not in sources:
        with_energy = [n for n, reading in enumerate(readings) if reading.energy_wh is not None]
        if with_energy:
            sources[max(with_energy, key=lambda n: (readings[n].at, n))] = Source.END
    return sources


@lru_cache(maxsize=64)
def _source(context: str) -> Source:
    word = context.lower()
    if word.endswith("begin"):
        return Source.BEGIN
    return Source.END if word.endswith(".end") or word == "end" else Source.SAMPLE


def _newer(rank: Rank, than: Rank | None) -> bool:
    return than is None or rank >= than


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.isoformat() if isinstance(value, datetime) else str(value)
