"""The console in Chromium: live values, keyboard, dialogs, access, small screens."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import axe_violations, signed_in
from tests.e2e.conftest import Served
from tests.e2e.fake_data import START, station_id
from tests.e2e.fake_lists import FakeLists
from tests.e2e.pages import OUTSIDE, PAGES, SITE
from voltyard.alerts.model import Severity
from voltyard.web.console import views as v

pytestmark = pytest.mark.e2e

EXPECTED_NOISE = ("404 (Not Found)", "410 (Gone)")


@pytest.fixture
def page(browser: Browser, depot: Served) -> Page:
    return signed_in(browser, depot.url)


def watch_faults(page: Page) -> list[str]:
    """Errors of scripts and of the content policy, as they happen."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if message.type == "error" and not any(word in message.text for word in EXPECTED_NOISE)
            else None
        ),
    )
    return faults


@pytest.mark.parametrize(("theme", "width"), [("light", 1600), ("dark", 390)])
def test_every_page_is_accessible_whole_and_without_fault(
    browser: Browser, depot: Served, theme: str, width: int
) -> None:
    """axe finds nothing, no script fails, nothing is wider than the screen."""
    locale = "de" if width == 390 else "en"
    inside = signed_in(browser, depot.url, theme=theme, width=width, locale=locale)
    outside = signed_in(browser, depot.url, role="nobody", theme=theme, width=width)
    found: list[str] = []
    for name, path in (PAGES | OUTSIDE).items():
        page = outside if name in OUTSIDE else inside
        faults = watch_faults(page)
        page.goto(depot.url + path)
        page.wait_for_function("() => document.fonts.status === 'loaded'")
        found += [f"{name}: {line}" for line in axe_violations(page) + faults]
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        found += [f"{name}: {wider} px wider than the screen"] if wider > 0 else []
    assert found == []


def test_values_on_the_board_follow_the_depot(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["board"])
    tile = page.locator('.tile[data-k="e1"]')
    depot.console.depot.overrides["e1"] = {
        "state": v.TileState.FAULTED,
        "vehicle": "BUS-999",
        "power_w": 123_000.0,
        "soc_pct": 77.0,
        "outlook": v.Outlook.AT_RISK,
        "shortfall_wh": 42_000.0,
    }
    expect(tile.locator('[data-f="v"]')).to_have_text("BUS-999")
    expect(tile.locator('[data-f="p"]')).to_have_text("123")
    expect(tile.locator('[data-f="s"]')).to_have_text("77")
    expect(tile.locator('[data-f="w"]')).to_have_text("Faulted")
    expect(tile.locator('[data-f="ol"]')).to_have_text("−42 kWh")
    expect(tile.locator(".st use")).to_have_attribute("href", "#s-faulted")
    expect(tile.locator(".bar-fill")).to_have_attribute("width", "77")


def test_the_table_of_the_board_is_live_too(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["board-table"])
    depot.console.depot.overrides["e1"] = {"power_w": 98_700.0, "state": v.TileState.CHARGING}
    expect(page.locator('tr[data-k="e1"] [data-f="p"]')).to_have_text("99")


def test_a_lost_connection_is_shown_and_made_good(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["board"])
    expect(page.locator('.tile[data-k="e1"]')).to_be_visible()
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('pagehide'))")
    depot.console.depot.overrides["e1"] = {"vehicle": "BUS-777"}
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator('.tile[data-k="e1"] [data-f="v"]')).to_have_text("BUS-777")
    expect(page.locator("live-link")).to_be_hidden()


def test_search_by_keyboard_finds_and_opens(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["board"])
    page.keyboard.press("/")
    page.keyboard.type("bus-204")
    expect(page.locator(".tile:visible")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("CP-003")


def test_arrow_keys_walk_over_the_tiles(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["board"])
    page.locator('.tile[data-k="e0"]').focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator('.tile[data-k="e1"]')).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator('.tile[data-k="e0"]')).to_be_focused()


def test_letters_lead_to_pages(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["board"])
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sessions")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()


def test_chips_filter_the_board_in_place(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["board"])
    page.locator('[data-filter="faulted"]').click()
    states = page.locator(".tile:visible").evaluate_all("all => all.map(t => t.dataset.state)")
    assert set(states) == {"faulted"}
    assert page.url.endswith("/board")


def test_an_area_is_picked_closed_and_sums_up_its_outlets(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["board"])
    area = page.locator('.tile[data-k="e1"]').get_attribute("data-area")
    page.locator("[data-area]").first.select_option(area)
    areas = page.locator(".tile:visible").evaluate_all("all => all.map(t => t.dataset.area)")
    assert set(areas) == {area}
    lane = page.locator("details.lane:visible")
    power = lane.locator('[data-n="p"]')
    before = power.inner_text()
    depot.console.depot.overrides["e1"] = {
        "power_w": 222_000.0,
        "state": v.TileState.CHARGING,
        "outlook": v.Outlook.MISSED,
    }
    expect(power).not_to_have_text(before)
    expect(lane.locator('[data-n="risk"]')).to_be_visible()
    lane.locator("summary").click()
    expect(page.locator(".tile:visible")).to_have_count(0)


