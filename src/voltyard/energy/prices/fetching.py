"""HTTP to sources of prices: nowhere but to their own addresses, within bounds of size and time."""

import httpx

from voltyard.clock import Clock
from voltyard.energy.prices.shapes import BODY_MAX
from voltyard.errors import VoltyardError

TIMEOUT_S = 30.0


class NotFetched(VoltyardError):
    """The source does not answer, or not with prices: it is asked again later."""

    code = "not_fetched"


class Fetcher:
    def __init__(self, clock: Clock, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._clock = clock
        self._transport = transport

    async def get(self, url: str) -> bytes:
        """The body of a 200. Raises NotFetched; what it says never holds the address: keys are
        in it."""
        found = bytearray()
        try:
            async with (
                self._clock.timeout(TIMEOUT_S),
                httpx.AsyncClient(
                    transport=self._transport, timeout=TIMEOUT_S, trust_env=False
                ) as client,
                client.stream("GET", url, follow_redirects=False) as answer,
            ):
                async for part in answer.aiter_bytes():
                    found += part
                    if len(found) > BODY_MAX:
                        raise NotFetched("the answer is too long")
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise NotFetched(f"no answer ({type(error).__name__})") from None
        if answer.status_code != 200:
            raise NotFetched(f"HTTP {answer.status_code}")
        return bytes(found)
