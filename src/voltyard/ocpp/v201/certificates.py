"""OCPP 2.0.1 block M: certificates for ISO 15118 and of authorities."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import field

from voltyard.ocpp.v201.types import StatusInfo, Wire201
from voltyard.ocpp.wire import (
    Items,
    OneOf,
    Some,
    Str40,
    Str50,
    Str128,
    Str512,
    Str5500,
    Str5600,
    Str7500,
    Word,
)

HashAlgorithmWord = Annotated[Word, OneOf("SHA256", "SHA384", "SHA512")]
CertificateActionWord = Annotated[Word, OneOf("Install", "Update")]
Iso15118EVCertificateStatusWord = Literal["Accepted", "Failed"]
GetCertificateStatusWord = Literal["Accepted", "Failed"]
InstallCertificateUseWord = Literal[
    "V2GRootCertificate", "MORootCertificate", "CSMSRootCertificate", "ManufacturerRootCertificate"
]
InstallCertificateStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "Failed")]
DeleteCertificateStatusWord = Annotated[Word, OneOf("Accepted", "Failed", "NotFound")]
GetCertificateIdUseWord = Annotated[
    Word,
    OneOf(
        "V2GRootCertificate",
        "MORootCertificate",
        "CSMSRootCertificate",
        "V2GCertificateChain",
        "ManufacturerRootCertificate",
    ),
]
GetInstalledCertificateStatusWord = Annotated[Word, OneOf("Accepted", "NotFound")]


class OcspRequestData(Wire201):
    hash_algorithm: HashAlgorithmWord
    issuer_name_hash: Str128
    issuer_key_hash: Str128
    serial_number: Str40
    responder_url: Str512 = field(name="responderURL")


class CertificateHashData(Wire201):
    hash_algorithm: HashAlgorithmWord
    issuer_name_hash: Str128
    issuer_key_hash: Str128
    serial_number: Str40


class CertificateHashDataChain(Wire201):
    certificate_hash_data: CertificateHashData
    certificate_type: GetCertificateIdUseWord
    child_certificate_hash_data: Annotated[Sequence[CertificateHashData], Items(1, 4)] | None = None


class Get15118EVCertificate(Wire201):
    iso15118_schema_version: Str50
    action: CertificateActionWord
    exi_request: Str5600


class Get15118EVCertificateResponse(Wire201):
    status: Iso15118EVCertificateStatusWord
    exi_response: Str7500
    status_info: StatusInfo | None = None


class GetCertificateStatus(Wire201):
    ocsp_request_data: OcspRequestData


class GetCertificateStatusResponse(Wire201):
    status: GetCertificateStatusWord
    status_info: StatusInfo | None = None
    ocsp_result: Str5500 | None = None


class InstallCertificate(Wire201):
    certificate_type: InstallCertificateUseWord
    certificate: Str5500


class InstallCertificateResponse(Wire201):
    status: InstallCertificateStatusWord
    status_info: StatusInfo | None = None


class DeleteCertificate(Wire201):
    certificate_hash_data: CertificateHashData


class DeleteCertificateResponse(Wire201):
    status: DeleteCertificateStatusWord
    status_info: StatusInfo | None = None


class GetInstalledCertificateIds(Wire201):
    certificate_type: Some[GetCertificateIdUseWord] | None = None


class GetInstalledCertificateIdsResponse(Wire201):
    status: GetInstalledCertificateStatusWord
    status_info: StatusInfo | None = None
    certificate_hash_data_chain: Some[CertificateHashDataChain] | None = None
