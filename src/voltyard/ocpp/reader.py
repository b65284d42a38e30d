"""Payloads read into structs: what is sound at full speed, what is odd with a note about it.

Two levels (docs/extend/ocpp-message.md). The standard's reading is tried first and costs nothing
more. What it refuses is read again as widely as our structs allow: what the standard forbids but
a real charger does (longer texts, unknown words and fields, a missing timestamp, numbers as text)
is accepted and flagged, and what makes no sense is refused with the precise word.
"""

import re
import types
from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from voltyard.errors import Invalid
from voltyard.ocpp.framing import CallRejected, ErrorWords
from voltyard.ocpp.learned import Lean, lean
from voltyard.ocpp.strict import strict
from voltyard.ocpp.wire import LISTS, Items, OneOf, Wire

FLAGS_MAX = 20
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


# Notes an oddity: its name, and where or what it was.
Flag = Callable[[str, str], None]


class Reader:
    """Decodes payloads of one struct type."""

    __slots__ = ("_decode", "_lean", "kind")

    def __init__(self, kind: type[Wire]) -> None:
        self.kind = kind
        self._decode: Callable[[msgspec.Raw], Any] | None = None
        self._lean: Lean | None = None

    def sound(self, payload: msgspec.Raw) -> Any:
        """The message if it is exactly what the standard allows, else None.

        Samples of a known form are ``Numbers`` in it (learned.py).
        """
        decode = self._decode or self._ready()
        if self._lean is not None:
            message = self._lean.read(payload)
            if message is not None:
                return message
        try:
            message = decode(payload)
        except _UNREADABLE:
            return None
        if self._lean is not None:
            self._lean.learn(payload)
        return message

    def _ready(self) -> Callable[[msgspec.Raw], Any]:
        self._lean = lean(self.kind)
        self._decode = decode = _strict_decoder(self.kind).decode
        return decode

    def read(self, payload: msgspec.Raw, words: ErrorWords, flag: Flag) -> Any:
        """The message; raises CallRejected with the precise word when it makes no sense."""
        try:
            return (self._decode or self._ready())(payload)
        except msgspec.ValidationError as error:
            complaint = str(error)
        except _UNREADABLE as error:
            raise CallRejected(words.format, str(error)) from None
        try:
            return self._read_widely(payload, complaint, words, flag)
        except _UNREADABLE as error:
            raise CallRejected(words.format, str(error)) from None

    def _read_widely(
        self, payload: msgspec.Raw, complaint: str, words: ErrorWords, flag: Flag
    ) -> Any:
        notes: list[tuple[str, str]] = []
        try:
            message = _wide_decoder(self.kind).decode(payload)
        except msgspec.ValidationError:
            message = _mended(payload, self.kind, words, notes)
        oddities = list(_oddities(message, ""))
        notes += [(name, detail) for name, detail in oddities if name]
        if not notes and not oddities:
            notes.append(("not_standard", complaint))
        for name, detail in notes[:FLAGS_MAX]:
            flag(name, detail)
        return message


@cache
def _strict_decoder(kind: type[Wire]) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(strict(kind))


@cache
def _wide_decoder(kind: type[Wire]) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(kind)


def check(message: Wire) -> None:
    """Raises Invalid if a message of ours is not what the standard allows."""
    try:
        _strict_decoder(type(message)).decode(_encode(message))
    except msgspec.ValidationError as error:
        raise Invalid(
            f"OCPP cannot say this in {type(message).__name__}", detail=str(error)
        ) from None


def _mended(
    payload: msgspec.Raw,
    kind: type[Wire],
    words: ErrorWords,
    notes: list[tuple[str, str]],
) -> Any:
    """Once more without what the standard does not know and with numbers read from text."""
    try:
        pruned = _pruned(msgspec.json.decode(payload), kind, "", notes)
        try:
            return msgspec.convert(pruned, kind)
        except msgspec.ValidationError as still:
            message = msgspec.convert(pruned, kind, strict=False)
            notes.append(("loose_types", str(still)))
            return message
    except msgspec.ValidationError as final:
        raise CallRejected(_word(str(final), words), str(final)) from None


