"""Two organisations, and a provider in memory that can be told to lie."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws
from joserfc.jwk import RSAKey

from voltyard.signon.commands import ConnectionDraft
from voltyard.signon.journey import Return
from voltyard.signon.model import RoleRule, SignOnRefused, Why
from voltyard.signon.ports import Answer
from voltyard.signon.provider import Providers
from voltyard.signon.service import SignOnService
from voltyard.sitemeters.sealing import Sealer
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.login import LoggedIn, principal_of
from voltyard.tenancy.model import Organisation, Principal, Role, User
from voltyard.tenancy.service import NewUser, TenancyService

ISSUER = "https://id.example"
PASSWORD = "seven buses at noon"
CLIENT = "voltyard"
ADA = {"sub": "1", "email": "ada@nord.example", "email_verified": True, "name": "Ada",
       "groups": ["yard"]}  # fmt: skip


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


class FakeProvider:
    """``voltyard.signon.ports.Fetch``: what a provider would answer. Anything can be changed."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.published = [self.key]
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            "userinfo_endpoint": f"{ISSUER}/userinfo",
            "end_session_endpoint": f"{ISSUER}/out",
        }
        self.down = False
        self.asked: list[str] = []
        self.posted: list[tuple[Mapping[str, str], Mapping[str, str]]] = []

    def rotate(self, kid: str) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})
        self.published = [self.key]

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        self.asked.append(url)
        if self.down:
            raise SignOnRefused(Why.UNREACHABLE, "down")
        if url.endswith("/.well-known/openid-configuration"):
            return Answer(200, json.dumps(self.metadata).encode())
        if url.endswith("/keys"):
            keys = [key.as_dict(private=False) for key in self.published]
            return Answer(200, json.dumps({"keys": keys}).encode())
        return Answer(200, json.dumps(self.userinfo).encode())

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        self.posted.append((form, headers or {}))
        if self.down:
            raise SignOnRefused(Why.UNREACHABLE, "down")
        body = json.dumps(self.claims).encode()
        head = {"alg": "RS256", "kid": self.key.kid or ""}
        token = jws.serialize_compact(head, body, self.key, algorithms=["RS256"])
        return Answer(200, json.dumps({"id_token": token, "access_token": "at"}).encode())

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class World:
    tenancy: TenancyService
    service: SignOnService
    provider: FakeProvider
    clock: HandClock
    nord: Organisation
    sued: Organisation
    root: User
    draft: ConnectionDraft = field(
        default_factory=lambda: ConnectionDraft(
            "Depot ID",
            ISSUER,
            CLIENT,
            "s3cret",
            domains=("nord.example",),
            roles=(RoleRule("chiefs", Role.ADMIN), RoleRule("yard", Role.DISPATCHER)),
            create_users=True,
        )
    )

    @property
    def who(self) -> Principal:
        return principal_of(self.root)

    async def begin(self, slug: str = "") -> tuple[Return, str, dict[str, str]]:
        """What the provider would send back, what the browser carries, what was asked for."""
        there = await self.service.door.start(slug or self.nord.slug, "/duties")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(there.url).query).items()}
        return Return(state=asked["state"], code="code"), there.carried, asked

    async def come(self, slug: str = "", **claims: Any) -> LoggedIn:
        """The whole way, with what the provider says instead."""
        back, carried, asked = await self.begin(slug)
        self.say(asked["nonce"], **claims)
        logged_in, _ = await self.service.door.finish(
            slug or self.nord.slug, back, carried, remote="192.0.2.1", user_agent="Firefox/1"
        )
        return logged_in

    def say(self, nonce: str, **claims: Any) -> None:
        now = self.clock.now().timestamp()
        said = {**ADA, "iss": ISSUER, "aud": CLIENT, "nonce": nonce, "iat": now, "exp": now + 300}
        self.provider.claims = {k: v for k, v in {**said, **claims}.items() if v is not None}


async def make_world(database: PostgresDatabase, folder: Path) -> World:
    clock: Any = HandClock()
    tenancy = TenancyService(database, clock)
    provider = FakeProvider(clock)
    sealer = Sealer(folder / "sign_on.key")
    service = SignOnService(database, clock, tenancy, Providers(provider, clock), sealer)
    service.door.reached_at("https://yard.example/")
    tenancy.login.passwords_allowed_by(service.door)
    admin = NewUser("root@nord.example", "Root", Role.ADMIN, PASSWORD)
    nord, root = await tenancy.create_organisation("Nord", admin)
    other = NewUser("root@sued.example", "Other", Role.ADMIN, PASSWORD)
    sued, _ = await tenancy.create_organisation("Sued", other)
    made = World(tenancy, service, provider, clock, nord, sued, root)
    await service.save(made.who, made.draft)
    return made


def basic(text: str) -> str:
    """The name and the secret of an ``authorization`` header."""
    return base64.b64decode(text.removeprefix("Basic ")).decode()
