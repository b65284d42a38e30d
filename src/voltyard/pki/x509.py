"""Certificates and requests read, checked and followed to what is trusted. Pure.

``cryptography`` verifies one signature at a time; the path is walked here, because a certificate
of a charger has no subjectAltName (A00.FR.511) and time is passed in.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from voltyard.errors import Invalid
from voltyard.pki.model import Installed

PEM_MAX = 100_000
CERTIFICATES_MAX = 20
PATH_MAX = 8
RSA_BITS = (2048, 8192)
EC_BITS_MIN = 224
_GOOD_HASHES = (hashes.SHA224, hashes.SHA256, hashes.SHA384, hashes.SHA512)
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----\n?", re.S)
_BROKEN = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    InvalidSignature,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What reading somebody else's bytes may raise."""

E = TypeVar("E", bound=x509.ExtensionType)
Certificate = x509.Certificate
Request = x509.CertificateSigningRequest


def read_certificates(pem: str) -> list[Certificate]:
    """Every certificate of a PEM text, in order. Raises Invalid."""
    if len(pem) > PEM_MAX:
        raise Invalid("this is too long for a certificate chain", code="certificate")
    blocks = [m[0] for m in _BLOCK.finditer(_lines(pem)) if m[1] == "CERTIFICATE"]
    if not 1 <= len(blocks) <= CERTIFICATES_MAX:
        raise Invalid("no certificate in PEM form was found", code="certificate")
    try:
        return [_sound(x509.load_pem_x509_certificate(block.encode())) for block in blocks]
    except _BROKEN as error:
        raise Invalid(
            "a certificate cannot be read", code="certificate", detail=str(error)
        ) from None


def read_der(chain: Iterable[bytes]) -> list[Certificate] | None:
    """As a TLS library hands them over; None when one cannot be read."""
    try:
        return [_sound(x509.load_der_x509_certificate(der)) for der in chain]
    except _BROKEN:
        return None


def read_request(text: str) -> Request:
    """A PKCS#10 request: PEM (A02.FR.03), or its bare base64, which some chargers send."""
    cleaned = _lines(text).strip()
    if "-----" not in cleaned:
        cleaned = (
            "-----BEGIN CERTIFICATE REQUEST-----\n"
            + "".join(cleaned.split())
            + "\n-----END CERTIFICATE REQUEST-----\n"
        )
    cleaned = cleaned.replace(" NEW CERTIFICATE REQUEST", " CERTIFICATE REQUEST")
    try:
        csr = x509.load_pem_x509_csr(cleaned.encode())
        csr.public_key(), csr.subject.rfc4514_string(), csr.signature_hash_algorithm
    except _BROKEN as error:
        raise Invalid("the request cannot be read", code="csr", detail=str(error)) from None
    return csr


def _sound(certificate: Certificate) -> Certificate:
    """Every part is read once here, where it may fail; parts are read only when asked for."""
    certificate.public_key(), certificate.extensions, certificate.not_valid_after_utc
    certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    return certificate


def request_fault(csr: Request, names: Collection[str], organisation: str | None) -> str | None:
    """Why it must not be signed; None if it may be.

    ``names`` are the CNs that are this station's; ``organisation`` None lets any O through.
    """
    try:
        signed = csr.is_signature_valid
        hash_ = csr.signature_hash_algorithm
    except _BROKEN:
        return "its signature cannot be checked"
    if not signed:
        return "its signature is wrong: the key is not proven"
    if hash_ is not None and not isinstance(hash_, _GOOD_HASHES):
        return f"it is signed with {hash_.name}"
    fault = key_fault(csr.public_key())
    if fault is not None:
        return fault
    subject = names_of(csr.subject, NameOID.COMMON_NAME)
    if len(subject) != 1 or subject[0] not in names:
        return f"its CN is {', '.join(subject) or 'missing'}, not {' or '.join(sorted(names))}"
    return _organisation_fault(csr.subject, organisation)


def _organisation_fault(subject: x509.Name, organisation: str | None) -> str | None:
    if organisation is None:
        return None
    found = names_of(subject, NameOID.ORGANIZATION_NAME)
    if any(organisation.casefold() in name.casefold() for name in found):
        return None
    return f"its O is {', '.join(found) or 'missing'}, not {organisation}"


def organisation_fault(leaf: Certificate, organisation: str | None) -> str | None:
    """A00.FR.404: the O of the subject contains the operator's name."""
    return _organisation_fault(leaf.subject, organisation)


def key_fault(key: CertificatePublicKeyTypes) -> str | None:
    """A00.FR.501–503: at least 112 bits of security; algorithms TLS of OCPP can use."""
    if isinstance(key, rsa.RSAPublicKey):
        if not RSA_BITS[0] <= key.key_size <= RSA_BITS[1]:
            return f"its RSA key has {key.key_size} bits"
        exponent = key.public_numbers().e
        return None if exponent >= 65_537 else f"its RSA exponent is {exponent}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        small = key.curve.key_size < EC_BITS_MIN
        return f"its key is on {key.curve.name}" if small else None
    return "its key is neither RSA nor on an elliptic curve"


def names_of(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in name.get_attributes_for_oid(oid)]


def request_names(csr: Request) -> list[str]:
    return names_of(csr.subject, NameOID.COMMON_NAME)


def common_name(certificate: Certificate) -> str | None:
    """The one CN; None where there is none or more than one: two names are no identity."""
    found = names_of(certificate.subject, NameOID.COMMON_NAME)
    return found[0] if len(found) == 1 else None


