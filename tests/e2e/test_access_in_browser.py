"""Who may charge, at the console: tokens and their rules, lists on chargers, reservations."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.looking import LATE_MS, looked_at
from tests.e2e.serve_firmware import Place, in_a_thread
from tests.e2e.test_firmware_in_browser import page_of
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.reservations.commands import NewReservation
from voltyard.simulator.evse import Token as Card
from voltyard.simulator.vehicle import Battery, BatterySpec
from voltyard.tenancy.model import ROLE_PERMISSIONS, Principal, Role

pytestmark = pytest.mark.e2e

BUS = BatterySpec(300_000.0, 150_000.0, ((0, 150e3), (80, 150e3), (100, 30e3)))


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(6) as found:
        found.call(lambda: furnish(found))
        yield found


async def furnish(place: Place) -> None:
    """Tokens of every state, one that was refused, a reservation that is over and one ahead."""
    core = place.server.core
    while len(core.chargers.evses()) < len(place.chargers):
        await core.clock.sleep(1.0)
    now = core.clock.now()
    who = someone(place)
    for number in range(12):
        bus = await core.fleets.save_vehicle(who, VehicleDraft(f"BUS-{201 + number}"))
        group = "FLEET-A" if number < 4 else ""
        draft = TokenDraft(f"04A2B1C9{number:02X}", vehicle_id=bus.id, group_id=group)
        await core.fleets.save_token(who, draft)
    await core.fleets.save_token(who, TokenDraft("LOST-CARD", label="Porter", blocked=True))
    await core.fleets.save_token(who, TokenDraft("YARD-1", label="Workshop", concurrent=True))
    over = now - timedelta(days=2)
    old = TokenDraft("OLD-CARD", label="Temp", valid_from=over, valid_until=now)
    await core.fleets.save_token(who, old)
    place.chargers["CP04"].plug_in(1, Battery(BUS, 30.0), Card("LOST-CARD"))
    place.chargers["CP05"].plug_in(1, Battery(BUS, 30.0), Card("04A2B1C905"))
    station = station_of(place, "CP02")
    ahead = now + timedelta(hours=6)
    new = NewReservation(station, "04A2B1C903", ahead + timedelta(hours=1), from_at=ahead)
    await core.reservations.reserve(who, new)
    soon = core.clock.now() + timedelta(minutes=2)
    await core.reservations.reserve(who, NewReservation(station, "04A2B1C902", soon))


def someone(place: Place) -> Principal:
    org_id = place.server.core.chargers.evses()[0].org_id
    return Principal(org_id, "user", UUID(int=1), "A. Brandt", ROLE_PERMISSIONS[Role.ADMIN])


def station_of(place: Place, identity: str) -> UUID:
    core = place.server.core
    views = core.chargers.list_stations(someone(place).org_id)
    return next(view.station.id for view in views if view.station.identity == identity)


def test_tokens_and_their_rules(browser: Browser, place: Place, tmp_path: Path) -> None:
    page = page_of(browser, place, "light", 1600, "en")
    wrong: list[str] = []
    page.goto(f"{place.url}/tokens")
    wrong += looked_at(page, "tokens")
    row = page.get_by_role("row").filter(has_text="04A2B1C901")
    row.get_by_role("button", name="Block 04A2B1C901").click()
    confirm(page)
    expect(row.get_by_text("Blocked")).to_be_visible(timeout=LATE_MS)
    row.get_by_role("button", name="Unblock").click()
    expect(row.get_by_text("Valid")).to_be_visible(timeout=LATE_MS)
    page.get_by_label("State").select_option("expired")
    expect(page.get_by_text("1 entry")).to_be_visible(timeout=LATE_MS)
    expect(page.get_by_role("link", name="OLD-CARD")).to_be_visible()

    page.goto(f"{place.url}/tokens/import")
    wrong += looked_at(page, "token-import")
    file = tmp_path / "tokens.csv"
    file.write_text("value;vehicle;blocked\nNEW-1;BUS-201;no\nNEW-2;BUS-999;maybe\n")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("there is no vehicle of this name")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "token-import-faults")
    file.write_text("value;vehicle\nNEW-1;BUS-201\nNEW-2;\n")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_role("button", name="Import 2 tokens")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "token-import-good")
    page.get_by_role("button", name="Import 2 tokens").click()
    expect(page.get_by_role("link", name="NEW-2")).to_be_visible(timeout=LATE_MS)

    page.get_by_role("link", name="Refused", exact=True).click()
    lost = page.get_by_role("row").filter(has_text="LOST-CARD").first
    expect(lost.get_by_text("The token is blocked.")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "refused")
    lost.get_by_role("link", name="LOST-CARD").click()
    expect(page.get_by_role("heading", name="Last refused")).to_be_visible()
    wrong += looked_at(page, "token")

    page.goto(f"{place.url}/tokens/rules")
    wrong += looked_at(page, "token-rules")
    page.get_by_role("button", name="Refuse unknown tokens").click()
    confirm(page)
    expect(page.get_by_text("Only known tokens may charge")).to_be_visible(timeout=LATE_MS)
    assert wrong == []


def test_lists_on_chargers(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "dark", 1600, "en")
    wrong: list[str] = []
    page.goto(f"{place.url}/tokens/lists")
    page.get_by_role("button", name="Replace whole").click()
    confirm(page)
    expect(page.get_by_text("6 in step")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "lists")
    page.get_by_role("link", name="CP03").click()
    expect(page.get_by_role("rowheader", name="04A2B1C900")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "list-of-one")
    page.get_by_role("button", name="Send changes").click()
    expect(page.get_by_text("In step").first).to_be_visible(timeout=LATE_MS)
    assert wrong == []


def test_an_outlet_is_reserved_and_let_go(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "light", 1600, "en")
    wrong: list[str] = []
    station = f"{place.url}/chargers/{station_of(place, 'CP01')}"
    page.goto(station)
    page.get_by_role("link", name="Reserve", exact=True).click()
    page.wait_for_url("**/reservations/new?*")
    wrong += looked_at(page, "reservation-new")
    page.get_by_label("Token").fill("04A2B1C900")
    page.get_by_label("Until").fill("2026-01-20T08:00")
    page.get_by_role("button", name="Reserve").click()
    row = page.get_by_role("row").filter(has_text="CP01")
    expect(row.get_by_text("Active")).to_be_visible(timeout=LATE_MS)
    expect(page.get_by_text("Expired").first).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "reservations")
    page.goto(station)
    wrong += looked_at(page, "charger-reserved")
    page.get_by_role("button", name="Release reservation").click()
    again = "e => { e.outerHTML = e.outerHTML; }"
    page.locator("#station-reservations").evaluate(again)  # as the page does when it looks again
    confirm(page)
    expect(page.locator("#station-reservations").get_by_text("Released")).to_be_visible(
        timeout=LATE_MS
    )

    page.goto(f"{place.url}/reservations/new?station={station_of(place, 'CP05')}")
    page.get_by_label("Token").fill("04A2B1C900")
    page.get_by_label("Outlet").select_option("1")
    page.get_by_role("button", name="Reserve").click()
    expect(page.get_by_text("A vehicle charges there.")).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "reservation-refused")
    assert wrong == []


@pytest.mark.parametrize(
    ("theme", "width", "locale"),
    [("dark", 390, "de"), pytest.param("light", 1280, "de", marks=pytest.mark.long)],
)
def test_the_pages_fit(browser: Browser, place: Place, theme: str, width: int, locale: str) -> None:
    page = page_of(browser, place, theme, width, locale)
    wrong: list[str] = []
    for name in ("refused", "rules", "lists", "import", "new"):
        page.goto(f"{place.url}/tokens/{name}")
        wrong += looked_at(page, f"tokens-{name}-{locale}")
    for path in ("tokens", "reservations", "reservations/new", "tokens/refused?q=nobody"):
        page.goto(f"{place.url}/{path}")
        wrong += looked_at(page, f"fit-{path.replace('/', '-').partition('?')[0]}-{locale}")
    charger = f"{place.url}/chargers/{station_of(place, 'CP02')}"
    for name in ("", "/local-list", "/log"):
        page.goto(f"{charger}{name}")
        wrong += looked_at(page, f"charger{name.replace('/', '-')}-{locale}")
    assert wrong == []


def confirm(page: Page) -> None:
    page.locator("dialog[open] button[value=yes]").click()
