"""Secrets that are shown once: session tokens, set-up links and API keys ``vy_<prefix>_<secret>``.

They carry 128 bits of chance or more, so one round of SHA-256 is enough to store them: there is
nothing to guess, unlike with passwords.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

API_KEY = re.compile(r"vy_([a-z0-9]{10})_([A-Za-z0-9]{40})")
_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"
_LETTERS = _LOWER + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class NewSecret:
    """What to show once (``text``) and what to store (the digest of its last part)."""

    prefix: str
    text: str
    stored: str


def new_token() -> str:
    """A session token or set-up link: 256 bits, safe in URLs and cookies."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256 in hex, the only form in which a secret is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_api_key() -> NewSecret:
    prefix = "".join(secrets.choice(_LOWER) for _ in range(10))
    secret = "".join(secrets.choice(_LETTERS) for _ in range(40))
    return NewSecret(prefix, f"vy_{prefix}_{secret}", digest(secret))


def parse_api_key(text: str) -> tuple[str, str] | None:
    """(prefix, secret), or None when this is no key of ours."""
    found = API_KEY.fullmatch(text)
    return (found[1], found[2]) if found else None


def matches(stored: str, secret: str) -> bool:
    return hmac.compare_digest(stored, digest(secret))
