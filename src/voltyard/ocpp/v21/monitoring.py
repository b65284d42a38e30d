"""OCPP 2.1 block N: monitors of variables, and the events they raise."""

from typing import Annotated

from voltyard.ocpp.v21.periodic_stream import PeriodicEventStreamParams
from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import monitoring as monitoring_201
from voltyard.ocpp.v201.monitoring import EventNotificationWord
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Natural, OneOf, Some, Word

MonitorWord = Annotated[
    Word,
    OneOf(
        "UpperThreshold",
        "LowerThreshold",
        "Delta",
        "Periodic",
        "PeriodicClockAligned",
        "TargetDelta",
        "TargetDeltaRelative",
    ),
]


class EventData(monitoring_201.EventData, kw_only=True):
    event_id: Natural
    cause: Natural | None = None
    variable_monitoring_id: Natural | None = None
    severity: Natural | None = None


class VariableMonitoring(monitoring_201.VariableMonitoring, kw_only=True):
    id: Natural
    type: MonitorWord
    severity: Natural
    event_notification_type: EventNotificationWord


class MonitoringData(monitoring_201.MonitoringData, kw_only=True):
    variable_monitoring: Some[VariableMonitoring]


class SetMonitoringData(monitoring_201.SetMonitoringData, kw_only=True):
    type: MonitorWord
    severity: Natural
    id: Natural | None = None
    periodic_event_stream: PeriodicEventStreamParams | None = None


class SetMonitoringResult(monitoring_201.SetMonitoringResult, kw_only=True):
    type: MonitorWord
    severity: Natural
    id: Natural | None = None
    status_info: StatusInfo | None = None


class ClearMonitoringResult(monitoring_201.ClearMonitoringResult, kw_only=True):
    id: Natural
    status_info: StatusInfo | None = None


class NotifyEvent(monitoring_201.NotifyEvent, kw_only=True):
    event_data: Some[EventData]
    seq_no: Natural | None = None


class NotifyEventResponse(Wire201):
    pass


class NotifyMonitoringReport(monitoring_201.NotifyMonitoringReport, kw_only=True):
    monitor: Some[MonitoringData] | None = None
    seq_no: Natural | None = None


class NotifyMonitoringReportResponse(Wire201):
    pass


class GetMonitoringReport(monitoring_201.GetMonitoringReport):
    pass


class GetMonitoringReportResponse(monitoring_201.GetMonitoringReportResponse, kw_only=True):
    status_info: StatusInfo | None = None


class SetMonitoringBase(monitoring_201.SetMonitoringBase):
    pass


class SetMonitoringBaseResponse(monitoring_201.SetMonitoringBaseResponse, kw_only=True):
    status_info: StatusInfo | None = None


class SetMonitoringLevel(monitoring_201.SetMonitoringLevel, kw_only=True):
    severity: Natural


class SetMonitoringLevelResponse(monitoring_201.SetMonitoringLevelResponse, kw_only=True):
    status_info: StatusInfo | None = None


class SetVariableMonitoring(monitoring_201.SetVariableMonitoring, kw_only=True):
    set_monitoring_data: Some[SetMonitoringData]


class SetVariableMonitoringResponse(monitoring_201.SetVariableMonitoringResponse, kw_only=True):
    set_monitoring_result: Some[SetMonitoringResult]


class ClearVariableMonitoring(monitoring_201.ClearVariableMonitoring, kw_only=True):
    id: Some[Natural]


class ClearVariableMonitoringResponse(monitoring_201.ClearVariableMonitoringResponse, kw_only=True):
    clear_monitoring_result: Some[ClearMonitoringResult]
