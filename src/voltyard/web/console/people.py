"""People, API keys and the audit log."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.tenancy.model import Permission, Role
from voltyard.web.console.account import PASSWORD_LEAST
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.views import AuditFilter, AuditRow, Page, Paging, UserForm, UserRow
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.i18n import N_
from voltyard.web.ui import Ui

ACTOR_KINDS = {"user": N_("People"), "key": N_("API keys"), "system": "voltyard"}


@get("/people")
async def people_page(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.PEOPLE_WRITE)
    text = search_text(ui).casefold()
    users = [
        row for row in await ui.data.users(ui.who) if text in f"{row.name} {row.email}".casefold()
    ]
    return ui.page("people.html", users=users)


@get("/people.csv")
async def people_export(ui: NamedDependency[Ui]) -> Stream:
    ui.require(Permission.PEOPLE_WRITE)
    users = await ui.data.users(ui.who)

    async def fetch(part: Paging) -> Page[UserRow]:
        return Page(users[part.offset : part.offset + part.size], len(users), part)

    header = ["name", "email", "role", "active", "last_login_at"]
    return csv_stream("people.csv", header, fetch, _user_cells)


@get("/people/new")
async def new_user(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.PEOPLE_WRITE)
    return _user_form(ui, None, {"role": "dispatcher", "active": "on"}, None)


@get("/people/{user_id:uuid}")
async def user_page(ui: NamedDependency[Ui], user_id: FromPath[UUID]) -> Response[str]:
    user = await _user(ui, user_id)
    values = {
        "name": user.name,
        "email": user.email,
        "role": user.role.value,
        "active": "on" if user.active else "",
    }
    return _user_form(ui, user, values, None)


@post("/people/new")
async def create_user(ui: NamedDependency[Ui]) -> Response[Any]:
    return await _save_user(ui, None)


@post("/people/{user_id:uuid}")
async def change_user(ui: NamedDependency[Ui], user_id: FromPath[UUID]) -> Response[Any]:
    return await _save_user(ui, await _user(ui, user_id))


async def _user(ui: Ui, user_id: UUID) -> UserRow:
    ui.require(Permission.PEOPLE_WRITE)
    for user in await ui.data.users(ui.who):
        if user.id == user_id:
            return user
    raise NotFound("There is no such person.")


async def _save_user(ui: Ui, user: UserRow | None) -> Response[Any]:
    ui.require(Permission.PEOPLE_WRITE)
    form = await posted(ui)
    try:
        read = _read_user(ui, form, is_new=user is None)
        await ui.data.save_user(ui.who, None if user is None else user.id, read)
    except (Invalid, Conflict) as error:
        return _user_form(ui, user, form.values, error)
    return ui.go("/people", done="saved")


def _read_user(ui: Ui, form: Fields, *, is_new: bool) -> UserForm:
    password = form.values.get("password", "")
    if (password or is_new) and len(password) < PASSWORD_LEAST:
        form.fault("password", ui.gettext("At least 10 characters, please."))
    read = UserForm(
        name=form.text("name", required=True),
        email=form.text("email", required=True),
        role=form.one_of("role", Role) or Role.VIEWER,
        active=form.flag("active"),
        password=password or None,
    )
    if read.email and "@" not in read.email:
        form.fault("email", ui.gettext("This is not an e-mail address."))
    form.check()
    return read


def _user_form(
    ui: Ui, user: UserRow | None, values: Mapping[str, str], error: Invalid | Conflict | None
) -> Response[str]:
    return ui.page(
        "user.html",
        status=422 if error else 200,
        user=user,
        values=values,
        faults=error.fields if error else {},
        error=error.message if error else "",
        roles=tuple(Role),
    )


@get("/keys")
async def keys_page(ui: NamedDependency[Ui]) -> Response[str]:
    return await _keys(ui)


@post("/keys")
async def create_key(ui: NamedDependency[Ui]) -> Response[Any]:
    """Create a key; its secret is on this answer's page and never again."""
    ui.require(Permission.PEOPLE_WRITE)
    form = await posted(ui)
    try:
        name = form.text("name", required=True, longest=80)
        chosen = (await ui.request.form()).getall("scope", [])
        scopes = frozenset(p for p in Permission if p.value in chosen and ui.who.may(p))
        if not scopes:
            form.fault("scope", ui.gettext("Choose at least one."))
        days = form.whole("days", low=1, high=3_650, default=0)
        form.check()
        expires_at = ui.data.now() + timedelta(days=days) if days else None
        made = await ui.data.create_key(ui.who, name, scopes, expires_at)
    except Invalid as error:
        return await _keys(ui, status=422, values=form.values, faults=error.fields)
    return await _keys(ui, status=201, made=made)


@post("/keys/{key_id:uuid}/revoke")
async def revoke_key(ui: NamedDependency[Ui], key_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.PEOPLE_WRITE)
    await ui.data.revoke_key(ui.who, key_id)
    return ui.go("/keys", done="revoked")


async def _keys(ui: Ui, status: int = 200, **values: Any) -> Response[str]:
    ui.require(Permission.PEOPLE_WRITE)
    text = search_text(ui).casefold()
    keys = [row for row in await ui.data.keys(ui.who) if text in row.name.casefold()]
    defaults: dict[str, Any] = {"made": None, "values": {}, "faults": {}}
    scopes = [permission for permission in Permission if ui.who.may(permission)]
    return ui.page("keys.html", status=status, keys=keys, scopes=scopes, **(defaults | values))


@get("/audit")
async def audit_page(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.AUDIT_VIEW)
    page = await ui.data.audit(ui.who, _audit_filter(ui), paging(ui))
    return ui.page("audit.html", page=page, kinds=ACTOR_KINDS)


@get("/audit.csv")
async def audit_export(ui: NamedDependency[Ui]) -> Stream:
    ui.require(Permission.AUDIT_VIEW)
    wanted = _audit_filter(ui)
    header = ["at", "actor", "action", "object_kind", "object_id", "detail", "remote"]
    return csv_stream(
        "audit.csv", header, lambda part: ui.data.audit(ui.who, wanted, part), _audit_cells
    )


def _audit_filter(ui: Ui) -> AuditFilter:
    fields = query(ui)
    kind = fields.text("kind")
    return AuditFilter(
        search_text(ui),
        fields.moment("since"),
        fields.moment("until"),
        kind if kind in ACTOR_KINDS else "",
    )


def _user_cells(row: UserRow) -> tuple[Cell, ...]:
    return (row.name, row.email, row.role.value, row.active, row.last_login_at)


def _audit_cells(row: AuditRow) -> tuple[Cell, ...]:
    return (
        row.at,
        row.actor,
        row.action,
        row.object_kind,
        row.object_id,
        row.detail,
        row.remote,
    )


ROUTES = [
    people_page,
    people_export,
    new_user,
    create_user,
    user_page,
    change_user,
    keys_page,
    create_key,
    revoke_key,
    audit_page,
    audit_export,
]
