"""Organisation, users, API keys, audit."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, Text, out, page, sliced
from voltyard.tenancy.audit import AuditFilter
from voltyard.tenancy.model import ApiKey, Permission, Role
from voltyard.tenancy.service import NewUser

Email = Annotated[str, msgspec.Meta(max_length=254, examples=["ada@example.org"])]
Password = Annotated[str, msgspec.Meta(min_length=12, max_length=256)]


class PrincipalOut(Out):
    """Who the caller is and may do."""

    org_id: UUID
    kind: str
    id: UUID
    name: str
    role: Role | None
    permissions: list[Permission]


class OrganisationOut(Out):
    id: UUID
    name: str
    slug: str
    timezone: str
    locale: str


class OrganisationIn(In):
    """What is left out stays as it is."""

    name: Name | None = None
    timezone: Annotated[str, msgspec.Meta(examples=["Europe/Berlin"])] | None = None
    locale: Annotated[str, msgspec.Meta(examples=["de"])] | None = None


class UserOut(Out):
    id: UUID
    email: str
    name: str
    role: Role
    locale: str
    active: bool
    last_login_at: datetime | None


class UserIn(In):
    """A new user; the password is theirs to change."""

    email: Email
    name: Name
    role: Role
    password: Password
    locale: str = "en"


class UserPatch(In):
    """What is left out stays as it is."""

    email: Email | None = None
    name: Name | None = None
    role: Role | None = None
    locale: str | None = None
    active: bool | None = None


class PasswordIn(In):
    password: Password


class KeyOut(Out):
    id: UUID
    name: str
    prefix: str
    scopes: list[Permission]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeyOut(Out):
    """The key; ``secret`` is shown this once."""

    key: KeyOut
    secret: Annotated[str, msgspec.Meta(examples=["vy_k3v9x2m1qa_…"])]


class KeyIn(In):
    name: Name
    scopes: Annotated[list[Permission], msgspec.Meta(min_length=1)]
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class AuditOut(Out):
    at: datetime
    actor_kind: str
    actor_name: str
    action: str
    object_kind: str
    object_id: str
    detail: msgspec.Raw
    remote: str


@get("/me", summary="Who the caller is", sync_to_thread=False)
def me(who: Who) -> PrincipalOut:
    return out(PrincipalOut, who, permissions=sorted(who.permissions))


@get("/organisation", summary="The caller's organisation")
async def organisation(deps: Deps, who: Who) -> OrganisationOut:
    return out(OrganisationOut, await deps.tenancy.organisation(who.org_id))


@patch("/organisation", summary="Change the organisation")
async def change_organisation(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[OrganisationIn]
) -> OrganisationOut:
    changed = await deps.tenancy.update_organisation(
        who,
        name=data.name,
        timezone=data.timezone,
        locale=data.locale,
        remote=remote_of(request),
    )
    return out(OrganisationOut, changed)


@get("/users", summary="Users")
async def users(deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0) -> Page[UserOut]:
    return sliced(UserOut, await deps.tenancy.users(who), limit=limit, offset=offset)


@post("/users", summary="Create a user")
async def create_user(deps: Deps, who: Who, request: AnyRequest, data: JSONBody[UserIn]) -> UserOut:
    new = NewUser(data.email, data.name, data.role, data.password, data.locale)
    return out(UserOut, await deps.tenancy.create_user(who, new, remote=remote_of(request)))


@get("/users/{user_id:uuid}", summary="One user")
async def user(deps: Deps, who: Who, user_id: FromPath[UUID]) -> UserOut:
    return out(UserOut, await deps.tenancy.user(who, user_id))


@patch("/users/{user_id:uuid}", summary="Change a user")
async def change_user(
    deps: Deps, who: Who, request: AnyRequest, user_id: FromPath[UUID], data: JSONBody[UserPatch]
) -> UserOut:
    changed = await deps.tenancy.update_user(
        who,
        user_id,
        email=data.email,
        name=data.name,
        role=data.role,
        locale=data.locale,
        active=data.active,
        remote=remote_of(request),
    )
    return out(UserOut, changed)


@put("/users/{user_id:uuid}/password", summary="Set a user's password", status_code=204)
async def set_password(
    deps: Deps, who: Who, request: AnyRequest, user_id: FromPath[UUID], data: JSONBody[PasswordIn]
) -> None:
    await deps.tenancy.set_password(who, user_id, data.password, remote=remote_of(request))


@get("/keys", summary="API keys")
async def keys(deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0) -> Page[KeyOut]:
    found = [_key(key) for key in await deps.tenancy.keys(who)]
    return sliced(KeyOut, found, limit=limit, offset=offset)


@post("/keys", summary="Create an API key")
async def create_key(deps: Deps, who: Who, request: AnyRequest, data: JSONBody[KeyIn]) -> NewKeyOut:
    made = await deps.tenancy.create_key(
        who, data.name, frozenset(data.scopes), data.expires_at, remote=remote_of(request)
    )
    return NewKeyOut(key=_key(made.key), secret=made.text)


@delete("/keys/{key_id:uuid}", summary="Revoke an API key", status_code=200)
async def revoke_key(deps: Deps, who: Who, request: AnyRequest, key_id: FromPath[UUID]) -> KeyOut:
    return _key(await deps.tenancy.revoke_key(who, key_id, remote=remote_of(request)))


def _key(key: ApiKey) -> KeyOut:
    return out(KeyOut, key, scopes=sorted(key.scopes))


@get("/audit", summary="Every change, newest first")
async def audit(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    action: Annotated[str, QueryParameter(description="Beginning of the action.")] = "",
    object_kind: FromQuery[str] = "",
    object_id: FromQuery[str] = "",
    actor: Annotated[str, QueryParameter(description="Part of the actor's name.")] = "",
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    text: Text = "",
) -> Page[AuditOut]:
    wanted = AuditFilter(action, object_kind, object_id, actor, since, until, text)
    entries, total = await deps.tenancy.audit(who, wanted, limit=limit, offset=offset)
    shown = [out(AuditOut, e, detail=msgspec.Raw(e.detail.encode())) for e in entries]
    return page(AuditOut, shown, total, limit=limit, offset=offset)


ROUTER = Router(
    path="/",
    tags=["People"],
    route_handlers=[
        me,
        organisation,
        change_organisation,
        users,
        create_user,
        user,
        change_user,
        set_password,
        keys,
        create_key,
        revoke_key,
        audit,
    ],
)
