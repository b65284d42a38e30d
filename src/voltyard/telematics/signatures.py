"""Whether a message was signed by who holds the secret: Standard Webhooks, and Samsara. Pure.

Sources: the specification of Standard Webhooks 1.0; Samsara's guide to webhooks (headers
``X-Samsara-Timestamp`` and ``X-Samsara-Signature``, HMAC-SHA256 over ``v1:<timestamp>:<body>``
with the secret decoded from Base64, in hexadecimal after ``v1=``).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

from voltyard.errors import Unauthenticated

TOLERANCE_S = 300.0
SIGNATURES_MAX = 10


def check_standard(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> None:
    """Raises Unauthenticated. ``headers`` by their names in small letters."""
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    _fresh(stamp, now)
    signed = b".".join((message_id.encode(), stamp.encode(), body))
    given = headers.get("webhook-signature", "").split()[:SIGNATURES_MAX]
    for secret in secrets:
        digest = hmac.new(_key(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(digest).decode()
        if message_id and any(_same(wanted, one) for one in given):
            return
    raise Unauthenticated("The signature is wrong.", code="wrong_signature")


def check_samsara(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> None:
    """Raises Unauthenticated. ``headers`` by their names in small letters."""
    stamp, given = headers.get("x-samsara-timestamp", ""), headers.get("x-samsara-signature", "")
    _fresh(stamp, now)
    signed = b":".join((b"v1", stamp.encode(), body))
    for secret in secrets:
        if _same("v1=" + hmac.new(_key(secret), signed, hashlib.sha256).hexdigest(), given):
            return
    raise Unauthenticated("The signature is wrong.", code="wrong_signature")


def _same(wanted: str, given: str) -> bool:
    return hmac.compare_digest(wanted.encode(), given.encode())


def _fresh(stamp: str, now: datetime) -> None:
    """An old message that somebody kept is not taken."""
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 13):
        raise Unauthenticated("The message has no time.", code="wrong_signature")
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_S:
        raise Unauthenticated("The message is too old, or of the future.", code="wrong_time")


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Unauthenticated("The secret cannot be used.", code="wrong_signature") from None
