"""Meters by MQTT: subscribed to at a broker. The one place that knows aiomqtt."""

import ssl
from collections.abc import AsyncGenerator

import aiomqtt

from voltyard.clock import Clock
from voltyard.errors import Invalid
from voltyard.sitemeters.mapping import reading_of_message
from voltyard.sitemeters.model import Reading, SiteMeter
from voltyard.sitemeters.protocols import Unreadable

CONNECT_S = 10
WAITING_MAX = 100
"""Messages that wait; of more, the oldest say nothing that the newest does not."""


class MqttMeter:
    """See docs/extend/site-meter-protocol.md."""

    def __init__(self, meter: SiteMeter, password: str | None, clock: Clock) -> None:
        self._meter = meter
        self._password = password
        self._clock = clock

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """A reading for each message. Raises Unreadable when the broker fails or a message is none.

        A retained message without a time of its own is no reading: nobody knows how old it is.
        """
        to = self._meter.connection
        try:
            async with aiomqtt.Client(
                to.host,
                port=to.port,
                username=to.username or None,
                password=self._password or None,
                identifier=f"voltyard-{self._meter.id.hex[:14]}",
                tls_context=ssl.create_default_context() if to.tls else None,
                timeout=CONNECT_S,
                max_queued_incoming_messages=WAITING_MAX,
            ) as client:
                await client.subscribe(to.topic)
                async for message in client.messages:
                    if message.retain and not self._tells_time():
                        continue
                    yield self._reading(message.payload)
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            raise Unreadable(str(error) or "no connection") from error

    def _tells_time(self) -> bool:
        return any(point.quantity == "time" for point in self._meter.points)

    def _reading(self, payload: object) -> Reading:
        body = payload if isinstance(payload, bytes) else str(payload).encode()
        try:
            return reading_of_message(self._meter.points, body, self._clock.now())
        except Invalid as error:
            raise Unreadable(error.message) from error
