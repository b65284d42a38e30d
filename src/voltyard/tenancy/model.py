"""Organisations, users, roles, API keys and who is acting."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    ADMIN = "admin"
    DISPATCHER = "dispatcher"
    TECHNICIAN = "technician"
    VIEWER = "viewer"


class Permission(StrEnum):
    """What a role or an API key's scope allows."""

    VIEW = "view"
    DUTIES_WRITE = "duties:write"
    FLEET_WRITE = "fleet:write"
    SESSIONS_CONTROL = "sessions:control"
    CHARGERS_COMMAND = "chargers:command"
    CHARGERS_WRITE = "chargers:write"
    ALERTS_WRITE = "alerts:write"
    SITES_WRITE = "sites:write"
    SECURITY_WRITE = "security:write"
    PEOPLE_WRITE = "people:write"
    AUDIT_VIEW = "audit:view"
    TARIFFS_WRITE = "tariffs:write"
    PAYMENTS_WRITE = "payments:write"
    NOTIFICATIONS_WRITE = "notifications:write"


ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.VIEW}),
    Role.DISPATCHER: frozenset(
        {
            Permission.VIEW,
            Permission.DUTIES_WRITE,
            Permission.FLEET_WRITE,
            Permission.SESSIONS_CONTROL,
            Permission.ALERTS_WRITE,
        }
    ),
    Role.TECHNICIAN: frozenset(
        {
            Permission.VIEW,
            Permission.SESSIONS_CONTROL,
            Permission.CHARGERS_COMMAND,
            Permission.CHARGERS_WRITE,
            Permission.ALERTS_WRITE,
        }
    ),
    Role.ADMIN: frozenset(Permission),
}


OPERATOR_PERMISSIONS = frozenset(
    {
        Permission.VIEW,
        Permission.DUTIES_WRITE,
        Permission.FLEET_WRITE,
        Permission.ALERTS_WRITE,
        Permission.NOTIFICATIONS_WRITE,
        Permission.PEOPLE_WRITE,
        Permission.AUDIT_VIEW,
    }
)
"""What anybody may at most do in a fleet operator: chargers and sites are the depot operator's."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """``parent_id``: the depot operator of a fleet operator; None for who has sites of its own.

    Nobody of one that is not ``active`` gets in, and its tokens do not charge. Its duties count at
    most at ``best_priority`` (1 is the most important) beside those of others.
    """

    id: UUID
    name: str
    slug: str
    timezone: str = "Europe/Berlin"
    locale: str = "en"
    parent_id: UUID | None = None
    active: bool = True
    best_priority: int = 1


@dataclass(frozen=True, slots=True)
class AdmittedSite:
    """A site of the depot operator at which a fleet operator's vehicles charge.

    ``area_ids``: only there, and nobody else there; empty for wherever nobody is bound to.
    """

    site_id: UUID
    area_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    id: UUID
    org_id: UUID
    email: str
    name: str
    role: Role
    locale: str = "en"
    active: bool = True
    last_login_at: datetime | None = None
    parent_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is acting, in which organisation, with what permissions.

    ``parent_id`` is the depot operator where the organisation is a fleet operator below it;
    ``home_org_id`` the organisation of somebody who is at work in another.
    """

    org_id: UUID
    kind: str
    id: UUID
    name: str
    permissions: frozenset[Permission]
    role: Role | None = None
    locale: str = "en"
    parent_id: UUID | None = None
    home_org_id: UUID | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions


@dataclass(frozen=True, slots=True)
class LogInOrigin:
    """From where somebody signed in. ``issuer``: who has proven them; empty for a password.

    ``id_token``: its proof, sealed, for signing out there.
    """

    remote: str = ""
    user_agent: str = ""
    issuer: str = ""
    id_token: bytes | None = None


@dataclass(frozen=True, slots=True)
class OpenLogIn:
    """A log-in that still holds; ``current`` is the one of whoever asks."""

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
    current: bool = False


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: UUID
    org_id: UUID
    name: str
    prefix: str
    scopes: frozenset[Permission]
    created_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    at: datetime
    org_id: UUID
    actor_kind: str
    actor_name: str
    action: str
    object_kind: str
    object_id: str
    detail: str
    remote: str = ""
