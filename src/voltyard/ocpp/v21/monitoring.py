"""OCPP 2.1 block N: monitors of variables, and the events they raise."""

from typing import Annotated, ClassVar

from voltyard.ocpp.v21.periodic_stream import PeriodicEventStreamParams
from voltyard.ocpp.v21.types import Component, ComponentVariable, StatusInfo
from voltyard.ocpp.v201 import monitoring as monitoring_201
from voltyard.ocpp.v201.monitoring import (
    ClearMonitoringStatusWord,
    EventNotificationWord,
    EventTriggerWord,
    MonitoringCriterionWord,
    SetMonitoringStatusWord,
)
from voltyard.ocpp.v201.types import (
    GenericDeviceModelStatusWord,
    GenericStatusWord,
    Variable,
    Wire201,
)
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Items,
    Natural,
    OneOf,
    Some,
    Str36,
    Str50,
    Str500,
    Str2500,
    Word,
)

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


class EventData(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "timestamp",
        "trigger",
        "eventNotificationType",
    )

    event_id: Natural
    actual_value: Str2500
    component: Component
    variable: Variable
    timestamp: Instant | None = None
    trigger: EventTriggerWord | None = None
    cause: Natural | None = None
    tech_code: Str50 | None = None
    tech_info: Str500 | None = None
    cleared: bool | None = None
    transaction_id: Str36 | None = None
    variable_monitoring_id: Natural | None = None
    event_notification_type: EventNotificationWord | None = None
    severity: Natural | None = None


class VariableMonitoring(Wire201):
    id: Natural
    transaction: bool
    value: float
    type: MonitorWord
    severity: Natural
    event_notification_type: EventNotificationWord


class MonitoringData(Wire201):
    component: Component
    variable: Variable
    variable_monitoring: Some[VariableMonitoring]


class SetMonitoringData(Wire201):
    value: float
    type: MonitorWord
    severity: Natural
    component: Component
    variable: Variable
    id: Natural | None = None
    periodic_event_stream: PeriodicEventStreamParams | None = None
    transaction: bool = False


class SetMonitoringResult(Wire201):
    status: SetMonitoringStatusWord
    type: MonitorWord
    component: Component
    variable: Variable
    severity: Natural
    id: Natural | None = None
    status_info: StatusInfo | None = None


class ClearMonitoringResult(Wire201):
    status: ClearMonitoringStatusWord
    id: Natural
    status_info: StatusInfo | None = None


class NotifyEvent(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "generatedAt",
        "seqNo",
    )

    event_data: Some[EventData]
    generated_at: Instant | None = None
    tbc: bool = False
    seq_no: Natural | None = None


class NotifyEventResponse(Wire201):
    pass


class NotifyMonitoringReport(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "seqNo",
        "generatedAt",
    )

    request_id: Integer
    monitor: Some[MonitoringData] | None = None
    tbc: bool = False
    seq_no: Natural | None = None
    generated_at: Instant | None = None


class NotifyMonitoringReportResponse(Wire201):
    pass


class GetMonitoringReport(Wire201):
    request_id: Integer
    component_variable: Some[ComponentVariable] | None = None
    monitoring_criteria: Annotated[list[MonitoringCriterionWord], Items(1, 3)] | None = None


class GetMonitoringReportResponse(Wire201):
    status: GenericDeviceModelStatusWord
    status_info: StatusInfo | None = None


class SetMonitoringBase(monitoring_201.SetMonitoringBase):
    pass


class SetMonitoringBaseResponse(Wire201):
    status: GenericDeviceModelStatusWord
    status_info: StatusInfo | None = None


class SetMonitoringLevel(Wire201):
    severity: Natural


class SetMonitoringLevelResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None


class SetVariableMonitoring(Wire201):
    set_monitoring_data: Some[SetMonitoringData]


class SetVariableMonitoringResponse(Wire201):
    set_monitoring_result: Some[SetMonitoringResult]


class ClearVariableMonitoring(Wire201):
    id: Some[Natural]


class ClearVariableMonitoringResponse(Wire201):
    clear_monitoring_result: Some[ClearMonitoringResult]
