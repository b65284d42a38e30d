"""HTTP to systems that tenants name: only where the guard lets us, no redirect, within bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec

from voltyard.clock import Clock
from voltyard.errors import Invalid
from voltyard.notifications.guard import Guard, host_of
from voltyard.notifications.ports import Undeliverable
from voltyard.telematics.ports import Unreadable

ANSWER_MAX = 16 * 1024 * 1024
AFTER_MAX_S = 6 * 3600.0
REFUSED = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is JSON that was read."""

    body: Any
    headers: Mapping[str, str]


class Fetcher:
    """Connects to the very address that the guard has let pass: a name cannot change meanwhile."""

    def __init__(self, clock: Clock, guard: Guard, timeout_s: float = 30.0) -> None:
        self._clock = clock
        self.guard = guard
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        params: Mapping[str, str],
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """Raises Unreadable for all but JSON with 200."""
        return await self._ask("GET", url, headers, params, auth, None)

    async def post(self, url: str, headers: Mapping[str, str], body: object) -> Answer:
        """Raises Unreadable for all but JSON with 200."""
        content = msgspec.json.encode(body)
        given = {"content-type": "application/json", **headers}
        return await self._ask("POST", url, given, {}, None, content)

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        params: Mapping[str, str],
        auth: tuple[str, str] | None,
        content: bytes | None,
    ) -> Answer:
        pinned, host = await self._pinned(url)
        sent = {"user-agent": "voltyard", "accept-encoding": "identity", **headers, "host": host}
        try:
            async with (
                self._clock.timeout(self._timeout_s),
                self._opened().stream(
                    method,
                    pinned,
                    headers=sent,
                    params=params or None,
                    auth=auth,
                    content=content,
                    extensions={"sni_hostname": host.partition(":")[0]},
                ) as response,
            ):
                _check(response)
                body = await _bounded(response)
        except TimeoutError:
            raise Unreadable(f"No answer within {self._timeout_s:g} s.") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise Unreadable("It cannot be reached.", detail=repr(error)) from None
        try:
            return Answer(msgspec.json.decode(body), dict(response.headers))
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Unreadable("The answer is no JSON.") from None

    async def _pinned(self, url: str) -> tuple[str, str]:
        try:
            scheme, host, port = host_of(url)
            there = await self.guard.endpoint(host, port)
        except Invalid as error:
            raise Unreadable(error.message, refused=True) from None
        except Undeliverable as error:
            raise Unreadable(error.message, refused=error.final, detail=error.detail) from None
        if scheme == "http" and not there.private:
            raise Unreadable("Outside of your own network it is asked by https only.", refused=True)
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


def _check(response: httpx.Response) -> None:
    status = response.status_code
    if status == 200:
        return
    if status in REFUSED:
        raise Unreadable(f"It does not let us in (HTTP {status}).", refused=True)
    after_s = waits_s(response.headers) if status in (429, 503) else None
    said = "It was asked too often (HTTP 429)." if status == 429 else f"It answered HTTP {status}."
    raise Unreadable(said, after_s=after_s)


def waits_s(headers: Mapping[str, str]) -> float | None:
    """How long it wants to be left alone: ``Retry-After``, or how rFMS and Geotab say it."""
    for name in ("retry-after", "x-rate-limit-reset"):
        text = headers.get(name, "").strip()
        try:
            seconds = float(text)
        except ValueError:
            continue
        if 0.0 <= seconds < 1e8:
            return min(seconds, AFTER_MAX_S)
    return None


async def _bounded(response: httpx.Response) -> bytes:
    """As it comes, never unpacked. Raises Unreadable past ``ANSWER_MAX`` bytes."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unreadable("The answer is packed, which was not asked for.")
    read = bytearray()
    async for part in response.aiter_raw():
        read += part
        if len(read) > ANSWER_MAX:
            raise Unreadable(f"The answer is longer than {ANSWER_MAX} bytes.")
    return bytes(read)
