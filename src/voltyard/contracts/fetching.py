"""HTTP outwards: only to where the configuration allows, within bounds of size and time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httpx

from voltyard.clock import Clock
from voltyard.contracts.model import Unobtainable
from voltyard.errors import Invalid

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """Scheme, host and port, and the path that everything allowed there begins with."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where may be asked: an address that a charger names goes nowhere else.

    A path covers what lies below it; ``https://ocsp.example/a`` does not cover ``/ab``.
    """

    places: tuple[Place, ...] = ()

    def permits(self, url: str) -> bool:
        try:
            asked = place_of(url)
        except Invalid:
            return False
        return any(
            (asked.scheme, asked.host, asked.port) == (place.scheme, place.host, place.port)
            and _below(asked.path, place.path)
            for place in self.places
        )


def read_allowed(text: str) -> Allowed:
    """Addresses separated by commas or spaces; raises Invalid."""
    return Allowed(tuple(place_of(word) for word in text.replace(",", " ").split()))


def place_of(url: str) -> Place:
    """Raises Invalid for what is no plain address by http or https."""
    try:
        parts: SplitResult = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise Invalid("this is no address", code="url", detail=str(error)) from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Invalid("an address begins with http:// or https:// and a host", code="url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid("an address names no user and no fragment", code="url")
    path = parts.path or "/"
    if ".." in path or "\\" in url or "%" in path or any(ord(c) <= 32 for c in url):
        raise Invalid("an address is written plainly", code="url")
    host = parts.hostname.rstrip(".").lower()
    return Place(parts.scheme, host, port or _PORTS[parts.scheme], path)


def _below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class Received:
    """``secure``: TLS has proven who answered."""

    status: int
    body: bytes
    secure: bool


class Fetcher:
    """One request each; no redirect is followed, no proxy or password of the system is used."""

    def __init__(self, clock: Clock, *, timeout_s: float) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None

    async def get(self, url: str, *, size_max: int) -> Received:
        """Raises Unobtainable for all but 200."""
        return _success(await self._send("GET", url, b"", {}, size_max))

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, size_max: int
    ) -> Received:
        """Raises Unobtainable for all but 200."""
        return _success(await self._send("POST", url, body, headers, size_max))

    async def exchange(
        self, url: str, body: bytes, headers: Mapping[str, str], *, size_max: int
    ) -> Received:
        """POST, whatever the answer's status. Raises Unobtainable when there is none."""
        return await self._send("POST", url, body, headers, size_max)

    async def _send(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], size_max: int
    ) -> Received:
        client = self._client
        if client is None:
            client = self._client = httpx.AsyncClient(
                timeout=self._timeout_s, follow_redirects=False, trust_env=False
            )
        plain = {"accept-encoding": "identity", "user-agent": "voltyard", **headers}
        try:
            async with (
                self._clock.timeout(self._timeout_s),
                client.stream(method, url, content=body or None, headers=plain) as response,
            ):
                read = await _bounded(response, size_max)
        except TimeoutError:
            raise Unobtainable(f"no answer within {self._timeout_s:g} s", detail=url) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise Unobtainable("it cannot be reached", detail=f"{url}: {error!r}") from None
        return Received(response.status_code, read, url.startswith("https:"))

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


async def _bounded(response: httpx.Response, size_max: int) -> bytes:
    """As it comes, never unpacked. Raises Unobtainable past ``size_max`` bytes."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unobtainable("the answer is packed, which was not asked for")
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > size_max:
            raise Unobtainable(f"the answer is longer than {size_max} bytes")
        parts.append(part)
    return b"".join(parts)


def _success(received: Received) -> Received:
    if received.status != 200:
        raise Unobtainable(f"the answer is HTTP {received.status}")
    return received


def first_allowed(allowed: Allowed, urls: Sequence[str]) -> str:
    """Raises Unobtainable if none is."""
    found = next((url for url in urls if allowed.permits(url)), None)
    if found is None:
        raise Unobtainable("nobody may be asked there", detail=", ".join(urls)[:200])
    return found
