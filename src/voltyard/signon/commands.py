"""What an administrator enters about a connection."""

from dataclasses import dataclass

from voltyard.signon.model import LocalPasswords, RoleRule
from voltyard.tenancy.model import Role


@dataclass(frozen=True, slots=True)
class ConnectionDraft:
    """``secret`` None keeps the one that is stored; empty is a client without one."""

    name: str
    issuer: str
    client_id: str
    secret: str | None = None
    enabled: bool = True
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    domains: tuple[str, ...] = ()
    groups_claim: str = "groups"
    roles: tuple[RoleRule, ...] = ()
    default_role: Role | None = None
    create_users: bool = False
    passwords: LocalPasswords = LocalPasswords.ALLOWED
    session_h: int = 12
