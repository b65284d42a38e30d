"""OCPP 2.0.1 block N: what stations tell of watched variables, in domain words.

2.1 says the same in the same fields, and adds the severity to each event.
"""

from voltyard.chargers.model import Monitor, VariableEvent
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.monitoring import (
    EventData,
    MonitoringData,
    NotifyEvent,
    NotifyEventResponse,
    NotifyMonitoringReport,
    NotifyMonitoringReportResponse,
)
from voltyard.ocpp.v201.provisioning import config_row

KINDS = {
    "UpperThreshold": "upper_threshold",
    "LowerThreshold": "lower_threshold",
    "Delta": "delta",
    "Periodic": "periodic",
    "PeriodicClockAligned": "periodic_clock_aligned",
}
"""The domain's words of kinds; one it does not know stays as it is."""


async def notify_event(exchange: Exchange, request: NotifyEvent) -> NotifyEventResponse:
    """N07, N08. Each event stands for itself, so the parts of a long one are kept as they come."""
    events = [_event(exchange, data) for data in request.event_data]
    await exchange.chargers.events_told(exchange.station, events)
    return NotifyEventResponse()


async def notify_monitoring_report(
    exchange: Exchange, request: NotifyMonitoringReport
) -> NotifyMonitoringReportResponse:
    """N02."""
    monitors = [monitor for data in request.monitor or () for monitor in _monitors(data)]
    await exchange.chargers.monitors_told(
        exchange.station, request.request_id, monitors, complete=not request.tbc
    )
    return NotifyMonitoringReportResponse()


def _event(exchange: Exchange, data: EventData) -> VariableEvent:
    return VariableEvent(
        event_id=data.event_id,
        variable=config_row(data.component, data.variable, None, None).key,
        value=data.actual_value,
        at=exchange.instant(data.timestamp),
        trigger=data.trigger or "",
        severity=getattr(data, "severity", None),
        cleared=bool(data.cleared),
        monitor_id=data.variable_monitoring_id,
        origin=data.event_notification_type or "",
        cause=data.cause,
        tech_code=data.tech_code or "",
        tech_info=data.tech_info or "",
        transaction_ref=data.transaction_id,
    )


def _monitors(data: MonitoringData) -> list[Monitor]:
    variable = config_row(data.component, data.variable, None, None).key
    return [
        Monitor(
            monitor.id,
            variable,
            KINDS.get(monitor.type, monitor.type),
            monitor.value,
            monitor.severity,
            monitor.transaction,
            str(getattr(monitor, "event_notification_type", None) or ""),
        )
        for monitor in data.variable_monitoring
    ]
