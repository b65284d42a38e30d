"""The alert centre in Chromium: targets, routes, reminders, a trial, the log."""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.looking import looked_at, signed_in_page
from tests.integration.notifications.notify_sinks import WebSink, mail_server, web_server
from voltyard.alerts.model import Cause, Severity
from voltyard.app import first_organisation
from voltyard.clock import SystemClock
from voltyard.config import Settings
from voltyard.serving import database_of, running
from voltyard.sites.commands import SiteDraft

pytestmark = pytest.mark.e2e
PASSWORD = "told in time"
LATE = Cause(
    "duty_not_plugged_in",
    Severity.CRITICAL,
    "duty_not_plugged_in:1",
    "duty",
    "1",
    {"duty": "Bus 42", "departure_at": "2026-01-16T05:00:00+00:00"},
)  # fmt: skip
OFFLINE = Cause(
    "charger_offline", Severity.WARNING, "charger_offline:1", "station", "1",
    {"station": "CP07", "reserved_w": 11_000},
)  # fmt: skip


@dataclass
class Served:
    url: str
    web: WebSink
    web_url: str


async def _serve(settings: Settings, url: str, up: list[str], done: threading.Event) -> None:
    async with running(settings, url, SystemClock()) as server:
        core = server.core
        who = await first_organisation(core, PASSWORD)
        site = await core.sites.create_site(who, SiteDraft("Depot Nord"))
        for cause in (OFFLINE, LATE, replace(OFFLINE, kind="limit_changed", key="l")):
            await core.alerts.raise_(who.org_id, site.id, cause)
        up.append(server.url)
        await asyncio.to_thread(done.wait)


@contextmanager
def served() -> Iterator[Served]:
    with (
        tempfile.TemporaryDirectory(prefix="voltyard-e2e-") as name,
        mail_server() as (_, port),
        web_server() as (web, web_url),
    ):
        settings = Settings(
            data_dir=Path(name), http_port=0, ocpp_port=0, notify_networks="127.0.0.0/8",
            smtp_url=f"smtp+plain://127.0.0.1:{port}", mail_from="yard@example.org",
        )  # fmt: skip
        up: list[str] = []
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
            yield Served(up[0], web, web_url)
        finally:
            done.set()
            thread.join(60)


@pytest.fixture(scope="module")
def place() -> Iterator[Served]:
    with served() as found:
        yield found


def _set_up(page: Page, place: Served) -> list[str]:
    """A mail address, a webhook, a route to both; what is wrong with the pages on the way."""
    wrong: list[str] = []
    page.goto(f"{place.url}/notifications")
    wrong += looked_at(page, "notifications-none")
    page.get_by_role("link", name="New target").click()
    page.wait_for_url("**/targets/new")
    page.get_by_label("Name").fill("Dispatch desk")
    page.locator("#f-address").fill("desk@example.org")
    page.locator("#f-quiet_from").fill("22:00")
    page.locator("#f-quiet_until").fill("06:00")
    page.locator("#f-digest_at").fill("07:00")
    wrong += looked_at(page, "notification-target")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/notifications?done=saved")
    page.goto(f"{place.url}/notifications/targets/new?channel=webhook")
    page.get_by_label("Name").fill("Control room")
    page.locator("#f-address").fill(f"{place.web_url}/hook")
    page.get_by_text("Events it subscribes to").click()
    page.locator("input[name='event_session.started']").check()
    wrong += looked_at(page, "notification-webhook")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("copy-secret code")).to_contain_text("whsec_")
    wrong += looked_at(page, "notification-secret")
    page.goto(f"{place.url}/notifications/routes/new")
    page.get_by_label("Name").fill("Night shift")
    page.get_by_label("Dispatch desk").check()
    page.get_by_label("Control room").check()
    page.locator("#f-from_time").fill("18:00")
    page.locator("#f-until_time").fill("06:00")
    page.get_by_label("Sun").check()
    wrong += looked_at(page, "notification-route")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/notifications?done=saved")
    return wrong


def test_the_alert_centre_from_nobody_told_to_a_trial_in_the_log(
    browser: Browser, place: Served
) -> None:
    page = signed_in_page(browser, place.url, PASSWORD, "light", 1600, "en")
    wrong = _set_up(page, place)
    page.get_by_role("button", name="Send a test to Control room").click()
    expect(page.get_by_role("status").first).to_contain_text("The test reached Control room")
    assert place.web.bodies[-1]["type"] == "test"
    place.web.answers.append((500, {}, "{}"))
    page.get_by_role("button", name="Send a test to Control room").click()
    expect(page.get_by_role("status").first).to_contain_text("did not reach")
    page.goto(f"{place.url}/alerts")
    page.get_by_role("button", name="Snooze: Charger offline").click()
    expect(page.get_by_text("asleep until")).to_have_count(1)
    looks = (("light", 1600, "en"), ("dark", 390, "de"))
    for theme, width, locale in looks:
        page = signed_in_page(browser, place.url, PASSWORD, theme, width, locale)
        for name in ("alerts", "notifications", "notifications/log", "notifications/reminders"):
            page.goto(f"{place.url}/{name}")
            wrong += looked_at(page, f"told-{locale}-{name.replace('/', '-')}")
    assert wrong == []
