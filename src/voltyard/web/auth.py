"""Who is looking: session cookie to principal, and proof that a form was ours."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection

from voltyard.errors import Forbidden
from voltyard.tenancy.model import Permission, Principal

SESSION_COOKIE = "voltyard_session"
VISITOR_COOKIE = "voltyard_visitor"
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class SetupForm:
    """The first administrator and the organisation to create."""

    organisation: str
    name: str
    email: str
    password: str
    timezone: str = "Europe/Berlin"
    locale: str = "en"


class Authenticator(Protocol):
    """Turns cookies into people. Implemented over the tenancy room."""

    async def principal(self, session_token: str) -> Principal | None:
        """The person of a session cookie; None when it is unknown or has ended."""

    async def still(self, session_token: str) -> Principal | None:
        """The same, asked for a page that stays open: nobody is kept signed in by that."""

    async def log_in(self, email: str, password: str, remote: str, user_agent: str = "") -> str:
        """A new session token; Unauthenticated on wrong credentials (code ``sign_on_only``: they
        are right, and passwords do not count), TooMany when hammered."""

    async def log_out(self, session_token: str) -> None: ...

    async def setup_open(self, link_token: str) -> bool:
        """Whether the one-time set-up link is still good."""

    async def set_up(self, link_token: str, form: SetupForm) -> str:
        """Create organisation and administrator, use up the link; returns a session token."""


class FormGuard:
    """Proof of origin for every change: same-origin headers, and a token bound to the cookie.

    The token is an HMAC of the session (or, before log-in, visitor) cookie, so a page that
    cannot read our pages cannot make one.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the form secret needs at least 16 bytes")
        self._secret = secret

    def token(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str:
        return self.sign(binding(connection))

    def sign(self, bound_to: str) -> str:
        return hmac.new(self._secret, bound_to.encode(), hashlib.sha256).hexdigest()

    async def check(self, request: Request[Any, Any, Any]) -> None:
        """Raise Forbidden unless the request came from one of our own pages."""
        if request.method in SAFE_METHODS:
            return
        if not same_origin(request):
            raise Forbidden("This request came from another site.", code="foreign_origin")
        given = request.headers.get(CSRF_HEADER) or (await request.form()).get(CSRF_FIELD)
        bound_to = binding(request)
        good = isinstance(given, str) and hmac.compare_digest(given, self.sign(bound_to))
        if not bound_to or not good:
            raise Forbidden("The page was too old. Please try again.", code="stale_form")


def binding(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The cookie value that this browser's forms are bound to."""
    cookies = connection.cookies
    return cookies.get(SESSION_COOKIE) or cookies.get(VISITOR_COOKIE) or ""


def same_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the browser says that one of our own pages asks (unknown counts as ours)."""
    fetch_site = connection.headers.get("sec-fetch-site")
    if fetch_site is not None and fetch_site not in {"same-origin", "none"}:
        return False
    origin = connection.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == connection.headers.get("host", "")


def new_visitor() -> str:
    return secrets.token_urlsafe(24)


def require(who: Principal, permission: Permission) -> None:
    """Forbidden, in words, when the principal may not."""
    if not who.may(permission):
        raise Forbidden("Your role does not allow this.", detail=f"needs {permission.value}")
