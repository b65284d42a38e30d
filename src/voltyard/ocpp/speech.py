"""Implements ``chargers.speech.Speech``: what can be said in each version, and how frames read."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from types import MappingProxyType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from voltyard.chargers.commands import Command
from voltyard.chargers.model import Quirks
from voltyard.chargers.speech import MessageKind, ReadField
from voltyard.errors import NotFound
from voltyard.ocpp import custody, readable
from voltyard.ocpp.anything import as_request, sendable
from voltyard.ocpp.reader import main_type
from voltyard.ocpp.routing import Message
from voltyard.ocpp.strict import strict
from voltyard.ocpp.v16.messages import MESSAGES as MESSAGES_16
from voltyard.ocpp.v21.messages import MESSAGES as MESSAGES_21
from voltyard.ocpp.v201.messages import MESSAGES as MESSAGES_201
from voltyard.ocpp.wire import LISTS
from voltyard.tenancy.model import Permission

MESSAGES: Mapping[str, Mapping[str, Message]] = MappingProxyType(
    {"1.6": MESSAGES_16, "2.0.1": MESSAGES_201, "2.1": MESSAGES_21}
)
_SESSIONS = frozenset(
    {
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "RequestStartTransaction",
        "RequestStopTransaction",
    }
)
_WRITING = frozenset(
    {
        "ChangeConfiguration",
        "ClearVariableMonitoring",
        "PublishFirmware",
        "SendLocalList",
        "SetDERControl",
        "SetMonitoringBase",
        "SetMonitoringLevel",
        "SetVariableMonitoring",
        "SetVariables",
        "SignedUpdateFirmware",
        "UnpublishFirmware",
        "UpdateFirmware",
    }
)
_SECURITY = frozenset(
    {
        "CertificateSigned",
        "CustomerInformation",
        "DeleteCertificate",
        "InstallCertificate",
        "SetNetworkProfile",
    }
)


class OcppSpeech:
    """Implements ``Speech``."""

    def messages(self, version: str) -> Sequence[MessageKind]:
        found = [
            MessageKind(message.action, message.block, permission(message.action))
            for message in _of(version).values()
            if message.sent is not None
        ]
        return sorted(found, key=lambda kind: (kind.block, kind.action))

    def schema(self, version: str, action: str) -> Mapping[str, Any]:
        return msgspec.json.schema(strict(_known(version, action).request), schema_hook=_anything)

    def example(self, version: str, action: str) -> Mapping[str, Any]:
        return _smallest(strict(_known(version, action).request))

    def check(self, version: str, action: str, payload: Mapping[str, Any]) -> None:
        as_request(sendable(_of(version), action).request, payload)

    def endangers(self, version: str, command: Command, quirks: Quirks) -> str:
        return custody.endangers(command, quirks)

    def read(
        self, version: str, action: str, kind: str, payload: str, zone: tzinfo
    ) -> Sequence[ReadField]:
        return readable.fields(action, kind, payload, zone)


def permission(action: str) -> Permission:
    """What a message asks of whoever sends it."""
    if action in _SESSIONS:
        return Permission.SESSIONS_CONTROL
    if action in _SECURITY:
        return Permission.SECURITY_WRITE
    return Permission.CHARGERS_WRITE if action in _WRITING else Permission.CHARGERS_COMMAND


def _anything(kind: type) -> dict[str, Any]:
    """A vendor's data may be any JSON."""
    return {"description": "any JSON"}


def _of(version: str) -> Mapping[str, Message]:
    found = MESSAGES.get(version)
    if found is None:
        raise NotFound("There is no such OCPP version here.")
    return found


def _known(version: str, action: str) -> Message:
    message = _of(version).get(action)
    if message is None or message.sent is None:
        raise NotFound("There is no such message in this OCPP version.")
    return message


def _smallest(kind: type[Struct]) -> dict[str, Any]:
    """Every required field with the least that is allowed."""
    return {
        field.encode_name: _least(field.type, field.encode_name)
        for field in msgspec.structs.fields(kind)
        if field.required
    }


def _least(hint: Any, name: str) -> Any:
    kind = main_type(hint)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _smallest(kind)
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if get_origin(kind) in LISTS:
        return [_least(get_args(kind)[0], name.removesuffix("s"))]
    if get_origin(kind) is Union:
        return _least(get_args(kind)[0], name)
    if kind is bool:
        return False
    if kind in (int, float):
        return _bounded(hint)
    return "2026-01-01T00:00:00Z" if _is_instant(name) else ""


def _is_instant(name: str) -> bool:
    return name.endswith(("Date", "DateTime", "Time", "timestamp", "Timestamp", "Schedule"))


def _bounded(hint: Any) -> int:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    least = [mark.ge for mark in marks if isinstance(mark, Meta) and mark.ge is not None]
    return int(max(0, *least)) if least else 0
