"""Where vehicles post their VDV 261 messages: no API key, but VIN and password by HTTP Basic.

Answers are 200 with a body, or in order of what is looked at: 404 and 405 (the router's), 415,
401, 429, 413, 400. A body of an error is JSON with a reason.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, Router, post
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler

from voltyard.api.caller import remote_of
from voltyard.api.deps import AnyRequest
from voltyard.errors import Invalid, TooMany, Unauthenticated, VoltyardError
from voltyard.preconditioning.vdv261.codec import BODY_MAX
from voltyard.preconditioning.vdv261.desk import Vdv261Desk

MEDIA_TYPE = "application/json; charset=US-ASCII"
CHARSETS = frozenset({"", "us-ascii", "ascii", "utf-8", "iso-8859-1"})
STATUS: Mapping[type[VoltyardError], int] = {Invalid: 400, Unauthenticated: 401, TooMany: 429}


def make_vehicle_door(desk: Vdv261Desk, paths: Mapping[int, str]) -> ControllerRouterHandler:
    """A route for each version, by its path. The body's size is bounded before it is read."""
    return Router(
        path="/",
        route_handlers=[_route(desk, version, path) for version, path in sorted(paths.items())],
        exception_handlers={VoltyardError: _on_error, HTTPException: _on_http_error},
        request_max_body_size=BODY_MAX,
        include_in_schema=False,
    )


def _route(desk: Vdv261Desk, version: int, path: str) -> ControllerRouterHandler:
    @post(path, status_code=200, name=f"vdv261-{version}")
    async def message(request: AnyRequest) -> Response[bytes]:
        _check_kind(request)
        user, password = _basic(request)
        answer = await desk.receive(
            version,
            user,
            password,
            await request.body(),
            remote=remote_of(request),
            user_agent=request.headers.get("user-agent", ""),
        )
        headers = {"cache-control": "no-store"}
        return Response(answer, media_type=MEDIA_TYPE, headers=headers)

    return message


def _check_kind(request: AnyRequest) -> None:
    kind, _, rest = request.headers.get("content-type", "").lower().partition(";")
    charset = rest.strip().removeprefix("charset=").strip('" ')
    if kind.strip() != "application/json" or charset not in CHARSETS:
        raise HTTPException("Send application/json; charset=US-ASCII.", status_code=415)


def _basic(request: AnyRequest) -> tuple[str, str]:
    """Raises Unauthenticated where there is none that can be read."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated("Send HTTP Basic with the VIN as user.", code="basic_needed")
    try:
        text = base64.b64decode(given.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthenticated("HTTP Basic cannot be read.", code="basic_needed") from error
    user, _, password = text.partition(":")
    return user, password


def _on_error(request: AnyRequest, error: VoltyardError) -> Response[bytes]:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    status = 404 if error.code == "version_unknown" else status
    headers = {"cache-control": "no-store"}
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="VDV 261"'
    if status == 429:
        headers["retry-after"] = error.fields.get("retry_after_s", "10")
    reasons = {name: why for name, why in error.fields.items() if name != "retry_after_s"}
    return _told(status, error.code, error.message, reasons, headers)


def _on_http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    codes = {405: "method_not_allowed", 413: "too_long", 415: "unsupported_media_type"}
    code = codes.get(error.status_code, "malformed")
    return _told(error.status_code, code, error.detail, {}, dict(error.headers or {}))


def _told(
    status: int, code: str, message: str, fields: Mapping[str, Any], headers: dict[str, str]
) -> Response[bytes]:
    body = msgspec.json.encode({"code": code, "message": message, "fields": dict(fields)})
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)
