"""OCPP 2.1 blocks R and S: what stations tell of grid events and of swapped batteries.

Each is an event of a variable like those that are watched: kept, listed, and an alert where it
is grave.
"""

from datetime import datetime

from voltyard.chargers.model import VariableEvent
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21.battery_swap import BatteryData, BatterySwap, BatterySwapResponse
from voltyard.ocpp.v21.der import (
    NotifyDERAlarm,
    NotifyDERAlarmResponse,
    NotifyDERStartStop,
    NotifyDERStartStopResponse,
)

GRAVE = 3
"""An outlet that deviates from its limits because the grid makes it (R05)."""
ODD = 5
USUAL = 8


async def der_alarm(exchange: Exchange, request: NotifyDERAlarm) -> NotifyDERAlarmResponse:
    """R05.FR.01: once when it begins and once when it ends."""
    event = VariableEvent(
        event_id=0,
        variable=f"DERCtrlr.{request.control_type}",
        value=request.grid_event_fault or "",
        at=_at(exchange, request.timestamp),
        trigger="Alerting",
        severity=GRAVE,
        cleared=bool(request.alarm_ended),
        tech_info=request.extra_info or "",
    )
    await exchange.chargers.events_told(exchange.station, [event])
    return NotifyDERAlarmResponse()


async def der_start_stop(
    exchange: Exchange, request: NotifyDERStartStop
) -> NotifyDERStartStopResponse:
    """R04.FR.20 to FR.22."""
    superseded = ", ".join(request.superseded_ids or ())
    event = VariableEvent(
        event_id=0,
        variable=f"DERCtrlr[{request.control_id}].Active",
        value="true" if request.started else "false",
        at=_at(exchange, request.timestamp),
        trigger="Delta",
        severity=USUAL,
        tech_info=f"instead of {superseded}" if superseded else "",
    )
    await exchange.chargers.events_told(exchange.station, [event])
    return NotifyDERStartStopResponse()


async def battery_swap(exchange: Exchange, request: BatterySwap) -> BatterySwapResponse:
    """S03.FR.01, FR.03, FR.06: every battery that came or went, and one that nobody took."""
    events = [_battery(exchange, request, battery) for battery in request.battery_data]
    await exchange.chargers.events_told(exchange.station, events)
    return BatterySwapResponse()


def _battery(exchange: Exchange, request: BatterySwap, battery: BatteryData) -> VariableEvent:
    left = request.event_type == "BatteryOutTimeout"
    return VariableEvent(
        event_id=request.request_id,
        variable=f"BatterySwap@{battery.evse_id}.{battery.serial_number}",
        value=f"{request.event_type}: SoC {battery.so_c:g} %, SoH {battery.so_h:g} %",
        at=exchange.received_at,
        trigger="Alerting" if left else "Delta",
        severity=ODD if left else USUAL,
        tech_info=battery.vendor_info or "",
    )


def _at(exchange: Exchange, text: str | None) -> datetime:
    return exchange.received_at if text is None else exchange.instant(text)
