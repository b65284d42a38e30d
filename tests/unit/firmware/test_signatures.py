"""Signatures over firmware: made by OpenSSL and by cryptography, tried by us."""

import base64
import hashlib
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from voltyard.errors import Invalid
from voltyard.firmware.signature import checked_certificate, checked_signature, fits

CONTENT = b"firmware" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = hashlib.sha256(b"another").hexdigest()
PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1")
KEYS = {
    "rsa-pss": (("rsa:2048",), PSS),
    "rsa-pkcs1": (("rsa:2048",), ()),
    "ecdsa": (("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), ()),
}


def openssl(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(
        ["openssl", *arguments], cwd=folder, check=True, capture_output=True
    ).stdout


def signed(folder: Path, kind: str) -> tuple[str, str]:
    """(certificate PEM, signature base64) of CONTENT, by OpenSSL."""
    key, padding = KEYS[kind]
    (folder / "firmware").write_bytes(CONTENT)
    openssl(
        folder, "req", "-x509", "-newkey", *key, "-nodes", "-days", "2",
        "-subj", "/CN=Acme firmware", "-keyout", "key.pem", "-out", "cert.pem",
    )  # fmt: skip
    made = openssl(folder, "dgst", "-sha256", "-sign", "key.pem", *padding, "firmware")
    return (folder / "cert.pem").read_text(), base64.b64encode(made).decode()


@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_fits_its_file_and_no_other(kind: str, tmp_path: Path) -> None:
    pem, text = signed(tmp_path, kind)
    certificate = checked_certificate(pem, datetime.now(UTC))
    signature = checked_signature(text)
    assert fits(certificate, signature, SHA256) is True
    assert fits(certificate, signature, OTHER) is False
    assert fits(certificate, signature[:-1] + b"\0", SHA256) is False


def test_a_key_of_another_kind_is_left_to_the_charger(tmp_path: Path) -> None:
    openssl(
        tmp_path, "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2",
        "-subj", "/CN=x", "-keyout", "key.pem", "-out", "cert.pem",
    )  # fmt: skip
    pem = (tmp_path / "cert.pem").read_text()
    assert fits(checked_certificate(pem, datetime.now(UTC)), b"x", SHA256) is None


def test_what_is_no_certificate_or_no_longer_one(tmp_path: Path) -> None:
    pem, _ = signed(tmp_path, "ecdsa")
    with pytest.raises(Invalid, match="not valid today"):
        checked_certificate(pem, datetime.now(UTC) + timedelta(days=3))
    with pytest.raises(Invalid, match="no certificate"):
        checked_certificate("-----BEGIN NONSENSE-----", datetime.now(UTC))
    with pytest.raises(Invalid, match="longer"):
        checked_certificate("x" * 6000, datetime.now(UTC))


@pytest.mark.parametrize("text", ["not base64!", "x" * 801])
def test_what_is_no_signature(text: str) -> None:
    with pytest.raises(Invalid):
        checked_signature(text)
