"""Changed copies are what ``dataclasses.replace`` makes."""

import dataclasses
from dataclasses import FrozenInstanceError, dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from voltyard.records import quick, replace
from voltyard.sessions.model import Session, SessionState


@dataclass(frozen=True, slots=True)
class One:
    only: int


@dataclass(frozen=True)
class Loose:
    x: int


def test_a_session_changed_in_some_fields() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    session = Session(
        uuid4(), uuid4(), None, uuid4(), uuid4(), 1, "ref", SessionState.ACTIVE, started_at=at
    )
    changes = {"energy_wh": 7.0, "ended_at": at, "flags": ("x",)}
    assert replace(session, **changes) == dataclasses.replace(session, **changes)  # type: ignore[arg-type]
    assert session.energy_wh == 0.0
    assert replace(session) == session


def test_a_record_of_one_field() -> None:
    assert replace(One(1), only=2) == One(2)
    assert replace(One(1)) == One(1)


def test_what_is_not_there_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="no field 'other'"):
        replace(One(1), other=2)
    with pytest.raises(TypeError, match="slotted"):
        replace(Loose(1), x=2)


@quick
@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 7
    name: str = ""


def test_a_quick_record_is_made_as_any_other() -> None:
    assert Point(1) == Point(x=1, y=7, name="")
    assert repr(Point(1, name="a")) == "Point(x=1, y=7, name='a')"
    assert replace(Point(1), y=2) == dataclasses.replace(Point(1), y=2) == Point(1, 2)
    assert hash(Point(1)) == hash(Point(1))
    with pytest.raises(FrozenInstanceError):
        Point(1).x = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]


def test_a_factory_cannot_be_quick() -> None:
    @dataclass(frozen=True, slots=True)
    class Made:
        items: tuple[int, ...] = field(default_factory=tuple)

    with pytest.raises(TypeError, match="cannot be made quickly"):
        quick(Made)
