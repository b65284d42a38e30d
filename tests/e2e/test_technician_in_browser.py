"""A technician at the console: configuration, monitors, any message, many chargers, makes."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.looking import LATE_MS, looked_at
from tests.e2e.serve_firmware import Place, in_a_thread
from tests.e2e.test_firmware_in_browser import page_of

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(6) as found:
        yield found


def test_the_tour_of_one_charger(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "light", 1600, "en")
    wrong: list[str] = []
    page.goto(f"{place.url}/chargers")
    page.get_by_role("link", name="CP02").first.click()
    page.get_by_role("link", name="Configuration", exact=True).click()
    page.wait_for_url("**/configuration*")
    wrong += looked_at(page, "configuration-empty")
    page.get_by_role("button", name="Read it now").click()
    expect(page.get_by_role("rowheader", name="HeartbeatInterval")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "configuration-16")
    page.get_by_label("Key", exact=True).fill("HeartbeatInterval")
    page.locator("input[name=value]").fill("120")
    page.get_by_role("button", name="Set", exact=True).click()
    confirm(page)
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible(timeout=LATE_MS)
    row = page.get_by_role("row").filter(has_text="HeartbeatInterval")
    expect(row.get_by_role("cell", name="120")).to_be_visible()

    page.goto(page.url.partition("/configuration")[0])
    page.get_by_role("link", name="Any message").click()
    page.get_by_label("Action").select_option("GetLocalListVersion")
    with page.expect_navigation():
        page.get_by_role("button", name="Choose").click()
    wrong += looked_at(page, "message")
    page.get_by_label("Content (JSON)").fill('{"no": 1}')
    send(page)
    expect(page.get_by_text("payload.no")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "message-wrong")
    page.get_by_label("Content (JSON)").fill("{}")
    with page.expect_navigation():
        send(page)
    expect(page.get_by_text("listVersion").or_(page.get_by_text("charger")).first).to_be_visible(
        timeout=LATE_MS
    )
    wrong += looked_at(page, "message-answered")
    assert wrong == []


def test_the_tour_of_many_chargers(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "dark", 1280, "en")
    wrong: list[str] = []
    page.goto(f"{place.url}/makes")
    page.locator("summary").filter(has_text="New template").click()
    page.get_by_label("Name", exact=True).fill("House")
    page.locator("#t-vendor").fill("*")
    page.get_by_label("Keys").fill("HeartbeatInterval = 300\nColour = red")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("rowheader", name="House")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "makes")

    page.goto(f"{place.url}/bulk")
    wrong += looked_at(page, "bulk-empty")
    page.get_by_label("Command").select_option("read_configuration")
    page.get_by_role("button", name="Send to all").click()
    confirm(page)
    expect(page.get_by_text("6 of 6 answered")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "bulk-run")
    assert wrong == []


@pytest.mark.parametrize(
    ("theme", "width", "locale"),
    [("dark", 390, "de"), pytest.param("light", 1280, "de", marks=pytest.mark.long)],
)
def test_the_pages_fit(browser: Browser, place: Place, theme: str, width: int, locale: str) -> None:
    page = page_of(browser, place, theme, width, locale)
    wrong: list[str] = []
    page.goto(f"{place.url}/chargers")
    links = page.get_by_role("link", name="CP03")
    charger = links.first.get_attribute("href")
    for name in ("configuration", "monitoring", "message", "log"):
        page.goto(f"{place.url}{charger}/{name}")
        wrong += looked_at(page, f"{name}-{locale}")
    for name in ("bulk", "makes"):
        page.goto(f"{place.url}/{name}")
        wrong += looked_at(page, f"{name}-{locale}")
    assert wrong == []


def send(page: Page) -> None:
    page.get_by_role("button", name="Send", exact=True).click()
    confirm(page)


def confirm(page: Page) -> None:
    """The dialog that asks before something that matters."""
    page.locator("dialog[open] button.danger, dialog[open] button.primary").first.click()
