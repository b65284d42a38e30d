"""OCSP requests written, responses read and their signatures checked (RFC 6960). Pure."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from voltyard.contracts.model import CertificateId, Standing, Unobtainable

SKEW = timedelta(minutes=5)
"""By how much a responder's clock may differ from ours."""

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
_WEAK = frozenset({"md5", "sha1"})
_STANDINGS = {
    ocsp.OCSPCertStatus.GOOD: Standing.GOOD,
    ocsp.OCSPCertStatus.REVOKED: Standing.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: Standing.UNKNOWN,
}
_BROKEN = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)
"""What reading somebody else's bytes may raise."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response about one certificate; ``next_at`` None: there is always newer to be had."""

    der: bytes
    standing: Standing
    told_at: datetime
    next_at: datetime | None


def request(of: CertificateId) -> bytes:
    """Without a nonce, so that a responder may answer with what it has signed before."""
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        of.issuer_name_hash, of.issuer_key_hash, of.serial, _HASHES[of.algorithm]
    )
    return builder.build().public_bytes(serialization.Encoding.DER)


def read(der: bytes, of: CertificateId, now: datetime) -> Answer:
    """Raises Unobtainable for a refusal, for one about other certificates and for a stale one."""
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            word = response.response_status.name.lower()
            raise Unobtainable(f"the responder refuses: {word}")
        found = next((one for one in response.responses if _names(one, of)), None)
        if found is None:
            raise Unobtainable("the responder speaks of another certificate")
        answer = Answer(
            der, _STANDINGS[found.certificate_status], found.this_update_utc, found.next_update_utc
        )
    except _BROKEN as error:
        raise Unobtainable("the responder's answer cannot be read", detail=str(error)) from None
    if answer.told_at > now + SKEW:
        raise Unobtainable("the responder's answer is of a time to come")
    if answer.next_at is not None and answer.next_at < now - SKEW:
        raise Unobtainable("the responder's answer is out of date")
    return answer


def _names(one: ocsp.OCSPSingleResponse, of: CertificateId) -> bool:
    return (
        one.serial_number == of.serial
        and one.hash_algorithm.name == _HASHES[of.algorithm].name
        and one.issuer_name_hash == of.issuer_name_hash
        and one.issuer_key_hash == of.issuer_key_hash
    )


def is_signed(
    answer: Answer, of: CertificateId, known: Sequence[x509.Certificate], now: datetime
) -> bool | None:
    """Whether the issuer, or a responder it delegated to, signed it (RFC 6960 §4.2.2.2).

    The issuer may be among ``known`` or come with the response: which it is, the hashes say.
    None where the issuer's certificate is nowhere to be found.
    """
    try:
        response = ocsp.load_der_ocsp_response(answer.der)
        sent = list(response.certificates)
        issuers = [c for c in (*known, *sent) if is_issuer(c, of)]
        if not issuers:
            return None
        algorithm = response.signature_hash_algorithm
        if algorithm is not None and algorithm.name in _WEAK:
            return False
        return any(_signed_by(response, key) for key in _signers(issuers, sent, now))
    except _BROKEN:
        return False


def _signers(
    issuers: Sequence[x509.Certificate], sent: Sequence[x509.Certificate], now: datetime
) -> Iterator[CertificatePublicKeyTypes]:
    for issuer in issuers:
        yield issuer.public_key()
        for delegate in sent:
            if _delegated(delegate, issuer, now):
                yield delegate.public_key()


def _delegated(delegate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    if not delegate.not_valid_before_utc <= now <= delegate.not_valid_after_utc:
        return False
    try:
        delegate.verify_directly_issued_by(issuer)
        usage = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, x509.ExtensionNotFound, *_BROKEN):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _signed_by(response: ocsp.OCSPResponse, key: CertificatePublicKeyTypes) -> bool:
    signature, signed = response.signature, response.tbs_response_bytes
    algorithm = response.signature_hash_algorithm
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
            key.verify(signature, signed, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, signed)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def is_issuer(certificate: x509.Certificate, of: CertificateId) -> bool:
    """Whether these are the hashes of its name and key."""
    return (
        name_hash(certificate.subject, of.algorithm) == of.issuer_name_hash
        and key_hash(certificate.public_key(), of.algorithm) == of.issuer_key_hash
    )


def identify(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithm: str = "SHA256"
) -> CertificateId:
    return CertificateId(
        algorithm,
        name_hash(issuer.subject, algorithm),
        key_hash(issuer.public_key(), algorithm),
        certificate.serial_number,
    )


def name_hash(name: x509.Name, algorithm: str) -> bytes:
    return hashlib.new(algorithm, name.public_bytes()).digest()


def key_hash(key: CertificatePublicKeyTypes, algorithm: str) -> bytes:
    """Of the key's bits, without the algorithm they are for."""
    encoding, kind = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    if isinstance(key, rsa.RSAPublicKey):
        encoding, kind = serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    elif isinstance(key, ec.EllipticCurvePublicKey):
        encoding = serialization.Encoding.X962
        kind = serialization.PublicFormat.UncompressedPoint
    return hashlib.new(algorithm, key.public_bytes(encoding, kind)).digest()
