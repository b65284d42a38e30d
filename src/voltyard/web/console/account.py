"""Getting in and out: log-in, log-out, first-run set-up, language and theme."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from voltyard.errors import Invalid, TooMany, Unauthenticated
from voltyard.web.auth import SESSION_COOKIE, VISITOR_COOKIE, SetupForm
from voltyard.web.console.signin import offer_of, sign_out, start_of
from voltyard.web.console.views import Choice
from voltyard.web.forms import Fields
from voltyard.web.i18n import LOCALES
from voltyard.web.ui import LOCALE_COOKIE, THEME_COOKIE, THEMES, Lobby, local_path

PASSWORD_LEAST = 10
ZONES = (
    "Europe/Berlin",
    "Europe/Vienna",
    "Europe/Zurich",
    "Europe/Amsterdam",
    "Europe/Brussels",
    "Europe/Copenhagen",
    "Europe/Helsinki",
    "Europe/Lisbon",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Oslo",
    "Europe/Paris",
    "Europe/Prague",
    "Europe/Rome",
    "Europe/Stockholm",
    "Europe/Warsaw",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
    "UTC",
)


@get("/login")
async def login_page(lobby: NamedDependency[Lobby]) -> Response[Any]:
    token = lobby.request.cookies.get(SESSION_COOKIE, "")
    back = local_path(lobby.request.query_params.get("next"))
    if token and await lobby.deps.authenticator.principal(token):
        return lobby.go(back)
    return await _login_page(lobby, back, lobby.request.query_params.get("org"))


@post("/login")
async def login(lobby: NamedDependency[Lobby]) -> Response[Any]:
    form = await _form(lobby)
    email, back = form.text("email"), local_path(form.text("next"))
    org = form.text("org") or None
    remote = lobby.request.client.host if lobby.request.client else ""
    agent = lobby.request.headers.get("user-agent", "")
    try:
        token = await lobby.deps.authenticator.log_in(
            email, form.values.get("password", ""), remote, agent
        )
    except Unauthenticated as refused:
        told = lobby.gettext("E-mail or password is wrong.")
        if refused.code == "sign_on_only":
            told = lobby.gettext("Passwords do not count here. Use single sign-on.")
        return await _login_page(lobby, back, org, status=401, email=email, error=told)
    except TooMany:
        told = lobby.gettext("Too many attempts. Wait a minute and try again.")
        return await _login_page(lobby, back, org, status=429, email=email, error=told)
    return _signed_in(lobby, token, back)


async def _login_page(
    lobby: Lobby, back: str, org: str | None, *, status: int = 200, email: str = "", error: str = ""
) -> Response[Any]:
    named, offer = await offer_of(lobby, org)
    return lobby.page(
        "login.html",
        status=status,
        email=email,
        error=error,
        next=back,
        org=named,
        offer=offer,
        start=start_of(offer, back),
    )


@post("/logout")
async def logout(lobby: NamedDependency[Lobby]) -> Response[Any]:
    token = lobby.request.cookies.get(SESSION_COOKIE, "")
    there = await sign_out(lobby, token) if token else None
    if there is None:
        response: Response[Any] = lobby.go("/login")
    else:  # a page, as a form may lead to no other site
        response = lobby.page("signed_out.html", there=there)
        response.headers["refresh"] = f"0;url={there}"
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


@get("/setup")
async def setup_page(lobby: NamedDependency[Lobby]) -> Response[Any]:
    link = lobby.request.query_params.get("token", "")
    if not await lobby.deps.authenticator.setup_open(link):
        return lobby.page("setup_closed.html", status=410)
    return _setup_form(lobby, link, {}, {})


@post("/setup")
async def setup(lobby: NamedDependency[Lobby]) -> Response[Any]:
    form = await _form(lobby)
    link = form.text("token")
    if not await lobby.deps.authenticator.setup_open(link):
        return lobby.page("setup_closed.html", status=410)
    try:
        token = await lobby.deps.authenticator.set_up(link, _read_setup(lobby, form))
    except Invalid as error:
        return _setup_form(lobby, link, form.values, error.fields, 422)
    return _signed_in(lobby, token, "/")


@post("/preferences")
async def preferences(lobby: NamedDependency[Lobby]) -> Response[Any]:
    """Language and theme of this browser."""
    form = await _form(lobby)
    response = lobby.go(local_path(form.text("back")))
    if (locale := form.text("locale")) in LOCALES:
        lobby.set_cookie(response, LOCALE_COOKIE, locale)
    if (theme := form.text("theme")) in THEMES:
        lobby.set_cookie(response, THEME_COOKIE, theme)
    return response


async def _form(lobby: Lobby) -> Fields:
    form = await lobby.request.form()
    values = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    return Fields(values, lobby.zone, lobby.gettext)


def _read_setup(lobby: Lobby, form: Fields) -> SetupForm:
    read = SetupForm(
        organisation=form.text("organisation", required=True),
        name=form.text("name", required=True),
        email=form.text("email", required=True),
        password=form.values.get("password", ""),
        timezone=form.text("timezone"),
        locale=lobby.locale,
    )
    if read.timezone not in ZONES:
        form.fault("timezone", lobby.gettext("Choose one of the list."))
    if read.email and "@" not in read.email:
        form.fault("email", lobby.gettext("This is not an e-mail address."))
    if len(read.password) < PASSWORD_LEAST:
        form.fault("password", lobby.gettext("At least 10 characters, please."))
    elif read.password != form.values.get("again"):
        form.fault("again", lobby.gettext("The two passwords differ."))
    form.check()
    return read


def _setup_form(
    lobby: Lobby,
    link: str,
    values: Mapping[str, str],
    faults: Any,
    status: int = 200,
) -> Response[str]:
    zones = tuple(Choice(zone, zone.replace("_", " ")) for zone in ZONES)
    return lobby.page(
        "setup.html", status=status, link_token=link, values=values, faults=faults, zones=zones
    )


def _signed_in(lobby: Lobby, token: str, back: str) -> Response[Any]:
    response = lobby.go(back)
    lobby.set_cookie(response, SESSION_COOKIE, token, None)
    response.delete_cookie(VISITOR_COOKIE, path="/")
    return response


ROUTES = [login_page, login, logout, setup_page, setup, preferences]
