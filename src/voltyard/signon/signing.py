"""Signing in and out by a provider, as a browser goes through it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from voltyard.clock import Clock
from voltyard.errors import Invalid
from voltyard.signon import journey as way
from voltyard.signon import store
from voltyard.signon.arrival import Arrival, admitted
from voltyard.signon.journey import Departure, Journey, Return
from voltyard.signon.model import (
    Connection,
    LocalPasswords,
    Offer,
    SignOnRefused,
    Why,
    needs_userinfo,
    proven,
)
from voltyard.signon.ports import Sealer
from voltyard.signon.provider import Client, Providers, Tokens
from voltyard.signon.tokens import Expected
from voltyard.storage.engine import Database
from voltyard.tenancy import audit
from voltyard.tenancy import proven as people
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.login import LoggedIn
from voltyard.tenancy.model import LogInOrigin, Organisation, Role, User
from voltyard.tenancy.passwords import REMOTE_FREE_ATTEMPTS, Suspects
from voltyard.tenancy.scope import SYSTEM, of, transaction
from voltyard.tenancy.service import TenancyService

AT_ONCE = 16
ID_TOKEN_KEPT_MAX = 6_000
"""A longer one does not fit into an address, so it is of no use for signing out."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What both halves of the service work with."""

    database: Database
    clock: Clock
    tenancy: TenancyService
    providers: Providers
    sealer: Sealer


