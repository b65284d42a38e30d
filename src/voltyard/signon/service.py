"""Use cases of single sign-on: a connection entered and tried, and people linked by it."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from voltyard.clock import Clock
from voltyard.errors import Invalid, NotFound
from voltyard.signon import store
from voltyard.signon.checking import checked
from voltyard.signon.commands import ConnectionDraft
from voltyard.signon.model import (
    Connection,
    Identity,
    LocalPasswords,
    SignOnRefused,
    Trial,
)
from voltyard.signon.ports import Sealer
from voltyard.signon.provider import Providers
from voltyard.signon.signing import Parts, SignIn, secret_of
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import of, transaction
from voltyard.tenancy.service import TenancyService


class SignOnService:
    """An organisation has one connection or none. ``door`` is what browsers go through."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        tenancy: TenancyService,
        providers: Providers,
        sealer: Sealer,
    ) -> None:
        self._database = database
        self._clock = clock
        self._providers = providers
        self._sealer = sealer
        self._tenancy = tenancy
        self._note = audit.Notes(clock)
        self.door = SignIn(Parts(database, clock, tenancy, providers, sealer))

    async def connection(self, principal: Principal) -> Connection | None:
        require(principal, Permission.PEOPLE_WRITE)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await store.connection(tx, principal.org_id)

    async def redirect_uri(self, principal: Principal) -> str:
        """What the provider must know as an allowed address."""
        require(principal, Permission.PEOPLE_WRITE)
        home = await self._tenancy.organisation(principal.org_id)
        return self.door.redirect_uri(home.slug)

    async def save(
        self, principal: Principal, draft: ConnectionDraft, *, remote: str = ""
    ) -> Connection:
        """Enter or change it. Invalid names every wrong field."""
        require(principal, Permission.PEOPLE_WRITE)
        good, org_id = checked(draft), principal.org_id
        async with transaction(self._database, of(org_id)) as tx:
            before = await store.connection(tx, org_id)
            _check_secret(before, good)
            await _check_nobody_is_locked_out(tx, org_id, good)
            after = self._made(org_id, good, before)
            await store.put_connection(tx, after)
            if good.secret is not None:
                await self._seal(tx, org_id, good.secret)
            detail = _changes(before, after)
            if good.secret is not None:
                detail["secret"] = "changed"
            action = "sign_on.create" if before is None else "sign_on.update"
            await self._note(tx, principal, action, org_id, detail, remote)
        return after

    async def delete(self, principal: Principal, *, remote: str = "") -> None:
        """Also who is whom there. Passwords count again. NotFound when there is none."""
        require(principal, Permission.PEOPLE_WRITE)
        async with transaction(self._database, of(principal.org_id)) as tx:
            if await store.drop_connection(tx, principal.org_id) == 0:
                raise NotFound("There is no connection.")
            await self._note(tx, principal, "sign_on.delete", principal.org_id, {}, remote)

    async def check(self, principal: Principal) -> Trial:
        """Ask the provider what it is, now. NotFound when there is no connection."""
        found = await self.connection(principal)
        if found is None:
            raise NotFound("There is no connection.")
        try:
            metadata = await self._providers.metadata(found.issuer, fresh=True)
            keys = await self._providers.keys(found.issuer)
        except SignOnRefused as refused:
            return Trial(refused.why, refused.detail)
        out = bool(metadata.end_session_endpoint)
        return Trial(None, "", metadata.authorization_endpoint, out, len(keys))

    async def identities(self, principal: Principal) -> Sequence[Identity]:
        """Who has come in by the present provider, the last first."""
        require(principal, Permission.PEOPLE_WRITE)
        async with transaction(self._database, of(principal.org_id)) as tx:
            found = await store.connection(tx, principal.org_id)
            if found is None:
                return ()
            return await store.identities(tx, principal.org_id, found.issuer)

    async def unlink(self, principal: Principal, user_id: UUID, *, remote: str = "") -> None:
        """At the next sign-in the person is found by e-mail address again. NotFound."""
        require(principal, Permission.PEOPLE_WRITE)
        async with transaction(self._database, of(principal.org_id)) as tx:
            if await store.drop_identity(tx, principal.org_id, user_id) == 0:
                raise NotFound("There is no such user.")
            await self._note(tx, principal, "sign_on.unlink", user_id, {}, remote)

    async def close(self) -> None:
        await self._providers.close()

    def _made(self, org_id: UUID, draft: ConnectionDraft, before: Connection | None) -> Connection:
        has = before is not None and before.has_secret
        return Connection(
            org_id=org_id,
            changed_at=self._clock.now(),
            has_secret=has if draft.secret is None else bool(draft.secret),
            **{
                name: getattr(draft, name)
                for name in ConnectionDraft.__dataclass_fields__
                if name != "secret"
            },
        )

    async def _seal(self, tx: Tx, org_id: UUID, secret: str) -> None:
        sealed = self._sealer.seal(secret, secret_of(org_id)) if secret else None
        await store.put_secret(tx, org_id, sealed)


async def let_administrators_in(database: Database, clock: Clock, principal: Principal) -> bool:
    """From the command line, when a provider is gone for good; whether it was needed."""
    require(principal, Permission.PEOPLE_WRITE)
    org_id = principal.org_id
    async with transaction(database, of(org_id)) as tx:
        found = await store.connection(tx, org_id)
        if found is None or found.passwords is not LocalPasswords.NONE:
            return False
        await store.set_passwords(tx, org_id, LocalPasswords.ADMINS)
        detail = {"passwords": [LocalPasswords.NONE.value, LocalPasswords.ADMINS.value]}
        await audit.Notes(clock)(tx, principal, "sign_on.update", org_id, detail, "")
    return True


def _check_secret(before: Connection | None, draft: ConnectionDraft) -> None:
    """A stored secret is not sent to another provider than it was entered for."""
    if before is None or not before.has_secret or draft.secret is not None:
        return
    if before.issuer != draft.issuer:
        raise Invalid(
            "The connection is not complete.",
            fields={"secret": "is needed again when the issuer changes"},
        )


async def _check_nobody_is_locked_out(tx: Tx, org_id: UUID, draft: ConnectionDraft) -> None:
    if draft.passwords is not LocalPasswords.NONE or not draft.enabled:
        return
    if await store.linked_admins(tx, org_id, draft.issuer) == 0:
        raise Invalid(
            "The connection is not complete.",
            fields={"passwords": "first an administrator must have signed in by this provider"},
        )


def _changes(before: Connection | None, after: Connection) -> dict[str, object]:
    if before is None:
        return {"issuer": after.issuer, "client_id": after.client_id}
    return dict(audit.changes(replace(before, changed_at=after.changed_at), after))
