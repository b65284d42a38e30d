"""Pure: what a presystem says when it connects: its name and password, the versions it speaks."""

import base64
import binascii
from collections.abc import Iterable

from voltyard.timetable.vdv463.model import Presystem, Version

V1 = "v1.463.vdv.de"
V2 = "v2.463.vdv.de"


def basic(header: str | None) -> tuple[str, str] | None:
    """User name and password of HTTP Basic; None where they are missing or cannot be read."""
    scheme, _, encoded = (header or "").strip().partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 1_000:
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None


def chosen(offered: Iterable[str], presystem: Presystem) -> tuple[str, Version] | None:
    """The highest common subprotocol; None: the handshake is completed without one, then closed."""
    names = {name.strip() for name in offered}
    if V2 in names and presystem.allow_v2:
        return V2, Version.V20
    return (V1, presystem.version) if V1 in names else None
