"""The standard's own reading of a wire struct: exact lengths, words, counts and required fields.

``strict(kind)`` is a subclass of ``kind``, so what it decodes is what handlers expect. It is how
sound messages are read at full speed, and how our own are checked before they leave.
"""

import types
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from voltyard.ocpp.wire import LISTS, Items, OneOf, Standard, Wire


@cache
def strict(kind: type[Struct]) -> type[Struct]:
    """A subclass that takes exactly what the standard allows (its schema, and 32-bit integers)."""
    hints = get_type_hints(kind, include_extras=True)
    expected = kind.expected if issubclass(kind, Wire) else ()
    fields: list[tuple[str, Any, Any]] = []
    for info in msgspec.structs.fields(kind):
        required = info.required or info.encode_name in expected
        wanted = strict_type(_without_none(hints[info.name]))
        default = {} if required else {"default": info.default}
        fields.append((info.name, wanted, msgspec.field(name=info.encode_name, **default)))
    return msgspec.defstruct(kind.__name__, fields, bases=(kind,), kw_only=True)


def strict_type(hint: Any) -> Any:
    """The standard's type of a field, from its annotation."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _annotated(*get_args(hint))
    if origin in (Union, types.UnionType):
        return Union[tuple(strict_type(option) for option in get_args(hint))]  # noqa: UP007
    if origin in LISTS:
        (element,) = get_args(hint)
        return list[strict_type(element)]  # type: ignore[misc]
    if isinstance(hint, type) and issubclass(hint, Struct):
        return strict(hint)
    return hint


def _annotated(inner: Any, *marks: Any) -> Any:
    for mark in marks:
        if isinstance(mark, Standard):
            return strict_type(mark.kind)
        if isinstance(mark, OneOf):
            return Literal[mark.words]
        if isinstance(mark, Items):
            return Annotated[strict_type(inner), Meta(min_length=mark.least, max_length=mark.most)]
    metas = [_standard_length(mark) for mark in marks if isinstance(mark, Meta)]
    wanted = strict_type(inner)
    for meta in metas:
        wanted = Annotated[wanted, meta]
    return wanted


def _standard_length(meta: Meta) -> Meta:
    soft = (meta.extra or {}).get("soft")
    return meta if soft is None else Meta(max_length=soft)


def _without_none(hint: Any) -> Any:
    """An optional field may be absent; ``null`` is not of the standard."""
    if get_origin(hint) in (Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        return Union[tuple(options)]  # noqa: UP007
    return hint
