"""Pure: what chargers report as faults, in the standard's few words."""

from collections.abc import Sequence
from datetime import datetime

from voltyard.chargers.model import EvseStatus, Station
from voltyard.sessions.live import EvseLive
from voltyard.timetable.vdv463.picture import Fault

NO_FAULT = ("", "NoError")
_USAGE = ("EVCommunicationError", "ConnectorLockFailure")
_COMMUNICATION = ("WeakSignal",)
_ELECTRICAL = (
    "GroundFailure",
    "OverCurrentFailure",
    "OverVoltage",
    "UnderVoltage",
    "HighTemperature",
    "PowerSwitchFailure",
    "PowerMeterFailure",
)
_CONFIGURATION = ("LocalListConflict",)


def point_fault(live: EvseLive, now: datetime) -> Fault | None:
    """None where nothing is known to be wrong with an outlet."""
    at = live.status_at or now
    if not live.online:
        return Fault("CommunicationFailure", "the charging station is not connected", at)
    code = live.error_code or ""
    if code in NO_FAULT:
        if live.status is not EvseStatus.FAULTED:
            return None
        return Fault("OtherChargingPointFailure", "", at)
    if code in _USAGE:
        return Fault("UsageFailure", code, at)
    if code in _COMMUNICATION:
        return Fault("CommunicationFailure", code, at)
    return Fault("OtherChargingPointFailure", code, at)


def station_fault(station: Station, lives: Sequence[EvseLive], now: datetime) -> Fault | None:
    """Of a station as a whole: it is not heard, or what its outlets report is its own."""
    if not station.connected:
        return Fault("CommunicationFailure", "", station.last_seen_at or now)
    for live in lives:
        code, at = live.error_code or "", live.status_at or now
        if code in _ELECTRICAL:
            return Fault("ElectricalOperationFailure", code, at)
        if code in _CONFIGURATION:
            return Fault("ConfigurationFailure", code, at)
        if code in _COMMUNICATION:
            return Fault("CommunicationFailure", code, at)
    faulted = [live for live in lives if live.status is EvseStatus.FAULTED]
    if faulted and len(faulted) == len(lives):
        code, at = faulted[0].error_code or "", faulted[0].status_at or now
        return Fault("OtherChargingStationFailure", code, at)
    return None
