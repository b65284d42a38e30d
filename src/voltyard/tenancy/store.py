"""SQL of organisations, users, log-in sessions, API keys, set-up links and the audit."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.storage.engine import Row, Tx
from voltyard.tenancy.model import (
    AdmittedSite,
    ApiKey,
    AuditEntry,
    LogInOrigin,
    OpenLogIn,
    Organisation,
    Permission,
    Role,
    User,
)

_PARENT = "(SELECT o.parent_id FROM organisations o WHERE o.id = {}.org_id) AS parent_id"
_USER = f"id, org_id, email, name, role, locale, active, last_login_at, {_PARENT.format('users')}"
_OPEN = "EXISTS (SELECT 1 FROM organisations o WHERE o.id = {}.org_id AND o.active)"
_KEY = "id, org_id, name, prefix, scopes, created_at, last_used_at, expires_at, revoked_at"


def _organisation(row: Row) -> Organisation:
    names = tuple(Organisation.__dataclass_fields__)
    return Organisation(*(row[name] for name in names))


def _user(row: Row) -> User:
    return User(
        row["id"],
        row["org_id"],
        row["email"],
        row["name"],
        Role(row["role"]),
        row["locale"],
        row["active"],
        row["last_login_at"],
        row["parent_id"],
    )


def _key(row: Row) -> ApiKey:
    return ApiKey(
        row["id"],
        row["org_id"],
        row["name"],
        row["prefix"],
        frozenset(Permission(scope) for scope in row["scopes"] if scope in set(Permission)),
        row["created_at"],
        row["last_used_at"],
        row["expires_at"],
        row["revoked_at"],
    )


async def insert_organisation(tx: Tx, organisation: Organisation, at: datetime) -> None:
    await tx.execute(
        "INSERT INTO organisations (id, name, slug, timezone, locale, created_at, parent_id,"
        " best_priority) VALUES (:id, :name, :slug, :timezone, :locale, :at, :parent, :best)",
        {
            "id": organisation.id,
            "name": organisation.name,
            "slug": organisation.slug,
            "timezone": organisation.timezone,
            "locale": organisation.locale,
            "at": at,
            "parent": organisation.parent_id,
            "best": organisation.best_priority,
        },
    )


async def update_organisation(tx: Tx, organisation: Organisation) -> None:
    await tx.execute(
        "UPDATE organisations SET name = :name, timezone = :timezone, locale = :locale,"
        " active = :active, best_priority = :best WHERE id = :id",
        {
            "id": organisation.id,
            "name": organisation.name,
            "timezone": organisation.timezone,
            "locale": organisation.locale,
            "active": organisation.active,
            "best": organisation.best_priority,
        },
    )


async def organisations(tx: Tx) -> list[Organisation]:
    """Those that are below nobody."""
    rows = await tx.all("SELECT * FROM organisations WHERE parent_id IS NULL ORDER BY name")
    return [_organisation(row) for row in rows]


async def operators(tx: Tx, parent_id: UUID) -> list[Organisation]:
    rows = await tx.all(
        "SELECT * FROM organisations WHERE parent_id = :parent ORDER BY lower(name), id",
        {"parent": parent_id},
    )
    return [_organisation(row) for row in rows]


async def admitted(tx: Tx, operator_id: UUID) -> list[AdmittedSite]:
    rows = await tx.all(
        "SELECT site_id, area_ids FROM operator_sites WHERE operator_id = :id ORDER BY site_id",
        {"id": operator_id},
    )
    return [AdmittedSite(row["site_id"], tuple(row["area_ids"])) for row in rows]


async def admitted_below(tx: Tx, org_id: UUID) -> dict[UUID, list[AdmittedSite]]:
    """By operator, of all operators of a depot operator."""
    rows = await tx.all(
        "SELECT operator_id, site_id, area_ids FROM operator_sites WHERE org_id = :org"
        " ORDER BY operator_id, site_id",
        {"org": org_id},
    )
    found: dict[UUID, list[AdmittedSite]] = {}
    for row in rows:
        place = AdmittedSite(row["site_id"], tuple(row["area_ids"]))
        found.setdefault(row["operator_id"], []).append(place)
    return found


async def admit(tx: Tx, org_id: UUID, operator_id: UUID, places: Sequence[AdmittedSite]) -> None:
    """These sites and no others."""
    await tx.execute("DELETE FROM operator_sites WHERE operator_id = :id", {"id": operator_id})
    await tx.execute_many(
        "INSERT INTO operator_sites (operator_id, site_id, org_id, area_ids)"
        " VALUES (:operator, :site, :org, :areas)",
        [
            {
                "operator": operator_id,
                "site": place.site_id,
                "org": org_id,
                "areas": list(place.area_ids),
            }
            for place in places
        ],
    )


async def areas_of_sites(tx: Tx, site_ids: Sequence[UUID]) -> dict[UUID, set[UUID]]:
    """The areas of those of ``site_ids`` that may be seen."""
    rows = await tx.all(
        "SELECT s.id AS site_id, a.id AS area_id FROM sites s LEFT JOIN areas a ON a.site_id = s.id"
        " WHERE s.id = ANY(:ids)",
        {"ids": list(site_ids)},
    )
    found: dict[UUID, set[UUID]] = {}
    for row in rows:
        areas = found.setdefault(row["site_id"], set())
        if row["area_id"] is not None:
            areas.add(row["area_id"])
    return found


async def organisation(tx: Tx, org_id: UUID, *, lock: bool = False) -> Organisation | None:
    tail = " FOR UPDATE" if lock else ""
    row = await tx.one(f"SELECT * FROM organisations WHERE id = :id{tail}", {"id": org_id})
    return None if row is None else _organisation(row)


async def insert_user(tx: Tx, user: User, password_hash: str, at: datetime) -> None:
    await tx.execute(
        "INSERT INTO users (id, org_id, email, name, password_hash, role, locale, active,"
        " created_at) VALUES (:id, :org_id, :email, :name, :hash, :role, :locale, :active, :at)",
        {**_user_params(user), "hash": password_hash, "at": at},
    )


async def update_user(tx: Tx, user: User) -> None:
    await tx.execute(
        "UPDATE users SET email = :email, name = :name, role = :role, locale = :locale,"
        " active = :active WHERE id = :id AND org_id = :org_id",
        _user_params(user),
    )


def _user_params(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "org_id": user.org_id,
        "email": user.email,
        "name": user.name,
        "role": user.role.value,
        "locale": user.locale,
        "active": user.active,
    }


async def users(tx: Tx) -> list[User]:
    return [_user(row) for row in await tx.all(f"SELECT {_USER} FROM users ORDER BY lower(email)")]


async def user(tx: Tx, user_id: UUID) -> User | None:
    row = await tx.one(f"SELECT {_USER} FROM users WHERE id = :id", {"id": user_id})
    return None if row is None else _user(row)


async def user_by_email(tx: Tx, email: str) -> User | None:
    """Within what the transaction sees."""
    row = await tx.one(
        f"SELECT {_USER} FROM users WHERE lower(email) = lower(:email)", {"email": email}
    )
    return None if row is None else _user(row)


async def organisation_by_slug(tx: Tx, slug: str) -> Organisation | None:
    row = await tx.one("SELECT * FROM organisations WHERE slug = :slug", {"slug": slug})
    return None if row is None else _organisation(row)


async def password_hash(tx: Tx, user_id: UUID) -> str:
    row = await tx.one("SELECT password_hash FROM users WHERE id = :id", {"id": user_id})
    return "" if row is None else str(row["password_hash"])


async def active_admins(tx: Tx) -> int:
    row = await tx.one("SELECT count(*) AS n FROM users WHERE role = 'admin' AND active")
    return int(row["n"]) if row else 0


async def set_password(tx: Tx, user_id: UUID, password_hash: str) -> None:
    await tx.execute(
        "UPDATE users SET password_hash = :hash, failed_logins = 0, locked_until = NULL"
        " WHERE id = :id",
        {"id": user_id, "hash": password_hash},
    )


async def credentials(tx: Tx, email: str) -> Row | None:
    """The row of an active user by e-mail address, locked until the transaction ends."""
    return await tx.one(
        f"SELECT {_USER}, password_hash, failed_logins, locked_until FROM users"
        " WHERE lower(email) = lower(:email) AND active"
        f" AND {_OPEN.format('users')} FOR UPDATE",
        {"email": email},
    )


def user_of(row: Row) -> User:
    return _user(row)


async def count_attempt(
    tx: Tx, user_id: UUID, failures: int, locked_until: datetime | None
) -> None:
    await tx.execute(
        "UPDATE users SET failed_logins = :failures, locked_until = :until WHERE id = :id",
        {"id": user_id, "failures": failures, "until": locked_until},
    )


async def logged_in(tx: Tx, user_id: UUID, at: datetime, rehash: str | None) -> None:
    await tx.execute(
        "UPDATE users SET failed_logins = 0, locked_until = NULL, last_login_at = :at,"
        " password_hash = coalesce(:rehash, password_hash) WHERE id = :id",
        {"id": user_id, "at": at, "rehash": rehash},
    )


async def insert_login_session(
    tx: Tx, user: User, token_hash: str, at: datetime, expires_at: datetime, origin: LogInOrigin
) -> None:
    await tx.execute(
        "INSERT INTO login_sessions (token_hash, org_id, user_id, created_at, expires_at,"
        " last_seen_at, user_agent, remote, issuer, id_token) VALUES (:hash, :org_id, :user_id,"
        " :at, :until, :at, :agent, :remote, :issuer, :id_token)",
        {
            "hash": token_hash,
            "org_id": user.org_id,
            "user_id": user.id,
            "at": at,
            "until": expires_at,
            "agent": origin.user_agent.replace("\0", "")[:200],
            "remote": origin.remote[:100],
            "issuer": origin.issuer,
            "id_token": origin.id_token,
        },
    )


async def login_origin(tx: Tx, token_hash: str) -> Row | None:
    """Who let a log-in in: ``org_id``, ``issuer``, ``id_token``."""
    return await tx.one(
        "SELECT org_id, issuer, id_token FROM login_sessions WHERE token_hash = :hash",
        {"hash": token_hash},
    )


async def open_log_ins(
    tx: Tx, at: datetime, idle_since: datetime, token_hash: str, user_id: UUID | None
) -> list[OpenLogIn]:
    """Those that still hold, the last used first; ``user_id`` None is everybody's."""
    rows = await tx.all(
        "SELECT s.id, s.user_id, u.name, u.email, s.created_at, s.expires_at, s.last_seen_at,"
        " s.user_agent, s.remote, s.issuer, s.token_hash = :hash AS current"
        " FROM login_sessions s JOIN users u ON u.id = s.user_id"
        " WHERE s.expires_at > :at AND s.last_seen_at > :idle AND u.active"
        " AND (CAST(:user AS uuid) IS NULL OR s.user_id = :user)"
        " ORDER BY s.last_seen_at DESC, s.id LIMIT 1000",
        {"at": at, "idle": idle_since, "hash": token_hash, "user": user_id},
    )
    return [OpenLogIn(**row) for row in rows]