def path(
    leaf: Certificate,
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    at: datetime,
) -> list[Certificate] | None:
    """From ``leaf`` to one of ``anchors`` (included), valid at ``at``; None if there is no way.

    RFC 5280 §6 for what OCPP uses: signatures, names, validity, basic constraints, key usage.
    An anchor need not be self-signed.
    """
    if not _within(leaf, at) or is_authority(leaf) or not _may_sign_in(leaf):
        return None
    return _onward([leaf], others, anchors, at)


def _onward(
    walked: list[Certificate],
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    at: datetime,
) -> list[Certificate] | None:
    last = walked[-1]
    for anchor in anchors:
        if _issued(last, anchor) and _may_issue(anchor, len(walked) - 1, at):
            return [*walked, anchor]
    if len(walked) >= PATH_MAX:
        return None
    for other in others:
        if other in walked or not _issued(last, other):
            continue
        if _may_issue(other, len(walked) - 1, at):
            found = _onward([*walked, other], others, anchors, at)
            if found is not None:
                return found
    return None


def _issued(child: Certificate, issuer: Certificate) -> bool:
    if child.issuer != issuer.subject:
        return False
    try:
        child.verify_directly_issued_by(issuer)
        hash_ = child.signature_hash_algorithm
    except _BROKEN:
        return False
    return hash_ is None or isinstance(hash_, _GOOD_HASHES)


def _within(certificate: Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def is_authority(certificate: Certificate) -> bool:
    found = _extension(certificate, x509.BasicConstraints)
    return found is not None and found.ca


def _may_issue(certificate: Certificate, below: int, at: datetime) -> bool:
    """``below``: how many authorities stand between it and the leaf."""
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca or not _within(certificate, at):
        return False
    if constraints.path_length is not None and below > constraints.path_length:
        return False
    usage = _extension(certificate, x509.KeyUsage)
    return usage is None or usage.key_cert_sign


def _may_sign_in(leaf: Certificate) -> bool:
    usage = _extension(leaf, x509.KeyUsage)
    extended = _extension(leaf, x509.ExtendedKeyUsage)
    if extended is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in extended:
        return False
    return usage is None or usage.digital_signature


def _extension(certificate: Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, *_BROKEN):
        return None


def fingerprint(certificate: Certificate) -> str:
    """SHA-256 of the whole certificate."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def key_hash(key: CertificatePublicKeyTypes) -> str:
    """SHA-256 of the public key: the same key is the same hash whatever it is certified by."""
    return sha256(_spki(key)).hexdigest()


def issuer_hash(certificate: Certificate) -> str:
    """SHA-256 of the issuer's distinguished name: with the serial it names a certificate."""
    return sha256(certificate.issuer.public_bytes()).hexdigest()


def name_hash(certificate: Certificate) -> str:
    """The ``issuer_hash`` of what this certificate has issued."""
    return sha256(certificate.subject.public_bytes()).hexdigest()


def serial(certificate: Certificate) -> str:
    return f"{certificate.serial_number:x}"


def held_as(certificate: Certificate, issuer: Certificate, use: str) -> Installed:
    """How a station names it (CertificateHashDataType): hashes of its issuer's name and key."""
    bits = issuer.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Installed(
        use,
        "SHA256",
        issuer_hash(certificate),
        sha256(_bit_string(bits)).hexdigest(),
        serial(certificate),
    )


def _bit_string(spki: bytes) -> bytes:
    """The key's bits without algorithm and tag, as OCSP hashes them (RFC 6960 §4.1.1)."""
    position = _content(spki, 0)
    position = _content(spki, position) + _length(spki, position)
    start = _content(spki, position)
    return spki[start + 1 : start + _length(spki, position)]


def _content(der: bytes, position: int) -> int:
    """Where the content of the element at ``position`` begins."""
    first = der[position + 1]
    return position + 2 + (first & 0x7F if first & 0x80 else 0)


def _length(der: bytes, position: int) -> int:
    first = der[position + 1]
    if not first & 0x80:
        return first
    count = first & 0x7F
    return int.from_bytes(der[position + 2 : position + 2 + count])


def read_revocations(
    pem: str, issuers: Sequence[Certificate]
) -> tuple[str, list[tuple[str, datetime]]]:
    """Of a CRL signed by one of ``issuers``: its issuer's hash, and (serial, since when).

    PEM. Raises Invalid for one that nobody of them signed.
    """
    try:
        crl = x509.load_pem_x509_crl(_lines(pem).strip().encode())
        known = any(
            crl.issuer == issuer.subject and crl.is_signature_valid(_signer(issuer))
            for issuer in issuers
        )
    except _BROKEN as error:
        raise Invalid("the list cannot be read", code="crl", detail=str(error)) from None
    if not known:
        raise Invalid("the list is signed by nobody that is trusted here", code="crl")
    found = [(f"{entry.serial_number:x}", entry.revocation_date_utc) for entry in crl]
    return sha256(crl.issuer.public_bytes()).hexdigest(), found


def _signer(issuer: Certificate) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise TypeError("neither RSA nor an elliptic curve")
    return key


def to_pem(certificates: Iterable[Certificate]) -> str:
    encoded = (c.public_bytes(serialization.Encoding.PEM).decode() for c in certificates)
    return "".join(encoded)


def request_pem(csr: Request) -> str:
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def ordered(certificates: Sequence[Certificate], leaf: Certificate) -> list[Certificate]:
    """Leaf first, then each one's issuer as far as they are there; self-signed ones left out."""
    chain, left = [leaf], [c for c in certificates if c != leaf and c.issuer != c.subject]
    while True:
        issuer = next((c for c in left if _issued(chain[-1], c)), None)
        if issuer is None:
            return chain
        chain.append(issuer)
        left.remove(issuer)


def _spki(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _lines(text: str) -> str:
    """Line ends as PEM has them, also where a charger escaped them twice."""
    return text.replace("\\r", "").replace("\\n", "\n").replace("\r\n", "\n")
