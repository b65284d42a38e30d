"""What a charger can do beyond limits that are replaced, and what it is steered to. Pure.

OCPP 2.1 lets a limit be updated in place (K28), which is cheap, and a vehicle be discharged (Q).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from voltyard.chargers.commands import PowerMode
from voltyard.chargers.model import ConfigRow

UPDATE_REFUSALS = 3
"""Updates refused on one connection, after which limits are replaced as ever."""
_TRUE = frozenset({"true", "1"})
_DYNAMIC = "SmartChargingCtrlr.SupportsFeature[DynamicProfiles]"
_AWAY = "SmartChargingCtrlr.SupportsFeature[MaxOfflineDuration]"
_MODES: Mapping[str, PowerMode] = {
    "CentralSetpoint": PowerMode.SETPOINT,
    "CentralFrequency": PowerMode.FREQUENCY,
    "Idle": PowerMode.IDLE,
}


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


@dataclass(frozen=True, slots=True)
class Abilities:
    """``away``: it knows how long a limit lasts without a connection. ``modes`` of its V2X, empty
    where that is switched off or missing; ``transfers`` in the standard's words."""

    dynamic: bool = False
    away: bool = False
    modes: frozenset[PowerMode] = frozenset()
    transfers: tuple[str, ...] = ()

    @property
    def discharges(self) -> bool:
        return PowerMode.SETPOINT in self.modes


def questions(evse_number: int) -> tuple[str, ...]:
    """The variables that tell (2.1 part 2, K28, Q01.FR.30 to FR.32); V2X of the outlet or all."""
    v2x = ("Enabled", "SupportedOperationModes", "SupportedEnergyTransferModes")
    places = (f"V2XChargingCtrlr@{evse_number}", "V2XChargingCtrlr")
    return (_DYNAMIC, _AWAY, *(f"{place}.{name}" for name in v2x for place in places))


def abilities(rows: Mapping[str, ConfigRow], evse_number: int) -> Abilities:
    """What the answers say; what it does not know it cannot do."""

    def told(key: str) -> str:
        row = rows.get(key)
        return "" if row is None or row.value is None else row.value.strip()

    def v2x(name: str) -> str:
        return told(f"V2XChargingCtrlr@{evse_number}.{name}") or told(f"V2XChargingCtrlr.{name}")

    on = v2x("Enabled").casefold() in _TRUE
    words = _items(v2x("SupportedOperationModes")) if on else ()
    return Abilities(
        dynamic=told(_DYNAMIC).casefold() in _TRUE,
        away=told(_AWAY).casefold() in _TRUE,
        modes=frozenset(_MODES[word] for word in words if word in _MODES),
        transfers=_items(v2x("SupportedEnergyTransferModes")) if on else (),
    )


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())
