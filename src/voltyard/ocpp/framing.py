"""OCPP-J frames: read and written once, with the error words of each OCPP version (OCPP-J §4)."""

import re
from dataclasses import dataclass, replace
from typing import Any

import msgspec

MESSAGE_ID_SPEC = 36
MESSAGE_ID_MAX = 128
MESSAGE_MAX_BYTES = 256 * 1024
DESCRIPTION_MAX = 255
UNREADABLE_ID = b'"-1"'
_ACTION_MAX = 64


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """How one OCPP version spells its RPC error codes; None where it has no such word.

    OCPP-J 1.6 table 7 (its misspelling kept by erratum 5.1), OCPP-J 2.0.1 table 8. ``sends``: the
    version has SEND (a call without an answer) and CALLRESULTERROR (an answer refused), which
    OCPP-J 2.1 adds.
    """

    format: str
    pdu: str
    occurrence: str
    frame: str | None
    message_type: str | None
    property: str = "PropertyConstraintViolation"
    type: str = "TypeConstraintViolation"
    unknown_action: str = "NotImplemented"
    unsupported_action: str = "NotSupported"
    security: str = "SecurityError"
    internal: str = "InternalError"
    generic: str = "GenericError"
    envelope: str = "ProtocolError"
    sends: bool = False


WORDS_16 = ErrorWords(
    format="FormationViolation",
    pdu="FormationViolation",
    occurrence="OccurenceConstraintViolation",
    frame=None,
    message_type=None,
)
WORDS_201 = ErrorWords(
    format="FormatViolation",
    pdu="ProtocolError",
    occurrence="OccurrenceConstraintViolation",
    frame="RpcFrameworkError",
    message_type="MessageTypeNotSupported",
)
WORDS_21 = replace(WORDS_201, sends=True)


class CallRejected(Exception):
    """Answer this call with a CALLERROR of ``word``."""

    def __init__(self, word: str, description: str) -> None:
        super().__init__(description)
        self.word = word
        self.description = description


@dataclass(slots=True)
class Call:
    """``id_json`` is the message id as it was written, for the answer; a SEND gets none.

    ``request`` is what the payload was read as, where that is done already.
    """

    message_id: str
    id_json: bytes
    action: str
    payload: msgspec.Raw
    flags: tuple[str, ...] = ()
    answered: bool = True
    request: Any = None


@dataclass(slots=True)
class CallResult:
    message_id: str
    payload: msgspec.Raw


@dataclass(slots=True)
class CallError:
    message_id: str
    word: str
    description: str


@dataclass(slots=True)
class ResultError:
    """The charger could make nothing of an answer of ours (CALLRESULTERROR)."""

    message_id: str
    word: str
    description: str


@dataclass(slots=True)
class Unreadable:
    """No usable frame. ``reply`` is the CALLERROR to answer with, None to stay silent."""

    reason: str
    word: str = ""
    reply: bytes | None = None


Inbound = Call | CallResult | CallError | ResultError | Unreadable

_decode_parts = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_EMPTY = msgspec.Raw(b"{}")
# The call as nearly every charger writes it, up to its payload.
_USUAL_CALL = re.compile(
    rb'\[ ?2 ?, ?("([^"\\\x00-\x1f\x7f-\xff]{1,36})") ?, ?"([A-Za-z]{1,64})" ?, ?(?=\{)'
)
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_ID_OF_CALL = re.compile(rb'\s*\[\s*2\s*,\s*("(?:[^"\\\x00-\x1f]){1,36}")')


def usual(data: bytes) -> Call | None:
    """A call as nearly every charger writes it; nobody has looked yet whether its payload is JSON.

    Whoever cannot read the payload, or gets None, takes ``parse``.
    """
    found = _USUAL_CALL.match(data)
    if found is None or len(data) > MESSAGE_MAX_BYTES or not data.endswith(b"]") or _has_nul(data):
        return None
    id_json, message_id, action = found.groups()
    payload = msgspec.Raw(data[found.end() : -1])
    return Call(message_id.decode(), id_json, action.decode(), payload)


