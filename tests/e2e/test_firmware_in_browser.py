"""The technician's tour in Chromium: fetch a log, store an image, start a campaign, watch it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.looking import LATE_MS, looked_at, signed_in_page
from tests.e2e.serve_firmware import PASSWORD, Place, in_a_thread
from voltyard.simulator.upkeep import Outcome

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(50) as found:
        yield found


def page_of(browser: Browser, place: Place, theme: str, width: int, locale: str) -> Page:
    return signed_in_page(browser, place.url, PASSWORD, theme, width, locale)


def test_the_tour(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "light", 1600, "en")
    wrong: list[str] = []

    page.goto(f"{place.url}/chargers")
    page.get_by_role("link", name="CP03").first.click()
    page.get_by_role("link", name="Diagnostics").click()
    page.wait_for_url("**/files*")
    wrong += looked_at(page, "files-empty")
    page.get_by_role("button", name="Fetch", exact=True).click()
    expect(page.get_by_role("link", name="diagnosticslog-CP03")).to_be_visible(timeout=LATE_MS)
    with page.expect_download() as download:
        page.get_by_role("link", name="diagnosticslog-CP03").click()
    assert "of CP03" in Path(download.value.path()).read_text()
    wrong += looked_at(page, "files")

    page.goto(f"{place.url}/firmware")
    wrong += looked_at(page, "firmware-empty")
    page.get_by_role("link", name="New image").click()
    page.get_by_label("Vendor").fill("Voltyard Simulated")
    page.locator("input[name=version]").fill("2.1.0")
    page.get_by_label("File", exact=True).set_input_files(place.image)
    wrong += looked_at(page, "firmware-new")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Voltyard Simulated 2.1.0")).to_be_visible()
    image_url = page.url.partition("?")[0]
    wrong += looked_at(page, "firmware-image")

    place.chargers["CP00"].upkeep.outcome = Outcome.INSTALL_FAILS
    start(page, wave="20")
    expect(page.get_by_text("A canary failed")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "campaign-stopped")
    place.chargers["CP00"].upkeep.outcome = Outcome.GOOD
    page.get_by_role("button", name="Go on").click()
    page.wait_for_function(
        "() => document.querySelectorAll('tr[data-state=ready]').length > 5", timeout=LATE_MS
    )
    wrong += looked_at(page, "campaign-running")
    campaign_url = page.url
    expect(page.locator("#campaign-progress .badge").first).to_have_text("Done", timeout=LATE_MS)
    expect(page.locator("tr[data-state=ready]")).to_have_count(49)
    wrong += looked_at(page, "campaign-done")

    for theme, width, locale in (("dark", 1600, "de"), ("dark", 390, "de"), ("light", 390, "en")):
        small = page_of(browser, place, theme, width, locale)
        station = place.server.core.chargers
        ids = {
            view.station.identity: view.station.id
            for view in station.list_stations(next(iter(station._directory)).station.org_id)
        }
        for name, url in (
            ("firmware", f"{place.url}/firmware"),
            ("firmware-new", f"{place.url}/firmware/new"),
            ("firmware-image", image_url),
            ("campaign-done", campaign_url),
            ("files", f"{place.url}/chargers/{ids['CP03']}/files"),
        ):
            small.goto(url)
            wrong += looked_at(small, name)
    assert not wrong, "\n".join(wrong)


def start(page: Page, *, wave: str) -> None:
    page.get_by_label("Chargers in a wave").fill(wave)
    page.get_by_label("Attempts").fill("1")
    page.get_by_label("At once at most").fill("50")
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator("dialog#ask button[value=yes]").click()
    page.wait_for_url("**/firmware/campaigns/*")


def test_a_form_that_makes_no_sense_says_where(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "light", 1600, "en")
    page.goto(f"{place.url}/firmware/new")
    page.locator("input[name=version]").fill("9")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("name the file, or give an address")).to_be_visible()
    assert looked_at(page, "firmware-new-fault") == []
