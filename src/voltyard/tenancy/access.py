"""Who may do what: the one check of permissions, and voltyard's own principal."""

from dataclasses import replace
from uuid import UUID

from voltyard.errors import Forbidden
from voltyard.tenancy.model import OPERATOR_PERMISSIONS, Permission, Principal

SYSTEM_ID = UUID(int=0)


def require(principal: Principal, permission: Permission) -> None:
    """Raise Forbidden (code ``forbidden``) unless ``principal`` holds ``permission``."""
    if not principal.may(permission):
        raise Forbidden(
            "You may not do this.",
            detail=f"{principal.kind} {principal.name} lacks {permission.value}",
            fields={"permission": permission.value},
        )


def permissions_in(parent_id: UUID | None, rights: frozenset[Permission]) -> frozenset[Permission]:
    """What is left of ``rights`` in an organisation; ``parent_id`` tells a fleet operator."""
    return rights if parent_id is None else rights & OPERATOR_PERMISSIONS


def on_behalf(principal: Principal, org_id: UUID) -> Principal:
    """The same person, acting in the organisation whose row they have just been shown.

    The database shows a depot operator its operators' rows, and changes them for nobody but their
    owner: whoever changes one acts in its organisation, and the change is in its audit log.
    """
    if org_id == principal.org_id:
        return principal
    return replace(
        principal,
        org_id=org_id,
        parent_id=principal.org_id,
        home_org_id=principal.org_id,
        permissions=permissions_in(principal.org_id, principal.permissions),
    )


def acting_name(name: str, organisation: str) -> str:
    """As an operator's audit log names somebody of the depot operator."""
    return f"{name} ({organisation})"


def system_principal(org_id: UUID, name: str = "voltyard") -> Principal:
    """voltyard itself, acting in an organisation: every permission, and named in the audit."""
    return Principal(org_id, "system", SYSTEM_ID, name, frozenset(Permission))
