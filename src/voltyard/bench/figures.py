"""One measured figure of ``voltyard bench``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A median over ``rounds``; ``ratio`` is against ``peer`` in the same run."""

    name: str
    median: float
    unit: str
    rounds: int
    peer: str = ""
    ratio: float | None = None
