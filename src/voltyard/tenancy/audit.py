"""The audit: every change, who made it and from where, in the transaction of the change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from voltyard.clock import Clock
from voltyard.storage.engine import Tx
from voltyard.tenancy import store
from voltyard.tenancy.approved import ApprovedPrincipal
from voltyard.tenancy.model import Principal


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries to show; None or empty means any. ``action`` matches a beginning.

    ``text`` is sought in who, what, which object, details and address, case aside.
    ``actor_kind`` is user, key or system.
    """

    action: str = ""
    object_kind: str = ""
    object_id: str = ""
    actor: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    actor_kind: str = ""


async def write(
    tx: Tx,
    principal: Principal,
    action: str,
    object_kind: str,
    object_id: object,
    detail: Mapping[str, Any] | None = None,
    *,
    at: datetime,
    remote: str = "",
) -> None:
    """Note a change in the same transaction. ``action`` is ``<room>.<verb>``, e.g. ``duty.delete``.

    ``detail`` must hold no secret. Of a change that a second person approved it names them.
    """
    if isinstance(principal, ApprovedPrincipal):
        approved = {"proposal": str(principal.proposal_id), "approved_by": principal.approved_by}
        detail = {**(detail or {}), **approved}
    await store.insert_audit(
        tx,
        at=at,
        org_id=principal.org_id,
        actor_kind=principal.kind,
        actor_id=principal.id,
        actor_name=principal.name,
        action=action,
        object_kind=object_kind,
        object_id=str(object_id),
        detail=detail or {},
        remote=remote,
    )


def changes(before: object, after: object) -> dict[str, list[Any]]:
    """Field → [old, new] of two dataclasses of one type, for the audit's detail."""
    fields: Mapping[str, Any] = getattr(type(after), "__dataclass_fields__", {})
    return {
        name: [_plain(getattr(before, name)), _plain(getattr(after, name))]
        for name in fields
        if getattr(before, name) != getattr(after, name)
    }


def _plain(value: object) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(str(part) for part in value)
    return value


class Auditor:
    """``write`` with the clock built in, as rooms take it that are given their audit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __call__(
        self,
        tx: Tx,
        principal: Principal,
        action: str,
        object_kind: str,
        object_id: str,
        detail: Mapping[str, Any],
    ) -> None:
        at = self._clock.now()
        await write(tx, principal, action, object_kind, object_id, detail, at=at)


class Notes:
    """``write`` with the clock built in; what kind of thing was changed is said by the action."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __call__(
        self,
        tx: Tx,
        principal: Principal,
        action: str,
        object_id: UUID,
        detail: Mapping[str, Any],
        remote: str,
    ) -> None:
        kind, at = action.partition(".")[0], self._clock.now()
        await write(tx, principal, action, kind, object_id, detail, at=at, remote=remote)
