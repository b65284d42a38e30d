"""The console as Litestar routes, ready to be mounted beside the REST API in one application."""

import logging
from dataclasses import replace
from functools import partial
from typing import Any

from litestar import Request, Response, Router, WebSocket, websocket
from litestar.config.compression import CompressionConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware.compression import CompressionMiddleware
from litestar.types import ControllerRouterHandler

from voltyard.approvals.gate import Proposed
from voltyard.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    VoltyardError,
)
from voltyard.web import assets
from voltyard.web.auth import SESSION_COOKIE, FormGuard, same_origin
from voltyard.web.console import (
    account,
    alerts,
    approvals,
    authority,
    bayplan,
    board,
    bookings,
    duties,
    firmware,
    fleet,
    fleetwide,
    locallists,
    logins,
    logs,
    notification_log,
    notifications,
    people,
    policies,
    preconditioning,
    reservations,
    rights,
    security,
    security_station,
    sessions,
    signin,
    signon,
    siteinputs,
    sites,
    stations,
    studies,
    tariffs,
    technician,
    telematics,
    tenants,
    timetable,
    tokens,
    vdv261,
    vdv463,
    why,
)
from voltyard.web.console.topics import TopicReader
from voltyard.web.i18n import choose_locale
from voltyard.web.live import LIVE_REFUSED, LiveHub
from voltyard.web.ui import LOCALE_COOKIE, Deps, Lobby, Ui, make_lobby, make_ui

LOBBY_ROUTES = [*account.ROUTES, *signin.ROUTES]
STAFF_ROUTES = [
    *board.ROUTES,
    *timetable.ROUTES,
    *why.ROUTES,
    *sessions.ROUTES,
    *tariffs.ROUTES,
    *studies.ROUTES,
    *stations.ROUTES,
    *duties.ROUTES,
    *fleet.ROUTES,
    *tokens.ROUTES,
    *rights.ROUTES,
    *locallists.ROUTES,
    *reservations.ROUTES,
    *preconditioning.ROUTES,
    *vdv261.ROUTES,
    *bookings.ROUTES,
    *bayplan.ROUTES,
    *alerts.ROUTES,
    *approvals.ROUTES,
    *notifications.ROUTES,
    *notification_log.ROUTES,
    *vdv463.ROUTES,
    *telematics.ROUTES,
    *sites.ROUTES,
    *siteinputs.ROUTES,
    *policies.ROUTES,
    *firmware.ROUTES,
    *logs.ROUTES,
    *technician.ROUTES,
    *fleetwide.ROUTES,
    *security.ROUTES,
    *security_station.ROUTES,
    *authority.ROUTES,
    *people.ROUTES,
    *signon.ROUTES,
    *logins.ROUTES,
    *tenants.ROUTES,
]
STATUS = {
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    Forbidden: 403,
    Unauthenticated: 401,
    TooMany: 429,
}
log = logging.getLogger(__name__)

UI_STATE = "voltyard_ui"

AnyRequest = Request[Any, Any, Any]


def make_router(deps: Deps, hub: LiveHub | None = None) -> list[ControllerRouterHandler]:
    """All routes of the console. Close ``hub`` at shutdown if you give one."""
    guard = FormGuard(deps.secret)
    live = hub or LiveHub(TopicReader(deps.data))

    async def provide_lobby(request: AnyRequest) -> Lobby:
        return make_lobby(request, deps, guard)

    async def provide_ui(request: AnyRequest) -> Ui:
        ui = await make_ui(request, deps, guard)
        request.scope["state"][UI_STATE] = ui
        return ui

    def on_error(request: AnyRequest, error: VoltyardError) -> Response[Any]:
        return error_page(request, deps, guard, error)

    @websocket("/live")
    async def live_socket(socket: WebSocket[Any, Any, Any]) -> None:
        token = socket.cookies.get(SESSION_COOKIE, "")
        who = await deps.authenticator.principal(token)
        await socket.accept()
        if who is None or not same_origin(socket):
            await socket.close(code=LIVE_REFUSED, reason="sign in")
            return
        wishes = [socket.cookies.get(LOCALE_COOKIE), who.locale]
        still = partial(deps.authenticator.still, token)
        await live.serve(socket, replace(who, locale=choose_locale(wishes)), still)

    pages = Router(
        path="/",
        route_handlers=[*LOBBY_ROUTES, *STAFF_ROUTES],
        dependencies={"lobby": Provide(provide_lobby), "ui": Provide(provide_ui)},
        before_request=guard.check,
        exception_handlers={
            VoltyardError: on_error,
            Proposed: approvals.on_proposed,
            HTTPException: _on_http_error(deps, guard),
            Exception: _on_bug(deps, guard),
        },
        include_in_schema=False,
        middleware=[_gzip],
    )
    return [pages, assets.serve_asset, live_socket]


def _gzip(app: Any) -> Any:
    config = CompressionConfig(backend="gzip", minimum_size=1_000, gzip_compress_level=5)
    return CompressionMiddleware(app, config)


def _on_http_error(deps: Deps, guard: FormGuard) -> Any:
    """Bad addresses and over-long bodies, told by a page like any other failure."""

    def handle(request: AnyRequest, error: HTTPException) -> Response[Any]:
        kind = {404: NotFound, 405: NotFound, 413: Invalid, 403: Forbidden}
        told = kind.get(error.status_code, Invalid)("This could not be understood.")
        return error_page(request, deps, guard, told)

    return handle


def _on_bug(deps: Deps, guard: FormGuard) -> Any:
    """What nobody foresaw: logged with its address, told by a page."""

    def handle(request: AnyRequest, error: Exception) -> Response[Any]:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        told = VoltyardError("Something went wrong on our side. It has been logged.")
        return error_page(request, deps, guard, told)

    return handle


def error_page(
    request: AnyRequest, deps: Deps, guard: FormGuard, error: VoltyardError
) -> Response[Any]:
    """What went wrong, in a page of the console; the log-in page when nobody is signed in."""
    lobby = make_lobby(request, deps, guard)
    if isinstance(error, Unauthenticated):
        if request.headers.get("hx-request"):
            return Response("", status_code=204, headers={"hx-redirect": "/login"})
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return lobby.go("/login", next=None if back == "/" else back)
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    page: Lobby = request.scope["state"].get(UI_STATE) or lobby
    return page.page(
        "error.html", status=status, error=error, status_code=status, message=error.message
    )
