"""OCPP 2.1 block M: certificates for ISO 15118 and of authorities."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import field

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import certificates as certificates_201
from voltyard.ocpp.v201.certificates import CertificateHashData
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import (
    Instant,
    Items,
    Natural,
    OneOf,
    Some,
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


class OcspRequestData(certificates_201.OcspRequestData, kw_only=True):
    responder_url: Str2000 = field(name="responderURL")


class CertificateHashDataChain(certificates_201.CertificateHashDataChain, kw_only=True):
    certificate_type: GetCertificateIdUseWord


class CertificateStatusRequestInfo(Wire201):
    certificate_hash_data: CertificateHashData
    source: CertificateStatusSourceWord
    urls: Annotated[Sequence[Str2000], Items(1, 5)]


class CertificateStatus(Wire201):
    certificate_hash_data: CertificateHashData
    source: CertificateStatusSourceWord
    status: CertificateStatusWord
    next_update: Instant


class Get15118EVCertificate(certificates_201.Get15118EVCertificate, kw_only=True):
    exi_request: Str11000
    maximum_contract_certificate_chains: Natural | None = None
    prioritized_emai_ds: Annotated[Sequence[Str255], Items(1, 8)] | None = field(
        default=None, name="prioritizedEMAIDs"
    )


class Get15118EVCertificateResponse(certificates_201.Get15118EVCertificateResponse, kw_only=True):
    exi_response: Str17000
    status_info: StatusInfo | None = None
    remaining_contracts: Natural | None = None


class GetCertificateStatus(certificates_201.GetCertificateStatus, kw_only=True):
    ocsp_request_data: OcspRequestData


class GetCertificateStatusResponse(certificates_201.GetCertificateStatusResponse, kw_only=True):
    status_info: StatusInfo | None = None
    ocsp_result: Str18000 | None = None


class InstallCertificate(Wire201):
    certificate_type: InstallCertificateUseWord
    certificate: Str10000


class InstallCertificateResponse(certificates_201.InstallCertificateResponse, kw_only=True):
    status_info: StatusInfo | None = None


class DeleteCertificate(certificates_201.DeleteCertificate):
    pass


class DeleteCertificateResponse(certificates_201.DeleteCertificateResponse, kw_only=True):
    status_info: StatusInfo | None = None


class GetInstalledCertificateIds(certificates_201.GetInstalledCertificateIds, kw_only=True):
    certificate_type: Some[GetCertificateIdUseWord] | None = None


class GetInstalledCertificateIdsResponse(
    certificates_201.GetInstalledCertificateIdsResponse, kw_only=True
):
    status_info: StatusInfo | None = None
    certificate_hash_data_chain: Some[CertificateHashDataChain] | None = None


class GetCertificateChainStatus(Wire201):
    certificate_status_requests: Annotated[Sequence[CertificateStatusRequestInfo], Items(1, 4)]


class GetCertificateChainStatusResponse(Wire201):
    certificate_status: Annotated[Sequence[CertificateStatus], Items(1, 4)]
