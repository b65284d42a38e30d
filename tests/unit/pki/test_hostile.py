"""Bytes of somebody else: whatever they are, reading ends with an answer or with Invalid."""

import base64
from datetime import UTC, datetime

from cryptography import x509 as cx509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voltyard.errors import Invalid
from voltyard.pki import authority as ca
from voltyard.pki import x509
from voltyard.pki.model import Algorithm

NOW = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
ROOT, ISSUING = ca.make(Algorithm.EC, "Yard", NOW)
NAME = cx509.Name(
    [
        cx509.NameAttribute(NameOID.ORGANIZATION_NAME, "Yard"),
        cx509.NameAttribute(NameOID.COMMON_NAME, "CP-1"),
    ]
)
REQUESTS = [
    cx509.CertificateSigningRequestBuilder().subject_name(NAME).sign(key, hashes.SHA256())
    for key in (
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65_537, 2048),
    )
]
LEAF = ca.issue_station(
    ca.Authority(Algorithm.EC, ROOT.certificate, ISSUING),
    REQUESTS[0],
    name="CP-1",
    organisation="Yard",
    now=NOW,
    days=9,
)
CRL = ca.revocation_list(
    ca.Authority(Algorithm.EC, ROOT.certificate, ISSUING), [], number=1, now=NOW
)
FEW = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
Changes = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=4)


def spoilt(der: bytes, changes: list[tuple[int, int]]) -> bytes:
    changed = bytearray(der)
    for place, byte in changes:
        changed[place % len(changed)] = byte
    return bytes(changed)


def pem(kind: str, der: bytes) -> str:
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(der).decode()}-----END {kind}-----\n"


@FEW
@given(Changes, st.sampled_from(REQUESTS))
def test_a_spoilt_request(changes: list[tuple[int, int]], csr: x509.Request) -> None:
    text = pem("CERTIFICATE REQUEST", spoilt(csr.public_bytes(Encoding.DER), changes))
    try:
        read = x509.read_request(text)
    except Invalid:
        return
    why = x509.request_fault(read, {"CP-1"}, "Yard")
    assert why is not None or read.public_key() == csr.public_key()


@FEW
@given(Changes)
def test_a_spoilt_certificate(changes: list[tuple[int, int]]) -> None:
    der = spoilt(LEAF.public_bytes(Encoding.DER), changes)
    read = x509.read_der([der, ISSUING.certificate.public_bytes(Encoding.DER)])
    if read is None:
        return
    way = x509.path(read[0], read[1:], [ROOT.certificate], NOW)
    x509.key_fault(read[0].public_key())
    x509.common_name(read[0])
    x509.fingerprint(read[0])
    assert way is None or read[0].tbs_certificate_bytes == LEAF.tbs_certificate_bytes


@FEW
@given(Changes)
def test_a_spoilt_list(changes: list[tuple[int, int]]) -> None:
    text = pem("X509 CRL", spoilt(CRL.public_bytes(Encoding.DER), changes))
    try:
        _, found = x509.read_revocations(text, [ISSUING.certificate])
    except Invalid:
        return
    assert found == []


@FEW
@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    for read in (
        x509.read_certificates,
        x509.read_request,
        lambda given: x509.read_revocations(given, [ROOT.certificate]),
    ):
        try:
            read(text)
        except Invalid:
            continue
        raise AssertionError(text)
