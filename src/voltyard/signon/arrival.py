"""From somebody a provider has proven to a user of ours: known, linked, made, given a role."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from voltyard.errors import Conflict
from voltyard.signon import store
from voltyard.signon.model import Connection, Identity, Proven, SignOnRefused, Why, role_of
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit, proven
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.integrity import constraint_name
from voltyard.tenancy.model import Organisation, Role, User
from voltyard.tenancy.scope import of, transaction


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody at the door; ``hashed`` is a password that nobody knows, for a new user."""

    connection: Connection
    person: Proven
    hashed: str
    at: datetime
    remote: str


async def admitted(database: Database, arrival: Arrival) -> User:
    """The user, with the role of now. Raises SignOnRefused; then nothing has changed."""
    org_id = arrival.connection.org_id
    try:
        async with transaction(database, of(org_id)) as tx:
            home = await proven.organisation(tx, org_id, lock=True)
            if home is None or not home.active:
                raise SignOnRefused(Why.SWITCHED_OFF, "the organisation is not active")
            user = await _known(tx, arrival) or await _made(tx, home, arrival)
            if not user.active:
                raise SignOnRefused(Why.DISABLED, user.email)
            user = await _with_role(tx, arrival, user)
            await proven.arrived(tx, user.id, arrival.at)
            return user
    except Conflict as error:
        raise SignOnRefused(Why.LAST_ADMIN, arrival.person.email) from error
    except IntegrityError as error:
        if constraint_name(error) != "users_email":
            raise
        raise SignOnRefused(Why.ELSEWHERE, arrival.person.email) from None


async def _known(tx: Tx, arrival: Arrival) -> User | None:
    """By what the provider calls them; else by their address, which is linked for good."""
    connection, person = arrival.connection, arrival.person
    org_id, issuer = connection.org_id, connection.issuer
    identity = await store.identity(tx, org_id, issuer, person.subject)
    if identity is not None:
        seen = replace(identity, email=person.email, last_at=arrival.at)
        await store.put_identity(tx, org_id, seen)
        return await proven.by_id(tx, identity.user_id)
    user = await proven.by_email(tx, person.email)
    if user is None:
        return None
    if await store.identity_of(tx, org_id, issuer, user.id) is not None:
        raise SignOnRefused(Why.OTHER_PERSON, person.email)
    await _link(tx, arrival, user)
    return user


async def _made(tx: Tx, home: Organisation, arrival: Arrival) -> User:
    person = arrival.person
    if not arrival.connection.create_users:
        raise SignOnRefused(Why.UNKNOWN_PERSON, person.email)
    role = _role(arrival)
    locale = person.locale or home.locale
    user = await proven.add(
        tx, home, person.email, person.name, role, locale, arrival.hashed, arrival.at
    )
    await _note(tx, arrival, "user.create", user, {"email": user.email, "role": role.value})
    await _link(tx, arrival, user)
    return user


async def _link(tx: Tx, arrival: Arrival, user: User) -> None:
    issuer, person = arrival.connection.issuer, arrival.person
    linked = Identity(user.id, issuer, person.subject, person.email, arrival.at, arrival.at)
    await store.put_identity(tx, arrival.connection.org_id, linked)
    detail = {"email": user.email, "issuer": issuer, "subject": person.subject}
    await _note(tx, arrival, "sign_on.link", user, detail)


async def _with_role(tx: Tx, arrival: Arrival, user: User) -> User:
    role = _role(arrival)
    if role is user.role:
        return user
    changed = replace(user, role=role)
    await proven.give_role(tx, changed)
    await _note(tx, arrival, "user.update", user, audit.changes(user, changed))
    return changed


def _role(arrival: Arrival) -> Role:
    """A refusal names who it was, for the audit."""
    try:
        return role_of(arrival.connection, arrival.person.groups)
    except SignOnRefused as refused:
        raise SignOnRefused(refused.why, f"{arrival.person.email}: {refused.detail}") from None


async def _note(
    tx: Tx, arrival: Arrival, action: str, user: User, detail: Mapping[str, object]
) -> None:
    """As voltyard itself, on behalf of the provider."""
    name = f"{arrival.connection.name} (OpenID Connect)"
    who = system_principal(arrival.connection.org_id, name)
    at, remote = arrival.at, arrival.remote
    await audit.write(tx, who, action, "user", user.id, detail, at=at, remote=remote)
