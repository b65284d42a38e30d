"""Structs of the wire: how a payload is decoded, what is refused and what is only noted.

Two levels (docs/extend/ocpp-message.md). Types, hard lengths and meaningful values are enforced
by the structs. What the standard forbids but a real charger does (longer texts, unknown extra
fields, a missing timestamp, numbers as text) is accepted and flagged.
"""

import re
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from voltyard.ocpp.framing import CallRejected, ErrorWords

HARD_TEXT = 255
HARD_INFO = 10_000

# Text with the standard's length as soft limit ("soft") and ours as hard limit.
Str8 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 8})]
Str16 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 16})]
Str20 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 20})]
Str25 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 25})]
Str36 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 36})]
Str50 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 50})]
Info50 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 50})]
Str255 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 255})]
Str500 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 500})]
Str512 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 512})]
Str1000 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 1000})]
Str2500 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 2500})]
Str5500 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 5500})]
Word = Annotated[str, Meta(max_length=HARD_TEXT)]
Instant = Annotated[str, Meta(max_length=64)]
# OCPP integers are 32 bits wide, and so are the columns they end in.
Integer = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Natural = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Register = Annotated[float, Meta(ge=-1e15, le=1e15)]


class Wire(Struct, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """``expected`` names fields (as on the wire) the standard requires and we can do without."""

    expected: ClassVar[tuple[str, ...]] = ()


Flag = Callable[[str, str], None]


class Reader:
    """Decodes payloads of one struct type."""

    def __init__(self, kind: type[Wire]) -> None:
        self.kind = kind
        self._decode = msgspec.json.Decoder(kind).decode
        self._soft = _soft_of(kind)

    def read(self, payload: msgspec.Raw, words: ErrorWords, flag: Flag) -> Any:
        """The message; raises CallRejected with the precise word when it makes no sense."""
        try:
            message = self._decode(payload)
        except msgspec.ValidationError as error:
            message = self._mend(payload, error, words, flag)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise CallRejected(words.format, str(error)) from None
        if self._soft is not None:
            self._soft.check(message, "", flag)
        return message

    def _mend(
        self, payload: msgspec.Raw, error: msgspec.ValidationError, words: ErrorWords, flag: Flag
    ) -> Any:
        """Once more without what the standard does not know and with numbers read from text."""
        notes: list[tuple[str, str]] = []
        try:
            tree = msgspec.json.decode(payload)
            pruned = _pruned(tree, self.kind, "", notes)
            try:
                message = msgspec.convert(pruned, self.kind)
            except msgspec.ValidationError as still:
                message = msgspec.convert(pruned, self.kind, strict=False)
                notes.append(("loose_types", str(still)))
        except msgspec.ValidationError as final:
            raise CallRejected(_word(str(final), words), str(final)) from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise CallRejected(words.format, str(error)) from None
        for name, detail in notes:
            flag(name, detail)
        return message


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
    """The value without keys that its struct does not know, and without empty optionals."""
    if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, Struct):
        known = _fields(kind)
        kept = {}
        for key, item in value.items():
            if key not in known:
                notes.append(("unknown_field", f"{path}{key}"[:200]))
                continue
            kept[key] = _pruned(item, known[key], f"{path}{key}.", notes)
        return kept
    if isinstance(value, list) and get_origin(kind) is list:
        (element,) = get_args(kind)
        return [_pruned(item, element, path, notes) for item in value]
    return value


@cache
def _fields(kind: type[Struct]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {
        field.encode_name: _main_type(hints[field.name]) for field in msgspec.structs.fields(kind)
    }


def _main_type(hint: Any) -> Any:
    """The type without None and without annotations."""
    if get_origin(hint) is Annotated:
        return _main_type(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        return _main_type(options[0]) if len(options) == 1 else hint
    return hint


class _Soft:
    """What is noted about messages of one type: texts too long, expected fields missing."""

    def __init__(
        self,
        lengths: tuple[tuple[str, str, int], ...],
        expected: tuple[tuple[str, str], ...],
        nested: tuple[tuple[str, str, "_Soft"], ...],
    ) -> None:
        self.lengths = lengths
        self.expected = expected
        self.nested = nested

    def check(self, message: Any, path: str, flag: Flag) -> None:
        for name, wire_name, limit in self.lengths:
            text = getattr(message, name)
            if text is not None and len(text) > limit:
                flag("too_long", f"{path}{wire_name}: {len(text)} characters, {limit} allowed")
        for name, wire_name in self.expected:
            if getattr(message, name) is None:
                flag("missing_field", f"{path}{wire_name}")
        for name, wire_name, soft in self.nested:
            inner = getattr(message, name)
            if inner is not None:
                soft.check(inner, f"{path}{wire_name}.", flag)


def _soft_of(kind: type[Wire]) -> _Soft | None:
    hints = get_type_hints(kind, include_extras=True)
    lengths, expected, nested = [], [], []
    for field in msgspec.structs.fields(kind):
        limit = soft_limit(hints[field.name])
        if limit is not None:
            lengths.append((field.name, field.encode_name, limit))
        if field.encode_name in kind.expected:
            expected.append((field.name, field.encode_name))
        inner = _main_type(hints[field.name])
        if isinstance(inner, type) and issubclass(inner, Wire):
            soft = _soft_of(inner)
            if soft is not None:
                nested.append((field.name, field.encode_name, soft))
    if not (lengths or expected or nested):
        return None
    return _Soft(tuple(lengths), tuple(expected), tuple(nested))


def soft_limit(hint: Any) -> int | None:
    """The standard's length of a text field, from its annotation."""
    if get_origin(hint) is Annotated:
        for meta in get_args(hint)[1:]:
            if isinstance(meta, Meta) and meta.extra and "soft" in meta.extra:
                return int(meta.extra["soft"])
        return None
    if get_origin(hint) in (Union, types.UnionType):
        limits = [soft_limit(option) for option in typing.get_args(hint)]
        return next((limit for limit in limits if limit is not None), None)
    return None
