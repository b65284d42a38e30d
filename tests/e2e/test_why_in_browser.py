"""Why a bus is not charging, asked in Chromium over a whole voltyard with a full grid."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.looking import LATE_MS, looked_at
from tests.e2e.serve_firmware import Place, in_a_thread
from tests.e2e.test_access_in_browser import someone
from tests.e2e.test_firmware_in_browser import page_of
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.ids import new_id
from voltyard.simulator.evse import Token as Card
from voltyard.simulator.vehicle import Battery, BatterySpec
from voltyard.sites.commands import NodeDraft
from voltyard.sites.model import NodeKind, NodeLimit
from voltyard.timetable.model import Duty

pytestmark = pytest.mark.e2e

BUS = BatterySpec(300_000.0, 150_000.0, ((0, 150e3), (80, 150e3), (100, 30e3)))
BUSES = {"BUS-41": (1, 2.5), "BUS-42": (9, 2.5), "BUS-43": (5, 9.0)}
"""Priority, and hours until departure: two full charges do not fit the grid in time."""


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(3) as found:
        found.call(lambda: furnish(found))
        yield found


async def furnish(place: Place) -> None:
    """One grid connection of 150 kW, two buses of its full power, and one still on the road."""
    core = place.server.core
    while len(core.chargers.evses()) < len(place.chargers):
        await core.clock.sleep(1.0)
    who = someone(place)
    (site,) = await core.sites.sites(who)
    limit = NodeLimit(power_w=150_000.0)
    grid = await core.sites.add_node(who, site.id, NodeDraft(NodeKind.GRID, "Grid", None, (limit,)))
    for evse in core.chargers.evses():
        leaf = NodeDraft(NodeKind.EVSE, evse.name or f"E{evse.number}", grid.id, (), evse.id)
        node = await core.sites.add_node(who, site.id, leaf)
        await core.chargers.save_evse(who, evse.station_id, evse.number, node_id=node.id)
    now = core.clock.now()
    for name, (priority, hours) in BUSES.items():
        draft = VehicleDraft(name, battery_wh=300_000.0, max_power_w=150_000.0)
        bus = await core.fleets.save_vehicle(who, draft)
        await core.fleets.save_token(who, TokenDraft(f"CARD-{name}", vehicle_id=bus.id))
        arrives_at = now + timedelta(hours=4 if name == "BUS-43" else -1)
        duty = Duty(
            new_id(),
            who.org_id,
            site.id,
            f"D-{name}",
            arrives_at,
            now + timedelta(hours=hours),
            vehicle_id=bus.id,
            target_soc_pct=95.0,
            priority=priority,
        )
        await core.timetable.save(who, duty)
    for identity, name in (("CP00", "BUS-41"), ("CP01", "BUS-42")):
        place.chargers[identity].plug_in(1, Battery(BUS, 20.0), Card(f"CARD-{name}"))


@pytest.mark.parametrize(
    ("theme", "width", "locale"),
    [("light", 1400, "en"), ("dark", 1400, "en"), ("light", 390, "de")],
)
def test_why_bus_42_is_not_charging(
    browser: Browser, place: Place, theme: str, width: int, locale: str
) -> None:
    page = page_of(browser, place, theme, width, locale)
    wrong: list[str] = []
    page.goto(f"{place.url}/why")
    wrong += looked_at(page, f"why-{locale}")
    page.fill("input[name=vehicle]", "bus-42")
    page.press("input[name=vehicle]", "Enter")
    page.wait_for_url("**/why?vehicle=bus-42")
    # The page follows by itself: no second look is needed until the grid is full.
    miss = page.locator("#why [data-code=miss_limit]")
    expect(miss).to_contain_text("Grid", timeout=LATE_MS)
    expect(page.locator("#why [data-code=more_power]")).to_contain_text("kW")
    expect(page.locator("#why [data-code=lower_target]")).to_contain_text("95")
    expect(page.locator("#why .why-path")).to_contain_text("150", timeout=LATE_MS)
    expect(page.locator("#why")).to_contain_text("BUS-41", timeout=LATE_MS)
    wrong += looked_at(page, f"why-bus-42-{locale}")
    if width > 1000:
        tall = page.evaluate("document.documentElement.scrollHeight")
        assert tall <= 1200, "one screen, the words of the rule at most below it"

    page.goto(f"{place.url}/why?vehicle=BUS-43")
    expect(page.locator("#why [data-code=not_here_yet]")).to_be_visible()
    wrong += looked_at(page, f"why-on-the-road-{locale}")
    page.goto(f"{place.url}/why?vehicle=tram")
    expect(page.locator(".empty h2")).to_be_visible()
    wrong += looked_at(page, f"why-nobody-{locale}")
    page.goto(f"{place.url}/why?vehicle=bus")
    expect(page.locator("#why a[href^='/why?vehicle=']")).to_have_count(3)
    assert wrong == []
    page.context.close()


def test_the_way_there_from_other_pages(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "light", 1400, "en")
    page.goto(f"{place.url}/duties")
    page.get_by_role("link", name="Why? BUS-42").click()
    page.wait_for_url("**/why?duty=*")
    expect(page.get_by_role("heading", level=1)).to_contain_text("BUS-42")
    page.get_by_role("link", name="Session", exact=True).click()
    page.get_by_role("link", name="Why?", exact=True).last.click()
    page.wait_for_url("**/why?session=*")
    expect(page.get_by_role("heading", level=1)).to_contain_text("BUS-42")
    page.goto(f"{place.url}/why?session={new_id()}")
    expect(page.locator(".empty")).to_contain_text("does not run")
    page.goto(f"{place.url}/")
    page.locator(".tile", has_text="BUS-42").focus()
    page.keyboard.press("w")
    page.wait_for_url("**/why?evse=*")
    expect(page.get_by_role("heading", level=1)).to_contain_text("BUS-42")
    page.context.close()
