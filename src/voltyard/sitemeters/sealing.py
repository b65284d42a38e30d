"""Passwords of brokers at rest: sealed with a key that lies in the data folder."""

import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voltyard.errors import Invalid

NONCE_BYTES = 12
KEY_BYTES = 32


class Sealer:
    """The key is made when first needed, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cipher: AESGCM | None = None

    def seal(self, text: str, about: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._opened().encrypt(nonce, text.encode(), about.encode())

    def open(self, sealed: bytes, about: str) -> str:
        """Raises Invalid when the key is another one, or the bytes were changed."""
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._opened().decrypt(nonce, rest, about.encode()).decode()
        except (InvalidTag, ValueError):
            raise Invalid("The stored password cannot be opened.", code="sealed") from None

    def _opened(self) -> AESGCM:
        if self._cipher is None:
            self._cipher = AESGCM(self._key())
        return self._cipher

    def _key(self) -> bytes:
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.unlink(missing_ok=True)
            new.touch(mode=0o600)
            new.write_text(f"{secrets.token_hex(KEY_BYTES)}\n")
            new.rename(self._path)
        try:
            key = bytes.fromhex(self._path.read_text().strip())
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise Invalid(f"{self._path} holds no key.", code="sealed")
        return key
