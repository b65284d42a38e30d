"""Studies as they are asked for and kept: what of, what to find out, how far. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from voltyard.errors import Invalid
from voltyard.study.model import parse
from voltyard.study.past import Remark

TITLE_LONGEST = 120
CASES_MAX = 20
BUSES_MAX = 400
FILE_BYTES_MAX = 8 * 1024 * 1024


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    """What it is of cannot be studied; ``message`` says why."""
    FAILED = "failed"
    """Its process ended without an answer."""
    TOO_LONG = "too_long"
    """It was ended after an hour."""
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """The server ended while it ran, again and again; it can be asked for anew."""


OPEN = frozenset({State.WAITING, State.RUNNING})


class Source(StrEnum):
    SITE = "site"
    """A stretch of a site's own past."""
    DEMO = "demo"
    """The demo depot."""
    SPICE = "spice"
    """A SpiceEV scenario."""
    DUTIES = "duties"
    """Duties and vehicles as CSV."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked. ``cases`` are what-ifs in the words of ``model.parse``; empty: the usual ones.

    ``from_at`` and ``until_at`` are needed of a site, bound a scenario, and mean nothing else.
    ``limit_kw``, ``charger_kw``, ``chargers`` and ``other_kw`` are the base's of duties, and
    change it elsewhere. ``yearly``: vehicles expected more a year.
    """

    source: Source
    cases: tuple[str, ...] = ()
    site_id: UUID | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None
    buses: int = 80
    seed: int = 1
    depot: str = ""
    zone: str = "Europe/Berlin"
    limit_kw: float | None = None
    charger_kw: float | None = None
    chargers: int | None = None
    other_kw: float = 0.0
    as_it_was: bool = False
    mode: str = "cost"
    quick: bool = False
    find_limit: bool = True
    find_chargers: bool = True
    find_room: bool = True
    shunting_min: float = 10.0
    yearly: float = 0.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Progress:
    """``stage`` and ``name`` of the run under way, ``runs`` done, ``share`` (0 to 1) of all."""

    stage: str = ""
    name: str = ""
    runs: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A study as it is kept, without what it is of and what was found."""

    id: UUID
    org_id: UUID
    site_id: UUID | None
    title: str
    state: State
    order: Order
    asked_by: str
    asked_at: datetime
    remarks: tuple[Remark, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)
    progress: Progress = Progress()
    message: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: int = 0

    @property
    def open(self) -> bool:
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class StudyFilter:
    """``text`` is in the title; None leaves the state open."""

    text: str = ""
    state: State | None = None
    site_id: UUID | None = None


Material = Mapping[str, Any]
"""What a study is of, as JSON: ``past`` of a site, or ``files`` by their use."""


def check(order: Order, files: Mapping[str, Upload]) -> None:
    """Raises ``Invalid`` with every field that is wrong."""
    faults: dict[str, str] = {}
    try:
        for text in order.cases:
            parse(text)
    except Invalid as error:
        faults["cases"] = error.message
    if len(order.cases) > CASES_MAX:
        faults["cases"] = f"at most {CASES_MAX}"
    if order.mode not in ("cost", "peak", "early"):
        faults["mode"] = "cost, peak or early"
    faults |= _positive(order) | _of_source(order, files)
    for use, file in files.items():
        if len(file.content) > FILE_BYTES_MAX:
            faults[use] = f"at most {FILE_BYTES_MAX // (1024 * 1024)} MB"
        elif "\0" in file.content or "\0" in file.name:
            faults[use] = "text"
    if faults:
        raise Invalid("This cannot be studied so.", fields=faults)


def _positive(order: Order) -> dict[str, str]:
    faults: dict[str, str] = {}
    for name, low, high in (
        ("limit_kw", 1.0, 1e6),
        ("charger_kw", 1.0, 1e4),
        ("chargers", 1, 5_000),
        ("buses", 1, BUSES_MAX),
        ("other_kw", 0.0, 1e6),
        ("shunting_min", 0.0, 240.0),
        ("yearly", 0.0, 10_000.0),
    ):
        value = getattr(order, name)
        if value is not None and not low <= value <= high:
            faults[name] = f"{low:g} to {high:g}"
    return faults


def _of_source(order: Order, files: Mapping[str, Upload]) -> dict[str, str]:
    faults: dict[str, str] = {}
    if order.source is Source.SITE:
        if order.site_id is None:
            faults["site_id"] = "a site"
        for name in ("from_at", "until_at"):
            if getattr(order, name) is None:
                faults[name] = "an instant"
    if order.source is Source.SPICE and "scenario" not in files:
        faults["scenario"] = "a file"
    if order.source is Source.DUTIES:
        faults |= {name: "a file" for name in ("duties", "vehicles") if name not in files}
        faults |= {
            name: "a power" for name in ("limit_kw", "charger_kw") if getattr(order, name) is None
        }
    if (order.from_at is None) != (order.until_at is None):
        faults["until_at"] = "both or none"
    return faults
