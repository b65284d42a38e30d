"""What a charger says when it connects: its identity, its password, the OCPP version it wants."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

IDENTITY_MAX = 255
PREFERENCE = ("ocpp2.1", "ocpp2.0.1", "ocpp1.6")
FALLBACK = "ocpp1.6"
_ALIASES = {
    "ocpp1.6": "ocpp1.6",
    "ocpp16": "ocpp1.6",
    "ocpp1.6j": "ocpp1.6",
    "ocpp1.6json": "ocpp1.6",
    "ocppj1.6": "ocpp1.6",
    "ocpp1.6.0": "ocpp1.6",
    "ocpp2.0.1": "ocpp2.0.1",
    "ocpp201": "ocpp2.0.1",
    "ocpp2.0.1j": "ocpp2.0.1",
    "ocpp2.0.1json": "ocpp2.0.1",
    "ocppj2.0.1": "ocpp2.0.1",
    "ocpp2.1": "ocpp2.1",
    "ocpp21": "ocpp2.1",
    "ocpp2.1j": "ocpp2.1",
    "ocpp2.1json": "ocpp2.1",
    "ocppj2.1": "ocpp2.1",
    "ocpp2.1.0": "ocpp2.1",
}
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def identity_of(target: str) -> str | None:
    """The last segment of the request path, percent-decoded (OCPP-J §3.1.1); None if unusable.

    Any path before it will do: ``/ocpp/CP1``, ``/steve/websocket/CP1``, but not ``/CP1`` alone.
    """
    path = target.split("?", 1)[0].split("#", 1)[0].rstrip("/")
    before, separator, last = path.rpartition("/")
    if not separator or not before.strip("/"):
        return None
    try:
        identity = unquote(last, errors="strict")
    except UnicodeDecodeError:
        return None
    if not identity or len(identity) > IDENTITY_MAX or _CONTROL.search(identity):
        return None
    return identity


class Credentials(StrEnum):
    NONE = "none"
    GIVEN = "given"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Basic:
    """HTTP Basic of a handshake. WRONG: unreadable, or for another identity."""

    state: Credentials
    password: str | None = None


def basic_of(header: str | None, identity: str) -> Basic:
    """The user name must be the identity (OCPP security profile 1); a colon may be in either.

    A password that is no UTF-8 (1.6 keys are bytes) counts as its upper-case hexadecimal text.
    """
    if header is None:
        return Basic(Credentials.NONE)
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return Basic(Credentials.WRONG)
    try:
        plain = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return Basic(Credentials.WRONG)
    prefix = identity.encode() + b":"
    if not plain.startswith(prefix):
        return Basic(Credentials.WRONG)
    secret = plain[len(prefix) :]
    try:
        return Basic(Credentials.GIVEN, secret.decode())
    except UnicodeDecodeError:
        return Basic(Credentials.GIVEN, secret.hex().upper())


@dataclass(frozen=True, slots=True)
class Choice:
    """``protocol`` None: close after the handshake. ``echo`` is what the response header says."""

    protocol: str | None
    echo: str | None = None
    flag: str | None = None


def choose(offered: Sequence[str], *, strict: bool = False) -> Choice:
    """The OCPP version of a connection (OCPP-J §3.2).

    Nothing offered, or nothing that names OCPP, falls back to 1.6 and is flagged; a misspelt name
    is understood, echoed as written and flagged; only versions we do not have: none. ``strict``
    takes the standard's names and nothing else.
    """
    for protocol in PREFERENCE:
        if protocol in offered:
            return Choice(protocol, protocol)
    if strict:
        return Choice(None)
    for protocol in PREFERENCE:
        for name in offered:
            if _ALIASES.get(_plain(name)) == protocol:
                echo = name if _TOKEN.fullmatch(name) else None
                return Choice(protocol, echo, "subprotocol_odd")
    if any("ocpp" in name.lower() for name in offered):
        return Choice(None)
    return Choice(FALLBACK, None, "subprotocol_odd" if offered else "subprotocol_missing")


def offered_in(headers: Sequence[str]) -> list[str]:
    """The names in ``Sec-WebSocket-Protocol`` headers, however they are written."""
    names = (name.strip().strip("\"'") for header in headers for name in header.split(","))
    return [name for name in names if name]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower()).replace("ocppv", "ocpp")
