"""Changed copies are what ``dataclasses.replace`` makes."""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from voltyard.records import replace
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
