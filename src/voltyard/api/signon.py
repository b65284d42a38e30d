"""Single sign-on by OpenID Connect, and log-ins: who is signed in, from where, until when."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, out, sliced
from voltyard.signon.commands import ConnectionDraft
from voltyard.signon.model import Connection, LocalPasswords, RoleRule, Why
from voltyard.tenancy.model import Role

Words = Annotated[list[str], msgspec.Meta(max_length=100)]


class GroupRoleIn(In):
    group: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    role: Role


class GroupRoleOut(Out):
    group: str
    role: Role


class ConnectionIn(In):
    """``secret`` left out keeps the one that is stored; empty is a client without one.

    ``domains``: of e-mail addresses; empty is any. ``groups_claim``: the claim's name, or dots
    that lead to it. ``roles``: the first group that somebody is in decides. ``default_role`` left
    out refuses whom no group fits. ``session_h``: a log-in ends after so many hours at the latest.
    """

    name: Name
    issuer: Annotated[
        str, msgspec.Meta(max_length=500, examples=["https://id.example.org/realms/depot"])
    ]
    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    secret: Annotated[str, msgspec.Meta(max_length=1_000)] | None = None
    enabled: bool = True
    scopes: Words = msgspec.field(default_factory=lambda: ["openid", "email", "profile"])
    domains: Words = msgspec.field(default_factory=list)
    groups_claim: Annotated[str, msgspec.Meta(examples=["realm_access.roles"])] = "groups"
    roles: Annotated[list[GroupRoleIn], msgspec.Meta(max_length=100)] = msgspec.field(
        default_factory=list
    )
    default_role: Role | None = None
    create_users: bool = False
    passwords: LocalPasswords = LocalPasswords.ALLOWED
    session_h: Annotated[int, msgspec.Meta(ge=1, le=168)] = 12


class ConnectionOut(Out):
    """The secret itself is never told."""

    name: str
    issuer: str
    client_id: str
    has_secret: bool
    enabled: bool
    scopes: tuple[str, ...]
    domains: tuple[str, ...]
    groups_claim: str
    roles: list[GroupRoleOut]
    default_role: Role | None
    create_users: bool
    passwords: LocalPasswords
    session_h: int
    changed_at: datetime


class SignOnOut(Out):
    """``redirect_uri``: what the provider must know as an allowed address."""

    connection: ConnectionOut | None
    redirect_uri: str


class TrialOut(Out):
    """``why`` is null when all is well; ``signs_out``: people can be signed out there as well."""

    why: Why | None
    detail: str
    authorization_endpoint: str
    signs_out: bool
    keys: int


class IdentityOut(Out):
    """Who a user is at the provider; the address is what it was at the last sign-in."""

    user_id: UUID
    issuer: str
    subject: str
    email: str
    linked_at: datetime
    last_at: datetime


class LogInOut(Out):
    """``issuer``: the provider that has proven the person; empty for a password."""

    id: UUID
    user_id: UUID
    name: str
    email: str
    created_at: datetime
    expires_at: datetime
    last_seen_at: datetime
    user_agent: str
    remote: str
    issuer: str
    current: bool


class EndedOut(Out):
    ended: int


@get("/single-sign-on", summary="The organisation's identity provider")
async def sign_on(deps: Deps, who: Who) -> SignOnOut:
    found = await deps.sign_on.connection(who)
    address = await deps.sign_on.redirect_uri(who)
    return SignOnOut(connection=None if found is None else _shown(found), redirect_uri=address)


@put("/single-sign-on", summary="Enter or change the identity provider")
async def save_sign_on(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[ConnectionIn]
) -> ConnectionOut:
    fields = {name: getattr(data, name) for name in ConnectionDraft.__dataclass_fields__}
    fields |= {
        "scopes": tuple(data.scopes),
        "domains": tuple(data.domains),
        "roles": tuple(RoleRule(each.group, each.role) for each in data.roles),
    }
    saved = await deps.sign_on.save(who, ConnectionDraft(**fields), remote=remote_of(request))
    return _shown(saved)


@delete("/single-sign-on", summary="Forget the identity provider and who is whom there")
async def delete_sign_on(deps: Deps, who: Who, request: AnyRequest) -> None:
    await deps.sign_on.delete(who, remote=remote_of(request))


@post("/single-sign-on/check", summary="Ask the provider what it is, now", status_code=200)
async def check_sign_on(deps: Deps, who: Who) -> TrialOut:
    return out(TrialOut, await deps.sign_on.check(who))


@get("/single-sign-on/people", summary="Who has come in by the provider, the last first")
async def linked(deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0) -> Page[IdentityOut]:
    found = await deps.sign_on.identities(who)
    return sliced(IdentityOut, found, limit=limit, offset=offset)


@delete("/single-sign-on/people/{user_id:uuid}", summary="Forget who a user is at the provider")
async def unlink(deps: Deps, who: Who, request: AnyRequest, user_id: FromPath[UUID]) -> None:
    await deps.sign_on.unlink(who, user_id, remote=remote_of(request))


@get("/log-ins", summary="Who is signed in, the last seen first")
async def log_ins(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    limit: Limit = 100,
    offset: Offset = 0,
    user_id: FromQuery[UUID | None] = None,
) -> Page[LogInOut]:
    token = request.cookies.get(deps.session_cookie, "")
    found = await deps.presence.everybodys(who, token, user_id=user_id)
    return sliced(LogInOut, found, limit=limit, offset=offset)


@delete("/log-ins/{log_in_id:uuid}", summary="End a log-in")
async def end_log_in(deps: Deps, who: Who, request: AnyRequest, log_in_id: FromPath[UUID]) -> None:
    await deps.presence.end(who, log_in_id, remote=remote_of(request))


@delete("/users/{user_id:uuid}/log-ins", summary="End all log-ins of a user", status_code=200)
async def end_log_ins(
    deps: Deps, who: Who, request: AnyRequest, user_id: FromPath[UUID]
) -> EndedOut:
    token = request.cookies.get(deps.session_cookie, "")
    ended = await deps.presence.end_all_of(
        who, user_id, session_token=token, remote=remote_of(request)
    )
    return EndedOut(ended=ended)


def _shown(connection: Connection) -> ConnectionOut:
    roles = [GroupRoleOut(group=rule.group, role=rule.role) for rule in connection.roles]
    return out(ConnectionOut, connection, roles=roles)


ROUTER = Router(
    path="/",
    tags=["Single sign-on"],
    route_handlers=[
        sign_on,
        save_sign_on,
        delete_sign_on,
        check_sign_on,
        linked,
        unlink,
        log_ins,
        end_log_in,
        end_log_ins,
    ],
)
