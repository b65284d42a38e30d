"""What a page handler works with: who is looking, their words, and how to answer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from litestar import MediaType, Request, Response
from litestar.response import Redirect
from markupsafe import Markup

from voltyard.access.service import AccessService
from voltyard.approvals.service import ApprovalService
from voltyard.billing.service import BillingService
from voltyard.diagnostics.service import DiagnosticsService
from voltyard.energy.enquiring import ExplainDesk
from voltyard.errors import NotFound, Unauthenticated
from voltyard.firmware.service import FirmwareService
from voltyard.pki.service import PkiService
from voltyard.preconditioning.service import PreconditioningService
from voltyard.signon.service import SignOnService
from voltyard.study.service import StudyService
from voltyard.telematics.parts import Telematics
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.operators import OperatorService
from voltyard.tenancy.presence import Presence
from voltyard.timetable.vdv463.service import PresystemService
from voltyard.web.assets import SECURE_HEADERS, asset
from voltyard.web.auth import (
    SESSION_COOKIE,
    VISITOR_COOKIE,
    Authenticator,
    FormGuard,
    new_visitor,
    require,
)
from voltyard.web.console.data import ConsoleData
from voltyard.web.console.rooms import (
    AccessRooms,
    BookingRooms,
    InputRooms,
    TechnicianRooms,
    TellingRooms,
)
from voltyard.web.console.views import Choice, SiteView
from voltyard.web.console.words import Words
from voltyard.web.i18n import LOCALES, Formats, ago, choose_locale, translations

LOCALE_COOKIE = "voltyard_locale"
THEME_COOKIE = "voltyard_theme"
SITE_COOKIE = "voltyard_site"
THEMES = ("auto", "light", "dark")
YEAR_S = 365 * 86_400
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; manifest-src 'self'"
)
PAGE_HEADERS = {
    **SECURE_HEADERS,
    "content-security-policy": CSP,
    "cache-control": "no-store",
    "vary": "HX-Request, Cookie",
}

UTC = ZoneInfo("UTC")

AnyRequest = Request[Any, Any, Any]


@lru_cache(maxsize=4)
def environment(locale: str) -> Environment:
    """The templates with the words of one locale."""
    env = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        auto_reload=False,
    )
    words = translations(locale)
    env.install_gettext_callables(  # type: ignore[attr-defined]
        words.gettext, words.ngettext, newstyle=True, pgettext=words.pgettext
    )
    env.globals["gettext"] = _said(words.gettext, env.globals["gettext"])
    env.globals["asset"] = asset
    env.filters["pairs"] = _pairs
    env.filters["map_words"] = _map_words
    env.filters["facts"] = _facts
    env.filters["worded"] = _worded
    env.filters["site_pairs"] = _site_pairs
    return env


_MARKUP = frozenset('<>&"')


def _said(translate: Callable[[str], str], formatted: Any) -> Any:
    """``_`` of templates. What names no values is not formatted, and may be anybody's words (an
    error, a charger's answer): it has percent signs as it likes, and is escaped like other text."""

    @pass_context
    def gettext(context: Context, text: str, **values: object) -> str:
        if values:
            return cast(str, formatted(context, text, **values))
        plain = translate(text).replace("%%", "%")
        return plain if _MARKUP & set(plain) else Markup(plain)

    return gettext


def _pairs(choices: Iterable[Choice]) -> list[tuple[str, str]]:
    return [(choice.value, choice.label) for choice in choices]


def _map_words(values: Iterable[str], word: Callable[[Any], str]) -> list[tuple[str, str]]:
    """Coded values with their words, for a select box."""
    return [(str(value), word(value)) for value in values]


def _worded(words: Mapping[str, str], say: Callable[[str], str]) -> list[tuple[str, str]]:
    """Coded values with their translated words, for a select box."""
    return [(str(value), say(word)) for value, word in words.items()]


