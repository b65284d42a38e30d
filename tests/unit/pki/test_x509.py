"""Certificates and requests: what may be signed, what leads to what is trusted."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509 as cx509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from voltyard.errors import Invalid
from voltyard.pki import authority as ca
from voltyard.pki import x509
from voltyard.pki.model import Algorithm, Revocation
from voltyard.pki.sealing import SealError, Vault

NOW = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
NAMES = frozenset({"CP-1", "SN-77"})


def built(algorithm: Algorithm = Algorithm.EC) -> ca.Authority:
    root, issuing = ca.make(algorithm, "Yard", NOW)
    return ca.Authority(algorithm, root.certificate, issuing)


def request(
    key: object = None, cn: str | None = "CP-1", o: str | None = "Yard", *more: str
) -> x509.Request:
    parts = [(NameOID.ORGANIZATION_NAME, o), (NameOID.COMMON_NAME, cn)]
    parts += [(NameOID.COMMON_NAME, extra) for extra in more]
    name = cx509.Name([cx509.NameAttribute(oid, text) for oid, text in parts if text is not None])
    key = key or ec.generate_private_key(ec.SECP256R1())
    hash_ = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return cx509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hash_)  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", Algorithm)
def test_what_the_authority_issues_leads_to_its_root(algorithm: Algorithm) -> None:
    made = built(algorithm)
    key = ca.new_key(algorithm)
    leaf = ca.issue_station(made, request(key), name="CP-1", organisation="Yard", now=NOW, days=365)
    issuing = made.issuing.certificate
    assert x509.path(leaf, [issuing], [made.root], NOW) == [leaf, issuing, made.root]
    assert x509.path(leaf, [], [issuing], NOW) == [leaf, issuing], "an anchor need be no root"
    assert x509.path(leaf, [], [made.root], NOW) is None, "the step between is missing"
    assert x509.path(leaf, [issuing], [built(algorithm).root], NOW) is None
    assert x509.common_name(leaf) == "CP-1"
    assert x509.organisation_fault(leaf, "yard") is None
    assert x509.key_fault(leaf.public_key()) is None


def test_time_is_checked_on_every_certificate_of_the_path() -> None:
    made = built()
    leaf = ca.issue_station(made, request(), name="CP-1", organisation="Yard", now=NOW, days=10)
    step, root = [made.issuing.certificate], [made.root]
    assert x509.path(leaf, step, root, NOW - timedelta(minutes=30)) is not None
    assert x509.path(leaf, step, root, NOW - timedelta(hours=2)) is None
    assert x509.path(leaf, step, root, NOW + timedelta(days=11)) is None
    old = ca.issue_station(made, request(), name="CP-1", organisation="Yard", now=NOW, days=9999)
    assert old.not_valid_after_utc == made.issuing.certificate.not_valid_after_utc


def test_a_station_cannot_issue_and_an_authority_cannot_log_in() -> None:
    made = built()
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = ca.issue_station(made, request(key), name="CP-1", organisation="Y", now=NOW, days=99)
    forger = replace(made, issuing=ca.Keyed(leaf, ec.generate_private_key(ec.SECP256R1())))
    name = cx509.Name([cx509.NameAttribute(NameOID.COMMON_NAME, "CP-2")])
    forged = (
        cx509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(leaf.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    steps = [leaf, made.issuing.certificate]
    assert forger.root is made.root
    assert x509.path(forged, steps, [made.root], NOW) is None
    assert x509.path(made.issuing.certificate, [], [made.root], NOW) is None


@pytest.mark.parametrize(
    ("csr", "why"),
    [
        (request(cn="CP-2"), "CN is CP-2"),
        (request(cn=None), "CN is missing"),
        (request(None, "CP-1", "Yard", "CP-2"), "CN is CP-1, CP-2"),
        (request(o="Other"), "O is Other"),
        (request(o=None), "O is missing"),
        (request(rsa.generate_private_key(65_537, 1024)), "1024 bits"),
        (request(ec.generate_private_key(ec.SECP192R1())), "secp192r1"),
        (request(ed25519.Ed25519PrivateKey.generate()), "neither RSA"),
    ],
)
def test_a_request_that_must_not_be_signed(csr: x509.Request, why: str) -> None:
    assert why in (x509.request_fault(csr, NAMES, "Yard") or "")


def test_a_request_that_may_be_signed() -> None:
    assert x509.request_fault(request(), NAMES, "Yard") is None
    assert x509.request_fault(request(cn="SN-77"), NAMES, "Yard") is None
    assert x509.request_fault(request(o="Yard GmbH"), NAMES, "Yard") is None
    assert x509.request_fault(request(o="Other"), NAMES, None) is None


def test_a_request_whose_key_is_not_proven_is_refused() -> None:
    der = bytearray(
        x509.read_request(x509.request_pem(request())).public_bytes(x509.serialization.Encoding.DER)
    )
    at = bytes(der).index(b"CP-1")
    der[at : at + 4] = b"SN-7"
    changed = cx509.load_der_x509_csr(bytes(der))
    assert "signature is wrong" in (x509.request_fault(changed, {"SN-7"}, None) or "")


def test_requests_as_chargers_write_them() -> None:
    csr = request()
    pem = x509.request_pem(csr)
    bare = "".join(line for line in pem.splitlines() if "-----" not in line)
    for text in (
        pem,
        bare,
        pem.replace("\n", "\r\n"),
        pem.replace("\n", "\\n"),
        pem.replace(" CERTIFICATE", " NEW CERTIFICATE"),
        f"\n {pem}\n",
    ):
        assert x509.read_request(text).subject == csr.subject
    for text in ("", "hello", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"):
        with pytest.raises(Invalid):
            x509.read_request(text)


def test_a_chain_in_any_order_is_put_right() -> None:
    made = built()
    leaf = ca.issue_station(made, request(), name="CP-1", organisation="Y", now=NOW, days=9)
    issuing = made.issuing.certificate
    text = x509.to_pem([made.root, issuing, leaf])
    assert x509.ordered(x509.read_certificates(text), leaf) == [leaf, issuing]
    with pytest.raises(Invalid):
        x509.read_certificates("nothing")
    with pytest.raises(Invalid):
        x509.read_certificates(text * 50)


def test_stations_name_certificates_as_openssl_does(tmp_path: Path) -> None:
    """An OCSP request names them by the same hashes; OpenSSL writes one to compare with."""
    made = built(Algorithm.RSA)
    issuer, certificate = tmp_path / "issuer.pem", tmp_path / "certificate.pem"
    issuer.write_text(x509.to_pem([made.root]))
    certificate.write_text(x509.to_pem([made.issuing.certificate]))
    command = ["openssl", "ocsp", "-sha256", "-issuer", str(issuer), "-cert", str(certificate)]
    done = subprocess.run(
        [*command, "-req_text", "-no_nonce"], capture_output=True, text=True, check=True
    )
    named = x509.held_as(made.issuing.certificate, made.root, "csms_root")
    assert named.issuer_name_hash.upper() in done.stdout
    assert named.issuer_key_hash.upper() in done.stdout
    assert named.serial.upper() in done.stdout


def test_a_revocation_list_names_what_is_revoked() -> None:
    made = built()
    entry = Revocation(uuid4(), "", "abc", NOW, "lost", "operator")
    crl = ca.revocation_list(made, [entry], number=7, now=NOW)
    found = crl.get_revoked_certificate_by_serial_number(0xABC)
    assert found is not None
    assert crl.is_signature_valid(made.issuing.certificate.public_key())  # type: ignore[arg-type]


def test_a_name_too_long_for_x509_is_told() -> None:
    with pytest.raises(Invalid, match="64"):
        ca.issue_station(built(), request(), name="x" * 65, organisation="Y", now=NOW, days=9)


def test_keys_are_sealed_with_a_key_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "pki.key"
    key = ca.new_key(Algorithm.EC)
    sealed = Vault(path).seal(key, "root")
    assert path.stat().st_mode & 0o777 == 0o600
    opened = Vault(path).open(sealed, "root")
    assert opened.private_numbers() == key.private_numbers()
    for vault, about in (
        (Vault(path), "issuing"),
        (Vault(tmp_path / "other.key"), "root"),
        (Vault(path, "00" * 32), "root"),
    ):
        with pytest.raises(SealError):
            vault.open(sealed, about)
    path.write_text("not a key")
    with pytest.raises(SealError):
        Vault(path).open(sealed, "root")
