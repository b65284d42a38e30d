"""The usual meter value read fast: what each kind of sample means is worked out once and kept.

The rules are those of metering.read_samples. Here is only what has nothing odd about it; a message
with anything else, down to one sample, goes there and is read from its beginning.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from voltyard.ocpp import metering
from voltyard.ocpp.metering import Flag, Sample
from voltyard.sessions.model import MeterReading

KINDS_MAX = 4096

Row = tuple[str | float, str, str | None, str | None, str | None, str | None, int]
"""The fields of a Sample in their order, as a plain tuple: there are many."""
_KindKey = tuple[str, str | None, str | None, str | None, str | None, int]


class _Kind(NamedTuple):
    """``marks``: one bit for measurand and location, one for the context. Cell -1: not of use."""

    marks: int
    cell: int
    factor: float


# Each measurand has four cells: its total and three phases.
_ENERGY, _POWER, _OFFERED, _SOC, _VOLTAGE, _CURRENT = range(0, 24, 4)
_CELLS = {
    metering.ENERGY_IMPORT: _ENERGY,
    "Power.Active.Import": _POWER,
    "Power.Offered": _OFFERED,
    "SoC": _SOC,
    "Voltage": _VOLTAGE,
    "Current.Import": _CURRENT,
}
_PLACES = 6
_CONTEXTS_AT = _PLACES * len(_CELLS)
_NOTHING: list[float | None] = [None] * 24
ABSURD = 1e15

# Where a reading's values come from: the total of a measurand, or the only phase that has one.
_SINGLE = (_ENERGY, _POWER, _SOC, _VOLTAGE, _OFFERED)

_kinds: dict[_KindKey, _Kind] = {}
_contexts: dict[int, str | None] = {}


def read(rows: Sequence[Row], at: datetime, flag: Flag) -> MeterReading | None:
    """One reading of all samples taken at one instant; None if none of them is of use."""
    cells = _NOTHING.copy()
    marks = 0
    try:
        for row in rows:
            bits, cell, factor = _kinds[row[1:]]
            marks |= bits
            if cell >= 0:
                value = float(row[0])
                if not -ABSURD < value < ABSURD:
                    return _with_care(rows, at, flag)
                cells[cell] = value * factor
        context = _contexts[marks]
    except (KeyError, ValueError):
        return _with_care(rows, at, flag)
    reading = None if context is None else _reading(cells, at, context)
    return reading or _with_care(rows, at, flag)


class Plan(NamedTuple):
    """How samples of certain kinds make a reading.

    ``places`` of energy, power, SoC, voltage, offered power and the currents of three phases among
    the samples, None for what none of them is; no places at all where values must be added up.
    """

    factors: tuple[float, ...]
    context: str
    places: tuple[int | None, ...] | None


def plan(kinds: Sequence[_KindKey]) -> Plan | None:
    """The plan for samples of these kinds in this order; None if they are no usual reading."""
    marks = 0
    at: dict[int, int] = {}
    factors = []
    for place, key in enumerate(kinds):
        kind = _kinds.get(key)
        if kind is None:
            return None
        marks |= kind.marks
        factors.append(kind.factor)
        if kind.cell >= 0:
            at[kind.cell] = place
    context = _contexts.get(marks)
    if context is None or not at:
        return None
    return Plan(tuple(factors), context, _places(at))


def _places(at: Mapping[int, int]) -> tuple[int | None, ...] | None:
    """``at``: the place of the sample that fills a cell."""
    places: list[int | None] = []
    for first in _SINGLE:
        total = at.get(first)
        phases = [at[cell] for cell in range(first + 1, first + 4) if cell in at]
        if total is None and len(phases) > 1:
            return None
        places.append(total if total is not None or not phases else phases[0])
    currents = [at.get(cell) for cell in range(_CURRENT + 1, _CURRENT + 4)]
    if all(place is None for place in currents):
        currents = [at.get(_CURRENT), None, None]
    power, voltage = places[1], places[3]
    if power is None and voltage is not None and any(place is not None for place in currents):
        return None  # power is derived then
    return (*places, *currents)


def _reading(cells: list[float | None], at: datetime, context: str) -> MeterReading | None:
    """None if a value is odd, or has to be derived."""
    energy = _summed(cells, _ENERGY)
    power = _summed(cells, _POWER)
    offered = _summed(cells, _OFFERED)
    soc = _summed(cells, _SOC)
    voltage = cells[_VOLTAGE]
    if voltage is None:
        voltage = _mean(cells, _VOLTAGE)
    current = None
    total_a, l1_a, l2_a, l3_a = cells[_CURRENT:]
    if l1_a is not None or l2_a is not None or l3_a is not None:
        current = (l1_a, l2_a, l3_a)
    elif total_a is not None:
        current = (total_a, None, None)
    if (
        (energy is not None and energy < 0)
        or (offered is not None and offered < 0)
        or (soc is not None and not 0.0 <= soc <= 100.0)
        or (power is None and current is not None and voltage is not None)
    ):
        return None
    return MeterReading(at, energy, power, soc, current, voltage, offered, context)


def _summed(cells: list[float | None], first: int) -> float | None:
    total = cells[first]
    if total is not None:
        return total
    known = [value for value in cells[first + 1 : first + 4] if value is not None]
    return sum(known) if known else None


def _mean(cells: list[float | None], first: int) -> float | None:
    known = [value for value in cells[first + 1 : first + 4] if value is not None]
    return sum(known) / len(known) if known else None


def _with_care(rows: Sequence[Row], at: datetime, flag: Flag) -> MeterReading | None:
    """By the whole rules; what was ordinary about it is known from now on."""
    samples = [Sample(*row) for row in rows]
    reading = metering.read_samples(samples, at, flag)
    kinds = [
        _kinds.get(row[1:]) or _learn(sample) for row, sample in zip(rows, samples, strict=True)
    ]
    if len(_contexts) < KINDS_MAX and None not in kinds:
        marks = 0
        for kind in kinds:
            marks |= kind.marks if kind else 0
        _contexts[marks] = _context(marks)
    return reading


def _learn(sample: Sample) -> _Kind | None:
    """What a kind means; None if something is odd about it or takes more than one factor."""
    noted: list[str] = []
    context = metering.CONTEXTS.get(sample.context)
    if context is None or len(_kinds) >= KINDS_MAX:
        return None
    marks = 1 << (_CONTEXTS_AT + metering.CONTEXT_RANK.index(context))
    cell, factor = -1, 1.0
    if sample.measurand not in metering.OTHER_MEASURANDS:
        place = _place(sample)
        one = metering.base_value(
            sample._replace(value=1.0), lambda name, detail: noted.append(name)
        )
        if place is None or one is None or noted or (sample.multiplier and sample.unit):
            return None
        cell, mark = place
        factor, marks = one, marks | mark
    kind = _Kind(marks, cell, factor)
    _kinds[sample[1:]] = kind
    return kind


def _place(sample: Sample) -> tuple[int, int] | None:
    """The cell and the mark of measurand and location; None for what needs care."""
    first = _CELLS.get(sample.measurand)
    rank = metering.LOCATION_RANK.get(sample.location)
    phase = 0 if sample.phase is None else 1 + metering.PHASES.get(sample.phase, -2)
    if first is None or rank is None or phase < 0:
        return None
    return first + phase, 1 << (_PLACES * (first // 4) + rank)


def _context(marks: int) -> str | None:
    """The strongest context of a reading; None if a measurand comes from two locations."""
    for number in range(len(_CELLS)):
        of_one = marks >> (_PLACES * number) & (1 << _PLACES) - 1
        if of_one & (of_one - 1):
            return None
    if not marks & (1 << _CONTEXTS_AT) - 1:
        return None
    contexts = marks >> _CONTEXTS_AT
    return metering.CONTEXT_RANK[(contexts & -contexts).bit_length() - 1]
