"""Studies in Chromium: asked for, followed while a process of its own runs, looked at when done."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.looking import LATE_MS, looked_at, signed_in_page
from tests.e2e.serve_security import PASSWORD, Place, in_a_thread

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(1) as found:
        yield found


def page_of(browser: Browser, place: Place, theme: str, width: int, locale: str) -> Page:
    return signed_in_page(browser, place.url, PASSWORD, theme, width, locale)


@pytest.mark.long
def test_a_study_from_the_form_to_its_pictures(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "light", 1400, "en")
    wrong: list[str] = []
    page.goto(f"{place.url}/studies")
    expect(page.locator(".empty h2")).to_be_visible()
    wrong += looked_at(page, "studies-none")
    page.get_by_role("link", name="New study").first.click()
    page.wait_for_url("**/studies/new")
    expect(page.locator("#f-from_at")).to_be_visible()
    expect(page.locator("#f-buses")).to_be_hidden()
    wrong += looked_at(page, "study-form")
    page.get_by_role("button", name="Study", exact=True).click()
    expect(page.locator(".notice[data-kind=critical]")).to_be_visible()  # there is no tree yet
    wrong += looked_at(page, "study-form-refused")

    page.locator("#f-source").select_option("demo")
    page.locator("#f-buses").fill("3")
    page.locator("#f-if_limit").fill("40 %")
    page.locator("#f-cases").fill("chargers=2")
    page.locator("#f-yearly").fill("1")
    page.get_by_label("The smallest grid connection").uncheck()
    page.get_by_label("The fewest chargers").uncheck()
    page.get_by_label("Quick").check()
    page.get_by_role("button", name="Study", exact=True).click()
    expect(page.locator("#study progress")).to_be_visible()
    wrong += looked_at(page, "study-runs")
    expect(page.locator(".study-bars")).to_be_visible(timeout=2 * LATE_MS)
    expect(page.locator("svg.picture")).to_have_count(4)
    expect(page.get_by_role("heading", name="When do we need more bays?")).to_be_visible()
    wrong += looked_at(page, "study")
    page.get_by_label("Search cases").fill("2 ch")
    expect(page.locator("#results tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    address = page.url.partition("?")[0]
    page.context.close()

    page = page_of(browser, place, "dark", 390, "de")
    page.goto(address)
    expect(page.get_by_role("heading", name="Wann brauchen wir mehr Ladeplätze?")).to_be_visible()
    wrong += looked_at(page, "study-de")
    page.goto(f"{place.url}/studies/new")
    wrong += looked_at(page, "study-form-de")
    page.goto(f"{place.url}/studies")
    wrong += looked_at(page, "studies-de")
    page.context.close()
    assert wrong == []


def test_a_file_that_cannot_be_studied_says_why(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "light", 390, "en")
    page.goto(f"{place.url}/studies/new")
    page.locator("#f-source").select_option("spice")
    empty = {"name": "empty.json", "mimeType": "application/json", "buffer": b"{}"}
    page.locator("#f-scenario").set_input_files(empty)  # type: ignore[arg-type]
    page.get_by_role("button", name="Study", exact=True).click()
    expect(page.locator(".notice[data-kind=warning]")).to_be_visible(timeout=2 * LATE_MS)
    assert looked_at(page, "study-refused") == []
    page.get_by_role("button", name="Delete").click()
    page.locator("#ask button[value=yes]").click()
    page.wait_for_url("**/studies?done=deleted")
    page.context.close()
