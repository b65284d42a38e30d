"""Addresses in QR codes with a one-time password by time (OCPP 2.1 C25). Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

from voltyard.billing.ports import Limit
from voltyard.errors import Invalid

VERSION = "v1"
ALPHABETS = (
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789abcdefghijklmnpqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
)
"""All of base 62, and the standard's listing of it, in which the small o is missing: chargers are
found with either."""
OFFSET_MASK = 0x0F
LONGEST_S = 7 * 86_400


def password(
    secret: str, at: datetime, *, validity_s: int, length: int, alphabet: str = ALPHABETS[0]
) -> str:
    """The password of the interval of ``validity_s`` seconds in which ``at`` lies (version 1)."""
    return _of_interval(secret, int(at.timestamp()) // validity_s, length, alphabet)


def valid(given: str, secret: str, at: datetime, *, validity_s: int, length: int) -> bool:
    """Of this interval, the one before or the one after."""
    interval = int(at.timestamp()) // validity_s
    known = [
        _of_interval(secret, interval + shift, length, alphabet)
        for shift in (0, -1, 1)
        for alphabet in ALPHABETS
    ]
    matching = [hmac.compare_digest(given.encode(), each.encode()) for each in known]
    return any(matching)


def _of_interval(secret: str, interval: int, length: int, alphabet: str) -> str:
    digest = hmac.new(secret.encode(), interval.to_bytes(8, "big"), hashlib.sha256).digest()
    offset = digest[-1] & OFFSET_MASK
    return "".join(
        alphabet[digest[(offset + place) % len(digest)] % len(alphabet)] for place in range(length)
    )


def wishes(query: Mapping[str, str]) -> Limit:
    """``maxenergy`` (Wh), ``maxtime`` (s) and ``maxcost`` as the driver entered them (C25.FR.59).

    Other parameters are passed over. Raises Invalid for what is no sensible amount.
    """
    cost, energy, seconds = (_amount(query, name) for name in ("maxcost", "maxenergy", "maxtime"))
    if seconds is not None and seconds > LONGEST_S:
        raise Invalid("That is too long.", fields={"maxtime": f"at most {LONGEST_S} s"})
    return Limit(
        cost,
        None if energy is None else float(energy),
        None if seconds is None else int(seconds),
    )


def _amount(query: Mapping[str, str], name: str) -> Decimal | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or not 0 < amount < 1_000_000_000:
        raise Invalid("This is no amount.", fields={name: "a number above 0"})
    return amount
