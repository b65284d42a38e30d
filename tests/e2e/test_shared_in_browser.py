"""A shared depot in Chromium: whose vehicle stands where, for the depot and for an operator."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.looking import LATE_MS, looked_at, signed_in_page
from tests.e2e.serve_firmware import PASSWORD, Place, in_a_thread
from tests.e2e.test_access_in_browser import BUS, someone
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.ids import new_id
from voltyard.simulator.evse import Token
from voltyard.simulator.vehicle import Battery
from voltyard.tenancy.access import on_behalf
from voltyard.tenancy.model import AdmittedSite, Role
from voltyard.tenancy.service import NewUser
from voltyard.timetable.model import Duty

pytestmark = pytest.mark.e2e

ALPHA = "Alpha Verkehrsbetriebe"
EMAIL = "alpha@fleet.example"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(4) as found:
        found.call(lambda: furnish(found))
        yield found


async def furnish(place: Place) -> None:
    """Two operators and the depot, a bus of each that charges, and a guest."""
    core = place.server.core
    while len(core.chargers.evses()) < len(place.chargers):
        await core.clock.sleep(1.0)
    who, site_id = someone(place), site_of(place)
    for number, name in enumerate((ALPHA, "Beta Bus", "")):
        acting = who
        if name:
            email = EMAIL if number == 0 else "beta@fleet.example"
            admin = NewUser(email, f"{name} admin", Role.ADMIN, PASSWORD)
            made = await core.operators.create(who, name, admin, places=[AdmittedSite(site_id)])
            acting = on_behalf(who, made.organisation.id)
        bus = await core.fleets.save_vehicle(acting, VehicleDraft(f"BUS-{number + 1}01", "", 3e5))
        await core.fleets.save_token(acting, TokenDraft(f"CARD{number}", vehicle_id=bus.id))
        now = core.clock.now()
        duty = Duty(
            new_id(), acting.org_id, site_id, f"tour {number}", now - timedelta(hours=1),
            now + timedelta(hours=9), bus.id, target_soc_pct=90.0,
        )  # fmt: skip
        await core.timetable.save(acting, duty)
        place.chargers[f"CP0{number}"].plug_in(1, Battery(BUS, 30.0), Token(f"CARD{number}"))
    place.chargers["CP03"].plug_in(1, Battery(BUS, 30.0), Token("GUEST"))
    while len(core.sessions.open_sessions()) < 4:
        await core.clock.sleep(1.0)


def site_of(place: Place) -> UUID:
    found = place.server.core.chargers.evses()[0].site_id
    assert found is not None
    return found


@pytest.mark.parametrize(("theme", "width"), [("light", 1600), ("dark", 390)])
def test_the_depot_sees_whose_vehicle_is_where(
    browser: Browser, place: Place, theme: str, width: int
) -> None:
    page = signed_in_page(browser, place.url, PASSWORD, theme, width, "en")
    wrong: list[str] = []
    board = f"{place.url}/sites/{site_of(place)}/board"
    page.goto(board)
    for vehicle, name in (("BUS-101", ALPHA), ("BUS-201", "Beta Bus"), ("BUS-301", "")):
        flag = page.locator(".tile").filter(has_text=vehicle).locator(".op")
        expect(flag).to_have_text(name, timeout=LATE_MS)
        assert flag.is_visible() is bool(name)
    wrong += looked_at(page, "shared-board")
    for view in ("compact", "table"):
        page.goto(f"{board}?view={view}")
        expect(page.get_by_text("Beta Bus").filter(visible=True).first).to_be_visible()
        wrong += looked_at(page, f"shared-board-{view}")
    page.goto(f"{place.url}/sessions")
    row = page.get_by_role("row").filter(has_text="BUS-101")
    expect(row.get_by_text(ALPHA)).to_be_visible(timeout=LATE_MS)
    wrong += looked_at(page, "shared-sessions")
    assert wrong == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1600), ("dark", 390)])
def test_an_operator_sees_its_own(browser: Browser, place: Place, theme: str, width: int) -> None:
    page = signed_in_page(browser, place.url, PASSWORD, theme, width, "en", email=EMAIL)
    wrong: list[str] = []
    site_id = site_of(place)
    for name in (
        f"sites/{site_id}/board",
        "sessions",
        "duties",
        "vehicles",
        "presystems",
        "alerts",
        "notifications",
    ):
        page.goto(f"{place.url}/{name}")
        if name not in ("presystems", "alerts", "notifications"):
            expect(page.get_by_text("BUS-101").first).to_be_visible(timeout=LATE_MS)
        if name == "presystems":
            expect(page.get_by_role("link", name="Add a presystem")).to_be_visible()
        text = page.content()
        assert not [other for other in ("BUS-201", "BUS-301", "GUEST", "Beta") if other in text]
        wrong += looked_at(page, f"operator-{name.rpartition('/')[2]}")
    assert wrong == []


def test_the_flag_goes_with_the_vehicle(browser: Browser, place: Place) -> None:
    page = signed_in_page(browser, place.url, PASSWORD, "dark", 1600, "en")
    page.goto(f"{place.url}/sites/{site_of(place)}/board")
    flag = page.locator(".tile").filter(has_text="CP01").locator(".op")
    expect(flag).to_have_text("Beta Bus", timeout=LATE_MS)
    looked_at(page, "shared-board")

    async def leaves() -> None:
        place.chargers["CP01"].unplug(1)

    place.call(leaves)
    expect(flag).to_have_text("", timeout=LATE_MS)
