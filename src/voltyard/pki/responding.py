"""voltyard's own authority says whether what it issued is good or revoked (OCSP, RFC 6960)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp

from voltyard.clock import Clock
from voltyard.pki import store, x509
from voltyard.pki.authorities import Authorities
from voltyard.pki.authority import Keyed
from voltyard.pki.book import Book
from voltyard.pki.x509 import Certificate
from voltyard.storage.engine import Database
from voltyard.tenancy import scope

VALID_FOR = timedelta(days=8)
"""A charger asks again once a week (OCPP 2.0.1 M06.FR.10)."""

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
_GOOD = ocsp.OCSPCertStatus.GOOD
_UNKNOWN = ocsp.OCSPCertStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class Asked:
    """CertID of RFC 6960."""

    algorithm: str
    name_hash: bytes
    key_hash: bytes
    serial: int


class Responder:
    """Answers are signed by the issuer itself, as the standard's simplest case."""

    def __init__(
        self, database: Database, clock: Clock, authorities: Authorities, book: Book
    ) -> None:
        self._database = database
        self._clock = clock
        self._authorities = authorities
        self._book = book

    async def answer(self, asked: Asked) -> bytes | None:
        """DER; None for what is not ours. Raises SealError while a key cannot be opened."""
        for authority in self._book.all_authorities():
            issuing = authority.issuing
            if _issued_by(issuing.certificate, asked):
                status = await self._standing(issuing.certificate, asked.serial)
                return _signed(issuing, asked, self._clock.now(), *status)
            if _issued_by(authority.root, asked):
                root = await self._authorities.root(authority.algorithm, authority.generation)
                known = asked.serial in (
                    authority.root.serial_number,
                    issuing.certificate.serial_number,
                )
                status = (_GOOD if known else _UNKNOWN, None)
                return _signed(root, asked, self._clock.now(), *status)
        return None

    async def _standing(
        self, issuer: Certificate, serial: int
    ) -> tuple[ocsp.OCSPCertStatus, datetime | None]:
        """Good is only what was issued: a made-up serial is not."""
        issuer_hash, number = x509.name_hash(issuer), f"{serial:x}"
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            revoked_at = await store.revoked_since(tx, issuer_hash, number)
            issued = await store.was_issued(tx, issuer_hash, number)
            served = [x509.read_certificates(row.chain)[0] for row in await store.servers(tx)]
        if revoked_at is not None:
            return ocsp.OCSPCertStatus.REVOKED, revoked_at
        ours = issued or any(c.serial_number == serial for c in served)
        return (_GOOD if ours else _UNKNOWN), None


def _issued_by(issuer: Certificate, asked: Asked) -> bool:
    name = hashlib.new(asked.algorithm, issuer.subject.public_bytes()).digest()
    return name == asked.name_hash and _key_hash(issuer, asked.algorithm) == asked.key_hash


def _key_hash(issuer: Certificate, algorithm: str) -> bytes:
    """Of the key's bits, without the algorithm they are for (RFC 6960 §4.1.1)."""
    key = issuer.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    encoding = serialization.Encoding.DER
    kind = serialization.PublicFormat.PKCS1
    if isinstance(key, ec.EllipticCurvePublicKey):
        encoding = serialization.Encoding.X962
        kind = serialization.PublicFormat.UncompressedPoint
    return hashlib.new(algorithm, key.public_bytes(encoding, kind)).digest()


def _signed(
    issuer: Keyed,
    asked: Asked,
    now: datetime,
    status: ocsp.OCSPCertStatus,
    revoked_at: datetime | None,
) -> bytes:
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        issuer_name_hash=asked.name_hash,
        issuer_key_hash=asked.key_hash,
        serial_number=asked.serial,
        algorithm=_HASHES[asked.algorithm],
        cert_status=status,
        this_update=now,
        next_update=now + VALID_FOR,
        revocation_time=revoked_at,
        revocation_reason=None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
    response = builder.sign(issuer.key, hashes.SHA256())
    return response.public_bytes(serialization.Encoding.DER)
