"""Signing in by the organisation's identity provider, and out there."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.signon.journey import TIME_FOR_IT, Return
from voltyard.signon.model import Offer, SignOnRefused, Why
from voltyard.signon.signing import SignIn
from voltyard.web.auth import SESSION_COOKIE, VISITOR_COOKIE, same_origin
from voltyard.web.console import signon_words
from voltyard.web.ui import Lobby, local_path

ORG_COOKIE = "voltyard_org"
JOURNEY_COOKIE = "voltyard_sign_on"
JOURNEY_PATH = "/login/sso"
STATUS = {
    Why.UNREACHABLE: 502,
    Why.PROVIDER_ANSWER: 502,
    Why.PROVIDER_ERROR: 502,
    Why.EXPIRED: 400,
    Why.REPLAYED: 400,
    Why.SWITCHED_OFF: 404,
    Why.BUSY: 429,
}


async def offer_of(lobby: Lobby, slug: str | None) -> tuple[str, Offer | None]:
    """The organisation that was named, here or by this browser before, and what it offers."""
    if lobby.deps.sign_on is None:
        return "", None
    named = (lobby.request.cookies.get(ORG_COOKIE, "") if slug is None else slug.strip())[:100]
    return named, await lobby.deps.sign_on.door.offer(named.lower())


def start_of(offer: Offer | None, back: str) -> str:
    """Where the way to the provider begins."""
    if offer is None:
        return ""
    return f"{JOURNEY_PATH}/{offer.slug}" + ("" if back == "/" else f"?{urlencode({'next': back})}")


def door_of(lobby: Lobby) -> SignIn:
    if lobby.deps.sign_on is None:
        raise SignOnRefused(Why.SWITCHED_OFF)
    return lobby.deps.sign_on.door


@get("/login/sso/{slug:str}")
async def start(lobby: NamedDependency[Lobby], slug: FromPath[str]) -> Response[Any]:
    """Off to the provider. Another site's link leads to the sign-in page only."""
    back = local_path(lobby.request.query_params.get("next"))
    if not same_origin(lobby.request):
        return lobby.go("/login", org=slug, next=None if back == "/" else back)
    try:
        departure = await door_of(lobby).start(slug, back)
    except SignOnRefused as refused:
        return refusal(lobby, slug, refused)
    response = lobby.go(departure.url)
    _carry(lobby, response, departure.carried)
    lobby.set_cookie(response, ORG_COOKIE, slug)
    return response


@get("/login/sso/{slug:str}/callback")
async def callback(lobby: NamedDependency[Lobby], slug: FromPath[str]) -> Response[Any]:
    request = lobby.request
    given = {name: request.query_params.get(name, "") for name in Return.__dataclass_fields__}
    try:
        logged_in, back = await door_of(lobby).finish(
            slug,
            Return(**given),
            request.cookies.get(JOURNEY_COOKIE, ""),
            remote=request.client.host if request.client else "",
            user_agent=request.headers.get("user-agent", ""),
        )
    except SignOnRefused as refused:
        return refusal(lobby, slug, refused)
    response = lobby.go(local_path(back))
    lobby.set_cookie(response, SESSION_COOKIE, logged_in.token, None)
    response.delete_cookie(VISITOR_COOKIE, path="/")
    response.delete_cookie(JOURNEY_COOKIE, path=JOURNEY_PATH)
    return response


def refusal(lobby: Lobby, slug: str, refused: SignOnRefused) -> Response[Any]:
    """Why somebody was not signed in, in words, and what they can do."""
    response = lobby.page(
        "sign_on_refused.html",
        status=STATUS.get(refused.why, 403),
        slug=slug,
        reason=signon_words.WHY[refused.why],
        again=refused.why is not Why.SWITCHED_OFF,
    )
    response.delete_cookie(JOURNEY_COOKIE, path=JOURNEY_PATH)
    return response


async def sign_out(lobby: Lobby, token: str) -> str | None:
    """End the log-in here; where it can be ended at the provider, if that has let it in."""
    door = None if lobby.deps.sign_on is None else lobby.deps.sign_on.door
    origin = None if door is None else await door.origin(token)
    await lobby.deps.authenticator.log_out(token)
    if door is None or origin is None:
        return None
    return await door.farewell(*origin)


def _carry(lobby: Lobby, response: Response[Any], carried: str) -> None:
    response.set_cookie(
        key=JOURNEY_COOKIE,
        value=carried,
        max_age=int(TIME_FOR_IT.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=lobby.deps.secure_cookies,
        path=JOURNEY_PATH,
    )


ROUTES = [start, callback]
