"""OCPP 2.0.1 block N: monitors of variables, and the events they raise."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from voltyard.ocpp.v201.types import (
    Component,
    ComponentVariable,
    GenericDeviceModelStatusWord,
    GenericStatusWord,
    StatusInfo,
    Variable,
    Wire201,
)
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Items,
    OneOf,
    Some,
    Str36,
    Str50,
    Str500,
    Str2500,
    Word,
)

EventTriggerWord = Annotated[Word, OneOf("Alerting", "Delta", "Periodic")]
EventNotificationWord = Annotated[
    Word,
    OneOf("HardWiredNotification", "HardWiredMonitor", "PreconfiguredMonitor", "CustomMonitor"),
]
MonitorWord = Annotated[
    Word, OneOf("UpperThreshold", "LowerThreshold", "Delta", "Periodic", "PeriodicClockAligned")
]
MonitoringCriterionWord = Literal["ThresholdMonitoring", "DeltaMonitoring", "PeriodicMonitoring"]
MonitoringBaseWord = Literal["All", "FactoryDefault", "HardWiredOnly"]
SetMonitoringStatusWord = Annotated[
    Word,
    OneOf(
        "Accepted",
        "UnknownComponent",
        "UnknownVariable",
        "UnsupportedMonitorType",
        "Rejected",
        "Duplicate",
    ),
]
ClearMonitoringStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "NotFound")]


class EventData(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "timestamp",
        "trigger",
        "eventNotificationType",
    )

    event_id: Integer
    actual_value: Str2500
    component: Component
    variable: Variable
    timestamp: Instant | None = None
    trigger: EventTriggerWord | None = None
    cause: Integer | None = None
    tech_code: Str50 | None = None
    tech_info: Str500 | None = None
    cleared: bool | None = None
    transaction_id: Str36 | None = None
    variable_monitoring_id: Integer | None = None
    event_notification_type: EventNotificationWord | None = None


class VariableMonitoring(Wire201):
    id: Integer
    transaction: bool
    value: float
    type: MonitorWord
    severity: Integer


class MonitoringData(Wire201):
    component: Component
    variable: Variable
    variable_monitoring: Some[VariableMonitoring]


class SetMonitoringData(Wire201):
    value: float
    type: MonitorWord
    severity: Integer
    component: Component
    variable: Variable
    id: Integer | None = None
    transaction: bool = False


class SetMonitoringResult(Wire201):
    status: SetMonitoringStatusWord
    type: MonitorWord
    component: Component
    variable: Variable
    severity: Integer
    id: Integer | None = None
    status_info: StatusInfo | None = None


class ClearMonitoringResult(Wire201):
    status: ClearMonitoringStatusWord
    id: Integer
    status_info: StatusInfo | None = None


class NotifyEvent(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "generatedAt",
        "seqNo",
    )

    event_data: Some[EventData]
    generated_at: Instant | None = None
    tbc: bool = False
    seq_no: Integer | None = None


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
    seq_no: Integer | None = None
    generated_at: Instant | None = None


class NotifyMonitoringReportResponse(Wire201):
    pass


class GetMonitoringReport(Wire201):
    request_id: Integer
    component_variable: Some[ComponentVariable] | None = None
    monitoring_criteria: Annotated[Sequence[MonitoringCriterionWord], Items(1, 3)] | None = None


class GetMonitoringReportResponse(Wire201):
    status: GenericDeviceModelStatusWord
    status_info: StatusInfo | None = None


class SetMonitoringBase(Wire201):
    monitoring_base: MonitoringBaseWord


class SetMonitoringBaseResponse(Wire201):
    status: GenericDeviceModelStatusWord
    status_info: StatusInfo | None = None


class SetMonitoringLevel(Wire201):
    severity: Integer


class SetMonitoringLevelResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None


class SetVariableMonitoring(Wire201):
    set_monitoring_data: Some[SetMonitoringData]


class SetVariableMonitoringResponse(Wire201):
    set_monitoring_result: Some[SetMonitoringResult]


class ClearVariableMonitoring(Wire201):
    id: Some[Integer]


class ClearVariableMonitoringResponse(Wire201):
    clear_monitoring_result: Some[ClearMonitoringResult]
