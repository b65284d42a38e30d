"""Single sign-on in Chromium: set up, used with a provider of others, refused, signed out."""

import asyncio
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.looking import LATE_MS, looked_at, signed_in_page
from tests.interop.process import INTEROP, NODE, Program, package, program
from voltyard.app import first_organisation
from voltyard.clock import SystemClock
from voltyard.config import Settings
from voltyard.serving import database_of, running
from voltyard.sites.commands import SiteDraft

pytestmark = pytest.mark.e2e
PASSWORD = "seven buses at noon"
SECRET = "a secret of this test"
ADA = {"email": "ada@depot.example", "email_verified": True, "name": "Ada Lovelace"}


@dataclass
class Place:
    url: str
    slug: str
    issuer: str
    point: Program
    loop: asyncio.AbstractEventLoop

    def tell(self, **command: Any) -> None:
        """Something to the provider."""

        async def do() -> None:
            await self.point.press(json.dumps({**command, "id": id(command)}) + "\n")
            await self.point.until("done", id=id(command))

        asyncio.run_coroutine_threadsafe(do(), self.loop).result(60)


async def _serve(
    settings: Settings, database_url: str, up: list[Place], done: threading.Event
) -> None:
    script = str(INTEROP / "identity_provider.mjs")
    async with (
        running(settings, database_url, SystemClock()) as server,
        program(str(NODE), script) as point,
    ):
        who = await first_organisation(server.core, PASSWORD)
        await server.core.sites.create_site(who, SiteDraft("Depot Nord"))
        home = await server.core.tenancy.organisation(who.org_id)
        issuer = (await point.until("listening"))["issuer"]
        loop = asyncio.get_running_loop()
        up.append(Place(server.url, home.slug, issuer, point, loop))
        await asyncio.to_thread(done.wait)


@contextmanager
def served() -> Iterator[Place]:
    package("oidc-provider")
    with tempfile.TemporaryDirectory(prefix="voltyard-e2e-") as name:
        settings = Settings(
            data_dir=Path(name), http_port=0, ocpp_port=0, sso_networks="127.0.0.0/8"
        )
        up: list[Place] = []
        done, ready = threading.Event(), threading.Event()

        def live() -> None:
            try:
                with database_of(settings) as url:
                    asyncio.run(_serve(settings, url, up, done))
            finally:
                ready.set()

        thread = threading.Thread(target=live, daemon=True)
        thread.start()
        while not up and thread.is_alive():
            ready.wait(0.05)
        assert up, "the server did not start"
        try:
            yield up[0]
        finally:
            done.set()
            thread.join(60)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with served() as found:
        found.tell(
            clients=[
                {
                    "client_id": "voltyard",
                    "client_secret": SECRET,
                    "redirect_uris": [f"{found.url}/login/sso/{found.slug}/callback"],
                    "post_logout_redirect_uris": [f"{found.url}/login?org={found.slug}"],
                }
            ]
        )
        found.tell(account=["ada", ADA | {"groups": ["yard"]}])
        found.tell(account=["tom", ADA | {"email": "tom@depot.example", "groups": []}])
        yield found


def set_up(page: Page, place: Place) -> list[str]:
    """What an administrator does; what is wrong with the pages on the way."""
    page.goto(f"{place.url}/single-sign-on")
    wrong = looked_at(page, "single-sign-on-none")
    page.get_by_label("Name on the button").fill("Depot ID")
    page.get_by_label("Issuer").fill(place.issuer)
    page.get_by_label("Client ID").fill("voltyard")
    page.locator("#f-secret").fill(SECRET)
    page.locator("#f-scopes").fill("openid email profile groups")
    page.get_by_label("Create people at their first sign-in").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("a group or a role for everybody is needed")).to_be_visible(
        timeout=LATE_MS
    )
    wrong += looked_at(page, "single-sign-on-wrong")
    page.get_by_label("Group 1").fill("yard")
    page.get_by_label("Role 1").select_option("dispatcher")
    page.locator("#f-secret").fill(SECRET)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/single-sign-on?done=saved")
    page.get_by_role("button", name="Check the connection").click()
    expect(page.get_by_role("status").first).to_contain_text(
        "answers and shows 1 key", timeout=LATE_MS
    )
    return wrong + looked_at(page, "single-sign-on-checked")


def visitor(browser: Browser, place: Place, width: int = 1600, **wishes: str) -> Page:
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    context.add_cookies(
        [{"name": f"voltyard_{k}", "value": v, "url": place.url} for k, v in wishes.items()]
    )
    context.set_default_timeout(LATE_MS)
    page = context.new_page()
    page.goto(f"{place.url}/login?next=/duties")
    return page


def test_from_setting_it_up_to_signing_out_at_the_provider(browser: Browser, place: Place) -> None:
    admin = signed_in_page(browser, place.url, PASSWORD, "light", 1600, "en")
    wrong = set_up(admin, place)

    place.tell(**{"as": "tom"})
    page = visitor(browser, place)
    wrong += looked_at(page, "login-sso")
    page.get_by_role("link", name="Sign in with Depot ID").click()
    expect(page.get_by_text("None of your groups")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "sign-on-refused")
    page.context.clear_cookies()
    place.tell(**{"as": "ada"})
    page.goto(f"{place.url}/login?next=/duties")
    page.get_by_role("link", name="Sign in with Depot ID").click()
    page.wait_for_url("**/duties")
    expect(page.get_by_text("Ada Lovelace").first).to_be_attached(timeout=LATE_MS)
    page.goto(f"{place.url}/log-ins")
    wrong += looked_at(page, "log-ins-own")

    outside = visitor(browser, place, 390, theme="dark", locale="de")
    outside.get_by_text("Andere Organisation").click()
    wrong += looked_at(outside, "login-sso-de")
    small = signed_in_page(browser, place.url, PASSWORD, "dark", 390, "de")
    for name in ("single-sign-on", "log-ins", "audit"):
        small.goto(f"{place.url}/{name}")
        wrong += looked_at(small, f"{name}-de")
    admin.goto(f"{place.url}/log-ins")
    wrong += looked_at(admin, "log-ins")
    admin.goto(f"{place.url}/audit")
    wrong += looked_at(admin, "audit")

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{place.issuer}/session/end**")
    page.goto(f"{place.url}/duties")
    page.wait_for_url("**/login?next=**")
    assert wrong == [], wrong
