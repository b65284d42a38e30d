"""Certificates in the words of OCPP, as far as its versions agree."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from voltyard.chargers.commands import CommandResult, CommandStatus

STATION_USES = frozenset({"", "ChargingStationCertificate"})
USES = {
    "csms_root": "CSMSRootCertificate",
    "manufacturer_root": "ManufacturerRootCertificate",
    "v2g_root": "V2GRootCertificate",
    "mo_root": "MORootCertificate",
    "v2g_chain": "V2GCertificateChain",
    "oem_root": "OEMRootCertificate",
}
NAMES: Mapping[str, str] = {
    **{word: use for use, word in USES.items()},
    "CentralSystemRootCertificate": "csms_root",
}
WORDS = {
    "Accepted": CommandStatus.ACCEPTED,
    "Rejected": CommandStatus.REJECTED,
    "Failed": CommandStatus.REJECTED,
    "NotFound": CommandStatus.REJECTED,
    "NotImplemented": CommandStatus.NOT_SUPPORTED,
}


class HashData(Protocol):
    """CertificateHashDataType, the same in all versions."""

    @property
    def hash_algorithm(self) -> str: ...

    @property
    def issuer_name_hash(self) -> str: ...

    @property
    def issuer_key_hash(self) -> str: ...

    @property
    def serial_number(self) -> str: ...


def use_of(word: str | None) -> str:
    """What a station wants a certificate for; ``station`` is its own towards us."""
    return "station" if (word or "") in STATION_USES else str(word)


def held(word: str, entry: HashData) -> dict[str, str]:
    """One installed certificate, as ``ReadCertificates`` tells it."""
    return {
        "use": NAMES.get(word, word),
        "algorithm": entry.hash_algorithm,
        "issuer_name_hash": entry.issuer_name_hash,
        "issuer_key_hash": entry.issuer_key_hash,
        "serial": entry.serial_number,
    }


def answered(word: str, detail: Mapping[str, Any] | None = None) -> CommandResult:
    return CommandResult(WORDS.get(word, CommandStatus.UNKNOWN), word, detail or {})


def all_held(word: str, found: Iterable[Mapping[str, str]]) -> CommandResult:
    """NotFound: it has none, which is an answer."""
    if word == "NotFound":
        return CommandResult(CommandStatus.ACCEPTED, word, {"certificates": ()})
    return answered(word, {"certificates": tuple(found)})
