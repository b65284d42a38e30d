"""How a simulated charger fetches and brings files: by real HTTP, or, in virtual time, in its mind.

``HttpCourier`` knows nothing of voltyard: it does what chargers on the market do with an address.
"""

import asyncio
import base64
import uuid
from collections.abc import Mapping
from enum import StrEnum
from http.client import HTTPException
from typing import Protocol
from urllib.error import URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import ProxyHandler, Request, build_opener

from voltyard.clock import Clock
from voltyard.errors import VoltyardError

TIMEOUT_S = 30.0
READ_BYTES = 1 << 16


class CourierFailed(VoltyardError):
    """The file could not be fetched or brought."""

    code = "courier_failed"


class Upload(StrEnum):
    """How chargers of different makes bring a file to an HTTP address."""

    PUT_WITH_NAME = "put_with_name"
    """PUT, the file name added to the address."""
    PUT = "put"
    POST = "post"
    POST_FORM = "post_form"
    """POST of a form with the file in it (multipart)."""


class Courier(Protocol):
    async def fetch(self, url: str) -> bytes:
        """Raises CourierFailed."""

    async def bring(self, url: str, name: str, content: bytes, how: Upload) -> None:
        """Raises CourierFailed."""


class PretendCourier:
    """Takes a while and succeeds; nothing is sent. For virtual time, which has no sockets."""

    def __init__(self, clock: Clock, seconds: float = 60.0) -> None:
        self._clock = clock
        self._seconds = seconds

    async def fetch(self, url: str) -> bytes:
        await self._clock.sleep(self._seconds)
        return b""

    async def bring(self, url: str, name: str, content: bytes, how: Upload) -> None:
        await self._clock.sleep(self._seconds)


class HttpCourier:
    """urllib in a thread; user and password in an address become HTTP Basic."""

    def __init__(self) -> None:
        self._opener = build_opener(ProxyHandler({}))

    async def fetch(self, url: str) -> bytes:
        return await asyncio.to_thread(self._exchange, "GET", url, None, {})

    async def bring(self, url: str, name: str, content: bytes, how: Upload) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        method = "PUT" if how in (Upload.PUT, Upload.PUT_WITH_NAME) else "POST"
        if how is Upload.PUT_WITH_NAME:
            url = f"{url.rstrip('/')}/{name}"
        elif how is Upload.POST_FORM:
            boundary = uuid.uuid5(uuid.NAMESPACE_URL, url).hex
            headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
            content = _form(boundary, name, content)
        await asyncio.to_thread(self._exchange, method, url, content, headers)

    def _exchange(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        plain, login = _without_login(url)
        request = Request(plain, data=content, method=method, headers={**headers, **login})
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                parts = []
                while part := answer.read(READ_BYTES):
                    parts.append(part)
                return b"".join(parts)
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise CourierFailed(f"{method} failed", detail=str(error)) from error


def _without_login(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    if not parts.username:
        return url, {}
    host = parts.netloc.rpartition("@")[2]
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    value = "Basic " + base64.b64encode(login.encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": value}


def _form(boundary: str, name: str, content: bytes) -> bytes:
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
