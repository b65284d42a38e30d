"""Who may do what: the one check of permissions, and voltyard's own principal."""

from uuid import UUID

from voltyard.errors import Forbidden
from voltyard.tenancy.model import Permission, Principal

SYSTEM_ID = UUID(int=0)


def require(principal: Principal, permission: Permission) -> None:
    """Raise Forbidden (code ``forbidden``) unless ``principal`` holds ``permission``."""
    if not principal.may(permission):
        raise Forbidden(
            "You may not do this.",
            detail=f"{principal.kind} {principal.name} lacks {permission.value}",
            fields={"permission": permission.value},
        )


def system_principal(org_id: UUID, name: str = "voltyard") -> Principal:
    """voltyard itself, acting in an organisation: every permission, and named in the audit."""
    return Principal(org_id, "system", SYSTEM_ID, name, frozenset(Permission))