async def end_log_in(tx: Tx, log_in_id: UUID) -> UUID | None:
    """Whose it was; None when there is none."""
    row = await tx.one(
        "DELETE FROM login_sessions WHERE id = :id RETURNING user_id", {"id": log_in_id}
    )
    return None if row is None else row["user_id"]


async def login_session(tx: Tx, token_hash: str, at: datetime, idle_since: datetime) -> Row | None:
    """The user and ``last_seen_at`` behind a session that still holds; None otherwise.

    ``acting_in``: the operator below their organisation in which they are at work just now.
    """
    return await tx.one(
        "SELECT u.id, u.org_id, u.email, u.name, u.role, u.locale, u.active, u.last_login_at,"
        " o.parent_id, o.name AS org_name, a.id AS acting_in, s.last_seen_at"
        " FROM login_sessions s JOIN users u ON u.id = s.user_id"
        " JOIN organisations o ON o.id = u.org_id LEFT JOIN organisations a"
        " ON a.id = s.acting_org_id AND a.parent_id = u.org_id"
        " WHERE s.token_hash = :hash AND s.expires_at > :at AND s.last_seen_at > :idle"
        " AND u.active AND o.active",
        {"hash": token_hash, "at": at, "idle": idle_since},
    )


async def act(tx: Tx, token_hash: str, org_id: UUID | None) -> None:
    await tx.execute(
        "UPDATE login_sessions SET acting_org_id = :org WHERE token_hash = :hash",
        {"hash": token_hash, "org": org_id},
    )


