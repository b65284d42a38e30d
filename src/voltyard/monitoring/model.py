"""Events of chargers' variables: kept, and judged."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from voltyard.chargers.model import Monitor, VariableEvent


class Judgement(StrEnum):
    """What an event asks of people."""

    CRITICAL = "critical"
    WARNING = "warning"
    OVER = "over"
    NOTED = "noted"


CRITICAL_UNTIL = 3
"""0 danger, 1 hardware failure, 2 system failure, 3 critical (2.0.1 N04, severities)."""
WARNING_UNTIL = 5
"""4 error, 5 alert."""
_PROBLEMS = frozenset({"problem", "tripped", "overload"})
"""Variables whose being true is a fault by itself (2.0.1 appendices)."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    id: UUID
    station_id: UUID
    site_id: UUID | None
    received_at: datetime
    event: VariableEvent


@dataclass(frozen=True, slots=True)
class StoredMonitor:
    station_id: UUID
    told_at: datetime
    monitor: Monitor


def judged(event: VariableEvent, severity: int | None) -> Judgement:
    """By the severity of its monitor; a fault that is told without one is a warning.

    What is cleared, or a flag that is false again, is over.
    """
    value = event.value.strip().casefold()
    is_problem = event.variable.rpartition(".")[2].casefold() in _PROBLEMS
    if event.cleared or (is_problem and value == "false"):
        return Judgement.OVER
    if event.trigger == "Periodic" or (event.trigger == "Delta" and not is_problem):
        return Judgement.NOTED
    if severity is None:
        return Judgement.WARNING if is_problem and value == "true" else Judgement.NOTED
    if severity <= CRITICAL_UNTIL:
        return Judgement.CRITICAL
    return Judgement.WARNING if severity <= WARNING_UNTIL else Judgement.NOTED
