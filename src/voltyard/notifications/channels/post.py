"""One POST to an address that is looked up first, and its answer: no redirect, no proxy."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx

from voltyard.clock import Clock
from voltyard.notifications.guard import Guard, host_of
from voltyard.notifications.ports import Undeliverable

ANSWER_MAX = 4_096
RETRY_AFTER_MAX_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str


class Poster:
    """Connects to the very address that the guard has let pass: a name cannot change meanwhile."""

    def __init__(self, clock: Clock, timeout_s: float, guard: Guard | None) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._guard = guard
        self._client: httpx.AsyncClient | None = None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], auth: tuple[str, str] | None = None
    ) -> Answer:
        """Whatever the status. Raises Undeliverable when there is no answer."""
        sent = {"user-agent": "voltyard", "accept-encoding": "identity", **headers}
        extensions: dict[str, str] = {}
        if self._guard is not None:
            url, host = await self._pinned(url, self._guard)
            sent["host"] = host
            extensions["sni_hostname"] = host.partition(":")[0]
        try:
            async with (
                self._clock.timeout(self._timeout_s),
                self._opened().stream(
                    "POST", url, content=body, headers=sent, auth=auth, extensions=extensions
                ) as response,
            ):
                text = await _bounded(response)
        except TimeoutError:
            raise Undeliverable(f"No answer within {self._timeout_s:g} s.") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise Undeliverable("It cannot be reached.", detail=repr(error)) from None
        _check(response)
        return Answer(response.status_code, text)

    async def _pinned(self, url: str, guard: Guard) -> tuple[str, str]:
        scheme, host, port = host_of(url)
        there = await guard.endpoint(host, port)
        if scheme == "http" and not there.private:
            raise Undeliverable("Outside of your own network it is sent by https only.", final=True)
        place = f"[{there.address}]" if ":" in there.address else there.address
        parts = urlsplit(url)
        pinned = urlunsplit((scheme, f"{place}:{port}", parts.path or "/", parts.query, ""))
        default = port == (443 if scheme == "https" else 80)
        return pinned, there.host if default else f"{there.host}:{port}"

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=self._timeout_s, follow_redirects=False, trust_env=False
            )
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


async def _bounded(response: httpx.Response) -> str:
    """The beginning of the answer, for the log of deliveries."""
    read = b""
    async for part in response.aiter_raw():
        read += part
        if len(read) >= ANSWER_MAX:
            break
    return read[:ANSWER_MAX].decode("utf-8", "replace")


def _check(response: httpx.Response) -> None:
    """Busy receivers say when they can be asked again."""
    if response.status_code in (429, 503):
        after = response.headers.get("retry-after", "")
        seconds = min(float(after), RETRY_AFTER_MAX_S) if after.isdecimal() else None
        raise Undeliverable(f"HTTP {response.status_code}", retry_after_s=seconds)
