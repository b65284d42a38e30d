"""People whom somebody else has proven: found, made and given their role, in one transaction."""

from datetime import datetime
from uuid import UUID

from voltyard.errors import Conflict
from voltyard.ids import new_id
from voltyard.storage.engine import Tx
from voltyard.tenancy import store
from voltyard.tenancy.model import Organisation, Role, User


async def organisation_by_slug(tx: Tx, slug: str) -> Organisation | None:
    """In a system transaction: before anybody is known."""
    return await store.organisation_by_slug(tx, slug)


async def only_organisation(tx: Tx) -> Organisation | None:
    """The one below nobody, where there is just one; in a system transaction."""
    found = await store.organisations(tx)
    return found[0] if len(found) == 1 else None


async def organisation(tx: Tx, org_id: UUID, *, lock: bool = False) -> Organisation | None:
    """With ``lock`` nobody else changes its people until the transaction ends."""
    return await store.organisation(tx, org_id, lock=lock)


async def by_id(tx: Tx, user_id: UUID) -> User | None:
    return await store.user(tx, user_id)


async def by_email(tx: Tx, email: str) -> User | None:
    """Of the transaction's organisation only."""
    return await store.user_by_email(tx, email)


async def add(
    tx: Tx, home: Organisation, email: str, name: str, role: Role, locale: str, hashed: str,
    at: datetime,
) -> User:  # fmt: skip
    """A new user. IntegrityError ``users_email`` when the address is used anywhere."""
    user = User(new_id(), home.id, email, name, role, locale, parent_id=home.parent_id)
    await store.insert_user(tx, user, hashed, at)
    return user


async def give_role(tx: Tx, user: User) -> None:
    """Store a changed role and end what the person had open.

    Conflict (code ``last_admin``) when no active administrator would remain.
    """
    await store.update_user(tx, user)
    if await store.active_admins(tx) == 0:
        raise Conflict("An organisation needs an active administrator.", code="last_admin")
    await store.end_login_sessions_of(tx, user.id)


async def arrived(tx: Tx, user_id: UUID, at: datetime) -> None:
    await store.logged_in(tx, user_id, at, None)
