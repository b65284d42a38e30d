"""Proving who one is: passwords with a lock, session tokens, API keys, the first-run link."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from voltyard.clock import Clock
from voltyard.errors import Invalid, TooMany, Unauthenticated
from voltyard.storage.engine import Database, Row
from voltyard.tenancy import audit, keys, store
from voltyard.tenancy.access import acting_name, on_behalf, permissions_in
from voltyard.tenancy.model import ROLE_PERMISSIONS, LogInOrigin, Permission, Principal, User
from voltyard.tenancy.passwords import (
    REMOTE_FREE_ATTEMPTS,
    PasswordBook,
    Suspects,
    Verified,
    lock_s,
)
from voltyard.tenancy.scope import SYSTEM, of, transaction

TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """``session_max`` ends every log-in, ``session_idle`` one that is not used."""

    session_max: timedelta = timedelta(days=7)
    session_idle: timedelta = timedelta(hours=12)
    setup_link_max: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """``token`` goes into the cookie and is stored nowhere; it ends at ``expires_at``."""

    token: str
    principal: Principal
    expires_at: datetime


class PasswordRule(Protocol):
    """Whether somebody may come in by password at all."""

    async def refuses(self, user: User) -> bool: ...


class LogIn:
    """Every way in. What it raises tells a guesser nothing about which part was wrong."""

    def __init__(
        self, database: Database, clock: Clock, passwords: PasswordBook, settings: LoginSettings
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._settings = settings
        self._remotes = Suspects(REMOTE_FREE_ATTEMPTS)
        self._names = Suspects(free=5)
        self._rule: PasswordRule | None = None

    async def log_in(
        self, email: str, password: str, *, remote: str = "", user_agent: str = ""
    ) -> LoggedIn:
        """Unauthenticated (code ``wrong_credentials``; ``sign_on_only`` where the password is right
        and passwords are not allowed); TooMany (code ``locked``) when hammered."""
        user = await self._checked(email.strip(), password, remote)
        return await self.open_session(user, remote=remote, user_agent=user_agent)

    async def open_session(
        self,
        user: User,
        *,
        remote: str = "",
        user_agent: str = "",
        origin: LogInOrigin | None = None,
        at_most: timedelta | None = None,
    ) -> LoggedIn:
        """A session for somebody already proven; ``at_most`` ends it earlier than the settings."""
        token, now = keys.new_token(), self._clock.now()
        longest = self._settings.session_max
        expires_at = now + (longest if at_most is None else min(longest, at_most))
        who, came = principal_of(user), origin or LogInOrigin(remote, user_agent)
        detail = {"email": user.email} | ({"issuer": came.issuer} if came.issuer else {})
        async with transaction(self._database, of(user.org_id)) as tx:
            await store.insert_login_session(tx, user, keys.digest(token), now, expires_at, came)
            await audit.write(
                tx, who, "login.ok", "user", user.id, detail, at=now, remote=came.remote
            )
        return LoggedIn(token, who, expires_at)

    def passwords_allowed_by(self, rule: PasswordRule) -> None:
        """Who is asked, from now on, after a password was right."""
        self._rule = rule

    async def origin_of(self, token: str) -> tuple[UUID, LogInOrigin] | None:
        """The organisation of a log-in and who has let it in."""
        async with transaction(self._database, SYSTEM) as tx:
            row = await store.login_origin(tx, keys.digest(token))
        if row is None:
            return None
        return row["org_id"], LogInOrigin(issuer=row["issuer"], id_token=row["id_token"])

    @property
    def idle_since(self) -> datetime:
        """Log-ins that were last used before have ended."""
        return self._clock.now() - self._settings.session_idle

    async def confirm_password(self, user: User, password: str, *, remote: str = "") -> None:
        """Ask a logged-in person again, under the same lock. Invalid when wrong."""
        try:
            await self._checked(user.email, password, remote)
        except Unauthenticated as error:
            if error.code == "sign_on_only":
                raise
            raise Invalid(
                "The current password is wrong.", fields={"current": "is wrong"}
            ) from None

    async def log_out(self, token: str, *, remote: str = "") -> None:
        row = await self._session_row(token)
        if row is None:
            return
        who = principal_of(store.user_of(row))
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.end_login_session(tx, keys.digest(token))
            await audit.write(
                tx, who, "login.out", "user", who.id, at=self._clock.now(), remote=remote
            )

    async def principal_of_session(self, token: str, *, used: bool = True) -> Principal | None:
        """The person behind a cookie; None when it is unknown, over, idle too long or closed.

        One who is at work in an operator is the operator's principal. ``used`` False does not keep
        it from getting idle.
        """
        row = await self._session_row(token, used=used)
        if row is None:
            return None
        who = principal_of(store.user_of(row))
        if row["acting_in"] is None or not who.may(Permission.PEOPLE_WRITE):
            return who
        return replace(
            on_behalf(who, row["acting_in"]), name=acting_name(who.name, row["org_name"])
        )

    async def act(self, token: str, org_id: UUID | None) -> None:
        """From now on the log-in works in an operator below, or (None) at home again."""
        row = await self._session_row(token)
        if row is None:
            return
        async with transaction(self._database, of(row["org_id"])) as tx:
            await store.act(tx, keys.digest(token), org_id)

    async def _session_row(self, token: str, *, used: bool = True) -> Row | None:
        if not token or len(token) > 200:
            return None
        now, hashed = self._clock.now(), keys.digest(token)
        async with transaction(self._database, SYSTEM) as tx:
            row = await store.login_session(tx, hashed, now, now - self._settings.session_idle)
            if used and row is not None and now - row["last_seen_at"] >= TOUCH_EVERY:
                await store.touch_login_session(tx, hashed, now)
        return row

    async def principal_of_key(self, text: str) -> Principal:
        """The key as principal. Unauthenticated (code ``api_key``) when it opens nothing."""
        parsed, now = keys.parse_api_key(text), self._clock.now()
        refused = Unauthenticated("This API key is not valid.", code="api_key")
        if parsed is None:
            raise refused
        prefix, secret = parsed
        async with transaction(self._database, SYSTEM) as tx:
            found = await store.key_by_prefix(tx, prefix)
            if found is None or not keys.matches(found[1], secret):
                raise refused
            key, _, parent_id = found
            if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
                raise refused
            if key.last_used_at is None or now - key.last_used_at >= TOUCH_EVERY:
                await store.touch_key(tx, key.id, now)
        rights = permissions_in(parent_id, key.scopes)
        return Principal(key.org_id, "key", key.id, key.name, rights, parent_id=parent_id)

    async def clean_up(self) -> int:
        """Forget sessions that ended; how many."""
        now = self._clock.now()
        async with transaction(self._database, SYSTEM) as tx:
            return await store.drop_ended_sessions(tx, now, now - self._settings.session_idle)

    # First run

    async def needs_setup(self) -> bool:
        async with transaction(self._database, SYSTEM) as tx:
            return not await store.organisations(tx)

    async def make_setup_link(self) -> str:
        """A fresh one-time token for the set-up page; an unused one before it ends."""
        token, now = keys.new_token(), self._clock.now()
        async with transaction(self._database, SYSTEM) as tx:
            await store.insert_setup_link(
                tx, keys.digest(token), now, now + self._settings.setup_link_max
            )
        return token

    async def setup_open(self, token: str) -> bool:
        async with transaction(self._database, SYSTEM) as tx:
            return await store.setup_link_open(tx, keys.digest(token), self._clock.now())

    # Passwords under a lock

    async def _checked(self, email: str, password: str, remote: str) -> User:
        now = self._clock.now()
        self._refuse_if_locked(self._remotes.wait_s(remote, now) if remote else 0)
        found = await self._reserve_attempt(email, now)
        stored = None if found is None else found[1]
        verified = await self._passwords.verify(stored, password[:1000])
        if found is None or not verified.right:
            await self._failed(email, None if found is None else found[0], remote)
            raise Unauthenticated("E-mail address or password is wrong.", code="wrong_credentials")
        if self._rule is not None and await self._rule.refuses(found[0]):
            await self._failed(email, found[0], "")
            raise Unauthenticated("Sign in through your organisation.", code="sign_on_only")
        await self._succeeded(found[0], verified, remote)
        return found[0]

    async def _reserve_attempt(self, email: str, now: datetime) -> tuple[User, str] | None:
        """Count the attempt before the password is looked at, so that many at once gain nothing."""
        async with transaction(self._database, SYSTEM) as tx:
            row = await store.credentials(tx, email)
            if row is not None:
                until: datetime | None = row["locked_until"]
                if until is not None and until > now:
                    self._refuse_if_locked(max(1, round((until - now).total_seconds())))
                failures = int(row["failed_logins"]) + 1
                wait = lock_s(failures)
                locked = now + timedelta(seconds=wait) if wait else None
                await store.count_attempt(tx, row["id"], failures, locked)
                return store.user_of(row), row["password_hash"]
        self._refuse_if_locked(self._names.wait_s(email.lower(), now))
        self._names.failed(email.lower(), now)
        return None

    async def _failed(self, email: str, user: User | None, remote: str) -> None:
        now = self._clock.now()
        if remote:
            self._remotes.failed(remote, now)
        if user is None:
            return
        async with transaction(self._database, of(user.org_id)) as tx:
            await audit.write(
                tx,
                principal_of(user),
                "login.failed",
                "user",
                user.id,
                {"email": email},
                at=now,
                remote=remote,
            )

    async def _succeeded(self, user: User, verified: Verified, remote: str) -> None:
        self._remotes.cleared(remote)
        async with transaction(self._database, of(user.org_id)) as tx:
            await store.logged_in(tx, user.id, self._clock.now(), verified.rehash)

    def _refuse_if_locked(self, wait_s: int) -> None:
        if wait_s > 0:
            raise TooMany(
                f"Too many attempts. Try again in {wait_s} seconds.",
                code="locked",
                fields={"retry_after_s": str(wait_s)},
            )


def principal_of(user: User) -> Principal:
    return Principal(
        user.org_id,
        "user",
        user.id,
        user.name,
        permissions_in(user.parent_id, ROLE_PERMISSIONS[user.role]),
        user.role,
        user.locale,
        user.parent_id,
    )
