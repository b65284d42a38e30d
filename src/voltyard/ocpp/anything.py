"""Any message of a version by its name: its payload checked against its struct, field by field."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from voltyard.chargers.commands import Ask, CommandResult, CommandStatus
from voltyard.chargers.secrets import without_secrets
from voltyard.errors import Invalid
from voltyard.ocpp.reader import main_type
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, Message, single
from voltyard.ocpp.strict import strict
from voltyard.ocpp.wire import LISTS, Instant, Wire

FAULTS_MAX = 50
_AT = re.compile(r"^(?P<why>.*?) - at `\$(?P<path>.*)`$", re.DOTALL)
_TRIGGERED = {
    "SignChargingStationCertificate": "SignCertificate",
    "SignChargePointCertificate": "SignCertificate",
    "SignV2GCertificate": "SignCertificate",
    "SignV2G20Certificate": "SignCertificate",
    "SignCombinedCertificate": "SignCertificate",
}
"""What comes of a trigger, where it has another name."""


def said(
    messages: Mapping[str, Message], command: Ask, words: Mapping[str, CommandStatus]
) -> Expressed:
    """The one call that says it. Raises Invalid with each wrong field by its path."""
    message = sendable(messages, command.action)
    request = as_request(message.request, command.payload)
    wanted = command.payload.get("requestedMessage")
    triggers = None if wanted is None else _TRIGGERED.get(str(wanted), str(wanted))
    secret = without_secrets(command.payload) != dict(command.payload)

    def answer(response: Wire) -> CommandResult:
        word = str(getattr(response, "status", "") or "")
        status = words.get(word, CommandStatus.UNKNOWN) if word else CommandStatus.ACCEPTED
        return CommandResult(status, word, {"answer": msgspec.to_builtins(response)})

    return single(outgoing(messages, request, answer, secret=secret, triggers=triggers))


def sendable(messages: Mapping[str, Message], action: str) -> Message:
    """Raises Invalid for what the version does not have or only chargers say."""
    message = messages.get(action)
    if message is None:
        raise Invalid("There is no such message.", fields={"action": "not of this OCPP version"})
    if message.sent is None:
        raise Invalid("Only chargers say this.", fields={"action": "is said by chargers only"})
    return message


def as_request(kind: type[Wire], payload: Mapping[str, Any]) -> Wire:
    """The payload as the struct ``kind``. Raises Invalid with each wrong field by its path."""
    wrong = dict(_faults(kind, dict(payload), "payload"))
    if wrong:
        raise Invalid("The message is not what OCPP allows.", fields=wrong)
    request: Wire = msgspec.convert(dict(payload), kind)
    return request


def _faults(kind: type[Struct], value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield path, "an object is needed"
        return
    hints = get_type_hints(kind, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(strict(kind))}
    for name in [name for name in value if name not in fields][:FAULTS_MAX]:
        yield f"{path}.{name}", "is not known"
    for name, field in fields.items():
        if name in value:
            yield from _field_faults(hints[field.name], field.type, value[name], f"{path}.{name}")
        elif field.required:
            yield f"{path}.{name}", "is needed"


def _field_faults(hint: Any, exact: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """``hint`` is how we write the field, ``exact`` the standard's own type of it."""
    kind = main_type(hint)
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield from _faults(kind, value, path)
        return
    told = False
    if get_origin(kind) in LISTS and isinstance(value, list):
        element = main_type(get_args(kind)[0])
        if isinstance(element, type) and issubclass(element, Struct):
            for index, item in enumerate(value[:FAULTS_MAX]):
                yield from _faults(element, item, f"{path}[{index}]")
            told = True
    try:
        msgspec.convert(value, exact)
    except msgspec.ValidationError as error:
        found = _AT.match(str(error))
        if found is None:
            yield path, str(error)
        elif not told:
            yield path + found["path"], found["why"]
    else:
        if _is_instant(hint) and not _told_instant(value):
            yield path, "an instant such as 2026-01-31T12:00:00Z is needed"


def _is_instant(hint: Any) -> bool:
    return hint == Instant or Instant in get_args(hint)


def _told_instant(value: Any) -> bool:
    try:
        return datetime.fromisoformat(str(value).upper()).tzinfo is not None
    except ValueError:
        return False
