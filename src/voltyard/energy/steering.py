"""What a charger is steered to, and how limits are brought to it. Pure.

OCPP 2.1 lets a limit be updated in place (K28), which is cheap, and a vehicle be discharged (Q).
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from voltyard.chargers.model import PowerMode

UPDATE_REFUSALS = 3
"""Updates refused on one connection, after which limits are replaced as ever."""


class Way(StrEnum):
    """How a limit is brought to a charger."""

    SET = "set"
    """A profile with a fixed beginning and end, which takes the place of the one before."""
    INSTALL = "install"
    """A profile that is updated from then on."""
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Steer:
    """``setpoint_w`` is 0 or less: so much flows back. With ``LIMIT`` there is none."""

    mode: PowerMode = PowerMode.LIMIT
    setpoint_w: float = 0.0


CHARGING = Steer()


@dataclass(frozen=True, slots=True)
class Installed:
    """A profile that can be updated: of which session, and how long each update lasts."""

    session_id: UUID
    mode: PowerMode
    valid_s: int