def _word(message: str, words: ErrorWords) -> str:
    """Which of the version's error words fits msgspec's complaint."""
    if "missing required field" in message or "of length >= 1" in message:
        return words.occurrence
    if re.match(r"Expected `(object|array)`, got", message) and "at `$" not in message:
        return words.pdu
    if re.match(r"(Expected `[^`]+`, got|Expected `[^`]+ \| )", message):
        return words.type
    return words.property


def _pruned(value: Any, kind: Any, path: str, notes: list[tuple[str, str]]) -> Any:
    """The value without keys that its struct does not know."""
    if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, Struct):
        known = _fields(kind)
        kept = {}
        for key, item in value.items():
            if key not in known:
                notes.append(("unknown_field", f"{path}{key}"[:200]))
                continue
            kept[key] = _pruned(item, known[key], f"{path}{key}.", notes)
        return kept
    if isinstance(value, list) and get_origin(kind) in LISTS:
        (element,) = get_args(kind)
        return [_pruned(item, main_type(element), path, notes) for item in value]
    return value


@cache
def _fields(kind: type[Struct]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {
        field.encode_name: main_type(hints[field.name]) for field in msgspec.structs.fields(kind)
    }


def main_type(hint: Any) -> Any:
    """The type without None and without annotations."""
    if get_origin(hint) is Annotated:
        return main_type(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        return main_type(options[0]) if len(options) == 1 else hint
    return hint


class _Rule:
    """What is noted about one field."""

    __slots__ = ("expected", "items", "length", "name", "nested", "wire_name", "words")

    def __init__(self, name: str, wire_name: str, hint: Any, *, expected: bool) -> None:
        self.name = name
        self.wire_name = wire_name
        self.expected = expected
        marks = list(_marks(hint))
        self.length = next((n for n in map(_soft_length, marks) if n is not None), None)
        self.words = next((mark for mark in marks if isinstance(mark, OneOf)), None)
        self.items = next((mark for mark in marks if isinstance(mark, Items)), None)
        self.nested = isinstance(kind := _element(main_type(hint)), type) and issubclass(kind, Wire)


def soft_limit(hint: Any) -> int | None:
    """The standard's length of a text field, from its annotation."""
    return next((n for n in map(_soft_length, _marks(hint)) if n is not None), None)


def _marks(hint: Any) -> Iterator[Any]:
    """Marks of a field and, where it is a list, of its elements."""
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *marks = get_args(hint)
        yield from marks
        yield from _marks(inner)
    elif origin in (Union, types.UnionType, *LISTS):
        for option in get_args(hint):
            yield from _marks(option)


def _soft_length(mark: Any) -> int | None:
    if isinstance(mark, Meta) and mark.extra and "soft" in mark.extra:
        return int(mark.extra["soft"])
    return None


def _element(kind: Any) -> Any:
    return main_type(get_args(kind)[0]) if get_origin(kind) in LISTS else kind


@cache
def _rules(kind: type[Wire]) -> tuple[_Rule, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        _Rule(
            field.name,
            field.encode_name,
            hints[field.name],
            expected=field.encode_name in kind.expected,
        )
        for field in msgspec.structs.fields(kind)
    )


def _oddities(message: Wire, path: str) -> Iterator[tuple[str, str]]:
    """What a message of ours would not say: (flag, detail); the flag is empty where the handler
    notes it itself."""
    for rule in _rules(type(message)):
        value = getattr(message, rule.name)
        if value is None:
            if rule.expected:
                yield "missing_field", f"{path}{rule.wire_name}"
            continue
        where = f"{path}{rule.wire_name}"
        values = value if isinstance(value, list) else (value,)
        if rule.items is not None and isinstance(value, list):
            yield from _counted(rule.items, value, where)
        for item in values:
            if isinstance(item, str):
                yield from _worded(rule, item, where)
            elif rule.nested and isinstance(item, Wire):
                yield from _oddities(item, f"{where}.")


def _counted(items: Items, value: list[Any], where: str) -> Iterator[tuple[str, str]]:
    if len(value) < items.least or (items.most is not None and len(value) > items.most):
        yield items.flag, f"{where}: {len(value)} elements"


def _worded(rule: _Rule, text: str, where: str) -> Iterator[tuple[str, str]]:
    if rule.length is not None and len(text) > rule.length:
        yield "too_long", f"{where}: {len(text)} characters, {rule.length} allowed"
    if rule.words is not None and text not in rule.words.words:
        yield rule.words.flag, f"{where}: {text[:60]}"
