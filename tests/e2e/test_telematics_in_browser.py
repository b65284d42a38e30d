"""Telematics at the console: connections in every state and a vehicle's charge, in both themes."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.looking import LATE_MS, looked_at
from tests.e2e.serve_firmware import Place, in_a_thread
from tests.e2e.test_firmware_in_browser import page_of
from voltyard.app import first_organisation
from voltyard.fleets.commands import VehicleDraft
from voltyard.telematics.commands import ConnectionDraft
from voltyard.telematics.model import Access, Charging, Kind, Told

pytestmark = pytest.mark.e2e
VIN = "WEB62804113456789"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(1) as found:
        yield found


@pytest.fixture(scope="module")
def ids(place: Place) -> tuple[str, str]:
    return place.call(lambda: furnish(place))


async def furnish(place: Place) -> tuple[str, str]:
    """A webhook that tells of one of ours and of one that nobody knows; one that nobody reaches."""
    core = place.server.core
    who = await first_organisation(core)
    bus = await core.fleets.save_vehicle(who, VehicleDraft("Bus 7", "12m", 350_000.0, vin=VIN))
    room, now = core.telematics.service, core.clock.now()
    box = ConnectionDraft("Depot telematics", Kind.WEBHOOK, Access(fields={"soc_pct": "level"}))
    view, _ = await room.save(who, box)
    access = Access(database="depot", user="api@example.org", server="http://10.1.2.3")
    await room.save(who, ConnectionDraft("MyGeotab", Kind.GEOTAB, access, password="x"))
    told = [
        Told(
            now - timedelta(minutes=6),
            vin=VIN,
            soc_pct=43.0,
            odometer_km=120_345.0,
            charging=Charging.NONE,
            departure_at=now + timedelta(hours=6),
        ),
        Told(now - timedelta(minutes=4), vin=VIN, soc_pct=143.0),
        Told(now - timedelta(minutes=5), external_id="unit 12", name="Bus 12", soc_pct=50.0),
    ]
    await room.heard(view.connection, told)
    await core.telematics.poller.tick()
    await core.telematics.poller.settled()
    return str(bus.id), str(view.connection.id)


@pytest.mark.parametrize(("theme", "width", "locale"), [("light", 1600, "en"), ("dark", 390, "de")])
def test_telematics_looks_right(
    browser: Browser, place: Place, ids: tuple[str, str], theme: str, width: int, locale: str
) -> None:
    page = page_of(browser, place, theme, width, locale)
    bus_id, connection_id = ids
    found = []
    for path, ready, name in (
        ("telematics", "tbody tr", "list"),
        ("telematics/new", "dl.pairs a", "kinds"),
        ("telematics/new?kind=mqtt", "form.panel", "form"),
        (f"telematics/{connection_id}", "tbody tr", "connection"),
        (f"vehicles/{bus_id}", "#soc-h", "vehicle"),
    ):
        page.goto(f"{place.url}/{path}")
        expect(page.locator(ready).first).to_be_visible(timeout=LATE_MS)
        found += looked_at(page, f"telematics-{name}")
    assert found == []
    page.context.close()


def test_a_vehicle_that_nobody_knew_is_chosen(
    browser: Browser, place: Place, ids: tuple[str, str]
) -> None:
    page = page_of(browser, place, "light", 1600, "en")
    page.goto(f"{place.url}/telematics/{ids[1]}")
    page.get_by_label("Vehicle for Bus 12").select_option(label="Bus 7")
    page.locator("tr", has_text="unit 12").get_by_role("button", name="Save").click()
    page.wait_for_url("**done=saved*")
    expect(page.get_by_label("Vehicle for Bus 12")).to_have_value(ids[0])
    page.get_by_role("button", name="Test now").wait_for(state="detached")
    page.context.close()
