"""OCPP 2.1 messages that are answered and logged, so that nothing locks a charger out."""

from voltyard.ocpp.reader import check
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21.certificates import (
    CertificateStatus,
    GetCertificateChainStatus,
    GetCertificateChainStatusResponse,
)
from voltyard.ocpp.v21.dynamic_charging import (
    PullDynamicScheduleUpdate,
    PullDynamicScheduleUpdateResponse,
)
from voltyard.ocpp.v21.payment import VatNumberValidation, VatNumberValidationResponse
from voltyard.ocpp.v21.periodic_stream import (
    OpenPeriodicEventStream,
    OpenPeriodicEventStreamResponse,
)
from voltyard.units import iso_z


async def certificate_chain_status(
    exchange: Exchange, request: GetCertificateChainStatus
) -> GetCertificateChainStatusResponse:
    """M07: neither an OCSP responder nor a revocation list is reached from here.

    Raises Invalid where what is to be said again is not of the standard.
    """
    now = iso_z(exchange.received_at)
    statuses = [
        CertificateStatus(
            certificate_hash_data=wanted.certificate_hash_data,
            source=wanted.source,
            status="Failed",
            next_update=now,
        )
        for wanted in request.certificate_status_requests
    ]
    response = GetCertificateChainStatusResponse(certificate_status=statuses)
    check(response)
    return response


async def dynamic_schedule(
    exchange: Exchange, request: PullDynamicScheduleUpdate
) -> PullDynamicScheduleUpdateResponse:
    """K28: no profile of ours is dynamic, so none has an update."""
    return PullDynamicScheduleUpdateResponse(status="Rejected")


async def vat_number(
    exchange: Exchange, request: VatNumberValidation
) -> VatNumberValidationResponse:
    """C22: no register of VAT numbers is asked, so none is confirmed."""
    return VatNumberValidationResponse(
        vat_number=request.vat_number[:20], status="Rejected", evse_id=request.evse_id
    )


async def stream_opened(
    exchange: Exchange, request: OpenPeriodicEventStream
) -> OpenPeriodicEventStreamResponse:
    """N11: its values are kept in the message log."""
    return OpenPeriodicEventStreamResponse(status="Accepted")
