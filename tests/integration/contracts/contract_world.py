"""Mobility operators' certificates, and the outside world that vouches for them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from voltyard.contracts import ocsp

EMAID = "DE-8AA-CA2B3C4D5-N"
DAY = timedelta(days=1)


@dataclass
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def make(
    name: str,
    by: Made | None = None,
    *,
    authority: bool = False,
    responder: str = "",
    signs_ocsp: bool = False,
    ends: timedelta = 30 * DAY,
) -> Made:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 60 * DAY)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if responder:
        place = x509.UniformResourceIdentifier(responder)
        named = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
        builder = builder.add_extension(x509.AuthorityInformationAccess([named]), critical=False)
    if signs_ocsp:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
        builder = builder.add_extension(usage, critical=False)
    return Made(builder.sign(by.key if by else key, hashes.SHA256()), key)


@dataclass
class World:
    """``base`` is where it listens; ``asked`` what it was asked since it was last looked at."""

    folder: Path
    base: str
    reader: asyncio.StreamReader
    root: Made = field(default_factory=lambda: make("MO root", authority=True))
    sub: Made = field(init=False)

    def __post_init__(self) -> None:
        self.sub = make("MO sub", self.root, authority=True, responder=self.at("/ocsp/root"))
        self.write("root", self.root, [self.sub])
        self.write("sub", self.sub, [])

    def at(self, path: str) -> str:
        return self.base + path

    def contract(self, name: str = EMAID, *, responder: str = "/ocsp/sub", **more: Any) -> Made:
        made = make(name, self.sub, responder=self.at(responder), **more)
        self.write("sub", self.sub, [made])
        return made

    def write(
        self, name: str, authority: Made, good: Sequence[Made], revoked: Sequence[Made] = ()
    ) -> None:
        """Its index as OpenSSL reads it, its certificate, and who signs its answers."""
        lines = [_line("V", made) for made in good] + [_line("R", made) for made in revoked]
        (self.folder / f"{name}.txt").write_text("".join(lines))
        (self.folder / f"{name}.pem").write_text(authority.pem)
        signer = make(f"{name} OCSP", authority, signs_ocsp=True)
        (self.folder / f"{name}-ocsp.pem").write_text(signer.pem)
        secret = signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / f"{name}-ocsp.key").write_bytes(secret)

    def pool(self, body: Any, status: int = 200) -> None:
        (self.folder / "pool.json").write_text(json.dumps({"status": status, "body": body}))

    def crl(self, revoked: Sequence[Made], *, by: Made | None = None) -> None:
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.sub.certificate.subject)
        builder = builder.last_update(now - DAY).next_update(now + DAY)
        for made in revoked:
            one = x509.RevokedCertificateBuilder().revocation_date(now - DAY)
            one = one.serial_number(made.certificate.serial_number)
            builder = builder.add_revoked_certificate(one.build())
        signed = builder.sign((by or self.sub).key, hashes.SHA256())
        (self.folder / "sub.crl").write_bytes(signed.public_bytes(Encoding.DER))

    async def asked(self, count: int) -> list[dict[str, Any]]:
        """The next ``count`` requests it had."""
        async with asyncio.timeout(20):
            return [json.loads(await self.reader.readline()) for _ in range(count)]

    async def unasked(self) -> None:
        """It was asked nothing since: its next request is the one made now."""
        host, _, port = self.base.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /probe HTTP/1.0\r\n\r\n")
        await reader.read()
        writer.close()
        [next_one] = await self.asked(1)
        assert next_one["path"] == "/probe"


def _line(word: str, made: Made) -> str:
    end = f"{made.certificate.not_valid_after_utc:%y%m%d%H%M%S}Z"
    since = f"{datetime.now(UTC) - DAY:%y%m%d%H%M%S}Z" if word == "R" else ""
    serial = f"{made.certificate.serial_number:X}"
    serial = serial.zfill(len(serial) + len(serial) % 2)
    return f"{word}\t{end}\t{since}\t{serial}\tunknown\t/CN=x\n"


def hash_data(made: Made, by: Made, url: str, algorithm: str = "SHA256") -> dict[str, str]:
    """OCSPRequestDataType."""
    named = ocsp.identify(made.certificate, by.certificate, algorithm)
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": named.issuer_name_hash.hex(),
        "issuerKeyHash": named.issuer_key_hash.hex(),
        "serialNumber": f"{named.serial:x}",
        "responderURL": url,
    }


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        Path(__file__).with_name("outside.py"),
        folder,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            port = json.loads(await process.stdout.readline())["port"]
        yield World(folder, f"http://127.0.0.1:{port}", process.stdout)
    finally:
        process.kill()
        await process.wait()