def _site_pairs(sites: Iterable[SiteView]) -> list[tuple[str, str]]:
    return [(str(site.id), site.name) for site in sites]


def _facts(text: str) -> str:
    """A JSON object as "name value" pairs; any other text as it is."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    if not isinstance(found, dict):
        return text
    return " · ".join(f"{name} {_fact(value)}" for name, value in found.items())


def _fact(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@dataclass(frozen=True, slots=True)
class Deps:
    """What the composition root gives the console."""

    data: ConsoleData
    authenticator: Authenticator
    secret: bytes
    secure_cookies: bool = False
    product: str = "voltyard"
    firmware: FirmwareService | None = None
    diagnostics: DiagnosticsService | None = None
    technician: TechnicianRooms | None = None
    access: AccessRooms | None = None
    pki: PkiService | None = None
    why: ExplainDesk | None = None
    preconditioning: PreconditioningService | None = None
    inputs: InputRooms | None = None
    telling: TellingRooms | None = None
    billing: BillingService | None = None
    operators: OperatorService | None = None
    rules: AccessService | None = None
    studies: StudyService | None = None
    presystems: PresystemService | None = None
    bookings: BookingRooms | None = None
    telematics: Telematics | None = None
    approvals: ApprovalService | None = None
    sign_on: SignOnService | None = None
    presence: Presence | None = None


@dataclass(slots=True)
class Lobby:
    """A visitor's page, signed in or not."""

    request: AnyRequest
    deps: Deps
    guard: FormGuard
    locale: str
    theme: str
    zone: ZoneInfo = UTC
    visitor: str | None = None

    @property
    def gettext(self) -> Callable[[str], str]:
        return translations(self.locale).gettext

    @property
    def formats(self) -> Formats:
        return Formats(self.locale, self.zone)

    @property
    def words(self) -> Words:
        return Words(self.gettext)

    def context(self) -> dict[str, Any]:
        """What every template may use."""
        words = translations(self.locale)
        now = self.deps.data.now()
        return {
            "ui": self,
            "fmt": self.formats,
            "words": self.words,
            "now": now,
            "ago": lambda at: ago(now, at, words),
            "locale": self.locale,
            "locales": LOCALES,
            "theme": self.theme,
            "csrf": self.csrf_token(),
            "path": self.request.url.path,
            "query": dict(self.request.query_params.items()),
            "link": self.link,
            "who": None,
            "strings": self.words.for_scripts(self.locale),
            "product": self.deps.product,
        }

    def csrf_token(self) -> str:
        if self.visitor is not None:
            return self.guard.sign(self.visitor)
        return self.guard.token(self.request)

    def link(self, **changes: object) -> str:
        """This page with some query parameters changed; None removes one."""
        query: dict[str, object] = dict(self.request.query_params.items())
        query.update(changes)
        text = urlencode({k: v for k, v in query.items() if v is not None and v != ""})
        return self.request.url.path + (f"?{text}" if text else "")

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response[str]:
        """A whole page, or for htmx only the block it asks for by its target's id."""
        return self.respond(self.render(template, **values), status)

    def render(self, template: str, **values: Any) -> str:
        found = environment(self.locale).get_template(template)
        context = self.context() | values
        pieces = environment(self.locale).get_template("macros.html")
        context["m"] = pieces.make_module(context)
        block = self.wanted_block()
        if block in found.blocks:
            return "".join(found.blocks[block](found.new_context(context)))
        return found.render(context)

    def wanted_block(self) -> str:
        headers = self.request.headers
        if headers.get("hx-request-type") != "partial":
            return ""
        return headers.get("hx-target", "").partition("#")[2].replace("-", "_")

    def respond(self, html: str, status: int = 200) -> Response[str]:
        response = Response(
            html, status_code=status, media_type=MediaType.HTML, headers=PAGE_HEADERS
        )
        if self.visitor is not None:
            self.set_cookie(response, VISITOR_COOKIE, self.visitor, None)
        return response

    def go(self, path: str, **query: object) -> Redirect:
        """See other: where a changed page lives."""
        text = urlencode({k: v for k, v in query.items() if v is not None})
        return Redirect(path + (f"?{text}" if text else ""), status_code=303)

    def set_cookie(
        self, response: Response[Any], name: str, value: str, max_age_s: int | None = YEAR_S
    ) -> None:
        response.set_cookie(
            key=name,
            value=value,
            max_age=max_age_s,
            httponly=True,
            samesite="lax",
            secure=self.deps.secure_cookies,
            path="/",
        )


