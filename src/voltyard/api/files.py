"""What chargers fetch and bring: firmware out, logs in. The key in the address is all they need.

Chargers differ: some PUT, some POST the bytes, some POST a form; some add the file name to the
address, some do not; some read the key as a path, some send it as a password. All are served.
OCPP leaves these forms open (1.6 §4.4, §4.5; 2.0.1 L01, N01).
"""

import base64
import binascii
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote

from litestar import Request, asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

from voltyard.api.deps import AnyRequest
from voltyard.diagnostics.model import LogRequest
from voltyard.diagnostics.service import DiagnosticsService
from voltyard.errors import Invalid, NotFound, TooMany, VoltyardError
from voltyard.firmware.service import FirmwareService, Offered

log = logging.getLogger(__name__)

PATH = "/files"
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
BOUNDARY = re.compile(r'boundary="?([^";]{1,200})"?', re.IGNORECASE)
FORM_PARTS_MAX = 40


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; ``body`` is streamed."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    body: AsyncIterator[bytes] | None = None


def make_files(firmware: FirmwareService, diagnostics: DiagnosticsService) -> ASGIRouteHandler:
    """``/files/firmware/<key>/<name>`` and ``/files/logs/<key>/<name>``."""

    @asgi(PATH, is_mount=True, copy_scope=False)
    async def files(scope: Scope, receive: Receive, send: Send) -> None:
        request: AnyRequest = Request(scope, receive, send)
        try:
            answer = await _answer(request, firmware, diagnostics)
        except VoltyardError as error:
            answer = Answer(_status(error), text=error.message)
        await _send(answer, request.method == "HEAD", send)

    return files


async def _answer(
    request: AnyRequest, firmware: FirmwareService, diagnostics: DiagnosticsService
) -> Answer:
    room, key, name = _address(request)
    if room == "firmware":
        if request.method not in ("GET", "HEAD"):
            return Answer(405, (("allow", "GET, HEAD"),))
        offered = await firmware.offered(key)
        if offered is None:
            raise NotFound("There is nothing at this address any more.")
        return _ranged(request, firmware, offered)
    if room == "logs":
        if request.method not in ("PUT", "POST"):
            return Answer(405, (("allow", "PUT, POST"),))
        wanted = await diagnostics.taking(key)
        if wanted is None:
            raise NotFound("Nothing is taken at this address any more.")
        return await _take(request, diagnostics, wanted, name)
    raise NotFound("There is nothing at this address.")


def _address(request: AnyRequest) -> tuple[str, str, str]:
    """(room, key, file name). A key sent as HTTP Basic password leaves more of the path a name."""
    path = str(request.scope["path"]).removeprefix(PATH)
    parts = [unquote(part) for part in path.split("/") if part]
    room, rest = (parts[0], parts[1:]) if parts else ("", [])
    password = _password(request.headers.get("authorization", ""))
    if password:
        return room, password, rest[-1] if rest else ""
    return room, rest[0] if rest else "", rest[-1] if len(rest) > 1 else ""


def _password(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text.partition(":")[2]


# Firmware out


def _ranged(request: AnyRequest, firmware: FirmwareService, offered: Offered) -> Answer:
    """Whole, or one range of it (RFC 9110 §14); chargers go on where a download broke off."""
    size, tag = offered.size_bytes, f'"{offered.sha256}"'
    first, last, status = 0, size - 1, 200
    asked = request.headers.get("range", "")
    same = request.headers.get("if-range", tag) == tag
    if asked and same and (found := RANGE.fullmatch(asked.strip())):
        bounds = _bounds(found[1], found[2], size)
        if bounds is None:
            return Answer(416, (("content-range", f"bytes */{size}"),))
        first, last, status = *bounds, 206
    length = last - first + 1
    headers = [
        ("content-type", "application/octet-stream"),
        ("content-length", str(length)),
        ("accept-ranges", "bytes"),
        ("etag", tag),
        ("content-disposition", f'attachment; filename="{offered.image.file_name}"'),
        ("cache-control", "private, no-store"),
        ("x-content-type-options", "nosniff"),
    ]
    if status == 206:
        headers.append(("content-range", f"bytes {first}-{last}/{size}"))
    body = firmware.blobs.read(offered.sha256, first, length)
    return Answer(status, tuple(headers), body=firmware.counted(offered, first, body))


def _bounds(first: str, last: str, size: int) -> tuple[int, int] | None:
    if not first:
        wanted = int(last or 0)
        return None if wanted == 0 else (max(0, size - wanted), size - 1)
    begin = int(first)
    end = min(int(last), size - 1) if last else size - 1
    return None if begin >= size or end < begin else (begin, end)


# Logs in


async def _take(
    request: AnyRequest, diagnostics: DiagnosticsService, wanted: LogRequest, name: str
) -> Answer:
    remote = request.client.host if request.client else ""
    kind = request.headers.get("content-type", "")
    if kind.lower().startswith("multipart/"):
        boundary = BOUNDARY.search(kind)
        if boundary is None:
            raise Invalid("The form has no boundary.")
        taken = 0
        async for told, content in form_files(_chunks(request), boundary[1].encode()):
            await diagnostics.take(wanted, told or name, content, remote=remote)
            taken += 1
        if not taken:
            raise Invalid("The form holds no file.")
        return Answer(200)
    await diagnostics.take(wanted, name, _chunks(request), remote=remote)
    return Answer(200)


async def _chunks(request: AnyRequest) -> AsyncIterator[bytes]:
    """The body as it comes; a charger that goes away in the middle has brought nothing."""
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise Invalid("The upload broke off.", code="broke_off")
        if chunk := message.get("body", b""):
            yield chunk
        if not message.get("more_body", False):
            return


async def form_files(
    chunks: AsyncIterator[bytes], boundary: bytes
) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """(name, content) of each file of a form, one after the other; fields are passed over.

    A part without a file name that is named like one (``file``, ``log``) is one, too: some
    chargers leave it out. Raises Invalid for what is no form.
    """
    pieces = _pieces(chunks, boundary)
    async for piece in pieces:
        if isinstance(piece, MultipartSegment) and _is_file(piece):
            yield piece.filename or "", _content(pieces)


def _is_file(segment: MultipartSegment) -> bool:
    return segment.filename is not None or segment.name in {"file", "log", "upload", "data"}


async def _content(pieces: AsyncIterator[object]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if not isinstance(piece, bytes | bytearray):
            return
        yield bytes(piece)


async def _pieces(chunks: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[object]:
    """Segments, their bytes, and None after each."""
    try:
        with PushMultipartParser(boundary, max_segment_count=FORM_PARTS_MAX) as parser:
            async for chunk in chunks:
                for piece in parser.parse(chunk):
                    yield piece
            for piece in parser.parse(b"") if not parser.closed else ():
                yield piece
    except MultipartError as error:
        raise Invalid("This is no form.", detail=str(error)) from error


# HTTP


def _status(error: VoltyardError) -> int:
    if error.code == "file_too_large":
        return 413
    if isinstance(error, TooMany):
        return 507
    return 404 if isinstance(error, NotFound) else 400


async def _send(answer: Answer, head: bool, send: Send) -> None:
    headers = list(answer.headers)
    text = answer.text.encode()
    if answer.body is None:
        headers += [("content-length", str(len(text))), ("content-type", "text/plain")]
    raw = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    if answer.body is not None and not head:
        async for chunk in answer.body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send(
        {
            "type": "http.response.body",
            "body": b"" if head or answer.body is not None else text,
            "more_body": False,
        }
    )
