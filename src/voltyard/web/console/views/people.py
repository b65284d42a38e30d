"""People, keys and the audit, as listed and filled in."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.tenancy.model import ApiKey, Role


@dataclass(frozen=True, slots=True)
class UserRow:
    id: UUID
    name: str
    email: str
    role: Role
    active: bool = True
    last_login_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UserForm:
    """``password`` None keeps the present one."""

    name: str
    email: str
    role: Role
    active: bool = True
    password: str | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """The one time the secret is shown."""

    row: ApiKey
    secret: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    at: datetime
    actor: str
    action: str
    object_kind: str
    object_id: str
    detail: str = ""
    remote: str = ""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """``actor_kind`` is user, key, system, or empty for all."""

    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    actor_kind: str = ""