@dataclass(slots=True)
class Ui(Lobby):
    """A signed-in person's page. ``site`` is the one they looked at last."""

    who: Principal = field(kw_only=True)
    sites: tuple[SiteView, ...] = ()
    site: SiteView | None = None
    operators: Mapping[UUID, str] = field(default_factory=dict)

    @property
    def data(self) -> ConsoleData:
        return self.deps.data

    def may(self, permission: str) -> bool:
        return self.who.may(Permission(permission))

    def require(self, permission: Permission) -> None:
        require(self.who, permission)

    def context(self) -> dict[str, Any]:
        return Lobby.context(self) | {
            "who": self.who,
            "may": self.may,
            "sites": self.sites,
            "site": self.site,
            "operators": self.operators,
        }

    def at_site(self, site_id: UUID) -> SiteView:
        """Make a site the current one. NotFound when it is not theirs."""
        for site in self.sites:
            if site.id == site_id:
                self.site = site
                self.zone = ZoneInfo(site.timezone)
                return site
        raise NotFound("There is no such site.")

    def respond(self, html: str, status: int = 200) -> Response[str]:
        response = Lobby.respond(self, html, status)
        if self.site is not None and self.request.cookies.get(SITE_COOKIE) != str(self.site.id):
            self.set_cookie(response, SITE_COOKIE, str(self.site.id))
        return response


def make_lobby(request: AnyRequest, deps: Deps, guard: FormGuard) -> Lobby:
    """A page before log-in; gives the browser a cookie that its forms are bound to."""
    cookies = request.cookies
    unbound = not (cookies.get(VISITOR_COOKIE) or cookies.get(SESSION_COOKIE))
    return Lobby(
        request,
        deps,
        guard,
        choose_locale([cookies.get(LOCALE_COOKIE), request.headers.get("accept-language")]),
        _theme(request),
        visitor=new_visitor() if unbound else None,
    )


async def make_ui(request: AnyRequest, deps: Deps, guard: FormGuard) -> Ui:
    """The page of whoever is signed in; Unauthenticated otherwise."""
    cookies = request.cookies
    who = await deps.authenticator.principal(cookies.get(SESSION_COOKIE, ""))
    if who is None:
        raise Unauthenticated("Please sign in.")
    locale = choose_locale(
        [cookies.get(LOCALE_COOKIE), who.locale, request.headers.get("accept-language")]
    )
    who = replace(who, locale=locale)
    ui = Ui(request, deps, guard, locale, _theme(request), who=who)
    ui.sites = await deps.data.sites(who)
    if deps.operators is not None and who.parent_id is None:
        ui.operators = await deps.operators.names(who)
    wanted = cookies.get(SITE_COOKIE)
    chosen = next((s for s in ui.sites if str(s.id) == wanted), None)
    site = chosen or next(iter(ui.sites), None)
    if site is not None:
        ui.at_site(site.id)
    return ui


def _theme(request: AnyRequest) -> str:
    theme = request.cookies.get(THEME_COOKIE, "auto")
    return theme if theme in THEMES else "auto"


def local_path(path: str | None, fallback: str = "/") -> str:
    """A path of ours to go back to; anything that could lead elsewhere becomes the fallback."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")):
        return fallback
    parts = urlsplit(path)
    return fallback if parts.scheme or parts.netloc else path
