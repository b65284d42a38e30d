"""Tariffs in Chromium: made, given, shown with the cost of a session."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.looking import looked_at, signed_in_page
from tests.e2e.serve_security import PASSWORD, Place, in_a_thread
from voltyard.sessions.model import MeterReading, Phase, SessionFilter, TransactionReport

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(1) as found:
        yield found


async def charged(place: Place) -> UUID:
    """An hour of charging and an hour of waiting; the session's id."""
    core, now = place.server.core, place.server.core.clock.now()
    station = core.chargers.list_stations(place.who.org_id)[0].station.ref
    steps = ((Phase.STARTED, 0, 120, 0.0), (Phase.UPDATED, 1, 60, 42e3), (Phase.ENDED, 2, 0, 42e3))
    for phase, seq_no, minutes, wh in steps:
        at = now - timedelta(minutes=minutes)
        report = TransactionReport(
            phase, at, f"m{seq_no}", evse_number=1, transaction_ref="tx-priced", seq_no=seq_no,
            readings=(MeterReading(at, wh),),
        )  # fmt: skip
        await core.sessions.report(station, report)
    wanted = SessionFilter(text="tx-priced")
    return (await core.sessions.page(place.who.org_id, wanted)).sessions[0].id


@pytest.mark.long
def test_a_tariff_from_the_form_to_the_cost_of_a_session(browser: Browser, place: Place) -> None:
    page = signed_in_page(browser, place.url, PASSWORD, "light", 1600, "en")
    wrong: list[str] = []
    page.goto(f"{place.url}/tariffs")
    wrong += looked_at(page, "tariffs-none")
    page.get_by_role("link", name="New tariff").click()
    page.wait_for_url("**/tariffs/new")
    page.get_by_label("Name").fill("Day and night")
    for name, value in {
        "energy_0_amount": "0.29", "energy_0_from": "22:00", "energy_0_until": "06:00",
        "energy_1_amount": "0.49", "idle_time_0_amount": "0.10", "idle_time_0_after": "30",
        "fixed_0_amount": "1",
    }.items():  # fmt: skip
        page.locator(f"#f-{name}").fill(value)
    wrong += looked_at(page, "tariff-form")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/tariffs?done=saved")
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator("#f-target").select_option("organisation")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("table").nth(1)).to_contain_text("Everybody")
    session_id = place.call(lambda: charged(place))
    cost = place.call(lambda: place.server.core.billing.cost(place.who, session_id))
    assert cost is not None
    assert cost.cost.gross > Decimal(10)
    looks = (("light", 1600, "en"), ("dark", 1600, "de"), ("light", 390, "de"), ("dark", 390, "en"))
    for theme, width, locale in looks:
        page = signed_in_page(browser, place.url, PASSWORD, theme, width, locale)
        for name in ("tariffs", "tariffs/settings", f"tariffs/{cost.phases[0].tariff.id}"):
            page.goto(f"{place.url}/{name}")
            wrong += looked_at(page, "tariff" if name.count("-") else name.replace("/", "-"))
        page.goto(f"{place.url}/sessions/{session_id}")
        expect(page.locator("#session-cost table")).to_be_visible()
        wrong += looked_at(page, "session-cost")
        page.goto(f"{place.url}/sessions")
        wrong += looked_at(page, "sessions-cost")
    assert wrong == []
