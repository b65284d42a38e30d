"""Whether a firmware's signature was made by its signing certificate (OCPP 2.0.1 L01.FR.04)."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256

from voltyard.errors import Invalid

SIGNATURE_MAX = 800
CERTIFICATE_MAX = 5500
"""What the messages have room for (OCPP 2.0.1 FirmwareType)."""


def checked_certificate(pem: str, now: datetime) -> x509.Certificate:
    """Raises Invalid for what is no certificate, or one that is not valid now."""
    if len(pem) > CERTIFICATE_MAX:
        raise _wrong("certificate", f"is longer than {CERTIFICATE_MAX} characters")
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise _wrong("certificate", "is no certificate in PEM") from None
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise _wrong("certificate", "is not valid today")
    return certificate


def checked_signature(text: str) -> bytes:
    """The bytes of a base64 signature. Raises Invalid."""
    if len(text) > SIGNATURE_MAX:
        raise _wrong("signature", f"is longer than {SIGNATURE_MAX} characters")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise _wrong("signature", "is not base64") from None


def fits(certificate: x509.Certificate, signature: bytes, sha256: str) -> bool | None:
    """Whether it is the signature of the file of that digest.

    RSA-PSS as the standard has it, RSA PKCS #1 v1.5 and ECDSA as manufacturers have it; None
    for a kind of key that cannot be tried (ECSchnorr).
    """
    digest = bytes.fromhex(sha256)
    hashed = utils.Prehashed(SHA256())
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return None
    if isinstance(key, rsa.RSAPublicKey):
        pss = padding.PSS(padding.MGF1(SHA256()), padding.PSS.AUTO)
        return _verifies(lambda: key.verify(signature, digest, pss, hashed)) or _verifies(
            lambda: key.verify(signature, digest, padding.PKCS1v15(), hashed)
        )
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _verifies(lambda: key.verify(signature, digest, ec.ECDSA(hashed)))
    return None


def _verifies(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except InvalidSignature:
        return False
    return True


def _wrong(name: str, why: str) -> Invalid:
    return Invalid(f"The {name} {why}.", fields={name: why})