def _has_nul(data: bytes) -> bool:
    """One byte is found many times as fast as several, and most messages have no backslash."""
    return b"\\" in data and b"\\u0000" in data


def parse(data: bytes, words: ErrorWords) -> Inbound:
    """Read one text frame. Never raises; a frame of no use comes back as ``Unreadable``.

    An answer is never answered: only what may be a call gets a ``reply``. NUL characters, which
    no store takes, are left out.
    """
    if len(data) > MESSAGE_MAX_BYTES:
        return _refuse(data, words, words.format, f"longer than {MESSAGE_MAX_BYTES} bytes")
    stripped = _has_nul(data)
    if stripped:
        data = data.replace(b"\\u0000", b"")
    elif (call := usual(data)) is not None:
        try:
            call.payload = _decode_raw(call.payload)
        except _UNREADABLE:
            pass
        else:
            return call
    try:
        parts = _decode_parts(data)
    except _UNREADABLE as error:
        return _refuse(data, words, words.format, f"not a JSON array: {error}")
    kind = bytes(parts[0]) if parts else b""
    if kind == b"2" or kind == b'"2"':
        return _call(parts, words, ("nul_character",) if stripped else ())
    if kind == b"3" or kind == b'"3"':
        return _result(parts)
    if kind == b"4" or kind == b'"4"':
        return _error(parts, CallError)
    if words.sends and kind == b"5":
        return _error(parts, ResultError)
    if words.sends and kind == b"6":
        return _send(parts, words, ("nul_character",) if stripped else ())
    return _other_kind(parts, kind, words)


def _call(parts: list[msgspec.Raw], words: ErrorWords, flags: tuple[str, ...]) -> Inbound:
    if len(parts) < 2:
        return _no_id(words, "a call without message id")
    id_json = bytes(parts[1])
    message_id = _message_id(id_json)
    if message_id is None or len(message_id) > MESSAGE_ID_MAX:
        return _no_id(words, "the message id cannot be read")
    if len(message_id) > MESSAGE_ID_SPEC:
        flags += ("message_id_long",)
    if id_json[:1] != b'"':
        flags += ("message_id_not_text",)
    if bytes(parts[0]) != b"2":
        flags += ("message_type_not_number",)
    action = _text(parts[2]) if len(parts) > 2 else None
    if not action or len(action) > _ACTION_MAX:
        return _frame_error(id_json, words, "the action cannot be read")
    payload = parts[3] if len(parts) > 3 else _EMPTY
    if len(parts) != 4:
        flags += ("call_elements",)
    if bytes(payload) == b"null":
        payload = _EMPTY
    return Call(message_id, id_json, action, payload, flags)


_FAULTS = {
    "message_id_long": f"the message id is longer than {MESSAGE_ID_SPEC} characters",
    "message_id_not_text": "the message id is no text",
    "message_type_not_number": "the message type is no number",
    "call_elements": "a call has four elements",
    "nul_character": "a NUL character",
}


def fault(call: Call) -> str | None:
    """What the letter of OCPP-J §4.2.1 has against the envelope of a call that can be read."""
    for flag in call.flags:
        if flag in _FAULTS:
            return _FAULTS[flag]
    return None if bytes(call.payload).lstrip()[:1] == b"{" else "the payload is no object"


def _send(parts: list[msgspec.Raw], words: ErrorWords, flags: tuple[str, ...]) -> Inbound:
    found = _call(parts, words, flags)
    if isinstance(found, Call):
        found.answered = False
        found.flags = tuple(flag for flag in found.flags if flag != "message_type_not_number")
        return found
    assert isinstance(found, Unreadable)
    return Unreadable(found.reason, found.word)


def _result(parts: list[msgspec.Raw]) -> Inbound:
    message_id = _message_id(bytes(parts[1])) if len(parts) > 1 else None
    if message_id is None:
        return Unreadable("an answer without message id")
    payload = parts[2] if len(parts) > 2 else _EMPTY
    return CallResult(message_id, _EMPTY if bytes(payload) == b"null" else payload)


