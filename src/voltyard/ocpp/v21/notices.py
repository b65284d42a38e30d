"""OCPP 2.1 messages that are answered and logged, so that nothing locks a charger out."""

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21.periodic_stream import (
    OpenPeriodicEventStream,
    OpenPeriodicEventStreamResponse,
)


async def stream_opened(
    exchange: Exchange, request: OpenPeriodicEventStream
) -> OpenPeriodicEventStreamResponse:
    """N11: its values are kept in the message log."""
    return OpenPeriodicEventStreamResponse(status="Accepted")
