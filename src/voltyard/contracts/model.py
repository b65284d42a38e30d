"""What is asked about certificates of vehicles and contracts, and what can be answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from voltyard.errors import Invalid, VoltyardError

ALGORITHMS = ("SHA256", "SHA384", "SHA512")
HASH_MAX = 64
SERIAL_MAX = 20
"""Bytes of a serial number (RFC 5280 §4.1.2.2)."""


class Unobtainable(VoltyardError):
    """What was asked for cannot be had; ``message`` says why, for the log and the charger."""

    code = "unobtainable"


@dataclass(frozen=True, slots=True)
class CertificateId:
    """A certificate as OCSP names it: hashes of its issuer's name and key (RFC 6960 §4.1.1)."""

    algorithm: str
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int


def certificate_id(algorithm: str, name_hash: str, key_hash: str, serial: str) -> CertificateId:
    """From the hexadecimal text of CertificateHashDataType; raises Invalid."""
    if algorithm not in ALGORITHMS:
        raise Invalid(f"there is no hash algorithm {algorithm[:20]}", code="certificate")
    try:
        number = int(serial.strip().replace(":", ""), 16)
        found = CertificateId(algorithm, bytes.fromhex(name_hash), bytes.fromhex(key_hash), number)
    except ValueError as error:
        raise Invalid("hashes and serial are hexadecimal", detail=str(error)) from None
    size = int(algorithm[3:]) // 8
    if len(found.issuer_name_hash) != size or len(found.issuer_key_hash) != size:
        raise Invalid(f"a hash of {algorithm} has {size} bytes", code="certificate")
    if not 0 < number < 1 << (8 * SERIAL_MAX):
        raise Invalid(f"a serial number has at most {SERIAL_MAX} bytes", code="certificate")
    return found


class Source(StrEnum):
    """Where a revocation is looked up."""

    OCSP = "ocsp"
    CRL = "crl"


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a certificate is revoked, and where that can be found out."""

    certificate: CertificateId
    urls: tuple[str, ...]
    source: Source = Source.OCSP


class Standing(StrEnum):
    """What a responder or a list says; ``FAILED``: nobody could be asked or believed."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``next_at``: when there may be news of it; None: at any time."""

    standing: Standing
    next_at: datetime | None = None
    reason: str = ""


class ContractStanding(StrEnum):
    """Of the contract certificate a vehicle showed (OCPP 2.0.1 C07.FR.13 to 17)."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNPROVEN = "unproven"
    """It is broken, is trusted by nobody here, or its standing could not be found out."""
    UNCHECKED = "unchecked"
    """Nothing is set up to check contracts by; the charger's own look at it stands."""


@dataclass(frozen=True, slots=True)
class ContractCheck:
    standing: ContractStanding
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ContractOrder:
    """A vehicle asks for its contract certificate; ``exi_request`` is base64 as it came.

    ``update``: it has one that is to be replaced (ISO 15118-2 CertificateUpdateReq).
    ``chains_max`` is set by ISO 15118-20 alone, where a vehicle may take several contracts;
    ``preferred`` are the contracts (EMAID) it wants first.
    """

    station_id: UUID
    exi_request: str
    schema_version: str
    update: bool = False
    chains_max: int | None = None
    preferred: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """A CertificateInstallationRes or CertificateUpdateRes for the vehicle, base64 of its EXI."""

    exi_response: str
    emaid: str = ""


@dataclass(frozen=True, slots=True)
class ContractAnswer:
    """``remaining``: how many more the same request would bring; None where one is all."""

    exi_response: str
    remaining: int | None = None


class VehicleCertificates(Protocol):
    """What the OCPP room asks on behalf of chargers and the vehicles at them."""

    async def status(self, asked: Question) -> bytes:
        """M06: the OCSP response, DER. Raises Unobtainable."""

    async def revocation(self, asked: Question) -> Verdict:
        """M07: what cannot be found out is ``FAILED``."""

    async def check(
        self, emaid: str, chain: str | None, asked: Sequence[Question]
    ) -> ContractCheck:
        """C07: of the certificates on the way from the contract, named or shown (PEM)."""

    async def contract(self, order: ContractOrder) -> ContractAnswer:
        """M01, M02. Raises Unobtainable."""


class NoVehicleCertificates:
    """Where nothing is wired: a simulated night, a bench."""

    async def status(self, asked: Question) -> bytes:
        raise Unobtainable("no responder is asked here")

    async def revocation(self, asked: Question) -> Verdict:
        return Verdict(Standing.FAILED)

    async def check(
        self, emaid: str, chain: str | None, asked: Sequence[Question]
    ) -> ContractCheck:
        return ContractCheck(ContractStanding.UNCHECKED)

    async def contract(self, order: ContractOrder) -> ContractAnswer:
        raise Unobtainable("no provider of contract certificates is asked here")