def _error(parts: list[msgspec.Raw], kind: "type[CallError | ResultError]") -> Inbound:
    message_id = _message_id(bytes(parts[1])) if len(parts) > 1 else None
    if message_id is None:
        return Unreadable("an error without message id")
    word = _text(parts[2]) if len(parts) > 2 else None
    description = _text(parts[3]) if len(parts) > 3 else None
    return kind(message_id, (word or "")[:64], (description or "")[:DESCRIPTION_MAX])


def _other_kind(parts: list[msgspec.Raw], kind: bytes, words: ErrorWords) -> Unreadable:
    reason = f"message type {kind[:20].decode('utf-8', 'replace') or 'missing'}"
    if not kind.isdigit():
        return _no_id(words, reason)
    if words.message_type is None:
        return Unreadable(reason)
    id_json = bytes(parts[1]) if len(parts) > 1 else b""
    message_id = _message_id(id_json)
    usable = message_id is not None and len(message_id) <= MESSAGE_ID_MAX
    reply = error(id_json if usable else UNREADABLE_ID, words.message_type, reason)
    return Unreadable(reason, words.message_type, reply)


def _refuse(data: bytes, words: ErrorWords, word: str, reason: str) -> Unreadable:
    """Broken JSON or too long: answered only if its beginning says that it is a call."""
    found = _ID_OF_CALL.match(data[:256])
    if found is not None and _message_id(found.group(1)) is not None:
        return Unreadable(reason, word, error(found.group(1), word, reason))
    silent = (b"[3,", b"[4,", b"[5,", b"[6,") if words.sends else (b"[3,", b"[4,")
    if data.lstrip()[:16].replace(b" ", b"")[:3] in silent:
        return Unreadable(reason)
    return _no_id(words, reason)


def _no_id(words: ErrorWords, reason: str) -> Unreadable:
    """OCPP-J 2.0.1 §4.2.3 answers with id "-1"; 1.6 knows no answer without an id."""
    if words.frame is None:
        return Unreadable(reason)
    return Unreadable(reason, words.frame, error(UNREADABLE_ID, words.frame, reason))


def _frame_error(id_json: bytes, words: ErrorWords, reason: str) -> Unreadable:
    word = words.frame or words.format
    return Unreadable(reason, word, error(id_json, word, reason))


def _message_id(id_json: bytes) -> str | None:
    """The id as text; a bare number counts, because some chargers write it so."""
    if id_json[:1] != b'"':
        text = id_json.decode("ascii", "replace")
        return text if re.fullmatch(r"-?\d{1,36}", text) else None
    try:
        return _decode_text(id_json) or None
    except _UNREADABLE:
        return None


def _text(raw: msgspec.Raw) -> str | None:
    try:
        return _decode_text(raw)
    except _UNREADABLE:
        return None


def call(message_id: str, action: str, payload: bytes) -> bytes:
    return b"[2,%b,%b,%b]" % (_encode(message_id), _encode(action), payload)


def result(id_json: bytes, payload: bytes) -> bytes:
    return b"[3,%b,%b]" % (id_json, payload)


def error(id_json: bytes, word: str, description: str, details: Any = None) -> bytes:
    """A CALLERROR; the description is cut to 255 characters, details default to ``{}``."""
    return _refusal(4, id_json, word, description, details)


def result_error(message_id: str, word: str, description: str) -> bytes:
    """A CALLRESULTERROR (OCPP-J 2.1): nothing can be made of the answer with this id."""
    return _refusal(5, _encode(message_id), word, description, None)


def _refusal(kind: int, id_json: bytes, word: str, description: str, details: Any) -> bytes:
    tail = (word, description[:DESCRIPTION_MAX], details or {})
    return b"[%d,%b,%b" % (kind, id_json, _encode(tail)[1:])
