"""Private keys at rest: sealed by AES-256-GCM with a key that is not in the database."""

import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voltyard.errors import VoltyardError

NONCE_BYTES = 12
KEY_BYTES = 32
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class SealError(VoltyardError):
    """A sealed private key cannot be opened: the key is another, or the bytes were changed."""

    code = "pki_key"


class Vault:
    """Seals and opens private keys; its own key is read, or made, when first needed.

    ``given`` is the key in hexadecimal (a setting); without it, it is kept in ``path``, for its
    owner only.
    """

    def __init__(self, path: Path, given: str = "") -> None:
        self._path = path
        self._given = given
        self._cipher: AESGCM | None = None

    def seal(self, key: PrivateKey, about: str) -> bytes:
        """``about`` is bound in: a key sealed as one thing does not open as another."""
        plain = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._opened().encrypt(nonce, plain, about.encode())

    def open(self, sealed: bytes, about: str) -> PrivateKey:
        """Raises SealError."""
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            plain = self._opened().decrypt(nonce, rest, about.encode())
            key = serialization.load_der_private_key(plain, password=None)
        except (InvalidTag, ValueError) as error:
            raise SealError(
                f"the private key of {about} cannot be opened: is {self._path} the file it was"
                " sealed with?"
            ) from error
        if not isinstance(key, PrivateKey):
            raise SealError(f"the private key of {about} is of a kind voltyard does not make")
        return key

    def _opened(self) -> AESGCM:
        if self._cipher is None:
            self._cipher = AESGCM(bytes.fromhex(self._given) if self._given else self._kept())
        return self._cipher

    def _kept(self) -> bytes:
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
            raise SealError(f"{self._path} holds no key of {KEY_BYTES} bytes in hexadecimal")
        return key
