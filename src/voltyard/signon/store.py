"""SQL of connections, identities and spent states."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.signon.model import Connection, Identity, LocalPasswords, RoleRule
from voltyard.storage.engine import Row, Tx
from voltyard.tenancy.model import Role

_CONNECTION = (
    "org_id, name, enabled, issuer, client_id, secret IS NOT NULL AS has_secret, scopes, domains,"
    " groups_claim, roles, default_role, create_users, passwords, session_h, changed_at"
)
_IDENTITY = "user_id, issuer, subject, email, linked_at, last_at"


def _connection(row: Row) -> Connection:
    given: dict[str, Any] = dict(row)
    default = given["default_role"]
    rules = (RoleRule(each["group"], Role(each["role"])) for each in given["roles"])
    given |= {
        "scopes": tuple(given["scopes"]),
        "domains": tuple(given["domains"]),
        "roles": tuple(rules),
        "default_role": None if default is None else Role(default),
        "passwords": LocalPasswords(given["passwords"]),
    }
    return Connection(**given)


async def connection(tx: Tx, org_id: UUID) -> Connection | None:
    row = await tx.one(
        f"SELECT {_CONNECTION} FROM sso_connections WHERE org_id = :org", {"org": org_id}
    )
    return None if row is None else _connection(row)


async def put_connection(tx: Tx, made: Connection) -> None:
    """The secret stays as it is."""
    roles = [{"group": rule.group, "role": rule.role.value} for rule in made.roles]
    await tx.execute(
        "INSERT INTO sso_connections (org_id, name, enabled, issuer, client_id, scopes, domains,"
        " groups_claim, roles, default_role, create_users, passwords, session_h, changed_at)"
        " VALUES (:org_id, :name, :enabled, :issuer, :client_id, :scopes, :domains, :claim,"
        " CAST(:roles AS jsonb), :default_role, :create_users, :passwords, :session_h, :at)"
        " ON CONFLICT (org_id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled,"
        " issuer = excluded.issuer, client_id = excluded.client_id, scopes = excluded.scopes,"
        " domains = excluded.domains, groups_claim = excluded.groups_claim,"
        " roles = excluded.roles, default_role = excluded.default_role,"
        " create_users = excluded.create_users, passwords = excluded.passwords,"
        " session_h = excluded.session_h, changed_at = excluded.changed_at",
        {
            "org_id": made.org_id,
            "name": made.name,
            "enabled": made.enabled,
            "issuer": made.issuer,
            "client_id": made.client_id,
            "scopes": list(made.scopes),
            "domains": list(made.domains),
            "claim": made.groups_claim,
            "roles": msgspec.json.encode(roles).decode(),
            "default_role": None if made.default_role is None else made.default_role.value,
            "create_users": made.create_users,
            "passwords": made.passwords.value,
            "session_h": made.session_h,
            "at": made.changed_at,
        },
    )


async def put_secret(tx: Tx, org_id: UUID, sealed: bytes | None) -> None:
    await tx.execute(
        "UPDATE sso_connections SET secret = :secret WHERE org_id = :org",
        {"org": org_id, "secret": sealed},
    )


async def secret(tx: Tx, org_id: UUID) -> bytes | None:
    row = await tx.one("SELECT secret FROM sso_connections WHERE org_id = :org", {"org": org_id})
    return None if row is None or row["secret"] is None else bytes(row["secret"])


async def drop_connection(tx: Tx, org_id: UUID) -> int:
    await tx.execute("DELETE FROM sso_identities WHERE org_id = :org", {"org": org_id})
    return await tx.execute("DELETE FROM sso_connections WHERE org_id = :org", {"org": org_id})


async def set_passwords(tx: Tx, org_id: UUID, passwords: LocalPasswords) -> None:
    await tx.execute(
        "UPDATE sso_connections SET passwords = :passwords WHERE org_id = :org",
        {"org": org_id, "passwords": passwords.value},
    )


async def identities(tx: Tx, org_id: UUID, issuer: str) -> list[Identity]:
    rows = await tx.all(
        f"SELECT {_IDENTITY} FROM sso_identities WHERE org_id = :org AND issuer = :issuer"
        " ORDER BY last_at DESC, user_id",
        {"org": org_id, "issuer": issuer},
    )
    return [Identity(**row) for row in rows]


async def identity(tx: Tx, org_id: UUID, issuer: str, subject: str) -> Identity | None:
    row = await tx.one(
        f"SELECT {_IDENTITY} FROM sso_identities WHERE org_id = :org AND issuer = :issuer"
        " AND subject = :subject",
        {"org": org_id, "issuer": issuer, "subject": subject},
    )
    return None if row is None else Identity(**row)


async def identity_of(tx: Tx, org_id: UUID, issuer: str, user_id: UUID) -> Identity | None:
    row = await tx.one(
        f"SELECT {_IDENTITY} FROM sso_identities WHERE org_id = :org AND issuer = :issuer"
        " AND user_id = :user",
        {"org": org_id, "issuer": issuer, "user": user_id},
    )
    return None if row is None else Identity(**row)


async def put_identity(tx: Tx, org_id: UUID, made: Identity) -> None:
    await tx.execute(
        "INSERT INTO sso_identities (org_id, user_id, issuer, subject, email, linked_at, last_at)"
        " VALUES (:org, :user, :issuer, :subject, :email, :linked, :last)"
        " ON CONFLICT (org_id, issuer, subject) DO UPDATE SET email = excluded.email,"
        " last_at = excluded.last_at",
        {
            "org": org_id,
            "user": made.user_id,
            "issuer": made.issuer,
            "subject": made.subject,
            "email": made.email,
            "linked": made.linked_at,
            "last": made.last_at,
        },
    )


async def drop_identity(tx: Tx, org_id: UUID, user_id: UUID) -> int:
    return await tx.execute(
        "DELETE FROM sso_identities WHERE org_id = :org AND user_id = :user",
        {"org": org_id, "user": user_id},
    )


async def linked_admins(tx: Tx, org_id: UUID, issuer: str) -> int:
    """Active administrators who have come in by this issuer."""
    row = await tx.one(
        "SELECT count(*) AS n FROM sso_identities i JOIN users u ON u.id = i.user_id"
        " WHERE i.org_id = :org AND i.issuer = :issuer AND u.active AND u.role = 'admin'",
        {"org": org_id, "issuer": issuer},
    )
    return int(row["n"]) if row else 0


async def spend(tx: Tx, org_id: UUID, state_hash: str, ends_at: datetime) -> bool:
    """False when it has been used before. Of two at once, one succeeds."""
    done = await tx.execute(
        "INSERT INTO sso_spent (state_hash, org_id, ends_at) VALUES (:hash, :org, :ends)"
        " ON CONFLICT DO NOTHING",
        {"hash": state_hash, "org": org_id, "ends": ends_at},
    )
    return done == 1


async def drop_spent(tx: Tx, at: datetime) -> int:
    return await tx.execute("DELETE FROM sso_spent WHERE ends_at <= :at", {"at": at})
