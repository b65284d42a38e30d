"""Pure: frames of seven items, read whatever came, and written. Payloads are not known here."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

import msgspec

ITEMS = 7
FRAME_MAX_BYTES = 2 * 1024 * 1024
TEXT_MAX = 256
US = "CMS"
BOOT = "BootNotification"
REQUESTS = "ProvideChargingRequests"
INFORMATION = "ProvideChargingInformation"
ACTIONS = (BOOT, REQUESTS, INFORMATION)
SOURCES = ("BMS", "ITCS", "CMS")
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError)
_DEEPEST = 64


class Type(IntEnum):
    REQUEST = 1
    CONFIRMATION = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """``notes`` are what was odd about it and let pass."""

    type: Type
    source: str
    presystem_id: str
    at: datetime | None
    message_id: str
    action: str
    payload: msgspec.Raw
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """No frame. ``reply``: what may be answered, where so much could be read."""

    reason: str
    answerable: bool = False
    message_id: str = ""
    action: str = ""
    presystem_id: str = ""


def read(data: bytes) -> Frame | Broken:
    """Read one text frame. Never raises."""
    if len(data) > FRAME_MAX_BYTES:
        return Broken(f"longer than {FRAME_MAX_BYTES} bytes")
    if _too_deep(data):
        return Broken(f"nested deeper than {_DEEPEST}")
    try:
        items = msgspec.json.decode(data, type=list[msgspec.Raw])
    except _UNREADABLE:
        return Broken("no JSON array")
    if len(items) != ITEMS:
        return _unusable(items, f"{len(items)} items instead of {ITEMS}")
    return _frame(items)


def _too_deep(data: bytes) -> bool:
    """Before anything is built of it; brackets in texts are left out."""
    if data.count(b"[") + data.count(b"{") <= _DEEPEST:
        return False
    depth = 0
    for mark in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', data):
        if mark in (b"[", b"{"):
            depth += 1
            if depth > _DEEPEST:
                return True
        elif mark in (b"]", b"}"):
            depth -= 1
    return False


def _frame(items: list[msgspec.Raw]) -> Frame | Broken:
    kind = _whole(items[0])
    texts = [_text(item) for item in items[1:6]]
    if kind not in (1, 2, 3):
        return _unusable(items, "the message type is not 1, 2 or 3")
    names = ("source", "presystemId", "timeStamp", "messageId", "action")
    for name, text in zip(names, texts, strict=True):
        if text is None:
            return _unusable(items, f"{name} is no text of 1 to {TEXT_MAX} characters")
    source, presystem_id, stamp, message_id, action = (text or "" for text in texts)
    if action not in ACTIONS:
        return _unusable(items, f"the action {action[:60]!r} does not exist")
    payload = _payload(items[6])
    if payload is None:
        return _unusable(items, "the payload is no JSON")
    at, notes = _stamp(stamp)
    if source not in SOURCES:
        notes += (f"source {source[:40]!r} is none of {', '.join(SOURCES)}",)
    if not _is_uuid(message_id):
        notes += ("messageId is no UUID",)
    return Frame(Type(kind), source, presystem_id, at, message_id, action, payload, notes)


def _payload(raw: msgspec.Raw) -> msgspec.Raw | None:
    """It must be JSON that can be kept: no NUL characters, which no store takes."""
    try:
        value = msgspec.json.decode(raw)
    except _UNREADABLE:
        return None
    if b"\\u0000" not in bytes(raw):
        return raw
    return msgspec.Raw(msgspec.json.encode(_without_nul(value)))


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value


def _unusable(items: list[msgspec.Raw], reason: str) -> Broken:
    """A request whose id and action can be read is answered; all else is only kept."""
    if len(items) < 6 or _whole(items[0]) != Type.REQUEST:
        return Broken(reason)
    message_id, action = _text(items[4]), _text(items[5])
    if message_id is None or action is None:
        return Broken(reason)
    return Broken(reason, True, message_id, action, _text(items[2]) or "")


def _whole(raw: msgspec.Raw) -> int | None:
    try:
        return msgspec.json.decode(raw, type=int)
    except _UNREADABLE:
        return None


def _text(raw: msgspec.Raw) -> str | None:
    try:
        text = msgspec.json.decode(raw, type=str).replace("\x00", "")
    except _UNREADABLE:
        return None
    return text if 0 < len(text) <= TEXT_MAX else None


def _stamp(text: str) -> tuple[datetime | None, tuple[str, ...]]:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None, ("timeStamp is no date and time",)
    if at.tzinfo is None:
        return at.replace(tzinfo=UTC), ("timeStamp names no time zone",)
    return at, ()


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def stamp(at: datetime) -> str:
    """UTC with ``Z``, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written(
    kind: Type, presystem_id: str, at: datetime, message_id: str, action: str, payload: Any
) -> bytes:
    """A frame of ours."""
    items = [int(kind), US, presystem_id, stamp(at), message_id, action, payload]
    return msgspec.json.encode(items)
