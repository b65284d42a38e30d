"""Presystems in Chromium: set up by the form, connected, in conflict, looked at."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.looking import looked_at, signed_in_page
from tests.e2e.serve_security import PASSWORD, Place, in_a_thread
from voltyard.fleets.commands import VehicleDraft
from voltyard.timetable.vdv463.link import Link
from voltyard.timetable.vdv463.model import Kind, Presystem, Version

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_a_thread(1) as found:
        yield found


class Wire:
    """The presystem's end: what it was sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    async def close(self, code: int, reason: str) -> None:
        return None


def frame(kind: int, action: str, payload: Any, me: str) -> bytes:
    at = "2026-11-21T12:00:00Z"
    return json.dumps([kind, "BMS", me, at, str(uuid4()), action, payload]).encode()


async def opened(place: Place, presystem: Presystem, kind: str, me: str) -> tuple[Link, Wire]:
    """Connected, booted, informed."""
    room, wire = place.server.core.presystems, Wire()
    link = await room.connect(presystem, Version.V20, wire, "10.0.0.7:50123")
    await link.received(frame(1, "BootNotification", {"presystem": kind}, me))
    async with place.server.core.clock.timeout(20):
        while not any(sent[0] == 1 for sent in wire.sent):
            await place.server.core.clock.sleep(0.05)
    told = next(sent for sent in wire.sent if sent[0] == 1)
    answer = [2, "BMS", me, told[3], told[4], told[5], {}]
    await link.received(json.dumps(answer).encode())
    return link, wire


async def in_conflict(place: Place, bms: UUID) -> None:
    """Two presystems want one vehicle; one asks for a vehicle that is not there."""
    core = place.server.core
    for number in (1, 2):
        await core.fleets.save_vehicle(
            place.who, VehicleDraft(name=f"Bus {number}", battery_wh=300e3)
        )
    draft = Presystem(bms, place.who.org_id, "itcs", "Traffic control", Kind.ITCS)
    itcs, _ = await core.presystems.create(place.who, draft)
    first = core.presystems.view(place.who, bms).presystem
    link, _ = await opened(place, first, "BMS", "BMS1")
    await link.received(frame(1, "ProvideChargingRequests", wanted(place, 20), "BMS1"))
    await link.received(frame(1, "ProvideChargingRequests", wanted(place, 140), "BMS1"))
    await link.received(b"[1, 2]")
    other, _ = await opened(place, itcs.presystem, "ITCS", "ITCS1")
    urgent = wanted(place, 60, ids=("T1",), priority=1)
    await other.received(frame(1, "ProvideChargingRequests", urgent, "ITCS1"))


def wanted(
    place: Place, soc_pct: float, ids: tuple[str, ...] = ("R1", "R2", "R3"), priority: int = 4
) -> Any:
    departure_at = place.server.core.clock.now() + timedelta(hours=7)
    data = {"maxTargetSoc": 90, "requestedTimeForDeparture": departure_at.isoformat()}
    requests = [
        {
            "vehicleId": f"Bus {number}",
            "chargingRequestId": request_id,
            "priority": priority,
            "chargingRequestData": {**data, "minTargetSoc": soc_pct},
        }
        for number, request_id in enumerate(ids, 1)
    ]
    return {"chargingRequestList": requests}


def test_a_presystem_from_the_form_to_its_conflict(browser: Browser, place: Place) -> None:
    page = signed_in_page(browser, place.url, PASSWORD, "light", 1600, "en")
    page.goto(f"{place.url}/presystems")
    wrong = looked_at(page, "presystems-none")
    page.get_by_role("link", name="Add a presystem").click()
    page.wait_for_url("**/presystems/new")
    page.get_by_label("Name", exact=True).fill("Depot management")
    page.locator("#f-path").fill("two words")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#h-path")).to_contain_text("letters, digits")
    page.locator("#f-path").fill("nord/BMS400")
    page.get_by_label("Also offer version 2.0-rc1").check()
    wrong += looked_at(page, "presystem-form")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("section.secret code")).to_be_visible()
    wrong += looked_at(page, "presystem-password")
    [made] = place.server.core.presystems.views(place.who)
    place.call(lambda: in_conflict(place, made.presystem.id))
    looks = (("light", 1600, "en"), ("dark", 1600, "de"), ("light", 390, "de"), ("dark", 390, "en"))
    for theme, width, locale in looks:
        page = signed_in_page(browser, place.url, PASSWORD, theme, width, locale)
        page.goto(f"{place.url}/presystems")
        wrong += looked_at(page, "presystems")
        page.goto(f"{place.url}/presystems/{made.presystem.id}")
        expect(page.locator("#results")).to_contain_text("Traffic control: T1")
        wrong += looked_at(page, "presystem")
        page.goto(f"{place.url}/presystems/{made.presystem.id}/settings")
        wrong += looked_at(page, "presystem-settings")
    assert wrong == []
