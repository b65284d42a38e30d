"""What an outlet of OCPP 2.1 can do: limits updated in place (K28), power that flows back (Q)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from voltyard.chargers.commands import (
    CommandResult,
    ReadAbilities,
    ReadConfiguration,
    ReportDischarge,
    WriteConfiguration,
)
from voltyard.chargers.model import Abilities, ConfigRow, PowerMode
from voltyard.ocpp.routing import Expressed
from voltyard.ocpp.v21.limit_orders import MODES

_DYNAMIC = "SmartChargingCtrlr.SupportsFeature[DynamicProfiles]"
_AWAY = "SmartChargingCtrlr.SupportsFeature[MaxOfflineDuration]"
_V2X = "V2XChargingCtrlr"
_NAMES = ("Enabled", "SupportedOperationModes", "SupportedEnergyTransferModes")
_TRUE = frozenset({"true", "1"})
_WORDS: Mapping[str, PowerMode] = {word: mode for mode, word in MODES.items() if word is not None}
BACK = "Energy.Active.Export.Register,Power.Active.Export"


def questions(command: ReadAbilities) -> ReadConfiguration:
    """The variables that tell (K28, Q01.FR.30, FR.32); V2X is of the outlet, or of all."""
    places = (f"{_V2X}@{command.evse_number}", _V2X)
    return ReadConfiguration(
        (_DYNAMIC, _AWAY, *(f"{place}.{name}" for name in _NAMES for place in places))
    )


def answered(command: ReadAbilities, asked: Expressed) -> Expressed:
    """The same calls; the answers become ``abilities``."""
    calls, combine = asked

    def understood(results: Sequence[CommandResult]) -> CommandResult:
        result = combine(results)
        rows = {row.key: row for row in result.detail.get("rows", ())}
        detail = {"abilities": abilities(rows, command.evse_number)}
        return replace(result, detail=detail)

    return calls, understood


def abilities(rows: Mapping[str, ConfigRow], evse_number: int) -> Abilities:
    """What it does not know it cannot do."""

    def told(key: str) -> str:
        row = rows.get(key)
        return "" if row is None or row.value is None else row.value.strip()

    def v2x(name: str) -> str:
        return told(f"{_V2X}@{evse_number}.{name}") or told(f"{_V2X}.{name}")

    on = v2x("Enabled").casefold() in _TRUE
    words = _items(v2x("SupportedOperationModes")) if on else ()
    return Abilities(
        dynamic=told(_DYNAMIC).casefold() in _TRUE,
        away=told(_AWAY).casefold() in _TRUE,
        modes=frozenset(_WORDS[word] for word in words if word in _WORDS),
        transfers=_items(v2x("SupportedEnergyTransferModes")) if on else (),
    )


def report_discharge(command: ReportDischarge) -> WriteConfiguration:
    """Q01.FR.35: on top of what is sampled anyway, in that mode."""
    place = f"{_V2X}@{command.evse_number}.TxUpdatedMeasurands"
    return WriteConfiguration(f"{place}[{MODES[command.mode]}]", BACK)


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())
