"""Identity tokens: signature, and each claim that makes one ours (OpenID Connect Core §3.1.3.7)."""

import hmac
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.util import urlsafe_b64decode

from voltyard.signon.model import SignOnRefused, Why

ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP", "Ed25519": "OKP",
}  # fmt: skip
"""Signatures by a private key only, and the kind of key each takes."""
SKEW = timedelta(seconds=60)
"""Clocks of providers may differ from ours by so much."""
TOKEN_MAX = 64 * 1024
KEYS_MAX = 50
RSA_BITS_MIN = 2048

Key = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say to be the answer to a sign-in that began at ``began_at``."""

    issuer: str
    client_id: str
    nonce: str
    began_at: datetime


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None
    typ: str | None = None


class UnknownKey(SignOnRefused):
    """The token names a key that is not there: the provider may have changed its keys."""

    def __init__(self, detail: str) -> None:
        super().__init__(Why.TOKEN, detail)


def read_keys(body: bytes) -> tuple[Key, ...]:
    """The keys for signatures of a JWK Set (RFC 7517); others are left out.

    Raises SignOnRefused when it is no such set.
    """
    try:
        found = msgspec.json.decode(body, type=dict[str, Any]).get("keys")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        found = None
    if not isinstance(found, list):
        raise SignOnRefused(Why.PROVIDER_ANSWER, "its keys are no JWK Set")
    read = (_read_key(each) for each in found[:KEYS_MAX] if isinstance(each, dict))
    return tuple(key for key in read if key is not None)


def _read_key(given: dict[str, Any]) -> Key | None:
    """None for what cannot sign: secrets, keys for encryption, weak or broken ones."""
    kind = given.get("kty")
    if kind not in ("RSA", "EC", "OKP") or given.get("use", "sig") != "sig":
        return None
    names = ("kty", "n", "e", "crv", "x", "y", "kid", "alg")
    public: dict[str, str | list[str]] = {
        name: given[name] for name in names if isinstance(given.get(name), str)
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            key = import_key(public)
            raw = key.raw_value
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(raw, RSAPublicKey) and raw.key_size < RSA_BITS_MIN:
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


def verified(token: str, keys: Sequence[Key], expected: Expected, now: datetime) -> dict[str, Any]:
    """The claims of a token that is meant for us, now. Raises SignOnRefused (UnknownKey)."""
    header = _header(token)
    key = _key_for(header, keys)
    try:
        registry = jws.JWSRegistry(algorithms=[header.alg], strict_check_header=False)
        signed = jws.deserialize_compact(token, key, registry=registry)
        claims = msgspec.json.decode(signed.payload, type=dict[str, Any])
    except (JoseError, ValueError, TypeError):
        raise SignOnRefused(Why.TOKEN, "the signature or the content is wrong") from None
    _check_audience(claims, expected)
    _check_times(claims, expected, now)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode("utf-8", "replace"), expected.nonce.encode()
    ):
        raise SignOnRefused(Why.TOKEN, "nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or len(subject) > 255 or "\0" in subject:
        raise SignOnRefused(Why.TOKEN, "sub")
    return claims


def _header(token: str) -> _Header:
    """Looked at before any key: what it says decides nothing but which key of ours is tried."""
    if len(token) > TOKEN_MAX or token.count(".") != 2:
        raise SignOnRefused(Why.TOKEN, "this is no signed token")
    try:
        found = msgspec.json.decode(
            urlsafe_b64decode(token.partition(".")[0].encode()), type=_Header
        )
    except (msgspec.MsgspecError, ValueError, TypeError):
        raise SignOnRefused(Why.TOKEN, "header") from None
    if found.alg not in ALGORITHMS:
        raise SignOnRefused(Why.TOKEN, f"alg {found.alg[:20]!r} is not allowed")
    return found


def _key_for(header: _Header, keys: Sequence[Key]) -> Key:
    fitting = [
        key
        for key in keys
        if key.key_type == ALGORITHMS[header.alg] and key.get("alg") in (None, header.alg)
    ]
    if header.kid is not None:
        fitting = [key for key in fitting if key.kid == header.kid]
    if not fitting:
        raise UnknownKey("no such key")
    if len(fitting) > 1:
        raise SignOnRefused(Why.TOKEN, "several keys fit")
    return fitting[0]


def _check_audience(claims: dict[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise SignOnRefused(Why.TOKEN, "iss")
    given = claims.get("aud")
    audience = given if isinstance(given, list) else [given]
    party = claims.get("azp")
    if expected.client_id not in audience:
        raise SignOnRefused(Why.TOKEN, "aud")
    if party != expected.client_id and (party is not None or len(audience) > 1):
        raise SignOnRefused(Why.TOKEN, "azp")


def _check_times(claims: dict[str, Any], expected: Expected, now: datetime) -> None:
    ends, issued = _instant(claims, "exp"), _instant(claims, "iat")
    if ends is None or ends <= (now - SKEW).timestamp():
        raise SignOnRefused(Why.TOKEN, "exp")
    if issued is None or not (
        (expected.began_at - SKEW).timestamp() <= issued <= (now + SKEW).timestamp()
    ):
        raise SignOnRefused(Why.TOKEN, "iat")
    begins = _instant(claims, "nbf")
    if "nbf" in claims and (begins is None or begins > (now + SKEW).timestamp()):
        raise SignOnRefused(Why.TOKEN, "nbf")


def _instant(claims: dict[str, Any], name: str) -> float | None:
    """Seconds since 1970; None for what is no number."""
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if abs(found) < 1e12 else None
