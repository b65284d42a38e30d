"""The API as Litestar routes, ready to be mounted beside the console in one application."""

from collections.abc import Callable
from typing import Any

from litestar import Response, Router, route
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.exceptions.responses import create_exception_response
from litestar.types import ControllerRouterHandler

from voltyard.api import (
    alerts,
    approvals,
    asking,
    bookings,
    commanding,
    configuring,
    curves,
    diagnostics,
    duties,
    energy,
    firmware,
    fleet,
    log,
    monitoring,
    notifications,
    operations,
    operators,
    payments,
    people,
    pki,
    policies,
    preconditioning,
    prices,
    problems,
    reservations,
    security,
    sessions,
    signon,
    sitemeters,
    sites,
    stations,
    studies,
    tariffs,
    telematics,
    vdv463,
    why,
)
from voltyard.api.caller import caller
from voltyard.api.deps import AnyRequest, ApiDeps
from voltyard.api.docs import docs_routes
from voltyard.api.guard import refuse_odd
from voltyard.approvals.gate import Proposed
from voltyard.tenancy.model import Principal

ROUTERS: tuple[Router, ...] = (
    people.ROUTER,
    operators.ROUTER,
    signon.ROUTER,
    sites.ROUTER,
    stations.ROUTER,
    commanding.ROUTER,
    asking.ROUTER,
    configuring.ROUTER,
    monitoring.ROUTER,
    log.ROUTER,
    sessions.ROUTER,
    fleet.ROUTER,
    curves.ROUTER,
    duties.ROUTER,
    energy.ROUTER,
    why.ROUTER,
    sitemeters.ROUTER,
    prices.ROUTER,
    policies.ROUTER,
    alerts.ROUTER,
    approvals.ROUTER,
    notifications.ROUTER,
    firmware.ROUTER,
    diagnostics.ROUTER,
    pki.ROUTER,
    preconditioning.ROUTER,
    reservations.ROUTER,
    bookings.ROUTER,
    security.ROUTER,
    tariffs.ROUTER,
    payments.ROUTER,
    studies.ROUTER,
    vdv463.ROUTER,
    telematics.ROUTER,
)
BODY_MAX = 32 * 1024 * 1024


def make_api(deps: ApiDeps | Callable[[], ApiDeps]) -> list[ControllerRouterHandler]:
    """Everything under ``/api``, and ``/health/live``, ``/health/ready``, ``/metrics``.

    ``deps`` may also be asked for at each request.
    """
    current = deps if callable(deps) else lambda: deps
    machines = Router(
        path="/",
        route_handlers=[*operations.ROUTES, payments.pay, nothing_here],
        dependencies={"deps": _provided(current)},
        exception_handlers=problems.HANDLERS,
        include_in_schema=False,
    )
    return [api_router(current), machines, *docs_routes(lambda: api_router(current))]


def api_router(current: Callable[[], ApiDeps]) -> Router:
    """``/api/v1``."""

    async def provide_caller(request: AnyRequest) -> Principal:
        return await caller(request, current())

    async def before(request: AnyRequest) -> None:
        await refuse_odd(request)
        await approvals.hear_why(request)

    return Router(
        path="/api/v1",
        route_handlers=[*ROUTERS],
        dependencies={"deps": _provided(current), "who": Provide(provide_caller)},
        exception_handlers={**problems.HANDLERS, Proposed: approvals.on_proposed},
        before_request=before,
        response_headers={"cache-control": "no-store"},
        request_max_body_size=BODY_MAX,
    )


def _provided(current: Callable[[], ApiDeps]) -> Provide:
    def provide() -> ApiDeps:
        return current()

    return Provide(provide, sync_to_thread=False)


@route(
    ["/api", "/api/{rest:path}", "/api/v1/{rest:path}"],
    http_method=["GET", "POST", "PUT", "PATCH", "DELETE"],
    sync_to_thread=False,
)
def nothing_here(request: AnyRequest) -> Response[bytes]:
    """Unknown addresses under /api are told like every other error."""
    found = problems.problem(
        404, "not_found", "There is nothing at this address.", instance=request.url.path
    )
    return problems.answer(found)


def unrouted(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """For the application: addresses and methods nobody serves, told in the caller's way."""
    if request.url.path.startswith("/api"):
        return problems.on_http_error(request, error)
    return create_exception_response(request, error)