async def touch_login_session(tx: Tx, token_hash: str, at: datetime) -> None:
    await tx.execute(
        "UPDATE login_sessions SET last_seen_at = :at WHERE token_hash = :hash",
        {"hash": token_hash, "at": at},
    )


async def end_login_session(tx: Tx, token_hash: str) -> None:
    await tx.execute("DELETE FROM login_sessions WHERE token_hash = :hash", {"hash": token_hash})


async def end_login_sessions_of(tx: Tx, user_id: UUID, *, keep: str = "") -> int:
    """How many there were, but for ``keep``."""
    return await tx.execute(
        "DELETE FROM login_sessions WHERE user_id = :id AND token_hash <> :keep",
        {"id": user_id, "keep": keep},
    )


async def drop_ended_sessions(tx: Tx, at: datetime, idle_since: datetime) -> int:
    return await tx.execute(
        "DELETE FROM login_sessions WHERE expires_at <= :at OR last_seen_at <= :idle",
        {"at": at, "idle": idle_since},
    )


async def insert_key(tx: Tx, key: ApiKey, secret_hash: str, created_by: str) -> None:
    await tx.execute(
        "INSERT INTO api_keys (id, org_id, name, prefix, secret_hash, scopes, created_at,"
        " created_by, expires_at) VALUES (:id, :org_id, :name, :prefix, :hash, :scopes, :at,"
        " :by, :expires)",
        {
            "id": key.id,
            "org_id": key.org_id,
            "name": key.name,
            "prefix": key.prefix,
            "hash": secret_hash,
            "scopes": sorted(scope.value for scope in key.scopes),
            "at": key.created_at,
            "by": created_by,
            "expires": key.expires_at,
        },
    )


