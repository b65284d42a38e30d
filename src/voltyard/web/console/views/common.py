"""What views of several domains share: paging, choices, sites, and how a departure looks."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")


class Outlook(StrEnum):
    """How the departure of a vehicle looks."""

    NONE = "none"
    READY = "ready"
    ON_TIME = "on_time"
    AT_RISK = "at_risk"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Paging:
    """Page ``number`` counts from 1."""

    number: int = 1
    size: int = 50

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of rows and how many there are in all."""

    rows: tuple[T, ...]
    total: int
    paging: Paging

    @property
    def page_count(self) -> int:
        return max(1, -(-self.total // self.paging.size))


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a select box: value (an id as text) and what is shown."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class SiteView:
    id: UUID
    name: str
    timezone: str


@dataclass(frozen=True, slots=True)
class AreaView:
    id: UUID | None
    name: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Mean power over a stretch of time."""

    start_at: datetime
    end_at: datetime
    power_w: float
