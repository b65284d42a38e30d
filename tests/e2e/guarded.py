"""Chargers of OCPP 1.6 with its security extension: keys, certificates, passwords, all over TLS."""

import asyncio
import base64
import contextlib
import hashlib
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

Payload = dict[str, Any]
YES = {"status": "Accepted"}
FIRST_PASSWORD = "a password of sixteen"


@dataclass
class GuardedCharger:
    """Does what it is told: makes requests, takes certificates, roots, passwords and profiles.

    ``stubborn``: it refuses every request for a certificate.
    """

    identity: str
    plain_url: str
    secure_url: str
    roots: list[str]
    organisation: str
    password: str = FIRST_PASSWORD
    profile: int = 1
    stubborn: bool = False
    chain: str = ""
    key: ec.EllipticCurvePrivateKey | None = None
    asked: dict[str, list[Payload]] = field(default_factory=dict)
    online: asyncio.Event = field(default_factory=asyncio.Event)
    connected: int = 0
    _socket: ClientConnection | None = None
    _again: bool = False
    _count: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _answered: dict[str, asyncio.Event] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled; comes back after each loss, as soon as it is let in."""
        while True:
            with contextlib.suppress(OSError, ssl.SSLError, Exception):
                await self._live()
            self.online.clear()
            await asyncio.sleep(0.3)

    async def _live(self) -> None:
        headers = {}
        if self.profile < 3:
            text = base64.b64encode(self.identity.encode() + b":" + self._secret()).decode()
            headers["Authorization"] = f"Basic {text}"
        url = self.secure_url if self.profile >= 2 else self.plain_url
        async with connect(
            f"{url}/{self.identity}",
            subprotocols=[Subprotocol("ocpp1.6")],
            ssl=self._tls() if self.profile >= 2 else None,
            additional_headers=headers,
        ) as socket:
            self._socket, self._again = socket, False
            await self._send(
                "BootNotification",
                {"chargePointVendor": "Guarded", "chargePointModel": "G16"},
            )
            self.connected += 1
            self.online.set()
            async for text in socket:
                await self._heard(msgspec.json.decode(text))
                if self._again:
                    return

    def _secret(self) -> bytes:
        """A key of 1.6 is bytes in hexadecimal; the first password is plain text."""
        try:
            return bytes.fromhex(self.password)
        except ValueError:
            return self.password.encode()

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata="".join(self.roots))
        context.check_hostname = False
        if self.chain and self.profile >= 3:
            assert self.key is not None
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                file.write(self.chain + _pem(self.key))
                file.flush()
                context.load_cert_chain(file.name)
        return context

    async def warn(self, kind: str, info: str) -> None:
        """Returns once the server has answered."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        answered = await self._send(
            "SecurityEventNotification", {"type": kind, "timestamp": now, "techInfo": info}
        )
        await answered.wait()

    async def _send(self, action: str, payload: Payload) -> asyncio.Event:
        self._count += 1
        assert self._socket is not None
        answered = self._answered[f"{self._count}"] = asyncio.Event()
        text = msgspec.json.encode([2, f"{self._count}", action, payload]).decode()
        await self._socket.send(text)
        return answered

    async def _heard(self, message: list[Any]) -> None:
        if message[0] != 2:
            self._answered.pop(message[1]).set()
            return
        _, message_id, action, payload = message
        self.asked.setdefault(action, []).append(payload)
        answers: dict[str, Callable[[Payload], Payload]] = {
            "ExtendedTriggerMessage": self._triggered,
            "CertificateSigned": self._signed,
            "ChangeConfiguration": self._configured,
            "InstallCertificate": self._install,
            "DeleteCertificate": self._delete,
            "GetInstalledCertificateIds": self._held,
        }
        answer = answers.get(action, lambda asked: YES)(payload)
        assert self._socket is not None
        await self._socket.send(msgspec.json.encode([3, message_id, answer]).decode())

    def _triggered(self, payload: Payload) -> Payload:
        if payload["requestedMessage"] != "SignChargePointCertificate":
            return YES
        if self.stubborn:
            return {"status": "Rejected"}
        task = asyncio.get_running_loop().create_task(self._request())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return YES

    async def _request(self) -> None:
        self.new_key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, self.identity),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organisation),
            ]
        )
        csr = x509.CertificateSigningRequestBuilder().subject_name(name)
        signed = csr.sign(self.new_key, hashes.SHA256())
        pem = signed.public_bytes(serialization.Encoding.PEM).decode()
        await self._send("SignCertificate", {"csr": pem})

    def _signed(self, payload: Payload) -> Payload:
        self.chain, self.key = payload["certificateChain"], self.new_key
        self._again = self.profile >= 3
        return YES

    def _configured(self, payload: Payload) -> Payload:
        if payload["key"] == "AuthorizationKey":
            self.password, self._again = payload["value"], True
        elif payload["key"] == "SecurityProfile":
            self.profile, self._again = int(payload["value"]), True
        return YES

    def _install(self, payload: Payload) -> Payload:
        if payload["certificate"] not in self.roots:
            self.roots.append(payload["certificate"])
        return YES

    def _delete(self, payload: Payload) -> Payload:
        serial = payload["certificateHashData"]["serialNumber"]
        left = [root for root in self.roots if hash_data(root)["serialNumber"] != serial]
        found = len(left) < len(self.roots)
        self.roots[:] = left
        return {"status": "Accepted" if found else "NotFound"}

    def _held(self, payload: Payload) -> Payload:
        if payload["certificateType"] != "CentralSystemRootCertificate" or not self.roots:
            return {"status": "NotFound"}
        return {"status": "Accepted", "certificateHashData": [hash_data(r) for r in self.roots]}


def hash_data(root: str) -> Payload:
    """Of a self-signed certificate."""
    found = x509.load_pem_x509_certificate(root.encode())
    kinds = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    if isinstance(found.public_key(), rsa.RSAPublicKey):
        kinds = (serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    key = found.public_key().public_bytes(*kinds)
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": hashlib.sha256(found.issuer.public_bytes()).hexdigest(),
        "issuerKeyHash": hashlib.sha256(key).hexdigest(),
        "serialNumber": f"{found.serial_number:x}",
    }


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def sign_outside(csr: str, key: ec.EllipticCurvePrivateKey, root: x509.Certificate) -> str:
    """What an authority elsewhere makes of a request, as PEM."""
    asked = x509.load_pem_x509_csr(csr.encode())
    made = (
        x509.CertificateBuilder()
        .subject_name(asked.subject)
        .issuer_name(root.subject)
        .public_key(asked.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(root.not_valid_before_utc)
        .not_valid_after(root.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def outside_root(folder: Path, at: datetime, until: datetime) -> tuple[Path, Any, Any]:
    """An authority elsewhere: its root's file, its key and its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Our own root")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "root.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path, key, made
