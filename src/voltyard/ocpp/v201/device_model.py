"""OCPP 2.0.1 variables read and written by name (B05, B06)."""

import re
from collections.abc import Sequence

from voltyard.chargers.commands import CommandResult, CommandStatus
from voltyard.chargers.model import ConfigRow
from voltyard.errors import Invalid
from voltyard.ocpp.routing import Expressed, Outgoing, single
from voltyard.ocpp.v201.provisioning import config_row
from voltyard.ocpp.v201.types import Component, Evse, StatusInfo, Variable, Wire201
from voltyard.ocpp.wire import Reader, Str1000, Str2500, Word

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


class GetVariableData(Wire201):
    component: Component
    variable: Variable
    attribute_type: Word | None = None


class GetVariables(Wire201):
    get_variable_data: list[GetVariableData]


class GetVariableResult(Wire201):
    attribute_status: Word
    component: Component
    variable: Variable
    attribute_type: Word | None = None
    attribute_value: Str2500 | None = None
    attribute_status_info: StatusInfo | None = None


class GetVariablesResponse(Wire201):
    get_variable_result: list[GetVariableResult]


_GET_READER = Reader(GetVariablesResponse)


def read_variables(names: Sequence[str]) -> Expressed:
    """In several calls when there are many: stations limit the items per message."""
    data = []
    for name in names:
        component, variable = parse_name(name)
        data.append(GetVariableData(component=component, variable=variable))
    calls = [
        Outgoing(
            "GetVariables",
            GetVariables(get_variable_data=data[start : start + PER_MESSAGE]),
            _GET_READER,
            _got,
        )
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


class SetVariableData(Wire201):
    attribute_value: Str1000
    component: Component
    variable: Variable
    attribute_type: Word | None = None


class SetVariables(Wire201):
    set_variable_data: list[SetVariableData]


class SetVariableResult(Wire201):
    attribute_status: Word
    component: Component
    variable: Variable
    attribute_type: Word | None = None
    attribute_status_info: StatusInfo | None = None


class SetVariablesResponse(Wire201):
    set_variable_result: list[SetVariableResult]


_SET_READER = Reader(SetVariablesResponse)
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
    return single(Outgoing("SetVariables", request, _SET_READER, _was_set, secret=secret))


def _was_set(response: SetVariablesResponse) -> CommandResult:
    if not response.set_variable_result:
        return CommandResult(CommandStatus.UNKNOWN)
    result = response.set_variable_result[0]
    status = _SET_STATUS.get(result.attribute_status, CommandStatus.UNKNOWN)
    info = result.attribute_status_info
    detail = {} if info is None else {"reason": info.reason_code}
    return CommandResult(status, result.attribute_status, detail)
