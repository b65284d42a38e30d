"""What a message could do to limits that the control of a site relies on.

The control holds two layers on each outlet: a default for transactions that stays (the fail-safe)
and a grant that expires. A message that could lift, replace or remove either is told so here; who
sends it refuses. A cap of the whole station is another purpose: a charger takes the lower of both
(1.6 §3.13.4, 2.0.1 K01), so it can only lower and is let through.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from voltyard.chargers.commands import (
    Ask,
    ClearLimits,
    Command,
    LimitPurpose,
    SetLimit,
    UpdateLimit,
    WriteConfiguration,
)
from voltyard.chargers.model import LimitHolder, Quirks

OWN_IDS_BELOW = 100_000
"""Profiles of the control are numbered by outlet, below this."""
_CAPS = frozenset({"ChargePointMaxProfile", "ChargingStationMaxProfile"})
_SWITCHES = frozenset({"smartchargingctrlr.enabled", "smartchargingctrlr.available"})
KEPT = "the control of the site keeps this charger's limits"


def endangers(command: Command, quirks: Quirks) -> str:
    """Why; empty if it cannot."""
    if isinstance(command, SetLimit):
        return _limit(command, quirks)
    if isinstance(command, UpdateLimit):
        return KEPT
    if isinstance(command, ClearLimits):
        kept = (command.profile_id or 0) < OWN_IDS_BELOW
        return f"{KEPT}: lift a limit by its number" if kept else ""
    if isinstance(command, WriteConfiguration):
        switch = command.key.strip().lower() in _SWITCHES
        return f"{KEPT} and needs smart charging switched on" if switch else ""
    if isinstance(command, Ask):
        return _message(command.action, command.payload, quirks)
    return ""


def _limit(command: SetLimit, quirks: Quirks) -> str:
    if command.purpose is not LimitPurpose.STATION_MAX or command.profile_id < OWN_IDS_BELOW:
        return f"{KEPT}: cap the whole station, or limit its node"
    if quirks.holder is LimitHolder.STATION:
        return f"{KEPT} by caps of the whole station: limit its node"
    return ""


def _message(action: str, payload: Mapping[str, Any], quirks: Quirks) -> str:
    if action == "SetChargingProfile":
        return _set(payload, quirks)
    if action == "ClearChargingProfile":
        return _cleared(payload)
    if action in ("RemoteStartTransaction", "RequestStartTransaction"):
        return f"{KEPT}: start without a profile" if "chargingProfile" in payload else ""
    if action == "UpdateDynamicSchedule":
        return KEPT
    if action == "UsePriorityCharging":
        return f"{KEPT}: give the duty priority instead" if payload.get("activate") else ""
    if action in ("ChangeConfiguration", "SetVariables"):
        off = any(name in _SWITCHES for name in _written(payload))
        return f"{KEPT} and needs smart charging switched on" if off else ""
    return ""


def _set(payload: Mapping[str, Any], quirks: Quirks) -> str:
    profile = payload.get("csChargingProfiles") or payload.get("chargingProfile") or {}
    number = profile.get("chargingProfileId", profile.get("id", 0))
    if profile.get("chargingProfilePurpose") not in _CAPS:
        return f"{KEPT}: cap the whole station, or limit its node"
    if quirks.holder is LimitHolder.STATION:
        return f"{KEPT} by caps of the whole station: limit its node"
    if number < OWN_IDS_BELOW:
        return f"{KEPT}: number the profile {OWN_IDS_BELOW} or above"
    return ""


def _cleared(payload: Mapping[str, Any]) -> str:
    number = payload.get("id", payload.get("chargingProfileId"))
    if number is None or number < OWN_IDS_BELOW:
        return f"{KEPT}: clear profiles by their id, {OWN_IDS_BELOW} or above"
    return ""


def _written(payload: Mapping[str, Any]) -> Iterator[str]:
    if "key" in payload:
        yield str(payload["key"]).strip().lower()
    for item in payload.get("setVariableData", ()):
        component = item.get("component", {}).get("name", "")
        variable = item.get("variable", {}).get("name", "")
        yield f"{component}.{variable}".lower()
