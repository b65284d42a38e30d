"""OCPP 2.0.1 block N: how variables are had watched."""

from datetime import datetime
from typing import Protocol

from voltyard.chargers.commands import (
    CommandResult,
    CommandStatus,
    ForgetMonitors,
    MonitorBase,
    MonitorKind,
    ReadMonitors,
    SetMonitorBase,
    SetMonitorLevel,
    WatchVariable,
)
from voltyard.errors import Invalid
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, single
from voltyard.ocpp.v201.device_model import parse_name
from voltyard.ocpp.v201.messages import MESSAGES
from voltyard.ocpp.v201.monitoring import (
    ClearVariableMonitoring,
    ClearVariableMonitoringResponse,
    GetMonitoringReport,
    MonitoringBaseWord,
    SetMonitoringBase,
    SetMonitoringData,
    SetMonitoringLevel,
    SetVariableMonitoring,
    SetVariableMonitoringResponse,
)

KINDS = {
    MonitorKind.UPPER_THRESHOLD: "UpperThreshold",
    MonitorKind.LOWER_THRESHOLD: "LowerThreshold",
    MonitorKind.DELTA: "Delta",
    MonitorKind.PERIODIC: "Periodic",
    MonitorKind.PERIODIC_CLOCK_ALIGNED: "PeriodicClockAligned",
}
BASES: dict[MonitorBase, MonitoringBaseWord] = {
    MonitorBase.ALL: "All",
    MonitorBase.FACTORY_DEFAULT: "FactoryDefault",
    MonitorBase.HARD_WIRED_ONLY: "HardWiredOnly",
}
SEVERITIES = range(10)
_SET = {
    "Accepted": CommandStatus.ACCEPTED,
    "Rejected": CommandStatus.REJECTED,
    "Duplicate": CommandStatus.REJECTED,
    "NotFound": CommandStatus.ACCEPTED,
    "UnknownComponent": CommandStatus.NOT_SUPPORTED,
    "UnknownVariable": CommandStatus.NOT_SUPPORTED,
    "UnsupportedMonitorType": CommandStatus.NOT_SUPPORTED,
    "NotSupported": CommandStatus.NOT_SUPPORTED,
    "EmptyResultSet": CommandStatus.ACCEPTED,
}
"""A monitor that is not there need not be removed; a report of none comes without parts."""


class HasStatus(Protocol):
    """Most responses."""

    @property
    def status(self) -> str: ...


def watch_variable(command: WatchVariable, now: datetime) -> Expressed:
    """N04."""
    _check_severity(command.severity)
    component, variable = parse_name(command.variable)
    data = SetMonitoringData(
        value=command.value,
        type=KINDS[command.kind],
        severity=command.severity,
        component=component,
        variable=variable,
        id=command.monitor_id,
        transaction=command.only_in_transaction,
    )
    return single(outgoing(MESSAGES, SetVariableMonitoring(set_monitoring_data=[data]), _watched))


def _watched(response: SetVariableMonitoringResponse) -> CommandResult:
    if not response.set_monitoring_result:
        return CommandResult(CommandStatus.UNKNOWN)
    result = response.set_monitoring_result[0]
    detail = {} if result.id is None else {"monitor_id": result.id}
    return CommandResult(_SET.get(result.status, CommandStatus.UNKNOWN), result.status, detail)


def forget_monitors(command: ForgetMonitors, now: datetime) -> Expressed:
    """N06."""
    if not command.monitor_ids:
        raise Invalid("name the monitors to remove")
    request = ClearVariableMonitoring(id=list(command.monitor_ids))
    return single(outgoing(MESSAGES, request, _forgotten))


def _forgotten(response: ClearVariableMonitoringResponse) -> CommandResult:
    """Accepted if none is left; the words of each in the detail."""
    words = {str(result.id): result.status for result in response.clear_monitoring_result}
    states = [_SET.get(word, CommandStatus.UNKNOWN) for word in words.values()]
    left = [state for state in states if state is not CommandStatus.ACCEPTED]
    word = next(iter(words.values()), "")
    status = left[0] if left else CommandStatus.ACCEPTED
    return CommandResult(status, word, {"monitors": words})


def read_monitors(command: ReadMonitors, now: datetime) -> Expressed:
    """N02: without criteria it is all of them."""
    request = GetMonitoringReport(request_id=command.report_id)
    return single(outgoing(MESSAGES, request, _said))


def set_monitor_base(command: SetMonitorBase, now: datetime) -> Expressed:
    """N03."""
    request = SetMonitoringBase(monitoring_base=BASES[command.base])
    return single(outgoing(MESSAGES, request, _said))


def set_monitor_level(command: SetMonitorLevel, now: datetime) -> Expressed:
    """N05."""
    _check_severity(command.severity)
    return single(outgoing(MESSAGES, SetMonitoringLevel(severity=command.severity), _said))


def _said(response: HasStatus) -> CommandResult:
    return CommandResult(_SET.get(response.status, CommandStatus.UNKNOWN), response.status)


def _check_severity(severity: int) -> None:
    if severity not in SEVERITIES:
        raise Invalid("a severity is 0 (danger) to 9 (debugging)", fields={"severity": "0 to 9"})


ORDERS = (watch_variable, forget_monitors, read_monitors, set_monitor_base, set_monitor_level)
