"""Preconditioning at the console: a rule entered, a vehicle let in, looked at in both themes."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.looking import LATE_MS, looked_at
from tests.e2e.serve_firmware import Place, in_a_thread
from tests.e2e.test_firmware_in_browser import page_of
from voltyard.app import first_organisation
from voltyard.fleets.commands import VehicleDraft
from voltyard.ids import new_id
from voltyard.preconditioning.commands import RuleDraft
from voltyard.preconditioning.model import Kind
from voltyard.timetable.model import Duty

pytestmark = pytest.mark.e2e
VIN = "WEB62804113456789"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(2) as found:
        yield found


@pytest.fixture(scope="module")
def bus(place: Place) -> tuple[str, str]:
    return place.call(lambda: furnish(place))


async def furnish(place: Place) -> tuple[str, str]:
    """A bus with a departure, a rule for it, and what it told by VDV 261; the ids of both."""
    core = place.server.core
    who = await first_organisation(core)
    (site,) = await core.sites.sites(who)
    bus = await core.fleets.save_vehicle(who, VehicleDraft("Bus 7", "12m", 350_000.0))
    now = core.clock.now()
    duty = Duty(
        new_id(), who.org_id, site.id, "N12", now - timedelta(hours=1), now + timedelta(hours=3),
        vehicle_id=bus.id, target_soc_pct=90.0,
    )  # fmt: skip
    (saved,) = await core.timetable.save_all(who, [duty])
    room = core.preconditioning
    await room.save_rule(who, RuleDraft("Winter", Kind.HEATING, 12_500.0))
    _, password = await room.vdv261.admit(who, bus.id, vin=VIN)
    body = b'{"seq": 0, "vin": "%s", "prec_reqtime": 20, "prec_eamount": 5000}' % VIN.encode()
    await room.vdv261.receive(1, VIN, password, body)
    await room.tick()
    return str(saved.id), str(bus.id)


@pytest.mark.parametrize(
    ("theme", "width", "locale"),
    [("light", 1600, "en"), ("dark", 390, "de")],
)
def test_preconditioning_looks_right(
    browser: Browser, place: Place, bus: tuple[str, str], theme: str, width: int, locale: str
) -> None:
    page = page_of(browser, place, theme, width, locale)
    duty_id, bus_id = bus
    home = "/".join(page.url.split("/")[:3])
    found = []
    for path, ready in (
        ("preconditioning", "tbody tr"),
        ("preconditioning/rules", "tbody tr"),
        ("preconditioning/rules/new", "form.panel"),
        (f"duties/{duty_id}/preconditioning", "form.panel"),
        ("vdv261", "tbody tr"),
        (f"vehicles/{bus_id}/vdv261", "tbody tr"),
        ("vdv261/coding", "form.panel"),
    ):
        page.goto(f"{home}/{path}")
        expect(page.locator(ready).first).to_be_visible(timeout=LATE_MS)
        found += looked_at(page, path.split("/")[0] + "-" + path.split("/")[-1])
    assert found == []
    page.context.close()
