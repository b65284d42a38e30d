"""Where other systems post observations: no API key, but a signature with the connection's secret.

Answers are 200 with what became of each item, or in order of what is looked at: 404, 413, 429, 401,
422. A body of an error is JSON with a reason.
"""

from collections.abc import Mapping

import msgspec
from litestar import Response, Router, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from voltyard.api.deps import AnyRequest
from voltyard.api.telematics import OutcomesOut, outcome_shown
from voltyard.errors import Invalid, NotFound, TooMany, Unauthenticated, VoltyardError
from voltyard.telematics.posting import PostDesk

BODY_MAX = 2 * 1024 * 1024
STATUS: Mapping[type[VoltyardError], int] = {
    NotFound: 404,
    TooMany: 429,
    Unauthenticated: 401,
    Invalid: 422,
}


def make_telematics_door(desk: PostDesk) -> ControllerRouterHandler:
    """``/telematics/in/{key}``: an address for each connection that posts."""

    @post("/telematics/in/{key:str}", status_code=200, name="telematics-in")
    async def message(request: AnyRequest, key: FromPath[str]) -> Response[bytes]:
        headers = {name.lower(): value for name, value in request.headers.items()}
        outcomes = await desk.receive(key, headers, await request.body())
        found = OutcomesOut(outcomes=[outcome_shown(one) for one in outcomes])
        return _told(200, msgspec.json.encode(found))

    return Router(
        path="/",
        route_handlers=[message],
        exception_handlers={VoltyardError: _on_error, HTTPException: _on_http_error},
        request_max_body_size=BODY_MAX,
        include_in_schema=False,
    )


def _on_error(request: AnyRequest, error: VoltyardError) -> Response[bytes]:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    fields = {name: why for name, why in error.fields.items() if name != "retry_after_s"}
    body = {"code": error.code, "message": error.message, "fields": fields}
    answer = _told(status, msgspec.json.encode(body))
    if status == 429:
        answer.headers["retry-after"] = error.fields.get("retry_after_s", "60")
    return answer


def _on_http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    codes = {405: "method_not_allowed", 413: "too_long"}
    code = codes.get(error.status_code, "malformed")
    body = {"code": code, "message": error.detail, "fields": {}}
    return _told(error.status_code, msgspec.json.encode(body))


def _told(status: int, body: bytes) -> Response[bytes]:
    headers = {"cache-control": "no-store"}
    return Response(body, status_code=status, media_type="application/json", headers=headers)
