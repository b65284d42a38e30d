"""OCPP 2.1 block M: certificates for ISO 15118 and of authorities."""

from typing import Annotated, Literal

from msgspec import field

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import certificates as certificates_201
from voltyard.ocpp.v201.certificates import (
    CertificateActionWord,
    CertificateHashData,
    DeleteCertificateStatusWord,
    GetCertificateStatusWord,
    GetInstalledCertificateStatusWord,
    HashAlgorithmWord,
    InstallCertificateStatusWord,
    Iso15118EVCertificateStatusWord,
)
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import (
    Instant,
    Items,
    Natural,
    OneOf,
    Some,
    Str40,
    Str50,
    Str128,
    Str255,
    Str2000,
    Str10000,
    Str11000,
    Str17000,
    Str18000,
    Word,
)

InstallCertificateUseWord = Literal[
    "V2GRootCertificate",
    "MORootCertificate",
    "ManufacturerRootCertificate",
    "CSMSRootCertificate",
    "OEMRootCertificate",
]
GetCertificateIdUseWord = Annotated[
    Word,
    OneOf(
        "V2GRootCertificate",
        "MORootCertificate",
        "CSMSRootCertificate",
        "V2GCertificateChain",
        "ManufacturerRootCertificate",
        "OEMRootCertificate",
    ),
]
CertificateStatusSourceWord = Annotated[Word, OneOf("CRL", "OCSP")]
CertificateStatusWord = Literal["Good", "Revoked", "Unknown", "Failed"]


class OcspRequestData(Wire201):
    hash_algorithm: HashAlgorithmWord
    issuer_name_hash: Str128
    issuer_key_hash: Str128
    serial_number: Str40
    responder_url: Str2000 = field(name="responderURL")


class CertificateHashDataChain(Wire201):
    certificate_hash_data: CertificateHashData
    certificate_type: GetCertificateIdUseWord
    child_certificate_hash_data: Annotated[list[CertificateHashData], Items(1, 4)] | None = None


class CertificateStatusRequestInfo(Wire201):
    certificate_hash_data: CertificateHashData
    source: CertificateStatusSourceWord
    urls: Annotated[list[Str2000], Items(1, 5)]


class CertificateStatus(Wire201):
    certificate_hash_data: CertificateHashData
    source: CertificateStatusSourceWord
    status: CertificateStatusWord
    next_update: Instant


class Get15118EVCertificate(Wire201):
    iso15118_schema_version: Str50
    action: CertificateActionWord
    exi_request: Str11000
    maximum_contract_certificate_chains: Natural | None = None
    prioritized_emai_ds: Annotated[list[Str255], Items(1, 8)] | None = field(
        default=None, name="prioritizedEMAIDs"
    )


class Get15118EVCertificateResponse(Wire201):
    status: Iso15118EVCertificateStatusWord
    exi_response: Str17000
    status_info: StatusInfo | None = None
    remaining_contracts: Natural | None = None


class GetCertificateStatus(Wire201):
    ocsp_request_data: OcspRequestData


class GetCertificateStatusResponse(Wire201):
    status: GetCertificateStatusWord
    status_info: StatusInfo | None = None
    ocsp_result: Str18000 | None = None


class InstallCertificate(Wire201):
    certificate_type: InstallCertificateUseWord
    certificate: Str10000


class InstallCertificateResponse(Wire201):
    status: InstallCertificateStatusWord
    status_info: StatusInfo | None = None


class DeleteCertificate(certificates_201.DeleteCertificate):
    pass


class DeleteCertificateResponse(Wire201):
    status: DeleteCertificateStatusWord
    status_info: StatusInfo | None = None


class GetInstalledCertificateIds(Wire201):
    certificate_type: Some[GetCertificateIdUseWord] | None = None


class GetInstalledCertificateIdsResponse(Wire201):
    status: GetInstalledCertificateStatusWord
    status_info: StatusInfo | None = None
    certificate_hash_data_chain: Some[CertificateHashDataChain] | None = None


class GetCertificateChainStatus(Wire201):
    certificate_status_requests: Annotated[list[CertificateStatusRequestInfo], Items(1, 4)]


class GetCertificateChainStatusResponse(Wire201):
    certificate_status: Annotated[list[CertificateStatus], Items(1, 4)]
