"""OCPP 1.6 security whitepaper: what we ask of a charger about certificates (A02, M03–M05)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from voltyard.chargers.commands import (
    CommandResult,
    DeleteCertificate,
    GiveCertificate,
    InstallRoot,
    ReadCertificates,
    Trigger,
)
from voltyard.errors import Invalid
from voltyard.ocpp.certifying import all_held, answered, held
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, Outgoing, single
from voltyard.ocpp.v16 import security
from voltyard.ocpp.v16.messages import MESSAGES

USES: dict[str, security.CertificateUseWord] = {
    "csms_root": "CentralSystemRootCertificate",
    "manufacturer_root": "ManufacturerRootCertificate",
}


def trigger_certificate(command: Trigger) -> Expressed:
    """A02: only the security extension's own trigger can ask for it."""
    request = security.ExtendedTriggerMessage(requested_message="SignChargePointCertificate")
    return single(outgoing(MESSAGES, request, _said, triggers="SignCertificate"))


def give_certificate(command: GiveCertificate, now: datetime) -> Expressed:
    request = security.CertificateSigned(certificate_chain=command.chain)
    return single(outgoing(MESSAGES, request, _said))


def install_root(command: InstallRoot, now: datetime) -> Expressed:
    request = security.InstallCertificate(
        certificate_type=_use(command.use), certificate=command.certificate
    )
    return single(outgoing(MESSAGES, request, _said))


def read_certificates(command: ReadCertificates, now: datetime) -> Expressed:
    """One kind at a time (M03)."""
    kinds = [_use(use) for use in command.uses or USES]
    return [_asked(kind) for kind in kinds], _joined


def _asked(kind: security.CertificateUseWord) -> Outgoing:
    def told(response: security.GetInstalledCertificateIdsResponse) -> CommandResult:
        found = [held(kind, entry) for entry in response.certificate_hash_data or ()]
        return all_held(response.status, found)

    request = security.GetInstalledCertificateIds(certificate_type=kind)
    return outgoing(MESSAGES, request, told)


def delete_certificate(command: DeleteCertificate, now: datetime) -> Expressed:
    request = security.DeleteCertificate(
        certificate_hash_data=security.CertificateHashData(
            hash_algorithm=command.algorithm,
            issuer_name_hash=command.issuer_name_hash,
            issuer_key_hash=command.issuer_key_hash,
            serial_number=command.serial,
        )
    )
    return single(outgoing(MESSAGES, request, _said))


ORDERS: tuple[Callable[..., Expressed], ...] = (
    give_certificate,
    install_root,
    read_certificates,
    delete_certificate,
)


def _use(use: str) -> security.CertificateUseWord:
    if use not in USES:
        raise Invalid(f"OCPP 1.6 has no {use} certificates")
    return USES[use]


def _said(response: Any) -> CommandResult:
    return answered(response.status)


def _joined(results: Sequence[CommandResult]) -> CommandResult:
    wrong = next((result for result in results if not result.accepted), None)
    if wrong is not None:
        return wrong
    return all_held("Accepted", [c for r in results for c in r.detail["certificates"]])