class SignIn:
    """From the sign-in page to the provider and back, and out again."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._base_url = ""
        self._under_way = 0
        self._remotes = Suspects(REMOTE_FREE_ATTEMPTS)

    def reached_at(self, base_url: str) -> None:
        """Where browsers reach the console: providers send people back there."""
        self._base_url = base_url.rstrip("/")

    def redirect_uri(self, slug: str) -> str:
        """One for each organisation, so that no provider's answer passes for another's."""
        return f"{self._base_url}/login/sso/{slug}/callback"

    async def offer(self, slug: str) -> Offer | None:
        """What to offer people of an organisation; empty: of the only one there is."""
        async with transaction(self._parts.database, SYSTEM) as tx:
            if slug:
                home = await people.organisation_by_slug(tx, slug[:100])
            else:
                home = await people.only_organisation(tx)
        connection = None if home is None else await self._usable(home)
        return None if home is None or connection is None else Offer(home.slug, connection.name)

    async def start(self, slug: str, back: str) -> Departure:
        """Raises SignOnRefused."""
        async with transaction(self._parts.database, SYSTEM) as tx:
            home = await people.organisation_by_slug(tx, slug[:100])
        connection = None if home is None else await self._usable(home)
        if connection is None:
            raise SignOnRefused(Why.SWITCHED_OFF)
        with self._one_more():
            metadata = await self._parts.providers.metadata(connection.issuer)
        client = Client(connection.client_id, "", self.redirect_uri(slug))
        begun = way.begin(connection, slug, client, back, self._parts.clock.now())
        return Departure(
            way.address(begun, metadata, connection.scopes), way.carried(begun, self._parts.sealer)
        )

    async def finish(
        self, slug: str, back: Return, carried: str, *, remote: str = "", user_agent: str = ""
    ) -> tuple[LoggedIn, str]:
        """The log-in, and where to go on. Raises SignOnRefused; refusals are in the audit.

        Nothing is asked, stored or audited for a browser that did not begin here.
        """
        now = self._parts.clock.now()
        journey = way.resumed(carried, back, slug, self._parts.sealer, now)
        if remote and self._remotes.wait_s(remote, now) > 0:
            raise SignOnRefused(Why.BUSY, "too many refusals from this address")
        with self._one_more():
            await self._spend(journey)
            connection = await self._still_the_same(journey)
            try:
                arrived = await self._arrive(journey, connection, back, remote, user_agent)
            except SignOnRefused as refused:
                self._remotes.failed(remote, now)
                await self._tell(connection, refused, remote)
                raise
        self._remotes.cleared(remote)
        return arrived

    async def origin(self, token: str) -> tuple[UUID, LogInOrigin] | None:
        """The organisation and the proof of a log-in that a provider has let in."""
        found = await self._parts.tenancy.login.origin_of(token)
        return found if found is not None and found[1].issuer else None

    async def farewell(self, org_id: UUID, origin: LogInOrigin) -> str | None:
        """Where to sign out at the provider (RP-Initiated Logout 1.0 §2), where it offers that."""
        parts = self._parts
        async with transaction(parts.database, of(org_id)) as tx:
            connection = await store.connection(tx, org_id)
            home = await people.organisation(tx, org_id)
        if connection is None or home is None or connection.issuer != origin.issuer:
            return None
        with suppress(SignOnRefused):
            metadata = await parts.providers.metadata(connection.issuer)
            if metadata.end_session_endpoint:
                asked = {
                    "client_id": connection.client_id,
                    "post_logout_redirect_uri": f"{self._base_url}/login?org={home.slug}",
                }
                with suppress(Invalid):
                    if origin.id_token is not None:
                        opened = parts.sealer.open(bytes(origin.id_token), _about(org_id))
                        asked["id_token_hint"] = opened
                return way.with_query(metadata.end_session_endpoint, asked)
        return None

    async def refuses(self, user: User) -> bool:
        """Whether somebody may not come in by password (``tenancy.login.PasswordRule``)."""
        async with transaction(self._parts.database, of(user.org_id)) as tx:
            connection = await store.connection(tx, user.org_id)
        if connection is None or not connection.enabled:
            return False
        if connection.passwords is LocalPasswords.ADMINS:
            return user.role is not Role.ADMIN
        return connection.passwords is LocalPasswords.NONE

    async def clean_up(self) -> int:
        """Forget states that nobody could use any more; how many."""
        async with transaction(self._parts.database, SYSTEM) as tx:
            return await store.drop_spent(tx, self._parts.clock.now())

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        """A place among those who are at a provider just now. Raises SignOnRefused (busy)."""
        if self._under_way >= AT_ONCE:
            raise SignOnRefused(Why.BUSY)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    # The steps of a return

    async def _usable(self, home: Organisation) -> Connection | None:
        async with transaction(self._parts.database, of(home.id)) as tx:
            found = await store.connection(tx, home.id)
        return found if found is not None and found.enabled and home.active else None

    async def _spend(self, journey: Journey) -> None:
        hashed = hashlib.sha256(journey.state.encode()).hexdigest()
        ends_at = journey.began_at + way.TIME_FOR_IT + timedelta(minutes=1)
        async with transaction(self._parts.database, of(journey.org_id)) as tx:
            if not await store.spend(tx, journey.org_id, hashed, ends_at):
                raise SignOnRefused(Why.REPLAYED)

    async def _still_the_same(self, journey: Journey) -> Connection:
        async with transaction(self._parts.database, of(journey.org_id)) as tx:
            found = await store.connection(tx, journey.org_id)
        if (
            found is None
            or not found.enabled
            or (found.issuer, found.client_id) != (journey.issuer, journey.client_id)
        ):
            raise SignOnRefused(Why.SWITCHED_OFF)
        return found

    async def _arrive(
        self, journey: Journey, connection: Connection, back: Return, remote: str, user_agent: str
    ) -> tuple[LoggedIn, str]:
        parts, issuer = self._parts, connection.issuer
        metadata = await parts.providers.metadata(issuer)
        code = way.check_answer(back, metadata)
        client = Client(connection.client_id, await self._secret(connection), journey.redirect_uri)
        tokens = await parts.providers.exchange(issuer, client, code, journey.verifier)
        expected = Expected(issuer, connection.client_id, journey.nonce, journey.began_at)
        claims = await parts.providers.claims(expected, tokens)
        if needs_userinfo(connection, claims):
            claims = dict(await parts.providers.more_claims(issuer, tokens, claims))
        person = proven(connection, claims)
        hashed = await parts.tenancy.unusable_password()
        now = parts.clock.now()
        arrival = Arrival(connection, person, hashed, now, remote)
        user = await admitted(parts.database, arrival)
        kept = self._kept(connection, tokens) if metadata.end_session_endpoint else None
        logged_in = await parts.tenancy.login.open_session(
            user,
            origin=LogInOrigin(remote, user_agent, issuer, kept),
            at_most=timedelta(hours=connection.session_h),
        )
        return logged_in, journey.back

    def _kept(self, connection: Connection, tokens: Tokens) -> bytes | None:
        if len(tokens.id_token) > ID_TOKEN_KEPT_MAX:
            return None
        return self._parts.sealer.seal(tokens.id_token, _about(connection.org_id))

    async def _secret(self, connection: Connection) -> str:
        async with transaction(self._parts.database, of(connection.org_id)) as tx:
            sealed = await store.secret(tx, connection.org_id)
        if sealed is None:
            return ""
        return self._parts.sealer.open(sealed, secret_of(connection.org_id))

    async def _tell(self, connection: Connection, refused: SignOnRefused, remote: str) -> None:
        """The audit of the organisation names why; the page tells the person in words."""
        org_id, at = connection.org_id, self._parts.clock.now()
        who = system_principal(org_id, f"{connection.name} (OpenID Connect)")
        detail = {"why": refused.why.value, "detail": refused.detail.replace("\0", "")[:300]}
        async with transaction(self._parts.database, of(org_id)) as tx:
            await audit.write(
                tx, who, "login.refused", "organisation", org_id, detail, at=at, remote=remote
            )


def secret_of(org_id: UUID) -> str:
    """What a client secret is sealed as."""
    return f"sign-on secret {org_id}"


def _about(org_id: UUID) -> str:
    return f"sign-on token {org_id}"
