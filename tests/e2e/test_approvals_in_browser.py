"""A limit is raised on one screen and approved on another, looked at in both themes and widths."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.looking import LATE_MS, looked_at
from tests.e2e.serve_firmware import PASSWORD, Place, in_a_thread
from tests.e2e.test_firmware_in_browser import page_of
from voltyard.approvals.model import Kind, Switches
from voltyard.sites.commands import NodeDraft
from voltyard.sites.model import NodeKind, NodeLimit
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Role
from voltyard.tenancy.service import NewUser

pytestmark = pytest.mark.e2e
BEA = "bea@example.com"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(1) as found:
        found.call(lambda: furnish(found))
        yield found


async def furnish(place: Place) -> None:
    """A second administrator, and a grid connection."""
    core = place.server.core
    (organisation,) = await core.tenancy.organisations()
    who = system_principal(organisation.id)
    await core.tenancy.create_user(who, NewUser(BEA, "Bea Kurz", Role.ADMIN, PASSWORD))
    (site,) = await core.sites.sites(who)
    limits = (NodeLimit(power_w=250_000.0), NodeLimit(current_a=400.0))
    await core.sites.add_node(who, site.id, NodeDraft(NodeKind.GRID, "Grid", None, limits))
    await core.approvals.set_switches(who, Switches(frozenset({Kind.LIMITS, Kind.FIRMWARE})))


def bea_at(browser: Browser, place: Place, theme: str, width: int, locale: str) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark", reduced_motion="reduce"
    )
    wishes = {"voltyard_theme": theme, "voltyard_locale": locale}
    context.add_cookies([{"name": k, "value": v, "url": place.url} for k, v in wishes.items()])
    context.set_default_timeout(LATE_MS)
    page = context.new_page()
    page.goto(f"{place.url}/login")
    page.fill("input[name=email]", BEA)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def test_a_limit_is_raised_by_two(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "light", 1600, "en")
    page.goto(f"{place.url}/approvals/settings")
    found = looked_at(page, "approval-settings")
    page.goto(page.url.replace("/approvals/settings", "/"))
    page.get_by_role("link", name="Electrical tree").click()
    page.get_by_role("link", name="Grid").first.click()
    page.locator("[name=power_kw]").first.fill("400")
    page.get_by_role("button", name="Save").first.click()
    page.wait_for_url("**/approvals/*")
    expect(page.get_by_text("Not done yet")).to_be_visible(timeout=LATE_MS)
    page.get_by_label("Reason", exact=False).first.fill("The new transformer is in operation.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("dl.pairs")).to_contain_text("new transformer", timeout=LATE_MS)
    found += looked_at(page, "approval-mine")
    proposal = page.url.partition("?")[0]
    page.context.close()

    page = bea_at(browser, place, "dark", 390, "de")
    page.goto(f"{place.url}/approvals")
    found += looked_at(page, "approvals")
    page.goto(proposal)
    expect(page.locator("tbody")).to_contain_text("400 kW", timeout=LATE_MS)
    found += looked_at(page, "approval")
    page.get_by_role("button", name="Freigeben").click()
    page.locator("dialog#ask button[value=yes]").click()
    expect(page.locator(".page-head .state")).to_contain_text("Erledigt", timeout=LATE_MS)
    found += looked_at(page, "approval-done")
    page.context.close()
    assert found == []
