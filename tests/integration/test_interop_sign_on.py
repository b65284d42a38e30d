"""The npm package oidc-provider, in a process of its own, lets people in here."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.interop.process import INTEROP, NODE, Program, package, program
from voltyard.app import Core, build_core
from voltyard.clock import SystemClock
from voltyard.config import Settings
from voltyard.serving.http import make_http
from voltyard.signon.commands import ConnectionDraft
from voltyard.signon.model import RoleRule
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.audit import AuditFilter
from voltyard.tenancy.login import principal_of
from voltyard.tenancy.model import Organisation, Principal, Role
from voltyard.tenancy.service import NewUser

HERE = "http://testserver"
SECRET = "a secret of this test: +/="
ADA = {
    "email": "Ada@Depot.example",
    "email_verified": True,
    "name": "Ada Lovelace",
    "locale": "de-DE",
    "groups": ["everyone", "yard"],
}


@dataclass
class Yard:
    """A server of ours, an organisation, and the provider that knows its people."""

    core: Core
    home: Organisation
    who: Principal
    point: Program
    issuer: str
    draft: ConnectionDraft
    commands: int = 0
    browser: httpx.AsyncClient = field(init=False)

    @property
    def address(self) -> str:
        return f"{HERE}/login/sso/{self.home.slug}"

    async def tell(self, **command: Any) -> None:
        self.commands += 1
        await self.point.press(json.dumps({**command, "id": self.commands}) + "\n")
        await self.point.until("done", id=self.commands)

    async def come(self, person: str | None) -> httpx.Response:
        """Sign in as a browser does that has no cookies yet; what is shown at its end."""
        self.browser.cookies.clear()
        await self.tell(**{"as": person})
        begun = await self.browser.get(self.address)
        assert begun.status_code == 303, begun.text
        back = await self.through_the_provider(begun.headers["location"])
        return await self.browser.get(back)

    async def through_the_provider(self, url: str) -> str:
        """Until it sends the browser away."""
        async with httpx.AsyncClient() as there:
            while url.startswith(self.issuer):
                answer = await there.get(url)
                assert answer.has_redirect_location, answer.text
                url = str(httpx.URL(url).join(answer.headers["location"]))
        return url

    async def me(self) -> dict[str, Any]:
        answer = await self.browser.get("/api/v1/me")
        return dict(answer.json()) if answer.status_code == 200 else {}


@asynccontextmanager
async def yard(database: PostgresDatabase, folder: Path) -> AsyncIterator[Yard]:
    package("oidc-provider")
    settings = Settings(data_dir=folder, sso_networks="127.0.0.0/8")
    core = build_core(settings, database, SystemClock(), holder="test", inline=True)
    core.reached_at(HERE)
    admin = NewUser("root@depot.example", "Root", Role.ADMIN, "seven buses at noon")
    home, root = await core.tenancy.create_organisation("Depot Nord", admin)
    transport = httpx.ASGITransport(app=make_http(core, b"a secret of the tests only", settings))
    script = str(INTEROP / "identity_provider.mjs")
    try:
        async with program(str(NODE), script) as point:
            issuer = (await point.until("listening"))["issuer"]
            draft = ConnectionDraft(
                "Depot ID", issuer, "voltyard", SECRET,
                scopes=("openid", "email", "profile", "groups"), domains=("depot.example",),
                roles=(RoleRule("chiefs", Role.ADMIN), RoleRule("yard", Role.DISPATCHER)),
                create_users=True,
            )  # fmt: skip
            made = Yard(core, home, principal_of(root), point, issuer, draft)
            client = {
                "client_id": "voltyard",
                "client_secret": SECRET,
                "redirect_uris": [f"{made.address}/callback"],
                "post_logout_redirect_uris": [f"{HERE}/login?org={home.slug}"],
            }
            await made.tell(clients=[client], account=["ada", ADA])
            await core.sign_on.save(made.who, draft)
            async with httpx.AsyncClient(transport=transport, base_url=HERE) as made.browser:
                yield made
    finally:
        await core.sign_on.close()


async def test_people_come_in_by_a_provider_that_others_wrote(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    async with yard(database, tmp_path) as here:
        page = (await here.browser.get("/login")).text
        assert "Sign in with Depot ID" in page
        arrived = await here.come("ada")
        assert arrived.status_code == 303, arrived.text
        assert arrived.headers["location"] == "/"
        me = await here.me()
        assert (me["name"], me["role"]) == ("Ada Lovelace", "dispatcher")
        again = await here.browser.get(str(arrived.request.url))
        assert again.status_code == 400, "the answer counts once"

        await here.tell(rotate=True, account=["ada", ADA | {"groups": ["chiefs"]}])
        await here.core.sign_on.check(
            here.who
        )  # keys of before the rotation are thirty seconds old
        assert (await here.come("ada")).status_code == 303, "with keys that were new to us"
        assert (await here.me())["role"] == "admin"

        trial = await here.core.sign_on.check(here.who)
        assert (trial.why, trial.keys, trial.signs_out) == (None, 1, True)
        [linked] = await here.core.sign_on.identities(here.who)
        assert (linked.subject, linked.email) == ("ada", "Ada@Depot.example")


async def test_whom_the_provider_does_not_vouch_for_stays_out(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    async with yard(database, tmp_path) as here:
        for person, claims, words in (
            ("bob", ADA | {"email_verified": False}, "not verified"),
            ("eve", ADA | {"email": "eve@elsewhere.example"}, "this domain"),
            ("tom", ADA | {"groups": ["everyone"]}, "None of your groups"),
        ):
            await here.tell(account=[person, claims])
            refused = await here.come(person)
            assert refused.status_code == 403
            assert words in refused.text
            assert await here.me() == {}
        denied = await here.come(None)
        assert denied.status_code == 403
        assert "cancelled" in denied.text
        users = await here.core.tenancy.users(here.who)
        assert [user.email for user in users] == ["root@depot.example"]
        entries, _ = await here.core.tenancy.audit(here.who, AuditFilter("login.refused"))
        assert [json.loads(each.detail)["why"] for each in entries] == [
            "denied", "no_role", "domain", "unverified",
        ]  # fmt: skip


async def test_the_secret_of_another_client_opens_nothing_and_signing_out_goes_on_there(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    async with yard(database, tmp_path) as here:
        await here.core.sign_on.save(here.who, replace(here.draft, secret="not this one"))
        refused = await here.come("ada")
        assert refused.status_code == 502
        assert "reported an error" in refused.text

        await here.core.sign_on.save(here.who, here.draft)
        assert (await here.come("ada")).status_code == 303
        page = await here.browser.get("/log-ins")
        assert "Zentrale Anmeldung" in page.text, "in the language that the provider told"
        csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        out = await here.browser.post("/logout", data={"csrf": csrf})
        there = out.headers["refresh"].partition("url=")[2]
        asked = parse_qs(urlsplit(there).query)
        assert there.startswith(f"{here.issuer}/session/end")
        assert asked["post_logout_redirect_uri"] == [f"{HERE}/login?org={here.home.slug}"]
        async with httpx.AsyncClient() as browser:
            assert (await browser.get(there)).status_code == 200, (
                "it knows the proof and the address"
            )
        assert await here.me() == {}
