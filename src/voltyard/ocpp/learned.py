"""Meter values in a form that was seen before: of those, only the numbers are read.

A charger writes its samples in the same words every time. What the words mean is worked out once,
the careful way, and kept with the very text between the numbers. Text that is the same again means
the same again: that all of it is JSON is checked before, and each number was tried to be that of
its sample and nothing else. What is odd about a number is left to the careful way.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from typing import Annotated, Any, NamedTuple, Protocol, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from voltyard.ocpp import usual_metering
from voltyard.ocpp.metering import Flag
from voltyard.ocpp.strict import strict, strict_type
from voltyard.ocpp.usual_metering import ABSURD, Row
from voltyard.sessions.model import MeterReading

FORM_MAX_BYTES = 8 * 1024
FORMS_MAX = 1024
_IN_TEXT = re.compile(rb'"value": ?"([^"]*)"')
_BARE = re.compile(rb'"value": ?([^,}\]]*)')
_floats = msgspec.json.Decoder(list[float]).decode
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Sampled(Protocol):
    """One sampled value of any version."""

    def row(self) -> Row | None:
        """As the reading takes it; None for what is no number."""


class Form(NamedTuple):
    """``kinds`` of its samples; ``pick`` fetches the values of a reading where each has one.

    ``factors`` are None where all are 1. Without ``pick`` the form is known to be no form.
    """

    pieces: list[bytes]
    kinds: tuple[tuple[Any, ...], ...]
    context: str
    factors: tuple[float, ...] | None
    pick: Callable[[Sequence[float | None]], tuple[float | None, ...]] | None
    phases: bool


class Numbers:
    """What one list of samples says: its form, and its numbers in the order of the samples."""

    __slots__ = ("_form", "_values")

    def __init__(self, form: Form, values: list[float]) -> None:
        self._form = form
        self._values = values

    def reading(self, at: datetime, flag: Flag) -> MeterReading | None:
        """The reading of all samples; None if none of them is of use."""
        form, values = self._form, self._values
        if form.pick is not None and max(values) < ABSURD and min(values) > -ABSURD:
            scaled: list[float | None] = [*values, None]
            if form.factors is not None:
                pairs = zip(values, form.factors, strict=True)
                scaled = [*(value * factor for value, factor in pairs), None]
            energy, power, soc, voltage, offered, first, second, third = form.pick(scaled)
            if (
                (energy is None or energy >= 0)
                and (offered is None or offered >= 0)
                and (soc is None or 0.0 <= soc <= 100.0)
            ):
                current = (first, second, third) if form.phases else None
                return MeterReading(at, energy, power, soc, current, voltage, offered, form.context)
        rows = [(value, *kind) for value, kind in zip(values, form.kinds, strict=True)]
        return usual_metering.read(rows, at, flag)


class Moment(Protocol):
    """What an exchange says of time and oddities."""

    def instant(self, text: str | None) -> datetime: ...

    def flag(self, name: str, detail: str = "") -> None: ...


class Metered(Protocol):
    """What was sampled at one instant."""

    @property
    def timestamp(self) -> str | None: ...

    @property
    def sampled_value(self) -> Any:
        """A list of samples, or ``Numbers``."""


def read_meter_values(exchange: Moment, values: Sequence[Metered]) -> tuple[MeterReading, ...]:
    """The readings in a message of any version, those of no use left out."""
    found = []
    for value in values:
        at = exchange.instant(value.timestamp)
        samples = value.sampled_value
        if type(samples) is Numbers:
            reading = samples.reading(at, exchange.flag)
        else:
            rows = [row for sample in samples or () if (row := sample.row()) is not None]
            reading = usual_metering.read(rows, at, exchange.flag)
        if reading is not None:
            found.append(reading)
    return tuple(found)


class Forms:
    """The forms of one kind of sample. ``FORMS_MAX`` are kept, then it begins anew."""

    def __init__(self, sampled: type[Struct]) -> None:
        self._decode = msgspec.json.Decoder(list[strict(sampled)]).decode  # type: ignore[misc]
        hint = get_type_hints(sampled, include_extras=True)["value"]
        self._in_text = strict_type(hint) is str
        self._numbers = _IN_TEXT if self._in_text else _BARE
        self._forms: dict[int, list[Form]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def known(self, text: bytes) -> Numbers | None:
        """What a JSON array of samples says; None if its form is not known."""
        parts = self._numbers.split(text)
        pieces, written = parts[::2], parts[1::2]
        for form in self._forms.get(len(text) - len(b"".join(written)), ()):
            if form.pieces == pieces:
                if not form.kinds:
                    return None
                try:
                    values = _floats(b"[%b]" % b",".join(written))
                except _UNREADABLE:
                    return None
                return Numbers(form, values) if len(values) == len(written) else None
        return None

    def learn(self, text: bytes) -> None:
        """The form of an array that has just been read, and in which nothing was odd."""
        parts = self._numbers.split(text)
        pieces, written = parts[::2], parts[1::2]
        size = len(text) - len(b"".join(written))
        alike = self._forms.get(size, [])
        if len(text) > FORM_MAX_BYTES or any(form.pieces == pieces for form in alike):
            return
        if self._count >= FORMS_MAX:
            self._forms.clear()
            self._count = 0
        form = self._form(pieces) or Form(pieces, (), "", None, None, phases=False)
        self._forms.setdefault(size, []).append(form)
        self._count += 1

    def _form(self, pieces: list[bytes]) -> Form | None:
        """None if a number is not just the value of its sample, or if there is no usual reading."""
        marks = list(range(1, len(pieces)))
        opening, closing = (b'"value":"', b'"') if self._in_text else (b'"value":', b"")
        tried = pieces[0]
        for mark, piece in zip(marks, pieces[1:], strict=True):
            tried += b"%b%d%b%b" % (opening, mark, closing, piece)
        try:
            samples: list[Sampled] = self._decode(tried)
        except _UNREADABLE:
            return None
        rows = [sample.row() for sample in samples]
        found = [None if row is None else float(row[0]) for row in rows]
        if found != marks or not marks:
            return None
        usual_metering.read([row for row in rows if row is not None], _SOME_DAY, _nothing_noted)
        kinds = tuple(row[1:] for row in rows if row is not None)
        plan = usual_metering.plan(kinds)
        if plan is None:
            return None
        factors = None if all(factor == 1.0 for factor in plan.factors) else plan.factors
        pick = None if plan.places is None else _picker(plan.places, len(kinds))
        phases = plan.places is not None and any(place is not None for place in plan.places[5:])
        return Form(pieces, kinds, plan.context, factors, pick, phases)


def _nothing_noted(name: str, detail: str) -> None:
    """It is only tried."""


def _picker(
    places: tuple[int | None, ...], nothing: int
) -> Callable[[Sequence[float | None]], tuple[float | None, ...]]:
    return itemgetter(*(nothing if place is None else place for place in places))


class Lean:
    """Reads messages whose lists of samples are of known forms, and learns those that are not."""

    def __init__(self, kind: type[Struct], sampled: type[Struct]) -> None:
        self._decode = msgspec.json.Decoder(_lean(kind)).decode
        self._forms = _forms(sampled)

    def read(self, payload: msgspec.Raw) -> Any:
        """The message, with ``Numbers`` for samples; None leaves it to the careful way."""
        try:
            message: Any = self._decode(payload)
        except _UNREADABLE:
            return None
        for value in message.meter_value or ():
            numbers = self._forms.known(bytes(value.sampled_value))
            if numbers is None:
                return None
            value.sampled_value = numbers
        return message

    def learn(self, payload: msgspec.Raw) -> None:
        """From a message that was just read as the standard has it."""
        message: Any = self._decode(payload)
        for value in message.meter_value or ():
            self._forms.learn(bytes(value.sampled_value))


def lean(kind: type[Struct]) -> Lean | None:
    """How messages of this kind are read by the forms of their samples; None if they have none."""
    values = _element(kind, "meter_value")
    sampled = None if values is None else _element(values, "sampled_value")
    return None if sampled is None else Lean(kind, sampled)


@cache
def _forms(sampled: type[Struct]) -> Forms:
    return Forms(sampled)


def _element(kind: type[Struct], name: str) -> type[Struct] | None:
    """The struct that the list ``name`` is made of."""
    hint = get_type_hints(kind).get(name)
    while hint is not None and not isinstance(hint, type):
        options = [option for option in get_args(hint) if option is not type(None)]
        hint = options[0] if options else None
    return hint if isinstance(hint, type) and issubclass(hint, Struct) else None


def _lean(kind: type[Struct]) -> type[Struct]:
    """As the standard has it, with lists of samples left as they were written."""
    values = _element(kind, "meter_value")
    assert values is not None
    raw = msgspec.field(name="sampledValue")
    lean_values = msgspec.defstruct(
        values.__name__,
        [("sampled_value", msgspec.Raw, raw)],
        bases=(strict(values),),
        kw_only=True,
    )
    optional = not next(
        part for part in msgspec.structs.fields(strict(kind)) if part.name == "meter_value"
    ).required
    default = {"default": None} if optional else {}
    some = Annotated[list[lean_values], Meta(min_length=1)]  # type: ignore[valid-type]
    return msgspec.defstruct(
        kind.__name__,
        [("meter_value", some, msgspec.field(name="meterValue", **default))],
        bases=(strict(kind),),
        kw_only=True,
    )