def test_a_search_that_finds_nothing_says_so(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["board-compact"])
    page.locator("[data-board]").fill("no such bus")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    page.locator("[data-board]").fill("")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_hidden()
    expect(page.locator(".tile:visible")).to_have_count(80)


def test_a_dangerous_command_asks_first(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["charger"])
    page.get_by_text("Restart", exact=True).first.click()
    form = page.locator('form[action$="/commands/reset"]')
    form.get_by_role("button", name="Send").click()
    expect(page.locator("#ask")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#ask")).to_be_hidden()
    assert depot.console.depot.given == []
    form.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Yes, do it").click()
    expect(page.locator("#command-list")).to_contain_text("Accepted")
    assert [row.name for _, row in depot.console.depot.given] == ["reset"]


def test_a_harmless_command_shows_its_result_without_asking(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["charger"])
    page.get_by_text("Set a limit", exact=True).first.click()
    form = page.locator('form[action$="/commands/set_limit"]')
    form.locator('[name="power_kw"]').fill("96")
    form.get_by_role("button", name="Send").click()
    expect(page.locator("#command-list")).to_contain_text("power_kw 96")


def test_a_result_of_somebody_elses_command_appears(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["charger"])
    expect(page.locator("ocpp-log tbody tr").first).to_be_visible()
    row = v.CommandRow(
        station_id(1), "unlock", START, "K. Yılmaz", v.CommandProgress.REFUSED, {}, "Rejected"
    )
    depot.console.depot.given.append((station_id(0), row))
    expect(page.locator("#command-list")).to_contain_text("Refused")


def test_the_log_follows_pauses_and_opens_a_message(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["log"])
    first = page.locator("ocpp-log tbody tr").first
    before = first.inner_text()
    depot.console.depot.sent_frames += 1
    expect(first).not_to_have_text(before)
    page.get_by_role("button", name="Pause").click()
    held = first.inner_text()
    depot.console.depot.sent_frames += 1
    page.get_by_role("button", name="Go on").wait_for()
    assert first.inner_text() == held
    first.get_by_role("link").click()
    expect(page.locator("#frame-drawer")).to_be_visible()
    expect(page.locator("#frame")).to_contain_text("Power.Active.Import")
    expect(page.locator("#frame-drawer nav")).to_have_count(0)


def test_lists_are_filtered_as_one_types(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["sessions"])
    page.keyboard.press("/")
    page.keyboard.type("BUS-205")
    expect(page.locator("#results")).to_contain_text("2 entries")
    assert "q=BUS-205" in page.url
    page.reload()
    expect(page.locator("[data-search]")).to_have_value("BUS-205")


def test_a_new_alert_is_counted_and_announced(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["sessions"])
    expect(page.locator("alert-count")).to_have_text("4")
    add_alert(depot.console.depot)
    expect(page.locator("alert-count")).to_have_text("5")
    region = page.locator("alert-toasts")
    expect(region).to_contain_text("CP-033 is offline")
    assert region.get_attribute("aria-live") == "polite"


def add_alert(depot: FakeLists) -> None:
    row = v.AlertRow(
        station_id(33), "station_offline", Severity.CRITICAL, "CP-033 is offline", START
    )
    depot.alert_rows[row.id] = row


def test_the_load_chart_is_drawn(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["load"])
    canvas = page.locator("load-chart canvas")
    expect(canvas).to_be_visible()
    colours = canvas.evaluate(
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert colours > 20


def test_an_import_shows_bad_rows_and_writes_nothing(page: Page, depot: Served) -> None:
    page.goto(depot.url + PAGES["import"])
    file = {"name": "plan.csv", "mimeType": "text/csv", "buffer": b"duty,departure\nA,bad"}
    page.locator('input[type="file"]').set_input_files(files=[file])  # type: ignore[list-item]
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("Nothing was written.")).to_be_visible()
    expect(page.get_by_role("button", name="Import")).to_have_count(0)


def test_log_in_theme_and_language(browser: Browser, depot: Served) -> None:
    page = signed_in(browser, depot.url, role="nobody")
    page.goto(depot.url + "/alerts?status=resolved")
    page.get_by_label("E-mail").fill("dispatcher@depot.example")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(depot.url + "/alerts?status=resolved")
    page.get_by_label("Theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_role("heading", level=1)).to_have_text("Alarme")


def test_the_menu_of_a_phone(browser: Browser, depot: Served) -> None:
    page = signed_in(browser, depot.url, width=390)
    page.goto(depot.url + SITE + "/board")
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Audit log")
    expect(link).to_be_hidden()
    page.get_by_label("Menu").click()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Audit log")


def test_the_console_works_without_script(browser: Browser, depot: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "voltyard_session", "value": "token-admin", "url": depot.url}])
    page = context.new_page()
    page.goto(depot.url + PAGES["board"])
    expect(page.locator(".tile")).to_have_count(80)
    page.goto(depot.url + PAGES["log"])
    expect(page.locator("table.log tbody tr").first).to_be_visible()
    page.goto(depot.url + PAGES["duty"])
    page.get_by_label("Note").fill("spare")
    page.locator("main").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
