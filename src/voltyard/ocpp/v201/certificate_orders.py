"""OCPP 2.0.1: what we ask about certificates, and how to reach us (A02, B09, M03–M05)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from voltyard.chargers.commands import (
    CommandResult,
    DeleteCertificate,
    GiveCertificate,
    InstallRoot,
    ReadCertificates,
    SetNetworkProfile,
)
from voltyard.errors import Invalid
from voltyard.ocpp.certifying import USES, all_held, answered, held
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, single
from voltyard.ocpp.v201 import certificates, provisioning, security
from voltyard.ocpp.v201.messages import MESSAGES


def give_certificate(command: GiveCertificate, now: datetime) -> Expressed:
    """A02.FR.14: the type that was asked for."""
    request = security.CertificateSigned(
        certificate_chain=command.chain,
        certificate_type="ChargingStationCertificate" if command.use == "station" else command.use,
    )
    return single(outgoing(MESSAGES, request, _said))


def install_root(command: InstallRoot, now: datetime) -> Expressed:
    if command.use not in USES:
        raise Invalid(f"OCPP 2.0.1 has no {command.use} certificates")
    request = certificates.InstallCertificate(
        certificate_type=_converted(USES[command.use]), certificate=command.certificate
    )
    return single(outgoing(MESSAGES, request, _said))


def _converted(word: str) -> certificates.InstallCertificateUseWord:
    try:
        found: certificates.InstallCertificateUseWord = msgspec.convert(
            word, certificates.InstallCertificateUseWord
        )
    except msgspec.ValidationError:
        raise Invalid(f"OCPP 2.0.1 cannot install a {word}") from None
    return found


def read_certificates(command: ReadCertificates, now: datetime) -> Expressed:
    kinds = [USES[use] for use in command.uses if use in USES]
    request = certificates.GetInstalledCertificateIds(certificate_type=kinds or None)
    return single(outgoing(MESSAGES, request, _held))


def delete_certificate(command: DeleteCertificate, now: datetime) -> Expressed:
    request = certificates.DeleteCertificate(
        certificate_hash_data=certificates.CertificateHashData(
            hash_algorithm=command.algorithm,
            issuer_name_hash=command.issuer_name_hash,
            issuer_key_hash=command.issuer_key_hash,
            serial_number=command.serial,
        )
    )
    return single(outgoing(MESSAGES, request, _said))


def set_network_profile(command: SetNetworkProfile, now: datetime) -> Expressed:
    try:
        profile = msgspec.convert(
            {
                "ocppVersion": "OCPP20",
                "ocppTransport": "JSON",
                "ocppCsmsUrl": command.url,
                "messageTimeout": command.message_timeout_s,
                "securityProfile": command.security_profile,
                "ocppInterface": command.interface,
            },
            provisioning.NetworkConnectionProfile,
        )
    except msgspec.ValidationError as error:
        raise Invalid("this is no network profile", detail=str(error)) from None
    request = provisioning.SetNetworkProfile(
        configuration_slot=command.slot, connection_data=profile
    )
    return single(outgoing(MESSAGES, request, _said))


ORDERS: tuple[Callable[..., Expressed], ...] = (
    give_certificate,
    install_root,
    read_certificates,
    delete_certificate,
    set_network_profile,
)


def _said(response: Any) -> CommandResult:
    info = response.status_info
    detail = (
        {} if info is None else {"reason": info.reason_code, "info": info.additional_info or ""}
    )
    return answered(response.status, detail)


def _held(response: certificates.GetInstalledCertificateIdsResponse) -> CommandResult:
    found = []
    for chain in response.certificate_hash_data_chain or ():
        found.append(held(chain.certificate_type, chain.certificate_hash_data))
        for child in chain.child_certificate_hash_data or ():
            found.append(held(chain.certificate_type, child))
    return all_held(response.status, found)
