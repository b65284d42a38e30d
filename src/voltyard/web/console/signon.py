"""Single sign-on: the organisation's identity provider, tried, and who has come in by it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.errors import Invalid, NotFound
from voltyard.signon.commands import ConnectionDraft
from voltyard.signon.model import Connection, Identity, LocalPasswords, RoleRule, Trial
from voltyard.signon.service import SignOnService
from voltyard.tenancy.model import Permission, Role
from voltyard.web.console import signon_words
from voltyard.web.console.common import posted
from voltyard.web.console.tokens import remote_of
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

ROWS_MAX = 100
ROWS_FREE = 3
NEW = {
    "enabled": "on",
    "scopes": "openid email profile",
    "groups_claim": "groups",
    "passwords": LocalPasswords.ALLOWED.value,
    "session_h": "12",
}


@dataclass(frozen=True, slots=True)
class LinkedRow:
    """A person who has come in by the provider."""

    name: str
    identity: Identity


def room_of(ui: Ui) -> SignOnService:
    """Raises NotFound where the room is not behind the console."""
    if ui.deps.sign_on is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.sign_on


@get("/single-sign-on")
async def sign_on_page(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.PEOPLE_WRITE)
    found = await room_of(ui).connection(ui.who)
    return await _page(ui, found, NEW if found is None else _values(found))


@post("/single-sign-on")
async def save(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.PEOPLE_WRITE)
    found = await room_of(ui).connection(ui.who)
    form = await posted(ui)
    try:
        await room_of(ui).save(ui.who, _draft(form), remote=remote_of(ui))
    except Invalid as error:
        return await _page(ui, found, form.values, error=error)
    return ui.go("/single-sign-on", done="saved")


@post("/single-sign-on/check")
async def check(ui: NamedDependency[Ui]) -> Response[Any]:
    """Whether the provider answers, and what."""
    ui.require(Permission.PEOPLE_WRITE)
    found = await room_of(ui).connection(ui.who)
    if found is None:
        return ui.go("/single-sign-on")
    trial = await room_of(ui).check(ui.who)
    return await _page(ui, found, _values(found), trial=trial)


@post("/single-sign-on/delete")
async def delete(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.PEOPLE_WRITE)
    await room_of(ui).delete(ui.who, remote=remote_of(ui))
    return ui.go("/single-sign-on", done="deleted")


@post("/single-sign-on/people/{user_id:uuid}/unlink")
async def unlink(ui: NamedDependency[Ui], user_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.PEOPLE_WRITE)
    await room_of(ui).unlink(ui.who, user_id, remote=remote_of(ui))
    return ui.go("/single-sign-on", done="saved")


async def _page(
    ui: Ui,
    found: Connection | None,
    values: Mapping[str, str],
    *,
    error: Invalid | None = None,
    trial: Trial | None = None,
) -> Response[str]:
    names = {user.id: user.name for user in await ui.data.users(ui.who)}
    linked = [
        LinkedRow(names.get(each.user_id, each.email), each)
        for each in await room_of(ui).identities(ui.who)
    ]
    address = await room_of(ui).redirect_uri(ui.who)
    return ui.page(
        "single_sign_on.html",
        status=422 if error else 200,
        connection=found,
        values=values,
        faults=error.fields if error else {},
        error=error.message if error else "",
        trial=trial,
        linked=linked,
        redirect_uri=address,
        entry=_entry(address),
        rows=range(_rows(values)),
        roles=tuple(Role),
        sso=signon_words,
    )


def _entry(redirect_uri: str) -> str:
    """The sign-in page of the organisation, to be passed on to its people."""
    base, _, rest = redirect_uri.partition("/login/sso/")
    return f"{base}/login?org={rest.removesuffix('/callback')}"


def _rows(values: Mapping[str, str]) -> int:
    """So many as are filled in, and some more."""
    filled = [n for n in range(ROWS_MAX) if values.get(f"group_{n}", "").strip()]
    return min(ROWS_MAX, (filled[-1] + 1 if filled else 0) + ROWS_FREE)


def _values(found: Connection) -> dict[str, str]:
    rules = enumerate(found.roles)
    return {
        "name": found.name,
        "enabled": "on" if found.enabled else "",
        "issuer": found.issuer,
        "client_id": found.client_id,
        "scopes": " ".join(found.scopes),
        "domains": " ".join(found.domains),
        "groups_claim": found.groups_claim,
        "default_role": "" if found.default_role is None else found.default_role.value,
        "create_users": "on" if found.create_users else "",
        "passwords": found.passwords.value,
        "session_h": str(found.session_h),
        **{
            name: text
            for n, rule in rules
            for name, text in ((f"group_{n}", rule.group), (f"role_{n}", rule.role.value))
        },
    }


def _draft(form: Fields) -> ConnectionDraft:
    """Raises Invalid, with what the room itself finds told at the next attempt."""
    secret: str | None = form.values.get("secret", "").strip() or None
    if form.flag("no_secret"):
        secret = ""
    draft = ConnectionDraft(
        name=form.text("name", required=True),
        issuer=form.text("issuer", required=True, longest=500),
        client_id=form.text("client_id", required=True),
        secret=secret,
        enabled=form.flag("enabled"),
        scopes=_words(form.text("scopes", longest=1_000)),
        domains=_words(form.text("domains", longest=2_000)),
        groups_claim=form.text("groups_claim", required=True),
        roles=_rules(form),
        default_role=form.one_of("default_role", Role),
        create_users=form.flag("create_users"),
        passwords=form.one_of("passwords", LocalPasswords) or LocalPasswords.ALLOWED,
        session_h=form.whole("session_h", low=1, high=168, default=12),
    )
    form.check()
    return draft


def _rules(form: Fields) -> tuple[RoleRule, ...]:
    """The rows with a group, in their order."""
    rules: list[RoleRule] = []
    for n in range(ROWS_MAX):
        group = form.text(f"group_{n}")
        role = form.one_of(f"role_{n}", Role)
        if group and role is not None:
            rules.append(RoleRule(group, role))
    return tuple(rules)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


ROUTES = [sign_on_page, save, check, delete, unlink]
