"""OCPP 2.0.1 variables read and written by name (B05, B06)."""

import re
from collections.abc import Sequence

from voltyard.chargers.commands import CommandResult, CommandStatus
from voltyard.chargers.model import ConfigRow
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
SECRET_VARIABLES = frozenset({"basicauthpassword"})
_NAME = re.compile(
    r"(?P<component>[^.\[\]@]+)(?:\[(?P<component_instance>[^\]]+)\])?(?:@(?P<evse>\d{1,4}))?"
    r"\.(?P<variable>[^.\[\]@]+)(?:\[(?P<variable_instance>[^\]]+)\])?"
)


def parse_name(name: str) -> tuple[Component, Variable]:
    """``Component.Variable``, with ``[instance]`` after either and ``@evse`` after the component.

    For example ``SmartChargingCtrlr.ProfileStackLevel`` or ``EVSE@1.Power``. Raises Invalid.
    """
    found = _NAME.fullmatch(name.strip())
    if found is None:
        raise Invalid("a variable is named Component.Variable", detail=name)
    evse = found["evse"]
    component = Component(
        name=found["component"],
        instance=found["component_instance"],
        evse=None if evse is None else Evse(id=int(evse)),
    )
    return component, Variable(name=found["variable"], instance=found["variable_instance"])


def full_name(component: Component, variable: Variable) -> str:
    evse = "" if component.evse is None else f"@{component.evse.id}"
    return f"{_with(component.name, component.instance)}{evse}." + _with(
        variable.name, variable.instance
    )


def _with(name: str, instance: str | None) -> str:
    return name if instance is None else f"{name}[{instance}]"


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
            unknown.append(full_name(result.component, result.variable))
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


def write_variable(name: str, value: str) -> Expressed:
    component, variable = parse_name(name)
    request = SetVariables(
        set_variable_data=[
            SetVariableData(attribute_value=value, component=component, variable=variable)
        ]
    )
    secret = variable.name.lower() in SECRET_VARIABLES
    return single(outgoing(MESSAGES, request, _was_set, secret=secret))


def _was_set(response: SetVariablesResponse) -> CommandResult:
    if not response.set_variable_result:
        return CommandResult(CommandStatus.UNKNOWN)
    result = response.set_variable_result[0]
    status = _SET_STATUS.get(result.attribute_status, CommandStatus.UNKNOWN)
    info = result.attribute_status_info
    detail = {} if info is None else {"reason": info.reason_code}
    return CommandResult(status, result.attribute_status, detail)