async def keys(tx: Tx) -> list[ApiKey]:
    rows = await tx.all(f"SELECT {_KEY} FROM api_keys ORDER BY created_at DESC")
    return [_key(row) for row in rows]


async def key(tx: Tx, key_id: UUID) -> ApiKey | None:
    row = await tx.one(f"SELECT {_KEY} FROM api_keys WHERE id = :id", {"id": key_id})
    return None if row is None else _key(row)


async def key_by_prefix(tx: Tx, prefix: str) -> tuple[ApiKey, str, UUID | None] | None:
    """The key, the hash of its secret and the depot operator above its organisation, if active."""
    row = await tx.one(
        f"SELECT {_KEY}, secret_hash, {_PARENT.format('api_keys')} FROM api_keys"
        f" WHERE prefix = :prefix AND {_OPEN.format('api_keys')}",
        {"prefix": prefix},
    )
    return None if row is None else (_key(row), row["secret_hash"], row["parent_id"])


async def touch_key(tx: Tx, key_id: UUID, at: datetime) -> None:
    await tx.execute(
        "UPDATE api_keys SET last_used_at = :at WHERE id = :id", {"id": key_id, "at": at}
    )


async def revoke_key(tx: Tx, key_id: UUID, at: datetime) -> None:
    await tx.execute(
        "UPDATE api_keys SET revoked_at = :at WHERE id = :id", {"id": key_id, "at": at}
    )


async def insert_setup_link(tx: Tx, token_hash: str, at: datetime, expires_at: datetime) -> None:
    """A new link; earlier ones that were not used end."""
    await tx.execute("DELETE FROM setup_links WHERE used_at IS NULL")
    await tx.execute(
        "INSERT INTO setup_links (token_hash, created_at, expires_at) VALUES (:hash, :at, :until)",
        {"hash": token_hash, "at": at, "until": expires_at},
    )


async def setup_link_open(tx: Tx, token_hash: str, at: datetime) -> bool:
    row = await tx.one(
        "SELECT 1 AS ok FROM setup_links WHERE token_hash = :hash AND used_at IS NULL"
        " AND expires_at > :at",
        {"hash": token_hash, "at": at},
    )
    return row is not None


async def use_setup_link(tx: Tx, token_hash: str, at: datetime) -> bool:
    """Use it up; False when it is unknown, used or over. Of two at once, one succeeds."""
    done = await tx.execute(
        "UPDATE setup_links SET used_at = :at WHERE token_hash = :hash AND used_at IS NULL"
        " AND expires_at > :at",
        {"hash": token_hash, "at": at},
    )
    return done == 1


async def insert_audit(tx: Tx, *, detail: Mapping[str, Any], **columns: Any) -> None:
    await tx.execute(
        "INSERT INTO audit_log (at, org_id, actor_kind, actor_id, actor_name, action,"
        " object_kind, object_id, detail, remote) VALUES (:at, :org_id, :actor_kind, :actor_id,"
        " :actor_name, :action, :object_kind, :object_id, CAST(:detail AS jsonb), :remote)",
        {**columns, "detail": msgspec.json.encode(detail).decode()},
    )


async def audit(
    tx: Tx, conditions: Sequence[str], params: Mapping[str, Any], *, limit: int, offset: int
) -> tuple[list[AuditEntry], int]:
    """Entries, newest first, and how many there are in all."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    total = await tx.one(f"SELECT count(*) AS n FROM audit_log{where}", params)
    rows = await tx.all(
        f"SELECT * FROM audit_log{where} ORDER BY at DESC, id DESC LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    return [_audit_entry(row) for row in rows], int(total["n"]) if total else 0


def _audit_entry(row: Row) -> AuditEntry:
    return AuditEntry(
        row["at"],
        row["org_id"],
        row["actor_kind"],
        row["actor_name"],
        row["action"],
        row["object_kind"],
        row["object_id"],
        msgspec.json.encode(row["detail"]).decode(),
        row["remote"],
    )
