"""The shape of everything sent and received: strict structs, pages, shared parameters."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

T = TypeVar("T")
W = TypeVar("W", bound=msgspec.Struct)

Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="Rows on a page.")]
Offset = Annotated[int, QueryParameter(ge=0, le=1_000_000_000, description="Rows to pass over.")]
Text = Annotated[str, QueryParameter(max_length=200, description="Sought in names, case aside.")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Out(msgspec.Struct, kw_only=True):
    """Something the API answers with."""


class In(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Something the API is sent; a field it does not know is refused."""


class ImportFaultOut(Out):
    """``row`` 1 is a file's header; 0 is the file as a whole."""

    row: int
    column: str
    reason: str
    value: str


class Page(msgspec.Struct, Generic[T], kw_only=True):
    """One page of a list; ``total`` counts the rows of all pages where that is cheap."""

    items: list[T]
    limit: int
    offset: int
    total: int | None = None
    more: bool = False
    """Whether another page follows."""


def out(kind: type[W], thing: object, **more: Any) -> W:
    """A struct of a dataclass's fields of the same names; ``more`` adds or replaces."""
    fields = {
        name: getattr(thing, name)
        for name in kind.__struct_fields__
        if name not in more and hasattr(thing, name)
    }
    return kind(**fields, **more)


def page(
    kind: type[W], things: Iterable[object], total: int, *, limit: int, offset: int
) -> Page[W]:
    items = [out(kind, thing) for thing in things]
    return Page(
        items=items, limit=limit, offset=offset, total=total, more=offset + len(items) < total
    )


def sliced(kind: type[W], things: Sequence[object], *, limit: int, offset: int) -> Page[W]:
    """A page of a list that is in memory whole."""
    return page(kind, things[offset : offset + limit], len(things), limit=limit, offset=offset)
