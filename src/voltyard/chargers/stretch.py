"""A stretch of a charger's message log, as lines of JSON that a test can replay.

One object a line, the oldest first: ``at`` (UTC), ``station``, ``version``, ``direction`` (in is
from the charger), ``kind`` (call, result, error, send, late, unreadable), ``message_id``,
``action``, ``payload`` (an object, or text where it was none), and where there is one
``error_code``, ``latency_ms`` and ``flags``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from voltyard.chargers.model import Frame
from voltyard.errors import Invalid


@dataclass(frozen=True, slots=True)
class Line:
    """One frame of a stretch."""

    at: datetime
    station: str
    version: str
    direction: str
    kind: str
    message_id: str
    action: str
    payload: Any
    error_code: str | None = None
    latency_ms: float | None = None
    flags: tuple[str, ...] = ()


def line(frame: Frame, station: str, version: str) -> bytes:
    """With its line end."""
    told: dict[str, Any] = {
        "at": frame.at,
        "station": station,
        "version": version,
        "direction": frame.direction,
        "kind": frame.kind,
        "message_id": frame.message_id,
        "action": frame.action,
        "payload": _payload(frame.payload),
    }
    more = {
        "error_code": frame.error_code,
        "latency_ms": frame.latency_ms,
        "flags": frame.flags or None,
    }
    told |= {name: value for name, value in more.items() if value is not None}
    return msgspec.json.encode(told) + b"\n"


def read(lines: Iterable[str | bytes]) -> Iterator[Line]:
    """Raises Invalid with the number of a line that is none."""
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            yield msgspec.json.decode(text, type=Line)
        except msgspec.DecodeError as error:
            raise Invalid(
                "This is no stretch of a log.", fields={f"{number}": str(error)}
            ) from None


def _payload(text: str) -> Any:
    """Cut or hidden payloads are text."""
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError):
        return text
