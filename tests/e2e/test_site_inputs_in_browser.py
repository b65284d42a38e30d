"""Site meters and prices at the console: set up, looked at in both themes and widths."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.looking import LATE_MS, looked_at
from tests.e2e.serve_firmware import Place, in_a_thread
from tests.e2e.test_access_in_browser import someone
from tests.e2e.test_firmware_in_browser import page_of
from voltyard.energy.prices.model import Band, Objective, Point, PriceKind, Tariff
from voltyard.sitemeters.commands import MeterDraft
from voltyard.sitemeters.model import MeterProtocol, Reading
from voltyard.sites.commands import NodeDraft
from voltyard.sites.model import NodeKind, NodeLimit

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(2) as found:
        found.call(lambda: furnish(found))
        yield found


async def furnish(place: Place) -> None:
    """A meter that was read, a day of market prices with hours missing, a peak."""
    core = place.server.core
    while len(core.chargers.evses()) < len(place.chargers):
        await core.clock.sleep(1.0)
    who = someone(place)
    (site,) = await core.sites.sites(who)
    limit = NodeLimit(power_w=250_000.0)
    grid = await core.sites.add_node(who, site.id, NodeDraft(NodeKind.GRID, "Grid", None, (limit,)))
    meters, prices = core.inputs.meters, core.inputs.prices
    groups = [{"key": "express", "name": "Express"}, {"key": "public", "name": "Public"}]
    block = {"kind": "reserve", "power_w": 90_000.0, "group": "express", "to_time": "06:00:00"}
    wanted = {"groups": {"groups": groups}, "blocks": {"blocks": [block]}}
    await core.inputs.policies.replace(who, site.id, wanted)
    made = await meters.save(who, site.id, MeterDraft(grid.id, "Grid", MeterProtocol.PUSH))
    now = core.clock.now()
    await meters.push(who, made.meter.id, [Reading(now, 84_000.0, (30e3, 28e3, 26e3))])
    tariff = Tariff(source="csv", fees=(Band(0.08),), demand_per_kw=96.0, objective=Objective.COST)
    await prices.set_tariff(who, site.id, tariff)
    first = now.replace(minute=0, second=0, microsecond=0)
    points = [
        Point(first + timedelta(hours=h), 3600, 90.0 - 130.0 * (h % 12 == 5) + 9 * (h % 7))
        for h in range(24)
    ]
    await prices.put(who, site.id, PriceKind.IMPORT, points, "test")


@pytest.mark.parametrize(
    ("theme", "width", "locale"),
    [("light", 1600, "en"), ("dark", 390, "de")],
)
def test_meters_and_prices_look_right(
    browser: Browser, place: Place, theme: str, width: int, locale: str
) -> None:
    page = page_of(browser, place, theme, width, locale)
    home = page.url.rsplit("/", 1)[0]
    found = []
    for path, ready in (
        ("meters", "tbody tr"),
        ("prices", "svg.price-bars"),
        ("policies", "section.form"),
        ("meters/new", "form.panel"),
        ("load", "load-chart"),
    ):
        page.goto(f"{home}/{path}")
        expect(page.locator(ready).first).to_be_visible(timeout=LATE_MS)
        found += looked_at(page, path.replace("/", "-"))
    assert found == []
    page.context.close()


def test_a_meter_and_a_price_table_are_entered(browser: Browser, place: Place) -> None:
    page = page_of(browser, place, "light", 1600, "en")
    home = page.url.rsplit("/", 1)[0]
    page.goto(f"{home}/meters/new")
    page.fill("[name=name]", "Workshop")
    page.select_option("[name=node_id]", index=1)
    page.select_option("[name=covers]", "other")
    page.click("form.panel button.primary")
    expect(page.locator("[role=alert]").first).to_be_visible(timeout=LATE_MS)
    page.fill("[name=host]", "127.0.0.1")
    page.fill("[name=margin_kw]", "12.5")
    page.click("form.panel button.primary")
    expect(page.locator("tbody")).to_contain_text("Workshop", timeout=LATE_MS)
    page.click("text=Workshop")
    expect(page.locator("[name=margin_kw]")).to_have_value("12.5", timeout=LATE_MS)
    page.goto(f"{home}/prices")
    page.fill("[name=bands]", "0.24 22:00-06:00 1-5 m11,12\n0.31")
    page.select_option("[name=source]", "")
    page.click("form.panel button.primary")
    expect(page.locator("[name=bands]")).to_have_value(
        "0.24 22:00-06:00 1,2,3,4,5 m11,12\n0.31", timeout=LATE_MS
    )
    page.fill("[name=bands]", "cheap")
    page.click("form.panel button.primary")
    expect(page.locator("#h-bands")).to_contain_text("A line is a price", timeout=LATE_MS)
    page.context.close()
