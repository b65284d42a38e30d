"""OCPP 2.1 messages that are answered and logged, so that nothing locks a charger out."""

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21.payment import VatNumberValidation, VatNumberValidationResponse
from voltyard.ocpp.v21.periodic_stream import (
    OpenPeriodicEventStream,
    OpenPeriodicEventStreamResponse,
)


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
