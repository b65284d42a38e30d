"""Use cases of people: organisations, users and API keys, each change with its audit entry."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from voltyard.clock import Clock
from voltyard.errors import Conflict, Forbidden, Invalid, NotFound
from voltyard.ids import new_id
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit, keys, store
from voltyard.tenancy.access import require, system_principal
from voltyard.tenancy.audit import AuditFilter
from voltyard.tenancy.fields import (
    clean_email,
    clean_name,
    known_locale,
    known_timezone,
    slug,
)
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.login import LoggedIn, LogIn, LoginSettings
from voltyard.tenancy.model import (
    ApiKey,
    AuditEntry,
    Organisation,
    Permission,
    Principal,
    Role,
    User,
)
from voltyard.tenancy.passwords import PasswordBook, check_strength
from voltyard.tenancy.scope import SYSTEM, of, transaction

__all__ = ["LoggedIn", "LoginSettings", "NewKey", "NewUser", "TenancyService", "require"]

CLASHES = {
    "users_email": ("email", "This e-mail address is already in use."),
    "organisations_slug_key": ("name", "An organisation of this name exists."),
}


@dataclass(frozen=True, slots=True)
class NewUser:
    email: str
    name: str
    role: Role
    password: str
    locale: str = "en"


@dataclass(frozen=True, slots=True)
class NewKey:
    """An API key just made; ``text`` is shown this once."""

    key: ApiKey
    text: str


class TenancyService:
    """Organisations, users, keys and audit. Log-in is ``self.login`` (tenancy.login)."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: PasswordBook | None = None,
        settings: LoginSettings | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._note = audit.Notes(clock)
        self._passwords = passwords or PasswordBook()
        self.login = LogIn(database, clock, self._passwords, settings or LoginSettings())

    # Organisations

    async def organisations(self) -> list[Organisation]:
        """All but fleet operators: for voltyard's own work only, never on behalf of a tenant."""
        async with transaction(self._database, SYSTEM) as tx:
            return await store.organisations(tx)

    async def organisation(self, org_id: UUID) -> Organisation:
        async with transaction(self._database, of(org_id)) as tx:
            found = await store.organisation(tx, org_id)
        if found is None:
            raise NotFound("There is no such organisation.")
        return found

    async def create_organisation(
        self,
        name: str,
        admin: NewUser,
        *,
        timezone: str = "Europe/Berlin",
        locale: str = "en",
        remote: str = "",
    ) -> tuple[Organisation, User]:
        """An organisation and its first administrator. Invalid, Conflict."""
        organisation, user, hashed = await self.prepared(name, admin, timezone, locale)
        with refusals(CLASHES):
            async with transaction(self._database, of(organisation.id)) as tx:
                await self.found(tx, organisation, user, hashed, remote)
        return organisation, user

    async def set_up(
        self,
        link_token: str,
        name: str,
        admin: NewUser,
        *,
        timezone: str = "Europe/Berlin",
        locale: str = "en",
        remote: str = "",
        user_agent: str = "",
    ) -> LoggedIn:
        """First run: use up the one-time link, create organisation and administrator, log in.

        Forbidden (code ``setup_link``) when the link is unknown, used or over.
        """
        organisation, user, hashed = await self.prepared(name, admin, timezone, locale)
        with refusals(CLASHES):
            async with transaction(self._database, SYSTEM) as tx:
                if not await store.use_setup_link(tx, keys.digest(link_token), self._clock.now()):
                    raise Forbidden("This set-up link is no longer valid.", code="setup_link")
                await self.found(tx, organisation, user, hashed, remote)
        return await self.login.open_session(user, remote=remote, user_agent=user_agent)

    async def update_organisation(
        self,
        principal: Principal,
        *,
        name: str | None = None,
        timezone: str | None = None,
        locale: str | None = None,
        remote: str = "",
    ) -> Organisation:
        require(principal, Permission.PEOPLE_WRITE)
        async with transaction(self._database, of(principal.org_id)) as tx:
            before = await store.organisation(tx, principal.org_id, lock=True)
            if before is None:
                raise NotFound("There is no such organisation.")
            after = replace(
                before,
                name=before.name if name is None else clean_name(name),
                timezone=before.timezone if timezone is None else known_timezone(timezone),
                locale=before.locale if locale is None else known_locale(locale),
            )
            await store.update_organisation(tx, after)
            changed = audit.changes(before, after)
            await self._note(tx, principal, "organisation.update", after.id, changed, remote)
        return after

    async def prepared(
        self, name: str, admin: NewUser, timezone: str, locale: str, parent_id: UUID | None = None
    ) -> tuple[Organisation, User, str]:
        """An organisation and its first administrator, checked, with the password's hash."""
        clean = clean_name(name, field="organisation")
        org_id, short = new_id(), slug(clean)
        if parent_id is not None:
            short = f"{short}-{org_id.hex[:8]}"
        organisation = Organisation(
            org_id, clean, short, known_timezone(timezone), known_locale(locale), parent_id
        )
        user = _user_from(admin, organisation.id)
        check_strength(admin.password, personal=(admin.email, admin.name, clean))
        return organisation, user, await self._passwords.hash(admin.password)

    async def found(
        self, tx: Tx, organisation: Organisation, user: User, hashed: str, remote: str
    ) -> None:
        """In a transaction that may see it."""
        now = self._clock.now()
        await store.insert_organisation(tx, organisation, now)
        await store.insert_user(tx, user, hashed, now)
        who = system_principal(organisation.id)
        for action, object_id, label in (
            ("organisation.create", organisation.id, organisation.name),
            ("user.create", user.id, user.email),
        ):
            await self._note(tx, who, action, object_id, {"name": label}, remote)

    # Users

    async def users(self, principal: Principal) -> list[User]:
        require(principal, Permission.VIEW)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await store.users(tx)

    async def user(self, principal: Principal, user_id: UUID) -> User:
        require(principal, Permission.VIEW)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await _found_user(tx, user_id)

    async def create_user(self, principal: Principal, new: NewUser, *, remote: str = "") -> User:
        require(principal, Permission.PEOPLE_WRITE)
        user = _user_from(new, principal.org_id)
        check_strength(new.password, personal=(new.email, new.name))
        hashed = await self._passwords.hash(new.password)
        now = self._clock.now()
        with refusals(CLASHES):
            async with transaction(self._database, of(principal.org_id)) as tx:
                await store.insert_user(tx, user, hashed, now)
                detail = {"email": user.email, "role": user.role.value}
                await self._note(tx, principal, "user.create", user.id, detail, remote)
        return user

    async def update_user(
        self,
        principal: Principal,
        user_id: UUID,
        *,
        email: str | None = None,
        name: str | None = None,
        role: Role | None = None,
        locale: str | None = None,
        active: bool | None = None,
        remote: str = "",
    ) -> User:
        """Change what is given. A user who loses rights is logged out everywhere.

        Conflict (code ``last_admin``) when no active administrator would remain.
        """
        require(principal, Permission.PEOPLE_WRITE)
        with refusals(CLASHES):
            async with transaction(self._database, of(principal.org_id)) as tx:
                await store.organisation(tx, principal.org_id, lock=True)
                before = await _found_user(tx, user_id)
                after = replace(
                    before,
                    email=before.email if email is None else clean_email(email),
                    name=before.name if name is None else clean_name(name),
                    role=before.role if role is None else role,
                    locale=before.locale if locale is None else known_locale(locale),
                    active=before.active if active is None else active,
                )
                await store.update_user(tx, after)
                if await store.active_admins(tx) == 0:
                    raise Conflict(
                        "An organisation needs an active administrator.", code="last_admin"
                    )
                if after.role is not before.role or not after.active:
                    await store.end_login_sessions_of(tx, user_id)
                changed = audit.changes(before, after)
                await self._note(tx, principal, "user.update", user_id, changed, remote)
        return after

    async def set_password(
        self, principal: Principal, user_id: UUID, password: str, *, remote: str = ""
    ) -> None:
        """An administrator sets somebody's password, which also ends a lock and all log-ins."""
        require(principal, Permission.PEOPLE_WRITE)
        user = await self.user(principal, user_id)
        await self._store_password(principal, user, password, remote, keep_session="")

    async def change_password(
        self,
        principal: Principal,
        current: str,
        password: str,
        *,
        session_token: str = "",
        remote: str = "",
    ) -> None:
        """People change their own; other log-ins of theirs end. Invalid on a wrong ``current``."""
        if principal.kind != "user":
            raise Forbidden("Only people have a password.")
        async with transaction(self._database, of(principal.org_id)) as tx:
            user = await _found_user(tx, principal.id)
        await self.login.confirm_password(user, current, remote=remote)
        keep = keys.digest(session_token) if session_token else ""
        await self._store_password(principal, user, password, remote, keep_session=keep)

    async def _store_password(
        self, principal: Principal, user: User, password: str, remote: str, *, keep_session: str
    ) -> None:
        check_strength(password, personal=(user.email, user.name))
        hashed = await self._passwords.hash(password)
        async with transaction(self._database, of(principal.org_id)) as tx:
            await store.set_password(tx, user.id, hashed)
            await store.end_login_sessions_of(tx, user.id, keep=keep_session)
            detail = {"email": user.email}
            await self._note(tx, principal, "user.password", user.id, detail, remote)

    async def unusable_password(self) -> str:
        """The hash of a password that nobody knows, for people whom others prove."""
        return await self._passwords.hash(keys.new_token())

    # API keys

    async def keys(self, principal: Principal) -> list[ApiKey]:
        require(principal, Permission.PEOPLE_WRITE)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await store.keys(tx)

    async def create_key(
        self,
        principal: Principal,
        name: str,
        scopes: frozenset[Permission],
        expires_at: datetime | None = None,
        *,
        remote: str = "",
    ) -> NewKey:
        """A key with no more rights than ``principal`` has; its text is returned this once."""
        require(principal, Permission.PEOPLE_WRITE)
        now = self._clock.now()
        if not scopes:
            raise Invalid("A key needs a scope.", fields={"scopes": "choose at least one"})
        beyond = scopes - principal.permissions
        if beyond:
            raise Forbidden(
                "A key cannot do more than you.", fields={"scopes": ", ".join(sorted(beyond))}
            )
        if expires_at is not None and expires_at <= now:
            raise Invalid("The expiry is past.", fields={"expires_at": "must be in the future"})
        secret = keys.new_api_key()
        key = ApiKey(
            new_id(),
            principal.org_id,
            clean_name(name),
            secret.prefix,
            scopes,
            now,
            None,
            expires_at,
        )
        async with transaction(self._database, of(principal.org_id)) as tx:
            await store.insert_key(tx, key, secret.stored, principal.name)
            detail = {"name": key.name, "scopes": sorted(scopes), "prefix": key.prefix}
            await self._note(tx, principal, "key.create", key.id, detail, remote)
        return NewKey(key, secret.text)

    async def revoke_key(self, principal: Principal, key_id: UUID, *, remote: str = "") -> ApiKey:
        """From now on it opens nothing; revoking twice changes nothing."""
        require(principal, Permission.PEOPLE_WRITE)
        now = self._clock.now()
        async with transaction(self._database, of(principal.org_id)) as tx:
            key = await store.key(tx, key_id)
            if key is None:
                raise NotFound("There is no such key.")
            if key.revoked_at is not None:
                return key
            await store.revoke_key(tx, key_id, now)
            detail = {"name": key.name, "prefix": key.prefix}
            await self._note(tx, principal, "key.revoke", key_id, detail, remote)
        return replace(key, revoked_at=now)

    # Audit

    async def audit(
        self, principal: Principal, wanted: AuditFilter, *, limit: int = 100, offset: int = 0
    ) -> tuple[Sequence[AuditEntry], int]:
        """Entries, newest first, and the number of all that match."""
        require(principal, Permission.AUDIT_VIEW)
        conditions, params = _audit_conditions(wanted)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await store.audit(tx, conditions, params, limit=limit, offset=offset)


async def _found_user(tx: Tx, user_id: UUID) -> User:
    user = await store.user(tx, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


def _user_from(new: NewUser, org_id: UUID) -> User:
    return User(
        new_id(),
        org_id,
        clean_email(new.email),
        clean_name(new.name),
        new.role,
        known_locale(new.locale),
    )


_SOUGHT = (
    "strpos(lower(concat_ws(' ', actor_name, action, object_kind, object_id,"
    " CAST(detail AS text), remote)), lower(:text)) > 0"
)


def _audit_conditions(wanted: AuditFilter) -> tuple[list[str], dict[str, object]]:
    conditions: list[str] = []
    params: dict[str, object] = {}
    for name, sql in (
        ("action", "starts_with(action, :action)"),
        ("object_kind", "object_kind = :object_kind"),
        ("object_id", "object_id = :object_id"),
        ("actor", "strpos(lower(actor_name), lower(:actor)) > 0"),
        ("actor_kind", "actor_kind = :actor_kind"),
        ("text", _SOUGHT),
        ("since", "at >= :since"),
        ("until", "at < :until"),
    ):
        value = getattr(wanted, name)
        if value:
            conditions.append(sql)
            params[name] = value
    return conditions, params
