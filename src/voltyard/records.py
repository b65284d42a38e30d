"""Frozen, slotted dataclasses made and copied several times as fast as dataclasses do it."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, NamedTuple, TypeVar

Record = TypeVar("Record")
_Set = Callable[[object, Any], None]


class _Plan(NamedTuple):
    """How to copy a record, and what sets each field: the descriptors of its slots."""

    copy: Callable[[Any], Any]
    by_name: dict[str, _Set]


_plans: dict[type[Any], _Plan] = {}


def replace(record: Record, /, **changes: Any) -> Record:
    """As ``dataclasses.replace``, for a slotted dataclass without ``__post_init__``.

    A charger's message changes its session several times: one by one, through ``__init__``,
    setting thirty frozen fields cost more than all else. Raises TypeError for an unknown field.
    """
    kind = type(record)
    plan = _plans.get(kind) or _plan(kind)
    copy = plan.copy(record)
    for name, value in changes.items():
        try:
            plan.by_name[name](copy, value)
        except KeyError:
            raise TypeError(f"{kind.__name__} has no field {name!r}") from None
    return copy  # type: ignore[no-any-return]


def quick(kind: type[Record]) -> type[Record]:
    """Class decorator, above ``dataclass(frozen=True, slots=True)``: instances are made faster.

    For what every message makes. Fields with a default factory are not for it.
    """
    parts = fields(kind)  # type: ignore[arg-type]
    known: dict[str, Any] = {}
    given, lines = ["self"], []
    for part in parts:
        if part.default_factory is not MISSING or not part.init or part.kw_only:
            raise TypeError(f"{kind.__name__}.{part.name} cannot be made quickly")
        known[f"_set_{part.name}"] = getattr(kind, part.name).__set__
        known[f"_default_{part.name}"] = part.default
        default = "" if part.default is MISSING else f"=_default_{part.name}"
        given.append(f"{part.name}{default}")
        lines.append(f"    _set_{part.name}(self, {part.name})")
    made: dict[str, Any] = {}
    exec("\n".join([f"def __init__({', '.join(given)}):", *lines]), known, made)
    kind.__init__ = made["__init__"]  # type: ignore[method-assign]
    return kind


def _plan(kind: type[Any]) -> _Plan:
    if "__slots__" not in kind.__dict__ or hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} is no slotted dataclass without __post_init__")
    by_name: dict[str, _Set] = {
        part.name: getattr(kind, part.name).__set__ for part in fields(kind)
    }
    plan = _plans[kind] = _Plan(_copier(kind, by_name), by_name)
    return plan


def _copier(kind: type[Any], by_name: dict[str, _Set]) -> Callable[[Any], Any]:
    """A function with one line a field, as dataclasses write their own: no loop is as fast."""
    known: dict[str, Any] = {f"_set_{name}": put for name, put in by_name.items()}
    known |= {"_new": object.__new__, "_kind": kind}
    lines = [f"    _set_{name}(copy, record.{name})" for name in by_name]
    given = ", ".join(f"{name}={name}" for name in known)
    text = f"def copier(record, {given}):\n    copy = _new(_kind)\n"
    made: dict[str, Any] = {}
    exec(text + "\n".join([*lines, "    return copy"]), known, made)
    copier: Callable[[Any], Any] = made["copier"]
    return copier
