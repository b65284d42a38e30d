"""Security in Chromium: certificates, profiles, passwords, events, an authority elsewhere."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.guarded import outside_root, sign_outside
from tests.e2e.looking import looked_at, signed_in_page
from tests.e2e.serve_security import PASSWORD, Place, in_a_thread

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(8) as found:
        yield found


def page_of(browser: Browser, place: Place, theme: str, width: int, locale: str) -> Page:
    return signed_in_page(browser, place.url, PASSWORD, theme, width, locale)


def for_many(page: Page, names: list[str], button: str) -> None:
    """Tick chargers of the fleet's page, press the button, say yes."""
    for name in names:
        page.get_by_label(f"Choose {name}", exact=True).check()
    page.get_by_role("button", name=button, exact=True).click()
    page.locator("dialog#ask button[value=yes]").click()
    page.wait_for_url("**/security/rounds/*")


def act(page: Page, summary: str, button: str, *, asks: bool = False) -> None:
    """Open one of a charger's actions and do it."""
    box = page.locator("details.command").filter(has=page.get_by_text(summary, exact=True))
    if not box.get_attribute("open"):
        box.locator("summary").click()
    box.get_by_role("button", name=button, exact=True).click()
    if asks:
        page.locator("dialog#ask button[value=yes]").click()


def test_from_a_password_in_the_clear_to_certificates_and_back(
    browser: Browser, place: Place
) -> None:
    page = page_of(browser, place, "light", 1600, "en")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    wrong: list[str] = []
    three = ["CP00", "CP01", "CP02"]

    page.goto(f"{place.url}/security")
    expect(page.get_by_text("password, in the clear").nth(8)).to_be_visible()
    wrong += looked_at(page, "security-first")
    place.chargers["CP03"].stubborn = True
    for_many(page, [*three, "CP03"], "Renew certificate")
    expect(page.locator("#round-results").get_by_text("Installed", exact=True)).to_have_count(3)
    expect(page.get_by_text("the charger answered Rejected")).to_be_visible()
    wrong += looked_at(page, "security-round")

    page.goto(f"{place.url}/security")
    for_many(page, three, "Raise profile")
    expect(page.locator("#round-results").get_by_text("3 · TLS and certificate")).to_have_count(3)

    page.goto(f"{place.url}/security?profile=3")
    expect(page.get_by_text("3 entries")).to_be_visible()
    page.get_by_role("link", name="CP00").click()
    act(page, "Read what it holds", "Read")
    expect(page.get_by_role("cell", name="SHA256").first).to_be_visible()
    act(page, "Renew certificate", "Ask for a request")
    expect(page.locator("#station-security").get_by_text("Replaced")).to_be_visible()
    expect(page.locator("#station-security").get_by_text("In use")).to_be_visible()
    wrong += looked_at(page, "charger-security")
    station_url = page.url.partition("?")[0]

    page.goto(f"{place.url}/chargers/{place.ids['CP04']}/certificates")
    act(page, "New password", "Exchange", asks=True)
    expect(page.locator("#station-security").get_by_text("changed")).to_be_visible()
    assert place.chargers["CP04"].password.startswith("FF")

    warned = place.chargers["CP01"]
    place.call(lambda: warned.warn("TamperDetectionActivated", "the door is open"))
    page.goto(f"{place.url}/security/events?q=door")
    expect(page.get_by_role("link", name="CP01")).to_be_visible()
    wrong += looked_at(page, "security-events")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert "TamperDetectionActivated,yes,charger" in Path(download.value.path()).read_text()
    page.goto(f"{place.url}/alerts")
    expect(page.get_by_role("heading", name="Charger reports a security event")).to_be_visible()

    page.goto(f"{place.url}/chargers/{place.ids['CP02']}/certificates")
    box = page.locator("details.command", has_text="Revoke a certificate")
    box.locator("summary").click()
    box.get_by_label("Reason").fill("stolen")
    box.get_by_role("button", name="Revoke").click()
    page.locator("dialog#ask button[value=yes]").click()
    expect(page.get_by_text("Revoked", exact=True)).to_be_visible()
    expect(page.get_by_text("stolen")).to_be_visible()

    wrong += by_an_authority_elsewhere(page, place)
    wrong += by_a_new_root(page, place)
    for theme, width, locale in (("dark", 1600, "de"), ("dark", 390, "de"), ("light", 390, "en")):
        small = page_of(browser, place, theme, width, locale)
        small.on("pageerror", lambda error: errors.append(str(error)))
        for name, url in (
            ("security", f"{place.url}/security"),
            ("charger-security", station_url),
            ("security-events", f"{place.url}/security/events"),
            ("authority", f"{place.url}/security/authority"),
        ):
            small.goto(url)
            wrong += looked_at(small, name)
    assert not wrong + errors, "\n".join(wrong + errors)


def by_an_authority_elsewhere(page: Page, place: Place) -> list[str]:
    """Trust it, let requests wait for it, carry one there and its certificate back."""
    now = place.server.core.clock.now()
    root_file, key, root = outside_root(
        place.folder, now - timedelta(days=1), now + timedelta(days=90)
    )
    page.goto(f"{place.url}/security/authority")
    page.locator("summary", has_text="Import an authority").click()
    page.get_by_label("Name", exact=True).fill("Our own")
    page.locator("#f-anchor-file").set_input_files(root_file)
    page.get_by_role("button", name="Trust it").click()
    expect(page.get_by_role("cell", name="CN=Our own root")).to_be_visible()
    page.get_by_label("Signed by").select_option("external")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing waits")).to_be_visible()

    page.goto(f"{place.url}/chargers/{place.ids['CP05']}/certificates")
    act(page, "Renew certificate", "Ask for a request")
    expect(page.locator("#station-security").get_by_text("Waits to be signed")).to_be_visible()
    page.goto(f"{place.url}/security/authority")
    found = looked_at(page, "authority")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSR CP05").click()
    signed = place.folder / "signed.pem"
    csr = Path(download.value.path()).read_text()
    signed.write_text(sign_outside(csr, key, root))
    page.get_by_label("Signed chain for CP05").set_input_files(signed)
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_text("Nothing waits")).to_be_visible()
    assert "BEGIN CERTIFICATE" in place.chargers["CP05"].chain
    return found


def by_a_new_root(page: Page, place: Place) -> list[str]:
    """Beside the old one, which chargers still use: nobody is cut, and it cannot be retired."""
    before = place.chargers["CP00"].connected
    page.get_by_role("button", name="New root ec-p256").click()
    page.locator("dialog#ask button[value=yes]").click()
    expect(page.get_by_text("voltyard root EC 2")).to_be_visible()
    found = looked_at(page, "authority-two-roots")
    page.get_by_role("button", name="Retire").click()
    page.locator("dialog#ask button[value=yes]").click()
    expect(page.get_by_role("alert")).to_contain_text("renew those first")
    assert place.chargers["CP00"].connected == before
    return found


def test_a_form_that_makes_no_sense_says_so(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "light", 1600, "en")
    page.goto(f"{place.url}/security")
    page.get_by_role("button", name="Renew certificate").click()
    page.locator("dialog#ask button[value=yes]").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose at least one charger.")
    page.goto(f"{place.url}/chargers/{place.ids['CP06']}/certificates")
    act(page, "Raise the security profile", "Raise", asks=True)
    alert: Any = page.get_by_role("alert")
    expect(alert).to_contain_text("this charger has no certificate yet")
    assert looked_at(page, "charger-security-fault") == []
