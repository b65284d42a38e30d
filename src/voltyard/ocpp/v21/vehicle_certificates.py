"""OCPP 2.1 block M: several contracts for a vehicle, and the standing of a vehicle's chain."""

import asyncio

from voltyard.contracts.model import Question, Source, Standing, Unobtainable, Verdict
from voltyard.errors import Invalid
from voltyard.ocpp.reader import check
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21.certificates import (
    CertificateStatus,
    CertificateStatusRequestInfo,
    CertificateStatusWord,
    Get15118EVCertificate,
    Get15118EVCertificateResponse,
    GetCertificateChainStatus,
    GetCertificateChainStatusResponse,
    GetCertificateStatus,
    GetCertificateStatusResponse,
)
from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import certificates as certificates_201
from voltyard.ocpp.v201.vehicle_certificates import (
    contract,
    fits,
    identified,
    ordered,
    refused,
    status_told,
)
from voltyard.units import iso_z

_WORDS: dict[Standing, CertificateStatusWord] = {
    Standing.GOOD: "Good",
    Standing.REVOKED: "Revoked",
    Standing.UNKNOWN: "Unknown",
    Standing.FAILED: "Failed",
}
_SOURCES = {"OCSP": Source.OCSP, "CRL": Source.CRL}


async def certificate_status(
    exchange: Exchange, request: GetCertificateStatus
) -> certificates_201.GetCertificateStatusResponse:
    """M06, with room for a longer answer."""
    return await status_told(exchange, request, GetCertificateStatusResponse)


async def ev_certificate(
    exchange: Exchange, request: Get15118EVCertificate
) -> Get15118EVCertificateResponse:
    """M01.FR.04 to 07: a vehicle of ISO 15118-20 asks again for each further contract."""
    order = ordered(
        exchange,
        request,
        chains_max=request.maximum_contract_certificate_chains,
        preferred=tuple(request.prioritized_emai_ds or ()),
    )
    try:
        answer = await contract(exchange, order)
        response = Get15118EVCertificateResponse(
            status="Accepted",
            exi_response=answer.exi_response,
            remaining_contracts=answer.remaining,
        )
        fits(response)
    except Unobtainable as error:
        reason = refused(exchange, error)
        info = StatusInfo(reason_code=reason.reason_code, additional_info=reason.additional_info)
        return Get15118EVCertificateResponse(status="Failed", exi_response="", status_info=info)
    return response


async def chain_status(
    exchange: Exchange, request: GetCertificateChainStatus
) -> GetCertificateChainStatusResponse:
    """M07. Raises Invalid where what is to be said again is not of the standard."""
    wanted = request.certificate_status_requests
    verdicts = await asyncio.gather(*(_verdict(exchange, one) for one in wanted))
    statuses = [
        CertificateStatus(
            certificate_hash_data=one.certificate_hash_data,
            source=one.source,
            status=_WORDS[verdict.standing],
            next_update=iso_z(verdict.next_at or exchange.received_at),
        )
        for one, verdict in zip(wanted, verdicts, strict=True)
    ]
    response = GetCertificateChainStatusResponse(certificate_status=statuses)
    check(response)
    return response


async def _verdict(exchange: Exchange, wanted: CertificateStatusRequestInfo) -> Verdict:
    """M07.FR.02, FR.05: what cannot be found out has failed, and the others are answered."""
    source = _SOURCES.get(wanted.source)
    try:
        named = identified(wanted.certificate_hash_data)
    except Invalid as error:
        exchange.flag("certificate_status_failed", error.message)
        return Verdict(Standing.FAILED)
    if source is None:
        return Verdict(Standing.FAILED)
    asked = Question(named, tuple(wanted.urls), source)
    verdict = await exchange.chargers.vehicle_certificates.revocation(asked)
    if verdict.standing is Standing.FAILED:
        exchange.flag("certificate_status_failed", verdict.reason)
    return verdict
