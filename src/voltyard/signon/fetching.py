"""HTTP to identity providers: the guard's addresses only, no redirect, no proxy, bounded."""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx

from voltyard.clock import Clock
from voltyard.errors import Invalid
from voltyard.notifications.guard import Guard, host_of
from voltyard.notifications.ports import Undeliverable
from voltyard.signon.model import SignOnRefused, Why
from voltyard.signon.ports import Answer

ANSWER_MAX = 512 * 1024


class GuardedFetch:
    """Connects to the very address that the guard has let pass: a name cannot change meanwhile."""

    def __init__(self, clock: Clock, guard: Guard, *, timeout_s: float = 10.0) -> None:
        self._clock = clock
        self._guard = guard
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Raises SignOnRefused (unreachable) when there is no answer."""
        return await self._send("GET", url, b"", dict(headers or {}))

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Raises SignOnRefused (unreachable) when there is no answer."""
        sent = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return await self._send("POST", url, urlencode(form).encode(), sent)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _send(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        pinned, host = await self._pinned(url)
        sent = {
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "voltyard",
            "host": host,
            **headers,
        }
        extensions = {"sni_hostname": urlsplit(f"//{host}").hostname or host}
        try:
            async with (
                self._clock.timeout(self._timeout_s),
                self._opened().stream(
                    method, pinned, content=body or None, headers=sent, extensions=extensions
                ) as response,
            ):
                return Answer(response.status_code, await _bounded(response))
        except TimeoutError:
            raise SignOnRefused(Why.UNREACHABLE, f"{host}: no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise SignOnRefused(Why.UNREACHABLE, f"{host}: {error!r}"[:300]) from None

    async def _pinned(self, url: str) -> tuple[str, str]:
        """The address with the host looked up, and the host as it is asked for."""
        try:
            scheme, host, port = host_of(url)
            there = await self._guard.endpoint(host, port)
        except Invalid as error:
            raise SignOnRefused(Why.PROVIDER_ANSWER, error.message) from None
        except Undeliverable as error:
            raise SignOnRefused(Why.UNREACHABLE, f"{error.message} {error.detail}") from None
        if scheme == "http" and not there.private:
            raise SignOnRefused(Why.UNREACHABLE, "outside of your own network by https only")
        place = f"[{there.address}]" if ":" in there.address else there.address
        parts = urlsplit(url)
        name = f"[{there.host}]" if ":" in there.host else there.host
        default = port == (443 if scheme == "https" else 80)
        pinned = urlunsplit((scheme, f"{place}:{port}", parts.path or "/", parts.query, ""))
        return pinned, name if default else f"{name}:{port}"

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=self._timeout_s, follow_redirects=False, trust_env=False
            )
        return self._client


async def _bounded(response: httpx.Response) -> bytes:
    """Never unpacked. Raises SignOnRefused past the bound."""
    read = b""
    async for part in response.aiter_raw():
        read += part
        if len(read) > ANSWER_MAX:
            raise SignOnRefused(Why.PROVIDER_ANSWER, "its answer is too long")
    return read
