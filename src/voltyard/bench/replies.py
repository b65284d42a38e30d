"""What the bench's chargers answer when the server calls them: yes, as a sound charger would."""

from typing import Any


def reply(action: str, body: dict[str, Any]) -> dict[str, Any]:
    match action:
        case "GetConfiguration":
            keys = body.get("key", [])
            values = [{"key": key, "readonly": False, "value": "60"} for key in keys]
            return {"configurationKey": values}
        case "GetVariables":
            asked = body.get("getVariableData", [])
            return {"getVariableResult": [_result(one) | {"attributeValue": "60"} for one in asked]}
        case "SetVariables":
            return {"setVariableResult": [_result(one) for one in body.get("setVariableData", [])]}
        case _:
            return {"status": "Accepted"}


def _result(one: dict[str, Any]) -> dict[str, Any]:
    named = {"component": one["component"], "variable": one["variable"]}
    return {"attributeStatus": "Accepted", **named}
