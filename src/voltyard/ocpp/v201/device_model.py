"""OCPP 2.0.1 variables read and written by name (B05, B06)."""

from collections.abc import Sequence

from voltyard.chargers.commands import CommandResult, CommandStatus
from voltyard.chargers.model import ConfigRow
from voltyard.chargers.secrets import is_secret
from voltyard.chargers.settings import named
from voltyard.errors import Invalid
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, single
from voltyard.ocpp.v201.messages import MESSAGES
from voltyard.ocpp.v201.provisioning import (
    GetVariableData,
    GetVariables,
    GetVariablesResponse,
    SetVariableData,
    SetVariables,
    SetVariablesResponse,
    config_row,
)
from voltyard.ocpp.v201.types import Component, Evse, Variable

PER_MESSAGE = 10


def parse_name(name: str) -> tuple[Component, Variable]:
    """``Component.Variable``, with ``[instance]`` after either, ``@evse/connector`` between.

    For example ``SmartChargingCtrlr.ProfileStackLevel`` or ``EVSE@1.Power``. Raises Invalid.
    """
    row = named(name, "2.0.1")
    if not row.component:
        raise Invalid("a variable is named Component.Variable", detail=name)
    evse = None
    if row.evse_number is not None:
        evse = Evse(id=row.evse_number, connector_id=row.connector_number)
    component = Component(name=row.component, instance=row.component_instance or None, evse=evse)
    return component, Variable(name=row.name, instance=row.instance or None)


def read_variables(names: Sequence[str]) -> Expressed:
    """In several calls when there are many: stations limit the items per message."""
    data = []
    for name in names:
        component, variable = parse_name(name)
        data.append(GetVariableData(component=component, variable=variable))
    calls = [
        outgoing(MESSAGES, GetVariables(get_variable_data=data[start : start + PER_MESSAGE]), _got)
        for start in range(0, len(data), PER_MESSAGE)
    ]
    return calls, _joined


def _got(response: GetVariablesResponse) -> CommandResult:
    rows: list[ConfigRow] = []
    unknown: list[str] = []
    for result in response.get_variable_result:
        if result.attribute_status == "Accepted":
            rows.append(
                config_row(
                    result.component,
                    result.variable,
                    result.attribute_value or "",
                    result.attribute_type,
                )
            )
        else:
            unknown.append(config_row(result.component, result.variable, None, None).key)
    return _variables(rows, unknown)


def _joined(results: Sequence[CommandResult]) -> CommandResult:
    rows = [row for result in results for row in result.detail["rows"]]
    unknown = [name for result in results for name in result.detail["unknown"]]
    return _variables(rows, unknown)


def _variables(rows: list[ConfigRow], unknown: list[str]) -> CommandResult:
    status = CommandStatus.ACCEPTED if rows or not unknown else CommandStatus.UNKNOWN
    return CommandResult(status, "", {"rows": tuple(rows), "unknown": tuple(unknown)})


_SET_STATUS = {
    "Accepted": CommandStatus.ACCEPTED,
    "Rejected": CommandStatus.REJECTED,
    "RebootRequired": CommandStatus.REBOOT_REQUIRED,
    "UnknownComponent": CommandStatus.NOT_SUPPORTED,
    "UnknownVariable": CommandStatus.NOT_SUPPORTED,
    "NotSupportedAttributeType": CommandStatus.NOT_SUPPORTED,
}


def write_variable(name: str, value: str, attribute: str | None = None) -> Expressed:
    """B05. ``attribute`` None is the actual value."""
    component, variable = parse_name(name)
    request = SetVariables(
        set_variable_data=[
            SetVariableData(
                attribute_value=value,
                component=component,
                variable=variable,
                attribute_type=attribute,
            )
        ]
    )
    return single(outgoing(MESSAGES, request, _was_set, secret=is_secret(name)))


def _was_set(response: SetVariablesResponse) -> CommandResult:
    if not response.set_variable_result:
        return CommandResult(CommandStatus.UNKNOWN)
    result = response.set_variable_result[0]
    status = _SET_STATUS.get(result.attribute_status, CommandStatus.UNKNOWN)
    info = result.attribute_status_info
    detail = {} if info is None else {"reason": info.reason_code}
    return CommandResult(status, result.attribute_status, detail)
