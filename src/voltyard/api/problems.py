"""Errors as RFC 9457 problem details, with stable codes and one entry per wrong field."""

import logging
import re
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap

from voltyard.api.deps import AnyRequest
from voltyard.errors import (
    ChargerOffline,
    ChargerRefused,
    ChargerTimeout,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    VoltyardError,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[VoltyardError], int] = {
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    Forbidden: 403,
    Unauthenticated: 401,
    TooMany: 429,
    ChargerOffline: 409,
    ChargerRefused: 409,
    ChargerTimeout: 504,
}
_PARAMETERS = {"only_state": "state", "states": "state", "open_only": "open"}
"""What parameters are called outside, where the name inside is another."""
_NAMED = re.compile(r"(?:unknown|required) field `([^`]+)`")
_HTTP_CODES = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many",
}


class FieldError(msgspec.Struct, kw_only=True):
    """One wrong field of the request."""

    field: str
    """Its path, such as ``duties[3].departure_at``."""
    reason: str


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What went wrong (RFC 9457)."""

    type: str
    """Stable address of this kind of problem; ends in ``code``."""
    title: str
    status: int
    code: str
    """Stable word for programs."""
    detail: str = ""
    """For people."""
    errors: list[FieldError] = msgspec.field(default_factory=list)
    """Each wrong field with its reason."""
    instance: str = ""


def problem(status: int, code: str, detail: str, **more: Any) -> Problem:
    return Problem(
        type=f"/api/problems/{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        **more,
    )


def answer(found: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(
        msgspec.json.encode(found),
        status_code=found.status,
        media_type=MEDIA_TYPE,
        headers=headers or {},
    )


def on_error(request: AnyRequest, error: VoltyardError) -> Response[bytes]:
    """An expected failure of the domain."""
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    if status == 500:
        log.error("%s %s: %s: %s", request.method, request.url.path, error.message, error.detail)
    headers: dict[str, str] = {}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="voltyard"'
    if status == 429 and error.fields.get("retry_after_s", "").isdigit():
        headers["retry-after"] = error.fields["retry_after_s"]
    errors = [FieldError(field=name, reason=why) for name, why in error.fields.items()]
    path = request.url.path
    return answer(problem(status, error.code, error.message, errors=errors, instance=path), headers)


def on_http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """What the framework refused: bodies and parameters of the wrong shape, unknown paths."""
    path = request.url.path
    if isinstance(error, ValidationException):
        extra = error.extra if isinstance(error.extra, list) else []
        errors = [_field_error(entry) for entry in extra if isinstance(entry, dict)]
        said = "The request has values that are not allowed."
        return answer(problem(422, "invalid", said, errors=errors, instance=path))
    code = _HTTP_CODES.get(error.status_code, "error")
    return answer(
        problem(error.status_code, code, error.detail, instance=path),
        dict(error.headers or {}),
    )


def _field_error(entry: dict[str, Any]) -> FieldError:
    key, reason = str(entry.get("key", "")), str(entry.get("message", ""))
    named = _NAMED.search(reason)
    if key in ("", "data") and named is not None:
        key = named[1]
    if reason == "'data'":
        return FieldError(field="body", reason="a JSON object is needed")
    if key == "data":
        key = "body"
    return FieldError(field=_PARAMETERS.get(key, key), reason=reason)


def on_unexpected(request: AnyRequest, error: Exception) -> Response[bytes]:
    """A defect: logged with its trace, told without it; or bytes and numbers out of bounds."""
    path = request.url.path
    if isinstance(error, UnicodeDecodeError):
        return answer(problem(400, "malformed", "The body is not UTF-8.", instance=path))
    if _overflows(error):
        said = "A number or an instant is beyond what can be kept."
        return answer(problem(422, "out_of_range", said, instance=path))
    log.error("%s %s failed", request.method, path, exc_info=error)
    said = "Something went wrong on our side. It has been logged."
    return answer(problem(500, "internal", said, instance=path))


def _overflows(error: BaseException | None) -> bool:
    """Whether it goes back to a value that does not fit the calendar or 64 bits."""
    while error is not None and not isinstance(error, OverflowError):
        error = error.__cause__ or error.__context__
    return error is not None


HANDLERS: ExceptionHandlersMap = {
    VoltyardError: on_error,
    HTTPException: on_http_error,
    Exception: on_unexpected,
}
